"""Reads the records of a Kinesis stream from an event of Lambda.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html. A producer that uses the
Kinesis Producer Library packs several user records into one Kinesis record; they are taken apart here.

Whatever a record holds, reading it raises nothing: a function that raises gets the same batch again until the stream
has lost it. A record that is not of that shape says why, for the quarantine.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leda.streams import aggregated
from leda.streams.arrival import arrival_time
from leda.streams.raw_records import made_up_id, whole


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A message of a producer. `sequence_number` is the Kinesis record's: the one to report in batchItemFailures.

    `event_id` names the user record: the Kinesis record's eventID, and the place in an aggregated record.
    `partition_key` is the user record's own; if an aggregated record names none for it, the Kinesis record's.
    `fault` says why the Kinesis record cannot be read, None where it can; `data` is then the whole record, as JSON.
    """

    stream: str
    shard: str
    partition_key: str
    sequence_number: str
    event_id: str
    arrived: datetime | None
    data: bytes
    fault: str | None = None


def user_records(records: Iterable[Any]) -> Iterator[UserRecord]:
    """Return every user record of the event, in order; a broken aggregated record is one user record."""
    for record in records:
        kinesis_record = _kinesis_record(record)
        parts = None if kinesis_record.fault else aggregated.packed(kinesis_record.data)
        if parts is None:
            yield kinesis_record
            continue
        for place, part in enumerate(parts):
            key = kinesis_record.partition_key if part.partition_key is None else part.partition_key
            event_id = f"{kinesis_record.event_id}-{place}"
            yield replace(kinesis_record, partition_key=key, event_id=event_id, data=part.data)


def _kinesis_record(record: Any) -> UserRecord:
    """Read a Kinesis record as one user record; `fault` says what it lacks."""
    fields = record if isinstance(record, Mapping) else {}
    kinesis = fields.get("kinesis")
    kinesis = kinesis if isinstance(kinesis, Mapping) else {}
    number, event_id = _text(kinesis, "sequenceNumber"), _text(fields, "eventID")
    data, fault = b"", None
    if not number:
        fault = "the record has no kinesis.sequenceNumber (a string)"
    elif "data" not in kinesis or not isinstance(kinesis["data"], str):
        fault = "the record has no kinesis.data (a string)"
    else:
        try:
            data = base64.b64decode(kinesis["data"], validate=True)
        except (binascii.Error, ValueError):
            fault = "the record's kinesis.data is not base64"
    if fault:
        data = whole(record)
    return UserRecord(
        stream=_text(fields, "eventSourceARN"),
        shard=event_id.partition(":")[0],
        partition_key=_text(kinesis, "partitionKey"),
        sequence_number=number,
        event_id=event_id or number or made_up_id(data),
        arrived=arrival_time(kinesis.get("approximateArrivalTimestamp")),
        data=data,
        fault=fault,
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    return found if isinstance(found, str) else ""
