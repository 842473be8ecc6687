"""A DynamoDB in memory that counts the units of each call.

LEDA's own code runs over it (`pipeline_units`), so that what is counted are the calls and items of that code as it
is today.
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
        """Set the counts to nothing; the rows stay."""
        for counts in (self.writes, self.reads, self.requests):
            counts.clear()

    def has_been_called(self, operation: str) -> None:
        """Count the call."""
        self.requests[operation] += 1

    def has_read(self, table: str, item: Item | None) -> None:
        """Count the units of a consistent read, which every read of this store is."""
        self.reads[table] += read_units(item)

    def has_written(self, table: str, old: Item | None, new: Item | None) -> None:
        """Count the units."""
        self.writes[table] += write_units(old, new)

    def transact_write_items(self, **_request: Any) -> NoReturn:
        """Refuse: the engine writes no transactions, and their units are not counted."""
        raise NotImplementedError("the units of a transaction")
