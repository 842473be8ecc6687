"""Attribute values as DynamoDB stores them: numbers in their canonical text, sizes, order.

An item is {name: {"S" | "N" | "BOOL" | "NULL" | "M" | "L" | "SS" | "NS": content}}, as in boto3's client. Stored values
are never changed in place, so rows may share them; callers get copies. Sets are sorted, because DynamoDB promises no
order of their elements.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from typing import Any

from botocore.exceptions import ParamValidationError

Value = dict[str, Any]
Item = dict[str, Value]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-data-types-number
DIGITS = 38
HIGHEST_EXPONENT = 125
LOWEST_EXPONENT = -130

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_EXACT = Context(prec=DIGITS, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation])


class Invalid(Exception):
    """DynamoDB refuses the request with ValidationException (ValidationError in a list); the text is DynamoDB's."""


def number(text: str) -> str:
    """The text that DynamoDB stores for a number: without an exponent and without needless zeros. Raises Invalid.

    >>> number("1.50"), number("-2E3"), number("-0")
    ('1.5', '-2000', '0')
    """
    if text.isdecimal() and text.isascii() and text[0] != "0" and len(text) <= DIGITS:
        return text
    if not _NUMBER.fullmatch(text):
        raise Invalid("A value provided cannot be converted into a number")
    return _exact(_EXACT.create_decimal, text)


def add(augend: str, addend: str) -> str:
    """The exact sum of two numbers. Raises Invalid if it has too many digits."""
    return _exact(_EXACT.add, Decimal(augend), Decimal(addend))


def subtract(minuend: str, subtrahend: str) -> str:
    """The exact difference of two numbers. Raises Invalid if it has too many digits."""
    # Not the sum with `-Decimal(subtrahend)`, which rounds to the 28 digits of the current context.
    return _exact(_EXACT.subtract, Decimal(minuend), Decimal(subtrahend))


def _exact(operation: Callable[..., Decimal], *operands: Decimal | str) -> str:
    try:
        return _text(operation(*operands))
    except DecimalException as error:
        raise Invalid(f"DynamoDB only supports precision up to {DIGITS} digits") from error


def _text(value: Decimal) -> str:
    if not value:
        return "0"
    exponent = value.adjusted()
    if exponent > HIGHEST_EXPONENT:
        raise Invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if exponent < LOWEST_EXPONENT:
        raise Invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stored(value: Mapping[str, Any]) -> Value:
    """A copy of the value as it is stored, with numbers in their canonical text. Raises Invalid."""
    if len(value) != 1:
        raise ParamValidationError(report=f"a value has exactly one type: {value!r}")
    ((kind, content),) = value.items()
    if kind == "N":
        return {"N": number(content)}
    if kind == "S":
        if not isinstance(content, str):
            raise ParamValidationError(report=f"not a string: {value!r}")
        return {"S": content}
    if kind == "BOOL" and isinstance(content, bool):
        return {"BOOL": content}
    if kind == "NULL" and content is True:
        return {"NULL": True}
    if kind == "M":
        return {"M": {name: stored(each) for name, each in content.items()}}
    if kind == "L":
        return {"L": [stored(each) for each in content]}
    if kind in ("SS", "NS"):
        return {kind: _set(content if kind == "SS" else [number(each) for each in content])}
    raise NotImplementedError(f"a value like {value!r}")


def _set(elements: Sequence[str]) -> list[str]:
    if not elements:
        raise Invalid("One or more parameter values were invalid: An string set  may not be empty")
    if len(set(elements)) < len(elements):
        raise Invalid("Input collection contains duplicates")
    return sorted(elements)


def stored_item(item: Mapping[str, Any]) -> Item:
    """The item as it is stored. Raises Invalid."""
    return {name: stored(value) for name, value in item.items()}


def copied(item: Item) -> Item:
    """A copy that shares nothing with the item."""
    return {name: _copied(value) for name, value in item.items()}


def _copied(value: Value) -> Value:
    if "M" in value:
        return {"M": copied(value["M"])}
    if "L" in value:
        return {"L": [_copied(each) for each in value["L"]]}
    return {kind: list(each) if isinstance(each, list) else each for kind, each in value.items()}


def size(item: Item) -> int:
    """The item's bytes, as they count towards the limits.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    total = 0
    for name, value in item.items():
        total += (len(name) if name.isascii() else len(name.encode())) + _size(value)
    return total


def _size(value: Value) -> int:
    for kind, content in value.items():
        if kind == "S":
            return len(content) if content.isascii() else len(content.encode())
        if kind == "N":
            return len(content) // 2 + 2
        if kind == "M":
            return 3 + len(content) + size(content)
        if kind == "L":
            return 3 + sum(1 + _size(each) for each in content)
        if kind in ("SS", "NS"):
            return 3 + sum(1 + _size({kind[0]: each}) for each in content)
    return 1


def ordered(left: Value | None, right: Value | None) -> int | None:
    """-1, 0 or 1 if left is less than, equal to or greater than right; None if they cannot be compared.

    Strings are ordered by their UTF-8 bytes, which is the order of Python's strings too.
    """
    if left is None or right is None:
        return None
    if "N" in left and "N" in right:
        a, b = Decimal(left["N"]), Decimal(right["N"])
        return (a > b) - (a < b)
    if "S" in left and "S" in right:
        first, second = str(left["S"]), str(right["S"])
        return (first > second) - (first < second)
    return None
