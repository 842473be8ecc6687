"""Rows of StateTable: how a message is stored, and what a stored row adds to the totals."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from leda.changes import UnreadableRow
from leda.hierarchy import MAX_PATH_BYTES, SEPARATOR
from leda.messages import Message
from leda.numbers import NotExact, limited, number
from leda.schema import WIDEST_DECIMAL_PLACES, WIDEST_INTEGER_DIGITS
from leda.streams import Image, content
from leda.texts import utf8_bytes

# In the order of the statements' parameters (state_store).
ATTRIBUTES = ("Version", "Value", "Path", "Hierarchy", "Timestamp", "Deleted")

_NULL = {"NULL": True}


class UnreadableImage(UnreadableRow):
    """A row that LEDA did not write, or that somebody changed; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a row adds to the totals: `value` at `path` and at every node above it."""

    path: str
    value: Decimal


def values(message: Message) -> list[dict[str, Any]]:
    """The row's attributes, in the order of ATTRIBUTES, in DynamoDB's JSON.

    Every row has every attribute (NULL where there is nothing), so that one statement text serves them all.
    """
    return [
        {"N": str(message.version)},
        _NULL if message.value is None else {"N": str(message.value)},
        _NULL if message.path is None else {"S": message.path},
        _NULL if message.names is None else {"S": message.names},
        _NULL if message.timestamp is None else {"N": str(message.timestamp)},
        {"BOOL": message.deleted},
    ]


def contribution(image: Image | None) -> Contribution | None:
    """What the row adds, None for no row or a deleted trade. Raises UnreadableImage."""
    if image is None or image.get("Deleted") == {"BOOL": True}:
        return None
    path, value = content(image, "Path", "S"), content(image, "Value", "N")
    if not path:
        raise UnreadableImage("the row has no Path (a string)")
    if not _has_rows(path):
        # Reduce could write no total for it, and the other trades of its delta row would be lost with it.
        raise UnreadableImage(
            "Path is too long for a key, is not valid Unicode, or one of its levels is empty"
        )
    if value is None:
        raise UnreadableImage("the row has no Value (a number)")
    try:
        return Contribution(
            path, limited(number(value), WIDEST_INTEGER_DIGITS, WIDEST_DECIMAL_PLACES)
        )
    except NotExact as error:
        raise UnreadableImage(f"Value {error}") from error


@lru_cache(maxsize=1000)
def _has_rows(path: str) -> bool:
    """Whether AggregateTable can have a row for each of the path's nodes. Most rows have a path that others have."""
    size = utf8_bytes(path)
    return size is not None and size <= MAX_PATH_BYTES and all(path.split(SEPARATOR))


def timestamp(image: Image | None) -> Decimal | None:
    """The message's time in epoch seconds, where the row has one that can be read."""
    text = content(image or {}, "Timestamp", "N")
    if text is None:
        return None
    try:
        return number(text)
    except NotExact:
        # No total depends on it, and the lag of one record is not worth a record in quarantine.
        return None
