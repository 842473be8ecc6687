"""A DynamoDB in memory that counts the units of each call.

LEDA's own code runs over it (`pipeline_units`), so the counts are those of that code as it is today.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NoReturn

from leda_cli.memory_dynamodb.attribute_values import Item
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB
from leda_cli.models.units import read_units, write_units

Row = Item
Change = tuple[Row | None, Row]


class Meter(StreamedDynamoDB):
    """A DynamoDB that counts. `writes` and `reads` hold units by table, `requests` calls by their name in the API."""

    def __init__(
        self, keys: Mapping[str, tuple[str, ...]], streamed: frozenset[str] = frozenset()
    ) -> None:
        self.writes: Counter[str] = Counter()
        self.reads: defaultdict[str, float] = defaultdict(float)
        self.requests: Counter[str] = Counter()
        super().__init__(keys, streamed)
        self.forget()

    def forget(self) -> None:
        """Set the counts to 0; the rows stay."""
        for counts in (self.writes, self.reads, self.requests):
            counts.clear()

    def has_been_called(self, operation: str) -> None:
        """Count the call."""
        self.requests[operation] += 1

    def has_read(self, table: str, item: Item | None) -> None:
        """Count the units of a consistent read; this store has no other reads."""
        self.reads[table] += read_units(item)

    def has_written(self, table: str, old: Item | None, new: Item | None) -> None:
        """Count the units of a write."""
        self.writes[table] += write_units(old, new)

    def transact_write_items(self, **_request: Any) -> NoReturn:
        """Refuse transactions: the engine writes none, so their units are not counted here."""
        raise NotImplementedError("the units of a transaction")
