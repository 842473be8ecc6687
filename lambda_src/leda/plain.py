"""Values as people read them: DynamoDB's typed JSON, and numbers that no JSON reader rounds."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

# What stands in place of a redacted value: always the same, so it tells neither the value nor its length or type.
REDACTED = "[redacted]"

# A reader that keeps numbers as binary floats gives back decimals of up to 15 digits as they were.
# https://en.wikipedia.org/wiki/Double-precision_floating-point_format
_FLOAT_DIGITS = 15
_FLOAT_EXPONENT = 300


class UnknownType(ValueError):
    """A value that is none of DynamoDB's; the text names its type, never the value."""


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
    """A value in DynamoDB's JSON ({"S": "x"}), as Lambda's events have it, without its types; raises UnknownType.

    Binary data is base64, a set a sorted list. `hidden` names attributes whose values are redacted, at any depth;
    `number` makes a number of a Number's text.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    if len(value) != 1:
        raise UnknownType(f"a value has {len(value)} types, not one")
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
            raise UnknownType(f"a value has the unknown type {kind[:20]!r}")


def row(
    attributes: Mapping[str, Mapping[str, Any]],
    hidden: Collection[str] = (),
    number: Callable[[str], Any] = json_number,
) -> dict[str, Any]:
    """The attributes of an item or of a map, each as `plain` gives it. Raises UnknownType."""
    return {
        name: REDACTED if name in hidden else plain(value, hidden, number)
        for name, value in attributes.items()
    }
