"""Gives each shard of ReduceTable's stream an epoch, so that positions sort a lane's records across shards.

This is the position in "Reduce: one checkpoint for each total" of docs/exactly-once.md.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leda.engine.registry import (
    EPOCHS,
    Registry,
    ShardCache,
    reduce_scope,
    shard_row,
    streams_scope,
)
from leda.engine.shards import Shard, label, padded

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import DescribeStreamInputTypeDef

EPOCH_DIGITS = 10
# The epoch of a shard of an older stream. Reduce skips its records, and `leda rebuild` adds them to the totals.
IGNORED = 0


class Epochs:
    """The epochs of ReduceTable's shards. A shard's epoch is above those of its ancestors.

    Sequence numbers of different shards are not compared. All records of a lane are in one line of shards, each read to
    its end before its child: ReduceTable has a local secondary index, so DynamoDB does not split an item collection
    over partitions.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
    """

    def __init__(self, registry: Registry, streams: "DynamoDBStreamsClient") -> None:
        self._registry = registry
        self._streams = streams
        self._known = ShardCache[int]()

    def of(self, shard: Shard, created: float | None) -> int:
        """Return the shard's epoch; `created` is the time of its records in epoch seconds, if it is known."""
        known = self._known.get(shard)
        if known is None:
            known = self._stored(shard)
            if known is None:
                known = self._assign(shard, created)
            self._known.put(shard, known)
        return known

    def _stored(self, shard: Shard) -> int | None:
        row = self._registry.get(reduce_scope(shard.stream), shard.id)
        return None if row is None else int(row["Epoch"]["N"])

    def _assign(self, shard: Shard, created: float | None) -> int:
        if shard.is_made_up:
            return self._assign_epoch(shard, created)
        self._registry.register_stream("reduce", shard.stream)
        # Lambda reads a parent to its end before its child, but an operator may invoke the function with a child's
        # records first. So the ancestors get their epochs before the shard does.
        for ancestor in self._ancestors(shard):
            if self._stored(ancestor) is None:
                self._assign_epoch(ancestor, created)
        return self._assign_epoch(shard, created)

    def _assign_epoch(self, shard: Shard, created: float | None) -> int:
        # The order matters: take the number first, then look for a younger stream. A stream is stored in the registry
        # before its shards get epochs. So if no younger stream is found here, its epochs will be above this one.
        epoch = self._registry.next_number(EPOCHS)
        if self._is_of_older_stream(shard):
            epoch = IGNORED
        attributes = shard_row({"Epoch": {"N": str(epoch)}}, created)
        self._registry.put_if_absent(reduce_scope(shard.stream), shard.id, attributes)
        # Read it back: another execution environment may have stored its own epoch first.
        stored = self._stored(shard)
        assert stored is not None
        return stored

    def _is_of_older_stream(self, shard: Shard) -> bool:
        """Return whether Reduce has read a younger stream, so that a rebuild adds late records of this one."""
        if shard.is_made_up:
            return False
        met = [row["Name"]["S"] for row in self._registry.rows(streams_scope("reduce"))]
        return any(label(stream) > label(shard.stream) for stream in met)

    def _ancestors(self, shard: Shard) -> Sequence[Shard]:
        """Return the shard's ancestors that the stream still lists, the oldest first.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
        """
        parents: dict[str, str | None] = {}
        request: DescribeStreamInputTypeDef = {"StreamArn": shard.stream}
        while True:
            description = self._streams.describe_stream(**request)["StreamDescription"]
            parents.update(
                {each["ShardId"]: each.get("ParentShardId") for each in description["Shards"]}
            )
            last = description.get("LastEvaluatedShardId")
            if not last:
                break
            request["ExclusiveStartShardId"] = last
        found: list[Shard] = []
        parent = parents.get(shard.id)
        while parent in parents:
            found.append(Shard(shard.stream, parent))
            parent = parents[parent]
        return found[::-1]


def position(epoch: int, sequence: int) -> str:
    """Return the position of a record of ReduceTable's stream in its lane; positions sort as strings."""
    return f"{epoch:0{EPOCH_DIGITS}d}.{padded(sequence)}"
