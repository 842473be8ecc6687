"""Exact arithmetic within what a DynamoDB Number can hold; nothing is rounded.

A DynamoDB Number has at most 38 significant digits and a magnitude from 1E-130 to 9.99E+125
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-data-types-number).
Python's default context keeps 28 digits and rounds silently, so every sum runs in `exact()`, or in `WIDE` where it may
exceed what a DynamoDB Number holds.
"""

import decimal
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

DIGITS = 38

_EXACT = decimal.Context(
    prec=DIGITS,
    Emax=125,
    Emin=-130,
    traps=[
        decimal.Inexact,
        decimal.Overflow,
        decimal.Subnormal,  # below 1E-130
        decimal.Underflow,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
    ],
)

# Rows written by hand may add up to more than the 38 digits of a DynamoDB Number. A sum over a source table is exact
# all the same: values have at most 29 digits before and 28 after the point, so these are enough for any count of them.
WIDE = decimal.Context(prec=400, traps=[decimal.Inexact, decimal.InvalidOperation])


class NotExactError(ValueError):
    """A number or a sum that 38 digits cannot hold."""


@contextmanager
def exact() -> Iterator[None]:
    """Run Decimal arithmetic with 38 digits; raises NotExactError where a digit would be lost."""
    try:
        with decimal.localcontext(_EXACT):
            yield
    except decimal.DecimalException as error:
        raise NotExactError(f"does not fit {DIGITS} digits") from error


def number(text: str) -> Decimal:
    """Return the Decimal of a DynamoDB Number's text. Raises NotExactError for any other text."""
    try:
        value = _EXACT.create_decimal(text)
    except decimal.DecimalException as error:
        raise NotExactError(f"{text[:60]!r} is not a number of at most {DIGITS} digits") from error
    if not value.is_finite():
        raise NotExactError(f"{text} is not a finite number")
    return value


def limited(value: Decimal, integer_digits: int, decimal_places: int) -> Decimal:
    """Return the value. Raises NotExactError if it has more digits before or after the decimal point."""
    if not value.is_finite():
        raise NotExactError(f"{value} is not a finite number")
    if not value:
        return Decimal(0)
    if value.adjusted() >= integer_digits:
        raise NotExactError(f"has more than {integer_digits} digits before the decimal point")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if -exponent > decimal_places:
        # A DynamoDB Number does not keep trailing zeros: 1.50 has one decimal place.
        kept = len(digits)
        while digits[kept - 1] == 0:
            kept -= 1
        if -(exponent + len(digits) - kept) > decimal_places:
            raise NotExactError(f"has more than {decimal_places} decimal places")
    return _EXACT.plus(value)
