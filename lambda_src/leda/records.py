"""What a record processor's function gets, and what it raises.

    from leda.records import Record, Unprocessable

    def process(record: Record) -> None:
        reading = record.json()
        if "celsius" not in reading:
            raise Unprocessable("no celsius")
        ...

Returning means that the record is done. Unprocessable puts it aside for good; any other exception lets Lambda deliver
it, and what follows it in the shard, again. So `process` may see a record twice, and must not mind.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from leda.kinesis import UserRecord
from leda.plain import json_number


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
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise Unprocessable(f"not UTF-8: {error.reason} at byte {error.start}") from error

    def json(self) -> Any:
        """The data as JSON, with exact numbers (int, Decimal). Raises Unprocessable where it is none."""
        return _json(self.text(), int, Decimal)

    def decoded(self) -> tuple[str, Any]:
        """For the log: what the data is (json, text, binary), and its content; binary data as base64.

        Text has no control characters but spaces, tabs and line ends.
        """
        try:
            text = self.text()
        except Unprocessable:
            return "binary", base64.b64encode(self.data).decode()
        try:
            content = _json(text, json_number, json_number)
            json.dumps(content, ensure_ascii=False).encode()
            return "json", content
        except (Unprocessable, UnicodeEncodeError, RecursionError):
            # Neither a lone surrogate nor a thousand nested lists can be written to a log as JSON.
            pass
        if any(char < " " and char not in "\t\r\n" for char in text):
            return "binary", base64.b64encode(self.data).decode()
        return "text", text


def _json(text: str, whole: Callable[[str], Any], fraction: Callable[[str], Any]) -> Any:
    try:
        return json.loads(text, parse_int=whole, parse_float=fraction, parse_constant=_no_constant)
    except RecursionError as error:
        raise Unprocessable("not readable JSON: nested too deeply") from error
    except (ValueError, ArithmeticError) as error:
        raise Unprocessable(f"not JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
