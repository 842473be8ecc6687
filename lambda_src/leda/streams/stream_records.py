"""Reads the records of a DynamoDB stream from an event of Lambda, in the order of their shard.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

Whatever a record holds, reading it raises nothing: a function that raises gets the same batch again until the stream
has lost it. A record without a usable sequence number is returned with the reason, for the quarantine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard

from leda.streams.arrival import arrival_time

Image = Mapping[str, Mapping[str, Any]]

# The lengths of a stream's sequence numbers.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
SHORTEST_SEQUENCE_NUMBER = 21
LONGEST_SEQUENCE_NUMBER = 40

# Which images the record of a change has, the old one and the new one, where its stream carries both.
IMAGES = {"INSERT": (False, True), "MODIFY": (True, True), "REMOVE": (True, False)}


class StreamRecord(NamedTuple):
    """One change of an item. `sequence` orders the records of a shard; `raw` is the record as received.

    `old` and `new` are None where the record has no such image; what is in them is not checked. A named tuple is made
    in a third of the time of a frozen dataclass, and there is one for each record of a batch.
    """

    sequence: int
    event_id: str
    event_name: str
    old: Image | None
    new: Image | None
    expired: bool
    arrived: datetime | None
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record as received from which no change can be read, and why."""

    raw: Any
    reason: str


@dataclass(slots=True)
class Batch:
    """An event's records: the readable ones ordered by sequence number, each once, and the unreadable ones."""

    records: list[StreamRecord] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


class MalformedEventError(ValueError):
    """The event is not one of a DynamoDB stream's mapping; the text says what is missing."""


class MalformedRecordError(ValueError):
    """A record from which no change can be read; the text says what it lacks, and holds no value of the item."""


def read(records: Iterable[Any]) -> Batch:
    """Read the event's records. Raises MalformedEventError if they are another service's."""
    batch = Batch()
    found: dict[int, StreamRecord] = {}
    for raw in records:
        _require_dynamodb(raw)
        try:
            record = read_one(raw)
        except MalformedRecordError as error:
            batch.unreadable.append(Unreadable(raw, str(error)))
        else:
            found.setdefault(record.sequence, record)
    ordered = [found[sequence] for sequence in sorted(found)]
    made_up = [record for record in ordered if is_made_up(record)]
    if made_up and len(made_up) < len(ordered):
        # Made-up numbers are a shard of their own, as in console test events. Between a stream's they say nothing.
        batch.unreadable += [
            Unreadable(record.raw, "the SequenceNumber is shorter than a stream's")
            for record in made_up
        ]
        ordered = [record for record in ordered if not is_made_up(record)]
    batch.records = ordered
    return batch


def read_one(raw: Any) -> StreamRecord:
    """Read the change from a stream record. Raises MalformedRecordError."""
    # JSON's objects are dictionaries. To ask for a Mapping takes a tenth of the time of Map.
    if not isinstance(raw, dict):
        raise MalformedRecordError("the record is not a JSON object")
    change = raw.get("dynamodb")
    if not isinstance(change, dict):
        raise MalformedRecordError(
            "the record has no 'dynamodb': is the mapping's source a DynamoDB stream?"
        )
    sequence = change.get("SequenceNumber")
    if not is_sequence_number(sequence):
        raise MalformedRecordError(
            f"the record's SequenceNumber is not a string of 1 to {LONGEST_SEQUENCE_NUMBER} digits"
        )
    return StreamRecord(
        sequence=int(sequence),
        event_id=str(raw.get("eventID") or sequence),
        event_name=str(raw.get("eventName")),
        old=_image(change.get("OldImage")),
        new=_image(change.get("NewImage")),
        expired="userIdentity" in raw and _expired(raw),
        arrived=arrival_time(change.get("ApproximateCreationDateTime")),
        raw=raw,
    )


def is_sequence_number(given: Any) -> TypeGuard[str]:
    """Return whether the value has the form of a SequenceNumber."""
    return (
        isinstance(given, str)
        and given.isascii()
        and given.isdigit()
        and len(given) <= LONGEST_SEQUENCE_NUMBER
    )


def is_made_up(record: StreamRecord) -> bool:
    """Whether the record has a number that no stream gives, like the 111 of Lambda's own test events."""
    return len(record.raw["dynamodb"]["SequenceNumber"]) < SHORTEST_SEQUENCE_NUMBER


def content(image: Image, name: str, kind: str) -> str | None:
    """The text of an image's attribute of that type (S or N); None where the image has no such one.

    >>> content({"Score": {"N": "5"}}, "Score", "N")
    '5'
    """
    value = image.get(name)
    if not isinstance(value, dict):
        return None
    text = value.get(kind)
    return text if isinstance(text, str) else None


def _require_dynamodb(raw: Any) -> None:
    """Raises MalformedEventError where the record names another service as its source."""
    source = raw.get("eventSource") if isinstance(raw, dict) else None
    if isinstance(source, str) and source != "aws:dynamodb":
        raise MalformedEventError(
            f"a record's eventSource is {source[:100]!r}: "
            "the source of the function's event source mapping must be a DynamoDB stream"
        )


def _image(given: Any) -> Image | None:
    return given if isinstance(given, dict) else None


def _expired(raw: Mapping[str, Any]) -> bool:
    """Return whether time to live removed the item, and not a request.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    identity = raw.get("userIdentity")
    return (
        isinstance(identity, dict)
        and raw.get("eventName") == "REMOVE"
        and identity.get("type") == "Service"
        and identity.get("principalId") == "dynamodb.amazonaws.com"
    )
