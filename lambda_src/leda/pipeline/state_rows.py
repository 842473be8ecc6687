"""Writes a message as a row of StateTable, and reads the message's time from a row."""

from decimal import Decimal
from typing import Any

from leda.pipeline.messages import Message
from leda.streams.stream_records import Image, content
from leda.values.numbers import NotExactError, number

# In the order of the statements' parameters (state_store).
ATTRIBUTES = ("Version", "Value", "Path", "Hierarchy", "Timestamp", "Deleted")

_NULL = {"NULL": True}


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


def timestamp(image: Image | None) -> Decimal | None:
    """The message's time in epoch seconds, where the row has one that can be read."""
    text = content(image or {}, "Timestamp", "N")
    if text is None:
        return None
    try:
        return number(text)
    except NotExactError:
        # No total depends on it, and the lag of one record is not worth a record in quarantine.
        return None
