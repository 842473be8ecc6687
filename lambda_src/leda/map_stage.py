"""Map's effect: the delta rows of a prefix of StateTable's changes."""

import time
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from leda import deltas
from leda.checkpoints import padded
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.schema import Schema
from leda.streams import StreamRecord


class MapStage:
    """Plans the puts into ReduceTable.

    A row's key is made of the lane and the last sequence number it sums, so two rows never share one. `lanes`
    is the number of partition keys; all rows of one lane of StateTable have the same, and with it one order.
    """

    def __init__(
        self,
        table: str,
        schema: Schema,
        lanes: int,
        retention_seconds: int,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._table = table
        self._schema = schema
        self._lanes = lanes
        self._retention = retention_seconds
        self._clock = clock or time.time

    def plan(self, lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose delta rows fit a transaction."""
        folded = deltas.fold(records, self._schema)
        last = records[folded.count - 1].sequence
        return Prefix(
            folded.count,
            [
                {
                    "Put": {
                        "TableName": self._table,
                        "Item": self._row(lane, last, part, sums, folded),
                    }
                }
                for part, sums in enumerate(folded.parts())
            ],
            [Rejected(unreadable.record, unreadable.reason) for unreadable in folded.unreadable],
        )

    def _row(
        self, lane: Lane, last: int, part: int, sums: dict[str, Decimal], folded: deltas.Fold
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "Lane": {"N": str(zlib.crc32(lane.name.encode()) % self._lanes)},
            "Delta": {"S": f"{lane.name}#{padded(last)}#{part:02d}"},
            "Totals": {"M": {path: {"N": str(value)} for path, value in sums.items()}},
            "Records": {"N": str(folded.count)},
            "ExpiresAt": {"N": str(int(self._clock()) + self._retention)},
        }
        if folded.oldest is not None and folded.newest is not None:
            row["OldestTimestamp"] = {"N": str(folded.oldest)}
            row["NewestTimestamp"] = {"N": str(folded.newest)}
        return row
