"""Limits on the digits of a summed value, so that a sum of many values fits a DynamoDB Number."""

import json
from dataclasses import dataclass, fields

from leda.values.numbers import DIGITS

# A sum of 10^9 values that are within the limits fits a DynamoDB Number.
VALUES_A_TOTAL_CAN_HOLD_DIGITS = 9

# The most digits that any limits can allow. Map applies these to a row's old image, not the configured limits: after a
# limit was lowered, the value that a row has added to the totals must still be subtracted.
WIDEST_INTEGER_DIGITS = DIGITS - VALUES_A_TOTAL_CAN_HOLD_DIGITS
WIDEST_DECIMAL_PLACES = WIDEST_INTEGER_DIGITS - 1


class LimitsError(ValueError):
    """The limits are not usable, or leave no room for a sum; the text says why."""


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
        """Read the limits from Terraform's `jsonencode(var.limits)`. Raises LimitsError."""
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
