"""Checks answers against an OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12.

https://spec.openapis.org/oas/v3.1.0#schema-object
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

Schema = Mapping[str, Any]


class OpenApi:
    """A document's operations, by route key ("GET /orders/{id}")."""

    def __init__(self, path: Path) -> None:
        self.document = json.loads(path.read_text(), object_pairs_hook=_object)
        self.operations: dict[str, Schema] = {
            f"{method.upper()} {route}": operation
            for route, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def check(self, route: str, status: int, answer: Any) -> None:
        """Fail if the document does not allow this answer of the route."""
        responses = self.operations[route]["responses"]
        assert str(status) in responses, f"{route} answers {status}, which is not in the document"
        response = responses[str(status)]
        if "$ref" in response:
            name = response["$ref"].removeprefix("#/components/responses/")
            response = self.document["components"]["responses"][name]
        self.validator(response["content"]["application/json"]["schema"]).validate(answer)

    def validator(self, schema: Schema) -> jsonschema_rs.Draft202012Validator:
        """A validator of a schema that may refer to the document's components."""
        whole = {**schema, "components": self.document["components"]}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without duplicate names, of which JSON readers would keep the last."""
    found = dict(pairs)
    assert len(found) == len(pairs), f"a name comes twice in {[name for name, _ in pairs]}"
    return found
