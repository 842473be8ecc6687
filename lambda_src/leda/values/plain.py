"""Values as people read them: DynamoDB's typed JSON, and numbers that no JSON reader rounds."""

from collections.abc import Callable, Collection, Hashable, Mapping
from decimal import Decimal
from typing import Any

from leda.values.numbers import NotExactError, number

# What stands in place of a redacted value: always the same, so it tells neither the value nor its length or type.
REDACTED = "[redacted]"

# A reader that keeps numbers as binary floats gives back decimals of up to 15 digits as they were.
# https://en.wikipedia.org/wiki/Double-precision_floating-point_format
_FLOAT_DIGITS = 15
_FLOAT_EXPONENT = 300

# DynamoDB nests lists and maps 32 deep.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes
MAX_DEPTH = 32


class UnknownTypeError(ValueError):
    """A value that is not one of DynamoDB's; the text names its type, never the value."""


def require_known(value: Any, depth: int = 0) -> None:
    """Raises UnknownTypeError unless the value is one of DynamoDB's, in the JSON that Lambda's events have.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    if depth > MAX_DEPTH:
        raise UnknownTypeError(f"a value is nested more than {MAX_DEPTH} deep")
    if not isinstance(value, Mapping):
        raise UnknownTypeError("a value is not an object that names its type")
    if len(value) != 1:
        raise UnknownTypeError(f"a value has {len(value)} types, not one")
    ((kind, content),) = value.items()
    match kind:
        case "S" | "B":
            known = isinstance(content, str)
        case "N":
            known = _is_number(content)
        case "BOOL":
            known = isinstance(content, bool)
        case "NULL":
            known = content is True
        case "M":
            known = isinstance(content, Mapping)
            for each in content.values() if known else ():
                require_known(each, depth + 1)
        case "L":
            known = isinstance(content, list)
            for each in content if known else ():
                require_known(each, depth + 1)
        case "NS":
            known = isinstance(content, list) and all(map(_is_number, content))
        case "SS" | "BS":
            known = isinstance(content, list) and all(isinstance(each, str) for each in content)
        case _:
            raise UnknownTypeError(f"a value has the unknown type {str(kind)[:20]!r}")
    if not known:
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
    """The same for equal values, however they are written: 100 and 1E+2, a set in another order.

    The value is one that `require_known` lets through.
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
            return kind, canonical_row(content)
        case "L":
            return kind, tuple(map(canonical, content))
        case _:
            return kind, content


def canonical_row(attributes: Mapping[str, Mapping[str, Any]]) -> Hashable:
    """The same for equal items, maps or keys: each attribute as `canonical` gives it."""
    return frozenset((name, canonical(value)) for name, value in attributes.items())


def json_number(text: str) -> int | float | str:
    """The number as a JSON number if every reader gets it exactly (up to 15 digits), else as its text."""
    value = Decimal(text)
    if not value.is_finite():
        return text
    significant = len("".join(map(str, value.as_tuple().digits)).rstrip("0"))
    magnitude = value.adjusted()
    if significant > _FLOAT_DIGITS or abs(magnitude) > _FLOAT_EXPONENT:
        return text
    return int(value) if significant <= magnitude + 1 <= _FLOAT_DIGITS else float(value)


def plain(
    value: Mapping[str, Any],
    hidden: Collection[str] = (),
    number: Callable[[str], Any] = json_number,
) -> Any:
    """A value in DynamoDB's JSON ({"S": "x"}), as Lambda's events have it, without its types; raises UnknownTypeError.

    Binary data is base64, a set a sorted list. `hidden` names attributes whose values are redacted, at any depth;
    `number` makes a number of a Number's text. What a value of a known type holds is `require_known`'s to check.
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
            return row(content, hidden, number)
        case "L":
            return [plain(each, hidden, number) for each in content]
        case "NS":
            return [number(text) for text in sorted(content, key=Decimal)]
        case "SS" | "BS":
            return sorted(content)
        case _:
            raise UnknownTypeError(f"a value has the unknown type {kind[:20]!r}")


def row(
    attributes: Mapping[str, Mapping[str, Any]],
    hidden: Collection[str] = (),
    number: Callable[[str], Any] = json_number,
) -> dict[str, Any]:
    """The attributes of an item or of a map, each as `plain` gives it. Raises UnknownTypeError."""
    return {
        name: REDACTED if name in hidden else plain(value, hidden, number)
        for name, value in attributes.items()
    }
