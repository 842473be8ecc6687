"""Makes a row of StateTable of a message, and reads the message's time from a row."""

from decimal import Decimal
from typing import Any

from leda.pipeline.messages import Message
from leda.streams.stream_records import Image, content
from leda.values.numbers import NotExactError, number

# In the order of the parameters of the statements in `state_store`.
ATTRIBUTES = ("Version", "Value", "Path", "Hierarchy", "Timestamp", "Deleted")

_NULL = {"NULL": True}


def values(message: Message) -> list[dict[str, Any]]:
    """Return the row's attributes, in the order of ATTRIBUTES, in DynamoDB's JSON.

    Every row has every attribute, if need be as NULL, so that all messages have the same statement.
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
    """Return the message's time in epoch seconds; None if the row has none, or one that cannot be read."""
    text = content(image or {}, "Timestamp", "N")
    if text is None:
        return None
    try:
        return number(text)
    except NotExactError:
        # No total depends on the time, so a wrong one is no reason to quarantine the record.
        return None
