"""Whole numbers in rows: quantities, and money in the currency's smallest unit (cents). Nothing is rounded."""

from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image, content
from leda.values.numbers import NotExactError, limited, number
from leda.values.texts import utf8_bytes

# A sum over 10^9 rows has 24 digits, and one of an order's lines (cents times quantity) fits as well.
MAX_DIGITS = 15


def attribute(image: Image, name: str, least: int = 0) -> int:
    """The Number of that attribute. Raises UnreadableRowError where it is missing, too low, too long or not whole."""
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


def text_attribute(image: Image, name: str) -> str:
    """The string of that attribute. Raises UnreadableRowError where it is missing, empty or not valid Unicode."""
    text = content(image, name, "S")
    if not text:
        raise UnreadableRowError(f"the row has no {name} (a string)")
    if utf8_bytes(text) is None:
        raise UnreadableRowError(f"{name} is not valid Unicode (a lone surrogate)")
    return text
