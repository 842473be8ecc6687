"""Reads the records of a DynamoDB stream from an event of Lambda, in the order of their shard.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

No record makes `read` raise, because Lambda delivers a batch again and again to a function that raises. A record
without a usable sequence number is returned with the reason, for the quarantine.
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

# Whether the record of such a change has an old and a new image, in a stream of NEW_AND_OLD_IMAGES.
IMAGES = {"INSERT": (False, True), "MODIFY": (True, True), "REMOVE": (True, False)}


class StreamRecord(NamedTuple):
    """One change of an item. `sequence` orders the records of a shard; `raw` is the record as received.

    `old` and `new` are None if the record has no such image; their content is not checked. A named tuple, because it
    takes a third of the time that a frozen dataclass takes to make, and each record of a batch makes one.
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
    """A record, as received, from which no change can be read, and the reason."""

    raw: Any
    reason: str


@dataclass(slots=True)
class Batch:
    """An event's records: the readable ones sorted by sequence number, without duplicates, and the unreadable ones."""

    records: list[StreamRecord] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


class MalformedEventError(ValueError):
    """The event does not come from a DynamoDB stream's mapping; the text says which service it names."""


class MalformedRecordError(ValueError):
    """No change can be read from the record; the text says what the record lacks, and holds no value of the item."""


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
    made_up = [record for record in ordered if has_made_up_number(record)]
    if made_up and len(made_up) < len(ordered):
        # Test events of the Lambda console have only made-up numbers. Beside a stream's numbers they have no order.
        batch.unreadable += [
            Unreadable(record.raw, "the SequenceNumber is shorter than a stream's")
            for record in made_up
        ]
        ordered = [record for record in ordered if not has_made_up_number(record)]
    batch.records = ordered
    return batch


def read_one(raw: Any) -> StreamRecord:
    """Read the change from a stream record. Raises MalformedRecordError."""
    # Lambda's JSON objects are dicts. The check for a Mapping would take a tenth of Map's processor time.
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


def has_made_up_number(record: StreamRecord) -> bool:
    """Return whether the sequence number is shorter than any stream's, like the 111 of Lambda's test events."""
    return len(record.raw["dynamodb"]["SequenceNumber"]) < SHORTEST_SEQUENCE_NUMBER


def image_fault(record: StreamRecord) -> str | None:
    """Return why the record's images do not show what the change did; None if they do."""
    if record.event_name not in IMAGES:
        return f"eventName is not one of {', '.join(IMAGES)}"
    if (record.old is not None, record.new is not None) == IMAGES[record.event_name]:
        return None
    view = record.raw["dynamodb"].get("StreamViewType")
    return (
        f"{record.event_name} without its images (StreamViewType {view}): "
        "the table's stream must carry NEW_AND_OLD_IMAGES"
    )


def content(image: Image, name: str, kind: str) -> str | None:
    """Return the text of an image's attribute of the type `kind` (S or N); None if the image has no such attribute.

    >>> content({"Score": {"N": "5"}}, "Score", "N")
    '5'
    """
    value = image.get(name)
    if not isinstance(value, dict):
        return None
    text = value.get(kind)
    return text if isinstance(text, str) else None


def _require_dynamodb(raw: Any) -> None:
    """Raise MalformedEventError if the record names another service as its source."""
    source = raw.get("eventSource") if isinstance(raw, dict) else None
    if isinstance(source, str) and source != "aws:dynamodb":
        raise MalformedEventError(
            f"a record's eventSource is {source[:100]!r}: "
            "the source of the function's event source mapping must be a DynamoDB stream"
        )


def _image(given: Any) -> Image | None:
    return given if isinstance(given, dict) else None


def _expired(raw: Mapping[str, Any]) -> bool:
    """Return whether time to live has removed the item, not a request.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    identity = raw.get("userIdentity")
    return (
        isinstance(identity, dict)
        and raw.get("eventName") == "REMOVE"
        and identity.get("type") == "Service"
        and identity.get("principalId") == "dynamodb.amazonaws.com"
    )
