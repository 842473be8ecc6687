"""Refuses totals that have more digits than a DynamoDB number holds, and names the rows that make them so long."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from leda.engine.audit.row_keys import key_text
from leda.engine.audit.source_sum import Expected, attributes_of
from leda.engine.audit.table_scan import scan
from leda.engine.group_by.configuration import Amounts, Configuration
from leda.streams.changes import UnreadableRowError
from leda.values.numbers import NotExactError, number
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError, this_command
from leda_cli.base.terminal import shown
from leda_cli.operate.rebuilding.rebuild_parts import Run
from leda_cli.operate.rebuilding.table_sum import first
from leda_cli.operate.rebuilding.totals_file import TotalsFile

ROWS_SHOWN = 3
TOTALS_LOOKED_INTO = 100


class TotalsTooLongError(LedaError):
    """Totals do not fit into a DynamoDB number."""

    def __init__(self, totals: Collection[str], where: str = "") -> None:
        """`where` says which rows to look at, if that is known."""
        super().__init__(
            number_of(len(totals), "total has", "totals have")
            + f" more than the 38 digits of a DynamoDB number: {first(totals)}",
            f"correct or delete the rows with too precise or too large a number, and run {this_command()} again{where}",
        )
        self._totals = totals

    def with_rows(self, run: Run) -> TotalsTooLongError:
        """The error with the rows whose numbers have the most digits after the decimal point, and before it.

        A sum is too long where these are too far apart. The table is read once more to find them.
        """
        source = run.tables.source
        totals = frozenset(itertools.islice(self._totals, TOTALS_LOOKED_INTO))
        rows = _LongestValues(run.configuration, list(source.keys), totals)
        with run.progress(f"looking for long numbers in {source.name}") as advance:
            attributes = attributes_of(list(source.keys), run.configuration)
            scan(run.dynamodb, source.name, attributes, [rows.take] * run.segments, advance)
        if not rows.precise:
            # The rows have been corrected or deleted meanwhile.
            return self
        return TotalsTooLongError(
            self._totals,
            f"; in {source.name}, the values with the most decimal places are {_shown(rows.precise)}; those with the "
            f"most digits before the decimal point are {_shown(rows.large)}",
        )


def require_fit(expected: Expected) -> None:
    """Raise TotalsTooLongError if a total does not fit into a DynamoDB number."""
    too_long = TotalsFile(each for each in expected.totals.items() if not _fits(each[1]))
    if too_long:
        raise TotalsTooLongError(too_long)


_Found = tuple[int, str]
"""How many digits a value has, and a text that names its row, its measure and the value."""


class _LongestValues:
    """The values below some totals that have the most decimal places, and the most digits before the point."""

    def __init__(
        self, configuration: Configuration, keys: Sequence[str], totals: Collection[str]
    ) -> None:
        self.precise: list[_Found] = []
        self.large: list[_Found] = []
        self._configuration = configuration
        self._keys = keys
        self._totals = totals
        self._one_at_a_time = threading.Lock()

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at a page of rows; several threads may call it."""
        found = [each for row in rows for each in self._values(row)]
        with self._one_at_a_time:
            self.precise = _longest(self.precise, found, _decimal_places)
            self.large = _longest(self.large, found, _integer_digits)

    def _values(self, row: Mapping[str, Any]) -> list[tuple[Decimal, str]]:
        try:
            added = self._configuration.contribution(row)
        except UnreadableRowError:
            return []
        nodes = self._configuration.nodes
        if not added or not any(
            node in self._totals for leaf in added.leaves for node in nodes(leaf)
        ):
            return []
        key, names = key_text(row, self._keys), self._configuration.names
        return [
            (amount, f"{key} ({name} {amount})")
            for name, amount in zip(names, added.amounts, strict=True)
            if isinstance(amount, Decimal) and amount
        ]


def _longest(
    known: list[_Found], found: Sequence[tuple[Decimal, str]], digits: Callable[[Decimal], int]
) -> list[_Found]:
    return heapq.nlargest(ROWS_SHOWN, [*known, *((digits(value), text) for value, text in found)])


def _decimal_places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _integer_digits(value: Decimal) -> int:
    return value.adjusted() + 1


def _shown(found: Sequence[_Found]) -> str:
    return ", ".join(shown(text) for _, text in found)


def _fits(amounts: Amounts) -> bool:
    try:
        for amount in amounts:
            number(str(amount))
    except NotExactError:
        return False
    return True
