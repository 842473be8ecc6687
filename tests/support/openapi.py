"""Answers held to an OpenAPI document: as much of JSON Schema as the project's document uses, and nothing ignored.

https://spec.openapis.org/oas/v3.1.0, https://json-schema.org/draft/2020-12/json-schema-validation
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "null": (type(None),),
}
_SAYS_NOTHING = {"description", "examples"}


class OpenApi:
    """A document's operations, by route key ("GET /orders/{id}")."""

    def __init__(self, path: Path) -> None:
        self.document = json.loads(path.read_text(), object_pairs_hook=_object)
        self.operations: dict[str, Schema] = {
            f"{method.upper()} {route}": operation
            for route, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def check(self, route: str, status: int, document: Any) -> None:
        """Fail if the route does not answer like that."""
        responses = self.operations[route]["responses"]
        assert str(status) in responses, f"{route} answers {status}, which is not in the document"
        response = self.resolved(responses[str(status)])
        schema = response["content"]["application/json"]["schema"]
        wrong = self.wrong(schema, document, "body")
        assert not wrong, f"{route} {status}: {wrong}"

    def resolved(self, schema: Schema) -> Schema:
        """What a reference refers to."""
        while "$ref" in schema:
            found = self.document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        return schema

    def wrong(self, schema: Schema, value: Any, place: str) -> str:
        """What of the value is not as the schema says; empty: nothing."""
        schema = self.resolved(schema)
        for keyword, rule in schema.items():
            if keyword in _SAYS_NOTHING:
                continue
            if wrong := self._wrong(keyword, rule, schema, value, place):
                return wrong
        return ""

    def _wrong(self, keyword: str, rule: Any, schema: Schema, value: Any, place: str) -> str:
        holds = True
        match keyword:
            case "type":
                kinds = rule if isinstance(rule, list) else [rule]
                # A bool is an int in Python, and is none in JSON.
                holds = not isinstance(value, bool) and any(
                    isinstance(value, _TYPES[kind]) for kind in kinds
                )
            case "enum":
                holds = value in rule
            case "anyOf":
                found = [self.wrong(each, value, place) for each in rule]
                return "" if "" in found else " and ".join(found)
            case "pattern" if isinstance(value, str):
                holds = re.search(rule, value, re.ASCII) is not None
            case "maxLength" if isinstance(value, str):
                holds = len(value) <= rule
            case "format" if isinstance(value, str):
                holds = rule == "date-time" and datetime.fromisoformat(value).tzinfo is not None
            case "minimum" if isinstance(value, int):
                holds = value >= rule
            case "maximum" if isinstance(value, int):
                holds = value <= rule
            case "minItems" if isinstance(value, list):
                holds = len(value) >= rule
            case "maxItems" if isinstance(value, list):
                holds = len(value) <= rule
            case "items" if isinstance(value, list):
                found = [self.wrong(rule, each, f"{place}[{n}]") for n, each in enumerate(value)]
                return "; ".join(filter(None, found))
            case "properties" if isinstance(value, dict):
                found = [
                    self.wrong(rule[name], each, f"{place}.{name}")
                    for name, each in value.items()
                    if name in rule
                ]
                return "; ".join(filter(None, found))
            case "required" if isinstance(value, dict):
                holds = value.keys() >= set(rule)
            case "additionalProperties" if isinstance(value, dict):
                holds = rule is False and value.keys() <= schema["properties"].keys()
            case _ if keyword not in _KEYWORDS:
                raise NotImplementedError(keyword)
        return "" if holds else f"{place} is {value!r}, which breaks {keyword}: {rule}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which JSON's readers would drop all but the last of the same name."""
    found = dict(pairs)
    assert len(found) == len(pairs), f"a name comes twice in {[name for name, _ in pairs]}"
    return found


_KEYWORDS = {
    *("pattern", "maxLength", "format", "minimum", "maximum", "minItems", "maxItems", "items"),
    *("properties", "required", "additionalProperties"),
}
