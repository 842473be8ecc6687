"""A DynamoDB client that keeps its tables in memory and counts the units of each call.

LEDA's own code runs over it (`pipeline_units`), so that what is counted are the calls and items of that code as it
is today. It knows the calls that the pipeline makes and raises `memory_store.Refused` for what it does not know.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leda_cli.models.memory_store import Item, Store
from leda_cli.models.units import read_units, write_units

Row = Item
Change = tuple[Row | None, Row]


@dataclass(slots=True)
class Meter(Store):
    """A store that counts, with the client's methods. `writes` and `reads` hold units by table, `requests` calls."""

    writes: Counter[str] = field(default_factory=Counter)
    reads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    requests: Counter[str] = field(default_factory=Counter)

    def forget(self) -> None:
        """Set the counts to nothing; the rows stay."""
        for counts in (self.writes, self.reads, self.requests):
            counts.clear()

    def has_read(self, table: str, item: Item | None, is_consistent: bool) -> None:
        """Count the units."""
        self.reads[table] += read_units(item, is_consistent)

    def has_written(
        self, table: str, old: Item | None, new: Item | None, is_transaction: bool = False
    ) -> None:
        """Count the units."""
        self.writes[table] += write_units(old, new, is_transaction)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call by its name in the API. Raises Refused."""
        self.requests[operation] += 1
        return Store.call(self, operation, request)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("GetItem", request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("BatchGetItem", request)

    def query(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("Query", request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("PutItem", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("UpdateItem", request)

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("BatchExecuteStatement", request)

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        """The client's method of that name."""
        return self.call("DescribeStream", request)
