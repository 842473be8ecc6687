"""Finds the rows whose numbers make a total wider than the 38 digits of a DynamoDB Number.

A total is too wide because one row's number has many digits before the decimal point and another one's many after it.
So the rows with the most of both are named, of those that count in the totals in question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.engine.audit.row_keys import key_text
from leda.engine.audit.source_sum import attributes_of
from leda.engine.audit.table_scan import scan
from leda.engine.group_by.configuration import Amount, Configuration
from leda.streams.changes import UnreadableRowError
from leda_cli.operate.deployed.source_table import SourceTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHOWN = 3

_Found = tuple[int, str]


class WidestRows:
    """The rows with the widest numbers below some totals."""

    def __init__(
        self, configuration: Configuration, table: SourceTable, totals: Collection[str]
    ) -> None:
        self._configuration = configuration
        self._table = table
        self._totals = frozenset(totals)
        self._one_at_a_time = threading.Lock()
        self._before: list[_Found] = []
        self._after: list[_Found] = []

    def scan(self, client: DynamoDBClient, segments: int, advance: Callable[[int], object]) -> None:
        """Take all rows of the table, read in so many segments at a time."""
        attributes = attributes_of(list(self._table.keys), self._configuration)
        scan(client, self._table.name, attributes, [self.take] * segments, advance)

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at rows; several threads may call it."""
        with self._one_at_a_time:
            for row in rows:
                try:
                    found = self._configuration.contribution(row)
                except UnreadableRowError:
                    continue
                if found and any(map(self._is_below, found.leaves)):
                    for name, amount in zip(self._configuration.names, found.amounts, strict=True):
                        self._look(row, name, amount)

    def text(self) -> str:
        """The rows by their keys, with their numbers."""
        before, after = (
            ", ".join(text for _, text in each) for each in (self._before, self._after)
        )
        return f"most digits before the point: {before}; most after it: {after}" if before else ""

    def _is_below(self, leaf: str) -> bool:
        return not self._totals.isdisjoint(self._configuration.nodes(leaf))

    def _look(self, row: Mapping[str, Any], measure: str, amount: Amount) -> None:
        if not isinstance(amount, Decimal) or not amount:
            return
        # Not `normalize`: it rounds to the digits of Decimal's context.
        text = f"{amount:f}"
        places = len(text.partition(".")[2].rstrip("0"))
        shown = f"{key_text(row, list(self._table.keys))} ({measure} {amount})"
        self._before = _widest([*self._before, (amount.adjusted(), shown)])
        self._after = _widest([*self._after, (places, shown)])


def _widest(found: list[_Found]) -> list[_Found]:
    return sorted(found, key=lambda each: (-each[0], each[1]))[:SHOWN]
