"""Limits of summed values: how many digits a value may have, so that sums of many of them fit a number of DynamoDB."""

import json
from dataclasses import dataclass, fields

from leda.values.numbers import DIGITS

# A total over so many values still fits a DynamoDB Number when every value is within the limits.
VALUES_A_TOTAL_CAN_HOLD_DIGITS = 9

# The most that any limits may allow (one digit stays before the point). A stored row is measured by these, never by
# the limits of the day: a limit that was lowered must not hide the value that a row has added to the totals.
WIDEST_INTEGER_DIGITS = DIGITS - VALUES_A_TOTAL_CAN_HOLD_DIGITS
WIDEST_DECIMAL_PLACES = WIDEST_INTEGER_DIGITS - 1


class LimitsError(ValueError):
    """The limits leave no room for a sum; the text says by how much."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most digits of a value before and after the decimal point."""

    max_integer_digits: int = 12
    max_decimal_places: int = 17

    def __post_init__(self) -> None:
        needed = self.max_integer_digits + VALUES_A_TOTAL_CAN_HOLD_DIGITS + self.max_decimal_places
        if needed > DIGITS or self.max_integer_digits < 1 or self.max_decimal_places < 0:
            raise LimitsError(
                f"max_integer_digits + {VALUES_A_TOTAL_CAN_HOLD_DIGITS} + max_decimal_places is {needed}; a DynamoDB "
                f"Number holds {DIGITS} digits"
            )

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """The limits in Terraform's `jsonencode(var.limits)`. Raises LimitsError."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise LimitsError(f"LIMITS is not JSON: {error}") from error
        names = {field.name for field in fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= names:
            raise LimitsError(f"LIMITS is not an object of {', '.join(sorted(names))}")
        if not all(type(value) is int for value in given.values()):
            raise LimitsError("LIMITS has a value that is not a whole number")
        return cls(**given)
