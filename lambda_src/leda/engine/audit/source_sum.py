"""Sums the rows of the source table, which the totals must equal.

An unreadable row adds nothing here, as in Map. It is counted and named.
"""

import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leda.engine.audit.row_keys import key_text
from leda.engine.audit.table_scan import SEGMENTS, scan
from leda.engine.audit.uncounted import Uncounted
from leda.engine.group_by.configuration import (
    WATERMARK,
    Amount,
    Amounts,
    Configuration,
    Contribution,
)
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image
from leda.values.numbers import WIDE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(slots=True)
class Expected:
    """The sum of rows of the source table at every node.

    totals: one amount for each measure, by node.
    rows: the number of rows, without the markers of a rebuild.
    unreadable: the number of rows that are in no total because they cannot be read; `reasons` has the number for each
    reason, and `named` the keys and reasons of the first of them.
    outside: the number of rows that are in no total because no grouping counts them, or they are deleted.
    """

    totals: Mapping[str, Amounts] = field(default_factory=dict)
    rows: int = 0
    unreadable: int = 0
    named: list[str] = field(default_factory=list)
    reasons: Mapping[str, int] = field(default_factory=dict)
    outside: int = 0

    @classmethod
    def of(
        cls, totals: Mapping[str, Amounts], rows: int, outside: int, uncounted: Uncounted
    ) -> "Expected":
        """Make the result of its parts."""
        named = [f"{key}: {reason}" for key, reason in uncounted.first]
        return cls(totals, rows, uncounted.count, named, uncounted.reasons, outside)


def fold(rows: Iterable[Image], configuration: Configuration, keys: Sequence[str]) -> Expected:
    """Sum these rows of the source table (DynamoDB's JSON)."""
    leaves = LeafSums(configuration, keys)
    leaves.add_rows(rows)
    return _expected([leaves])


def read_source(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[str],
    configuration: Configuration,
    segments: int = SEGMENTS,
    advance: Callable[[int], object] = lambda _count: None,
) -> Expected:
    """Sum the source table by a parallel scan.

    `keys` are the attributes of the table's key. `advance` is called with the number of rows of each page, by one
    thread at a time.
    """
    parts = [LeafSums(configuration, keys) for _ in range(segments)]
    receivers = [part.add_rows for part in parts]
    scan(client, table, attributes_of(keys, configuration), receivers, advance)
    return _expected(parts)


def attributes_of(keys: Sequence[str], configuration: Configuration) -> list[str]:
    """Return the attributes of the source table that decide what a row adds, and those of its key."""
    return list(dict.fromkeys([*keys, *configuration.attributes]))


@dataclass(slots=True)
class LeafSums:
    """A part of the source table, summed at the leaves; `keys` are the attributes of the table's key."""

    configuration: Configuration
    keys: Sequence[str]
    sums: dict[str, list[Amount]] = field(default_factory=dict)
    rows: int = 0
    outside: int = 0
    uncounted: Uncounted = field(default_factory=Uncounted)

    def add_rows(self, rows: Iterable[Image]) -> None:
        """Add these rows."""
        found = []
        for row in rows:
            if WATERMARK in row:
                continue
            self.rows += 1
            try:
                added = self.configuration.contribution(row)
            except UnreadableRowError as error:
                self.uncounted.add(key_text(row, self.keys), str(error))
                continue
            if added is None:
                self.outside += 1
            else:
                found.append(added)
        self.add(found)

    def add(self, contributions: Sequence[Contribution]) -> None:
        """Add what rows contribute."""
        with decimal.localcontext(WIDE):
            for each in contributions:
                for leaf in each.leaves:
                    _add(self.sums, leaf, each.amounts)

    def roll_up(self, totals: dict[str, list[Amount]]) -> None:
        """Add the leaves' sums to the totals."""
        with decimal.localcontext(WIDE):
            for leaf, amounts in self.sums.items():
                for node in self.configuration.nodes(leaf):
                    _add(totals, node, amounts)


def _expected(parts: Sequence[LeafSums]) -> Expected:
    totals: dict[str, list[Amount]] = {}
    uncounted = Uncounted()
    for part in parts:
        part.roll_up(totals)
        uncounted.merge(part.uncounted)
    return Expected.of(
        {node: tuple(amounts) for node, amounts in totals.items()},
        sum(part.rows for part in parts),
        sum(part.outside for part in parts),
        uncounted,
    )


def _add(sums: dict[str, list[Amount]], node: str, amounts: Sequence[Amount]) -> None:
    found = sums.get(node)
    if found is None:
        sums[node] = list(amounts)
        return
    for place, amount in enumerate(amounts):
        found[place] += amount
