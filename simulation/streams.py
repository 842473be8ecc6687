"""Streams of Kinesis and DynamoDB: shards with parents, and records with rising sequence numbers.

- A key's records are in one shard at a time, in order; a child shard holds what comes after its parents
  (https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding.html,
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing).
- Sequence numbers rise within a shard, with gaps. In Kinesis a child's are above its parents'. AWS does not state that
  of DynamoDB, so here a child's may be below its parents'.
- Records are trimmed after 24 hours; a closed shard that has none left is not listed any more, and its children still
  name it as their parent.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulation.world import World

RETENTION_SECONDS = 24 * 3600.0
_KEYS = 2**32

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is in a batch: `raw` is its JSON. `arrived` is in seconds of the world's clock."""

    sequence: int
    key: str
    arrived: float
    raw: Raw


@dataclass
class Shard:
    """A shard, which takes the records of the hashed keys [low, high) while it is open."""

    id: str
    parents: tuple[str, ...]
    low: int
    high: int
    start: int
    """Where its sequence numbers begin."""
    records: list[Record] = field(default_factory=list)
    end: int | None = None
    """Its last possible sequence number; None while it is open."""
    closed: float | None = None
    """When it was closed, in seconds of the world's clock."""

    @property
    def is_open(self) -> bool:
        """Whether the shard takes records."""
        return self.end is None

    @property
    def last(self) -> int:
        """The sequence number above which the next record's is."""
        return self.records[-1].sequence if self.records else self.start


def _place(key: str) -> int:
    """The key's hash. A CRC would give similar hashes to keys that differ only in their last characters."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest())


class Stream:
    """A stream of `shards` shards; `digits` is the length of its sequence numbers.

    `is_rising`: whether a child's sequence numbers are above its parents'; otherwise they begin anywhere.
    """

    def __init__(
        self, world: World, arn: str, shards: int, digits: int, *, is_rising: bool = True
    ) -> None:
        self.arn = arn
        self.is_rising = is_rising
        self.shards: dict[str, Shard] = {}
        self._world = world
        self._random = world.random("stream", arn)
        self._digits = digits
        self._listeners: list[Callable[[], None]] = []
        self._due: dict[str, float] = {}
        bounds = [_KEYS * number // shards for number in range(shards + 1)]
        for low, high in itertools.pairwise(bounds):
            self._open((), low, high, self._anywhere())

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener when there is a new record or shard."""
        self._listeners.append(listener)

    def publish(self, key: str, make: Callable[[str, int], Raw]) -> None:
        """Append a record; `make` gives its JSON for a shard ID and a sequence number."""
        place = _place(key)
        shard = next(s for s in self.shards.values() if s.is_open and s.low <= place < s.high)
        sequence = shard.last + self._random.choice((1, 1, self._random.randrange(1, 10**9)))
        shard.records.append(Record(sequence, key, self._world.now, make(shard.id, sequence)))
        self._tell()

    def publish_later(
        self, key: str, item: str, delay: float, make: Callable[[str, int], Raw]
    ) -> None:
        """Publish after a delay. Records of one item stay in order; records of other items may overtake them."""
        when = max(self._world.now + delay, self._due.get(item, 0.0))
        self._due[item] = when
        self._world.at(when, lambda: self.publish(key, make))

    def open_shards(self) -> list[Shard]:
        """The shards that take records, in the order of their keys."""
        return sorted((s for s in self.shards.values() if s.is_open), key=lambda shard: shard.low)

    def roll(self) -> None:
        """Close every open shard and open one for the same keys, as DynamoDB does every few hours."""
        for shard in self.open_shards():
            self._close(shard)
            self._open((shard.id,), shard.low, shard.high, self._above(shard))
        self._tell()

    def split(self, draw: random.Random) -> None:
        """Close a shard and open two for the halves of its keys."""
        shard = draw.choice(self.open_shards())
        self._close(shard)
        middle = (shard.low + shard.high) // 2
        for low, high in ((shard.low, middle), (middle, shard.high)):
            self._open((shard.id,), low, high, self._above(shard))
        self._tell()

    def merge(self, draw: random.Random) -> None:
        """Close two neighbours and open one for the keys of both (Kinesis)."""
        shards = self.open_shards()
        if len(shards) < 2:
            return
        place = draw.randrange(len(shards) - 1)
        left, right = shards[place : place + 2]
        for shard in (left, right):
            self._close(shard)
        self._open((left.id, right.id), left.low, right.high, self._above(left, right))
        self._tell()

    def description(self) -> list[dict[str, Any]]:
        """The shards as DescribeStream lists them."""
        listed = []
        for shard in self.shards.values():
            if self.is_gone(shard):
                continue
            numbers = {"StartingSequenceNumber": str(shard.start + 1)}
            if shard.end is not None:
                numbers["EndingSequenceNumber"] = str(shard.end)
            described: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
            if shard.parents:
                described["ParentShardId"] = shard.parents[0]
            listed.append(described)
        return listed

    def is_trimmed(self, record: Record) -> bool:
        """Whether the record is too old to be read."""
        return record.arrived < self._world.now - RETENTION_SECONDS

    def is_gone(self, shard: Shard) -> bool:
        """Whether the shard is no longer listed."""
        return shard.closed is not None and shard.closed < self._world.now - RETENTION_SECONDS

    def _open(self, parents: Sequence[str], low: int, high: int, start: int) -> None:
        shard = Shard(f"shardId-{len(self.shards):012d}", tuple(parents), low, high, start)
        self.shards[shard.id] = shard

    def _close(self, shard: Shard) -> None:
        shard.end = shard.last + self._random.randrange(3)
        shard.closed = self._world.now

    def _anywhere(self) -> int:
        least = 10 ** (self._digits - 1)
        return self._random.randrange(least, 2 * least)

    def _above(self, *parents: Shard) -> int:
        if not self.is_rising:
            return self._anywhere()
        return max(parent.end or 0 for parent in parents) + self._random.randrange(1, 1000)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
