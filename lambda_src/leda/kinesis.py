"""The records of a Kinesis stream as Lambda delivers them.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html. A producer that uses the
Kinesis Producer Library packs several user records into one Kinesis record; they are taken apart here.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from leda import aggregated


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What a producer put. `sequence_number` is the Kinesis record's, which retries are asked for by.

    `event_id` names the user record: the Kinesis record's eventID, and the place in an aggregated record.
    `partition_key` is the user record's own; one in an aggregated record that names none has the Kinesis record's.
    """

    stream: str
    shard: str
    partition_key: str
    sequence_number: str
    event_id: str
    arrived: datetime | None
    data: bytes


def user_records(records: Iterable[Mapping[str, Any]]) -> Iterator[UserRecord]:
    """Every user record of the event, in order. A broken aggregated record comes as it is."""
    for record in records:
        whole = _whole(record)
        parts = aggregated.packed(whole.data)
        if parts is None:
            yield whole
            continue
        for place, part in enumerate(parts):
            key = whole.partition_key if part.partition_key is None else part.partition_key
            event_id = f"{whole.event_id}-{place}"
            yield replace(whole, partition_key=key, event_id=event_id, data=part.data)


def _whole(record: Mapping[str, Any]) -> UserRecord:
    kinesis = record["kinesis"]
    arrived = kinesis.get("approximateArrivalTimestamp")
    event_id = record["eventID"]
    return UserRecord(
        stream=record["eventSourceARN"],
        shard=event_id.partition(":")[0],
        partition_key=kinesis["partitionKey"],
        sequence_number=kinesis["sequenceNumber"],
        event_id=event_id,
        arrived=None if arrived is None else datetime.fromtimestamp(arrived, UTC),
        data=base64.b64decode(kinesis["data"]),
    )
