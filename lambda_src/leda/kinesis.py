"""The records of a Kinesis stream as Lambda delivers them.

The event's shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html. A producer that uses the
Kinesis Producer Library packs several user records into one Kinesis record; they are taken apart here.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leda import aggregated


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What a producer put. `sequence_number` is the Kinesis record's, which retries are asked for by.

    `event_id` names the user record: the Kinesis record's eventID, and the place in an aggregated record.
    """

    stream: str
    shard: str
    sequence_number: str
    event_id: str
    arrived: datetime | None
    data: bytes


def user_records(records: Iterable[Mapping[str, Any]]) -> Iterator[UserRecord]:
    """Every user record of the event, in order. A broken aggregated record comes as it is."""
    for record in records:
        whole = _whole(record)
        parts = aggregated.user_data(whole.data)
        if parts is None:
            yield whole
            continue
        for place, data in enumerate(parts):
            yield UserRecord(
                whole.stream,
                whole.shard,
                whole.sequence_number,
                f"{whole.event_id}-{place}",
                whole.arrived,
                data,
            )


def _whole(record: Mapping[str, Any]) -> UserRecord:
    kinesis = record["kinesis"]
    arrived = kinesis.get("approximateArrivalTimestamp")
    event_id = record["eventID"]
    return UserRecord(
        stream=record["eventSourceARN"],
        shard=event_id.partition(":")[0],
        sequence_number=kinesis["sequenceNumber"],
        event_id=event_id,
        arrived=None if arrived is None else datetime.fromtimestamp(arrived, UTC),
        data=base64.b64decode(kinesis["data"]),
    )
