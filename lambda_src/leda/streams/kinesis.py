"""Reads the records of a Kinesis stream from an event of Lambda.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html. A producer that uses the
Kinesis Producer Library packs several user records into one Kinesis record, which is unpacked here.

No record makes `user_records` raise, because Lambda delivers a batch again and again to a function that raises. A
record of another shape has a `fault`, the reason for the quarantine.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leda.streams import aggregated
from leda.streams.arrival import arrival_time
from leda.streams.raw_records import id_by_content, to_json


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A message of a producer.

    sequence_number: the Kinesis record's, to report in batchItemFailures.
    event_id: the Kinesis record's eventID, with the index if an aggregated record packs the message.
    partition_key: the user record's; if an aggregated record has none for it, the Kinesis record's.
    fault: why the Kinesis record cannot be read (None if it can); `data` is then the whole record as JSON.
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
    """Yield every user record of the event, in order. A broken aggregated record is one user record."""
    for record in records:
        kinesis_record = _kinesis_record(record)
        parts = None if kinesis_record.fault else aggregated.unpack(kinesis_record.data)
        if parts is None:
            yield kinesis_record
            continue
        for place, part in enumerate(parts):
            key = kinesis_record.partition_key if part.partition_key is None else part.partition_key
            event_id = f"{kinesis_record.event_id}-{place}"
            yield replace(kinesis_record, partition_key=key, event_id=event_id, data=part.data)


def _kinesis_record(record: Any) -> UserRecord:
    """Read a Kinesis record as one user record."""
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
        data = to_json(record)
    return UserRecord(
        stream=_text(fields, "eventSourceARN"),
        shard=event_id.partition(":")[0],
        partition_key=_text(kinesis, "partitionKey"),
        sequence_number=number,
        event_id=event_id or number or id_by_content(data),
        arrived=arrival_time(kinesis.get("approximateArrivalTimestamp")),
        data=data,
        fault=fault,
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    return found if isinstance(found, str) else ""
