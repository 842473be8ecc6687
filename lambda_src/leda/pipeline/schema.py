"""Reads the schema of messages: the names of fields, the levels of the hierarchy, and the limits of a value."""

import json
from dataclasses import dataclass, fields

from leda.values.limits import Limits, LimitsError


class SchemaError(ValueError):
    """The schema is not valid; the text says which attribute, and why."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The module's `schema` object.

    id, version, value, timestamp, deleted, hierarchy: names of a message's fields. If `hierarchy` is None, the levels
    are fields of the message itself. levels: the levels of the hierarchy, from the root.
    """

    id: str = "TradeID"
    version: str = "Version"
    value: str = "Value"
    timestamp: str = "Timestamp"
    deleted: str = "Deleted"
    hierarchy: str | None = "Hierarchy"
    levels: tuple[str, ...] = ("RiskType", "TradeDesk", "Region")
    max_integer_digits: int = 12
    max_decimal_places: int = 17

    def __post_init__(self) -> None:
        if not self.levels:
            raise SchemaError("schema.levels is empty: name at least one level of the hierarchy")
        if len(set(self.levels)) != len(self.levels):
            raise SchemaError(f"schema.levels names a level twice: {list(self.levels)}")
        try:
            Limits(self.max_integer_digits, self.max_decimal_places)
        except LimitsError as error:
            raise SchemaError(f"schema: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Read the schema from Terraform's `jsonencode(var.schema)`. Raises SchemaError."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SchemaError(f"SCHEMA is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise SchemaError("SCHEMA is not a JSON object")
        unknown = set(given) - {field.name for field in fields(cls)}
        if unknown:
            raise SchemaError(f"SCHEMA has unknown attributes: {sorted(unknown)}")
        # null means the default, except for `hierarchy`, where it has a meaning.
        given = {
            name: each for name, each in given.items() if each is not None or name == "hierarchy"
        }
        if "levels" in given:
            given["levels"] = tuple(given["levels"])
        return cls(**given)
