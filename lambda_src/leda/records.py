"""The record that a record processor's `process` gets, and the exception that it may raise.

    from leda.records import Record, Unprocessable

    def process(record: Record) -> None:
        reading = record.json()
        if "celsius" not in reading:
            raise Unprocessable("no celsius")
        ...

If `process` returns, the record is done. If it raises Unprocessable, the record is quarantined and not delivered again.
After any other exception, Lambda delivers the record and the later records of the shard again. So `process` may get a
record more than once, and must be idempotent.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from leda.streams.kinesis import UserRecord
from leda.values.dynamodb_json import json_number
from leda.values.json_text import JsonReader, NotJsonError, text_of

# A document with more levels is logged as text, because the logger cannot write it as JSON.
MAX_LOGGED_DEPTH = 100


class Unprocessable(ValueError):
    """The record cannot be processed, and no retry helps; the text is the reason in the quarantine."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record that a producer has put; each user record of an aggregated record (Kinesis Producer Library) is one.

    arrived: about the time (UTC) at which the record was put into the stream; None if the event does not say it.
    event_id: an ID of the record, the same at each delivery.
    """

    data: bytes
    partition_key: str
    sequence_number: str
    shard: str
    stream: str
    event_id: str
    arrived: datetime | None

    @classmethod
    def of(cls, user: UserRecord) -> "Record":
        """Make the record of a user record."""
        return cls(
            user.data,
            user.partition_key,
            user.sequence_number,
            user.shard,
            user.stream,
            user.event_id,
            user.arrived,
        )

    def text(self) -> str:
        """Return the data as text. Raises Unprocessable if it is not UTF-8."""
        try:
            return text_of(self.data)
        except NotJsonError as error:
            raise Unprocessable(str(error)) from error

    def json(self) -> Any:
        """Return the data as JSON, with exact numbers (int, Decimal). Raises Unprocessable if it is not JSON."""
        try:
            return _EXACT.read(self.data)
        except NotJsonError as error:
            raise Unprocessable(str(error)) from error

    def decoded(self) -> tuple[str, Any]:
        """Return the kind of the data (json, text, binary) and its content for the log; binary data as base64.

        Data with control characters other than tabs and line ends is binary.
        """
        try:
            text = self.text()
        except Unprocessable:
            return "binary", base64.b64encode(self.data).decode()
        try:
            content = _SHOWN.read(self.data)
            if not _is_deeper(content, MAX_LOGGED_DEPTH):
                json.dumps(content, ensure_ascii=False).encode()
                return "json", content
        except (NotJsonError, UnicodeEncodeError):
            # A lone surrogate, which JSON may have, cannot be encoded for the log.
            pass
        if any(char < " " and char not in "\t\r\n" for char in text):
            return "binary", base64.b64encode(self.data).decode()
        return "text", text


_EXACT = JsonReader(fraction=Decimal)
_SHOWN = JsonReader(whole=json_number, fraction=json_number)


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects are nested more than `levels` deep in the value."""
    match value:
        case list():
            return not levels or any(_is_deeper(each, levels - 1) for each in value)
        case dict():
            return not levels or any(_is_deeper(each, levels - 1) for each in value.values())
    return False
