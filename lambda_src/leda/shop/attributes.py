"""Reads and checks attributes of the shop's rows: texts, quantities, and money in cents."""

from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image, content
from leda.values.numbers import NotExactError, limited, number
from leda.values.texts import utf8_bytes

# The sum of 10^9 such numbers has 24 digits, and so many fit a DynamoDB Number, as the total of an order does.
MAX_DIGITS = 15


def whole_number(image: Image, name: str, least: int = 0) -> int:
    """Return the attribute's Number.

    Raises UnreadableRowError if the Number is missing, not whole, below `least` or longer than MAX_DIGITS.
    """
    text = content(image, name, "N")
    if text is None:
        raise UnreadableRowError(f"the row has no {name} (a number)")
    try:
        value = int(limited(number(text), MAX_DIGITS, decimal_places=0))
    except NotExactError as error:
        raise UnreadableRowError(f"{name} {error}") from error
    if value < least:
        raise UnreadableRowError(f"{name} is below {least}")
    return value


def text(image: Image, name: str) -> str:
    """Return the attribute's String. Raises UnreadableRowError if it is missing, empty or not valid Unicode."""
    found = content(image, name, "S")
    if not found:
        raise UnreadableRowError(f"the row has no {name} (a string)")
    if utf8_bytes(found) is None:
        raise UnreadableRowError(f"{name} is not valid Unicode (a lone surrogate)")
    return found
