"""The records of a DynamoDB stream as Lambda delivers them.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Image = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One change of an item. `sequence` orders the records of a shard; `raw` is the record as received."""

    sequence: int
    event_id: str
    event_name: str
    old: Image | None
    new: Image | None
    expired: bool
    arrived: datetime | None
    raw: Mapping[str, Any]


class MalformedEvent(ValueError):
    """The event is not one of a DynamoDB stream's mapping; the text says what is missing."""


def read(records: Iterable[Mapping[str, Any]]) -> list[StreamRecord]:
    """The records in the order of their sequence numbers, each once. Raises MalformedEvent."""
    found: dict[int, StreamRecord] = {}
    for raw in records:
        record = _read(raw)
        found.setdefault(record.sequence, record)
    return [found[sequence] for sequence in sorted(found)]


def _read(raw: Mapping[str, Any]) -> StreamRecord:
    change = raw.get("dynamodb")
    if not isinstance(change, Mapping):
        raise MalformedEvent(
            "a record has no 'dynamodb': is the mapping's source a DynamoDB stream?"
        )
    sequence = change.get("SequenceNumber")
    if not isinstance(sequence, str) or not sequence.isdecimal():
        raise MalformedEvent(f"a record's SequenceNumber is {sequence!r}, not a string of digits")
    created = change.get("ApproximateCreationDateTime")
    return StreamRecord(
        sequence=int(sequence),
        event_id=str(raw.get("eventID") or sequence),
        event_name=str(raw.get("eventName")),
        old=change.get("OldImage"),
        new=change.get("NewImage"),
        expired=_expired(raw),
        arrived=datetime.fromtimestamp(created, UTC) if isinstance(created, int | float) else None,
        raw=raw,
    )


def _expired(raw: Mapping[str, Any]) -> bool:
    """Whether time to live removed the item, and not somebody.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    identity = raw.get("userIdentity") or {}
    return (
        raw.get("eventName") == "REMOVE"
        and identity.get("type") == "Service"
        and identity.get("principalId") == "dynamodb.amazonaws.com"
    )
