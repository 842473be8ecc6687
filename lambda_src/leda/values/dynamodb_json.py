"""Reads DynamoDB's typed JSON ({"S": "x"}) into JSON without types, with numbers that no JSON reader rounds."""

from collections.abc import Callable, Collection, Hashable, Mapping
from decimal import Decimal
from typing import Any

from leda.values.numbers import NotExactError, number

# Stands for every redacted value, so it tells neither the value nor its length or type.
REDACTED = "[redacted]"

# A reader that stores numbers as binary floats keeps decimals of up to 15 digits exactly.
# https://en.wikipedia.org/wiki/Double-precision_floating-point_format
_FLOAT_DIGITS = 15
_FLOAT_EXPONENT = 300

# DynamoDB nests lists and maps 32 deep.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes
MAX_DEPTH = 32


class UnknownTypeError(ValueError):
    """A value that is not one of DynamoDB's; the text names its type, never the value."""


def require_valid(value: Any, depth: int = 0) -> None:
    """Raise UnknownTypeError unless the value is one of DynamoDB's, in the JSON of Lambda's events.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    if depth > MAX_DEPTH:
        raise UnknownTypeError(f"a value is nested more than {MAX_DEPTH} levels deep")
    if not isinstance(value, Mapping):
        raise UnknownTypeError("a value is not an object that names its type")
    if len(value) != 1:
        raise UnknownTypeError(f"a value has {len(value)} types, not one")
    ((kind, content),) = value.items()
    match kind:
        case "S" | "B":
            is_valid = isinstance(content, str)
        case "N":
            is_valid = _is_number(content)
        case "BOOL":
            is_valid = isinstance(content, bool)
        case "NULL":
            is_valid = content is True
        case "M":
            is_valid = isinstance(content, Mapping)
            for each in content.values() if is_valid else ():
                require_valid(each, depth + 1)
        case "L":
            is_valid = isinstance(content, list)
            for each in content if is_valid else ():
                require_valid(each, depth + 1)
        case "NS":
            is_valid = isinstance(content, list) and all(map(_is_number, content))
        case "SS" | "BS":
            is_valid = isinstance(content, list) and all(isinstance(each, str) for each in content)
        case _:
            raise UnknownTypeError(f"a value has the unknown type {str(kind)[:20]!r}")
    if not is_valid:
        raise UnknownTypeError(f"a value of type {kind} does not hold what that type holds")


def _is_number(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    try:
        number(text)
    except NotExactError:
        return False
    return True


def canonical(value: Mapping[str, Any]) -> Hashable:
    """Return an object that is equal for equal values, such as 100 and 1E+2, or two sets in another order.

    `require_valid` must have accepted the value.
    """
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "M":
            return kind, canonical_item(content)
        case "L":
            return kind, tuple(map(canonical, content))
        case _:
            return kind, content


def canonical_item(attributes: Mapping[str, Mapping[str, Any]]) -> Hashable:
    """Return an object that is equal for equal items, maps or keys, with `canonical` for each attribute."""
    return frozenset((name, canonical(value)) for name, value in attributes.items())


def json_number(text: str) -> int | float | str:
    """Return the number as a JSON number if every reader reads it exactly (up to 15 digits), else as its text."""
    value = Decimal(text)
    if not value.is_finite():
        return text
    significant = len("".join(map(str, value.as_tuple().digits)).rstrip("0"))
    magnitude = value.adjusted()
    if significant > _FLOAT_DIGITS or abs(magnitude) > _FLOAT_EXPONENT:
        return text
    return int(value) if significant <= magnitude + 1 <= _FLOAT_DIGITS else float(value)


def read_value(
    value: Mapping[str, Any],
    hidden: Collection[str] = (),
    number: Callable[[str], Any] = json_number,
) -> Any:
    """Return a value of DynamoDB's JSON ({"S": "x"}) without its types. Raises UnknownTypeError.

    Binary data becomes base64, a set a sorted list, and a Number what `number` returns for its text. `hidden` names the
    attributes whose values are redacted, at any depth. Call `require_valid` before, which checks the value's content.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    if len(value) != 1:
        raise UnknownTypeError(f"a value has {len(value)} types, not one")
    ((kind, content),) = value.items()
    match kind:
        case "S" | "B" | "BOOL":
            return content
        case "N":
            return number(content)
        case "NULL":
            return None
        case "M":
            return read_item(content, hidden, number)
        case "L":
            return [read_value(each, hidden, number) for each in content]
        case "NS":
            return [number(text) for text in sorted(content, key=Decimal)]
        case "SS" | "BS":
            return sorted(content)
        case _:
            raise UnknownTypeError(f"a value has the unknown type {kind[:20]!r}")


def read_item(
    attributes: Mapping[str, Mapping[str, Any]],
    hidden: Collection[str] = (),
    number: Callable[[str], Any] = json_number,
) -> dict[str, Any]:
    """Return an item's or a map's attributes without their types, as `read_value` does. Raises UnknownTypeError."""
    return {
        name: REDACTED if name in hidden else read_value(value, hidden, number)
        for name, value in attributes.items()
    }
