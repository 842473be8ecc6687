"""The write capacity of DynamoDB's partitions.

- A partition takes 1,000 write units a second, and no request that needs more than that
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html); here it has no burst
  capacity, which AWS does not promise.
- A write costs a unit for each KB of the larger of the item before and after it, and twice that in a transaction; a
  write whose condition fails costs as much as the item that is there
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
- A table with a local secondary index keeps the items of a partition key in one partition; any other may divide them
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from leda_cli.memory_dynamodb.tables import Place, Table

UNITS_PER_SECOND = 1000.0
UNIT_BYTES = 1024


@dataclass
class Partitions:
    """The partitions of all tables, `count` for each table, and the units that each has left in this second."""

    clock: Callable[[], float]
    count: int
    units_per_second: float = UNITS_PER_SECOND
    unit_bytes: int = UNIT_BYTES
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def units(self, size: int) -> int:
        """What a write of so many bytes costs."""
        return max(1, -(-size // self.unit_bytes))

    def of(self, table: Table, place: Place) -> str:
        """The name of the partition that holds the place."""
        text = place[0] if table.local_indexes else "|".join(place)
        return f"{table.name} {zlib.crc32(text.encode()) % self.count}"

    def take(self, costs: Iterable[tuple[str, float]]) -> set[str]:
        """Take the units (partition, number) of all partitions, or none; returns the partitions that lack them."""
        now = self.clock()
        needed: dict[str, float] = {}
        for partition, units in costs:
            needed[partition] = needed.get(partition, 0.0) + units
        left = {partition: self._now(partition, now) for partition in needed}
        lacking = {partition for partition, units in needed.items() if units > left[partition]}
        if not lacking:
            for partition, units in needed.items():
                self._left[partition] = now, left[partition] - units
        return lacking

    def _now(self, partition: str, now: float) -> float:
        then, left = self._left.get(partition, (now, self.units_per_second))
        return min(self.units_per_second, left + (now - then) * self.units_per_second)
