"""Finds the shard that an event's records come from, and writes sequence numbers as strings that sort like numbers.

A shard is the unit of order: Lambda delivers its records in their order the first time, and a batch only after the
batch before it has succeeded. Lambda names the shard in the events of an event source mapping with a tumbling window,
which is why LEDA's mappings have one.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.streams.stream_records import (
    LONGEST_SEQUENCE_NUMBER,
    MalformedEventError,
    StreamRecord,
    has_made_up_number,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

MADE_UP = "made-up"


class MissingShardIdError(RuntimeError):
    """The event does not name the shard of its records; the text says which setting makes Lambda name it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the stream with the ARN `stream`. Records of test events are in a shard with the ID `made-up`."""

    stream: str
    id: str

    @property
    def source(self) -> str:
        """The shard's name in ReduceTable. It has the stream's label, because another stream may repeat shard IDs."""
        return f"{label(self.stream)}/{self.id}"

    @property
    def is_made_up(self) -> bool:
        """Whether the shard is that of test events."""
        return self.id == MADE_UP


def label(stream: str) -> str:
    """Return the last part of the stream's ARN, the time at which the stream was enabled; a later stream's is higher.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamDescription.html
    """
    return stream.rpartition("/")[2]


class SingleShardStreams:
    """Finds the only shard of a stream, for emulators whose mappings have no tumbling window.

    On AWS a stream has several shards over time, so Lambda must name the shard in each event.
    """

    def __init__(self, streams: "DynamoDBStreamsClient") -> None:
        self._streams = streams

    def shard_id(self, stream: str) -> str | None:
        """Return the ID of the stream's only shard; None if the stream lists another number of shards.

        Each call asks again, because the stream may get a second shard.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
        """
        description = self._streams.describe_stream(StreamArn=stream)["StreamDescription"]
        shards = description["Shards"]
        is_whole = not description.get("LastEvaluatedShardId")
        return shards[0]["ShardId"] if len(shards) == 1 and is_whole else None


def of_event(
    event: Mapping[str, Any],
    records: Sequence[StreamRecord],
    single: SingleShardStreams | None = None,
) -> Shard:
    """Return the shard of the event's records (at least one). Raises MalformedEventError or MissingShardIdError.

    With `single`, an event without a shardId comes from the stream's only shard, if the stream has only one.

    Records with made-up sequence numbers, like the 111 of the Lambda console's test events, get a shard of their own:
    in a shard of the stream, the checkpoint would cover them or records of the stream.
    """
    stream = records[0].raw.get("eventSourceARN")
    if not isinstance(stream, str) or not stream:
        raise MalformedEventError("the records have no eventSourceARN")
    if any(record.raw.get("eventSourceARN") != stream for record in records):
        raise MalformedEventError(
            "the records name several event sources; those of a batch have one"
        )
    if has_made_up_number(records[0]):
        return Shard(stream, MADE_UP)
    shard = event.get("shardId") or (single and single.shard_id(stream))
    if not isinstance(shard, str) or not shard:
        raise MissingShardIdError(
            f"the event names no shardId. Set tumbling_window_in_seconds of the event source mapping on {stream} "
            "(the module's default is 900): Lambda then names the shard. An event that you send by hand needs it too."
        )
    return Shard(stream, shard)


def padded(sequence: int) -> str:
    """Return the number with 40 digits, so that the strings sort like numbers. A DynamoDB Number has only 38 digits."""
    return f"{sequence:0{LONGEST_SEQUENCE_NUMBER}d}"


# DynamoDB keeps records for a day, and an event that an operator sends by hand may be somewhat older.
_PLAUSIBLE_SECONDS = 2 * 24 * 3600


def time_of_youngest(records: Sequence[StreamRecord]) -> float | None:
    """Return the time of the youngest record, by the service's clock, in epoch seconds; None if unknown.

    The expiry of rows depends on this time, not on the function's clock: if a fast clock made a checkpoint expire too
    early, a late delivery would count twice. The function's clock only rejects implausible times.
    """
    times = {record.arrived for record in records if record.arrived is not None}
    youngest = max(times).timestamp() if times else None
    if youngest is None or abs(youngest - time.time()) > _PLAUSIBLE_SECONDS:
        return None
    return youngest


def extent(shard: Shard, records: Sequence[StreamRecord]) -> dict[str, object]:
    """Return the log's fields about a batch: the shard, and the first and last sequence number."""
    return {
        "shard": shard.id,
        "first_sequence_number": str(records[0].sequence),
        "last_sequence_number": str(records[-1].sequence),
        "records": len(records),
    }
