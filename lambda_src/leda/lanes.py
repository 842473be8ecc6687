"""Lanes: the ordered sources of records that checkpoints are kept for.

A lane of a DynamoDB stream is one of its shards. Lambda names the shard only in the events of a mapping that
has a tumbling window (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html), which is why
LEDA's mappings have one. An event without it can be placed only while the stream's shards are one chain, for
then they are one order; its lane is the stream itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leda.streams import MalformedEvent

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
SHORTEST_SEQUENCE_NUMBER = 21
MADE_UP = "made-up"


class UnknownLane(RuntimeError):
    """Nothing in the event tells which shard its records come from, and the stream has several orders."""


@dataclass(frozen=True, slots=True)
class Lane:
    """`name` is a shard's ID, or the stream's ARN where the event does not name the shard."""

    stream: str
    name: str

    @property
    def is_whole_stream(self) -> bool:
        """Whether the event did not name the shard."""
        return self.name == self.stream


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of a stream, as DescribeStream lists it."""

    id: str
    parent: str | None
    is_open: bool


def of_event(event: Mapping[str, Any]) -> Lane:
    """The lane that all records of the event belong to. Raises MalformedEvent.

    Records with numbers that no stream gives, like the 111 of Lambda's own test events, are an order of their own:
    as part of the stream's, they would cover records of it, or be covered by them.
    """
    arns = {record.get("eventSourceARN") for record in event["Records"]}
    if len(arns) != 1:
        raise MalformedEvent(f"the records name {len(arns)} event sources; a batch has one")
    (stream,) = arns
    if not isinstance(stream, str) or not stream:
        raise MalformedEvent("the records have no eventSourceARN")
    made_up = {_is_made_up(record) for record in event["Records"]}
    if len(made_up) != 1:
        raise MalformedEvent(
            "some of the records have a SequenceNumber of a stream and some have none"
        )
    if made_up == {True}:
        return Lane(f"{stream}#{MADE_UP}", MADE_UP)
    return Lane(stream, event.get("shardId") or stream)


def _is_made_up(record: Mapping[str, Any]) -> bool:
    number = (record.get("dynamodb") or {}).get("SequenceNumber")
    return isinstance(number, str) and len(number) < SHORTEST_SEQUENCE_NUMBER


def require_chain(stream: str, shards: Sequence[Shard]) -> None:
    """Raises UnknownLane unless the shards are one chain: one root, one open end, at most one child each."""
    listed = {shard.id for shard in shards}
    parents = [shard.parent for shard in shards if shard.parent in listed]
    roots = len(shards) - len(parents)
    still_open = sum(shard.is_open for shard in shards)
    if roots == 1 and still_open == 1 and len(set(parents)) == len(parents):
        return
    raise UnknownLane(
        f"the event names no shardId, and {stream} has {len(shards)} shards that are not one chain "
        f"({still_open} open), so their records have no single order. Set the event source mapping's "
        "tumbling_window_in_seconds (the module's default is 900): Lambda then names the shard."
    )
