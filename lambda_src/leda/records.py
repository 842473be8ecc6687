"""What a record processor's function gets, and what it raises.

    from leda.records import Record, Unprocessable

    def process(record: Record) -> None:
        reading = record.json()
        if "celsius" not in reading:
            raise Unprocessable("no celsius")
        ...

If `process` returns, the record is done. If it raises Unprocessable, the record is quarantined and not delivered again.
After any other exception Lambda delivers the record, and those after it in the shard, again. So `process` may get a
record more than once, and must then have the same effect as once.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from leda.streams.kinesis import UserRecord
from leda.values.json_text import JsonReader, NotJsonError, text_of
from leda.values.plain import json_number

# A document that is nested more deeply is logged as the text that it is: what writes the log can nest only so far.
MAX_LOGGED_DEPTH = 100


class Unprocessable(ValueError):
    """A record that no retry makes better; the text is the reason kept with it in quarantine."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a producer put; one of an aggregated record (Kinesis Producer Library) is a record of its own.

    `arrived` is the time (UTC) at which the stream took it, about. `event_id` names it, the same at each delivery.
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
        """The record as the core read it."""
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
        """The data as text. Raises Unprocessable where it is not UTF-8."""
        try:
            return text_of(self.data)
        except NotJsonError as error:
            raise Unprocessable(str(error)) from error

    def json(self) -> Any:
        """The data as JSON, with exact numbers (int, Decimal). Raises Unprocessable where it is not JSON."""
        try:
            return _EXACT.read(self.data)
        except NotJsonError as error:
            raise Unprocessable(str(error)) from error

    def decoded(self) -> tuple[str, Any]:
        """For the log: what the data is (json, text, binary), and its content; binary data as base64.

        Text has no control characters but spaces, tabs and line ends.
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
            # A lone surrogate cannot be written to a log as JSON.
            pass
        if any(char < " " and char not in "\t\r\n" for char in text):
            return "binary", base64.b64encode(self.data).decode()
        return "text", text


_EXACT = JsonReader(fraction=Decimal)
_SHOWN = JsonReader(whole=json_number, fraction=json_number)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than so many levels deep in the value."""
    match value:
        case list():
            return not levels or any(_is_deeper(each, levels - 1) for each in value)
        case dict():
            return not levels or any(_is_deeper(each, levels - 1) for each in value.values())
    return False
