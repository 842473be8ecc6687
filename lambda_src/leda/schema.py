"""What a message looks like: its field names, the levels of the hierarchy and the limits of its value."""

import json
from dataclasses import dataclass, fields

from leda.numbers import DIGITS

# A total over so many messages still fits a DynamoDB Number when every value is within the limits.
MESSAGES_A_TOTAL_CAN_HOLD_DIGITS = 9

# The most that any schema may allow (one digit stays before the point). A stored row is measured by these, never by
# the schema of the day: a limit that was lowered must not hide the value that a row has added to the totals.
WIDEST_INTEGER_DIGITS = DIGITS - MESSAGES_A_TOTAL_CAN_HOLD_DIGITS
WIDEST_DECIMAL_PLACES = WIDEST_INTEGER_DIGITS - 1


class SchemaError(ValueError):
    """The schema setting is not usable; the text says which attribute and why."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The module's `schema` object.

    `id`, `version`, `value`, `timestamp`, `deleted` and `hierarchy` are names of fields of a message; with
    `hierarchy` None the levels are fields of the message itself. `levels` orders the hierarchy from its root.
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
        needed = (
            self.max_integer_digits + MESSAGES_A_TOTAL_CAN_HOLD_DIGITS + self.max_decimal_places
        )
        if needed > DIGITS or self.max_integer_digits < 1 or self.max_decimal_places < 0:
            raise SchemaError(
                f"schema.max_integer_digits + {MESSAGES_A_TOTAL_CAN_HOLD_DIGITS} + "
                f"schema.max_decimal_places is {needed}; a DynamoDB Number holds {DIGITS} digits"
            )

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """The schema in Terraform's `jsonencode(var.schema)`. Raises SchemaError."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SchemaError(f"SCHEMA is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise SchemaError("SCHEMA is not a JSON object")
        unknown = set(given) - {field.name for field in fields(cls)}
        if unknown:
            raise SchemaError(f"SCHEMA has unknown attributes: {sorted(unknown)}")
        # Without a hierarchy the levels are fields of the message; null in any other attribute means its default.
        given = {
            name: each for name, each in given.items() if each is not None or name == "hierarchy"
        }
        if "levels" in given:
            given["levels"] = tuple(given["levels"])
        return cls(**given)
