"""A table on local AWS whose totals modules/aggregation keeps: shared by the demos of such tables."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from leda.engine.group_by.configuration import Configuration
from leda.values.texts import number_of
from leda_cli.base.output import console
from leda_cli.demos import group_by_oracle
from leda_cli.demos.applied_example import AppliedExample
from leda_cli.demos.live_view import LiveView
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.settling import require_none, settle_figures
from leda_cli.operate.totals.comparison import EXACT, HOLD_SECONDS, compare
from leda_cli.operate.totals.totals_reading import TotalsReader

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.25

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""
Measures = Mapping[str, Decimal]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class GroupedTable(AppliedExample):
    """An applied example of the module with the outputs table, totals_table, functions, tables, quarantine_bucket."""

    KEY: ClassVar[str] = "Identifier"
    """The key of the totals table."""

    @property
    def source(self) -> Mapping[str, Any]:
        """The source table's `name` and `stream_arn`."""
        found: Mapping[str, Any] = self.outputs["table"]
        return found

    @property
    def table(self) -> str:
        """The source table's name."""
        return str(self.source["name"])

    @property
    def totals_table(self) -> str:
        """The totals table's name."""
        return str(self.outputs["totals_table"]["name"])

    @property
    def map_function(self) -> str:
        """The name of Map's function, by which the commands find the other parts."""
        return str(self.outputs["functions"]["map"]["name"])

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The groupings and measures that Map is deployed with."""
        found = self.lambdas.get_function_configuration(FunctionName=self.map_function)
        document: dict[str, Any] = json.loads(found["Environment"]["Variables"]["CONFIGURATION"])
        return document

    @cached_property
    def reader(self) -> TotalsReader:
        """A reader of the totals as the commands read them."""
        live = Configuration.from_json(json.dumps(self.configuration))
        return TotalsReader(self.dynamodb, self.totals_table, self.KEY, live)

    def rows(self) -> Iterator[Item]:
        """Every row of the source table, those that cannot be counted included."""
        return self.scan(self.table)

    def put(self, row: Item) -> None:
        """Write a row."""
        self.dynamodb.put_item(TableName=self.table, Item=row)

    def delete(self, key: Item) -> None:
        """Delete a row."""
        self.dynamodb.delete_item(TableName=self.table, Key=key)

    def totals(self) -> dict[str, dict[str, Decimal]]:
        """The measures of every total, by its identifier."""
        return dict(map(self._total, self.scan(self.totals_table)))

    def some_totals(self, identifiers: Sequence[str]) -> dict[str, dict[str, Decimal]]:
        """The measures of these totals (at most 100), without those that do not exist."""
        keys = [{self.KEY: {"S": identifier}} for identifier in identifiers]
        answer = self.dynamodb.batch_get_item(RequestItems={self.totals_table: {"Keys": keys}})
        return dict(map(self._total, answer["Responses"][self.totals_table]))

    def _total(self, row: Item) -> tuple[str, dict[str, Decimal]]:
        measures = {
            name: Decimal(row[name]["N"]) for name in self.configuration["measures"] if name in row
        }
        return row[self.KEY]["S"], measures

    def expected(self) -> dict[str, dict[str, Decimal]]:
        """What the totals must be: one pass over the rows, by code that shares nothing with the engine."""
        document = self.configuration
        return {
            group_by_oracle.row_of(document, total)[0]: {
                name: EXACT.divide(Decimal(sum_.numerator), Decimal(sum_.denominator))
                for name, sum_ in measures.items()
            }
            for total, measures in group_by_oracle.totals(document, self.rows()).items()
        }

    def settle(self, look: Callable[[], None] = _nothing, hold: float = HOLD_SECONDS) -> None:
        """Wait until every total is exact and stays so for `hold` seconds. Raises LedaError if that does not happen.

        look: called before each comparison, to show something.
        """

        def read() -> dict[str, Decimal]:
            look()
            return flat(self.totals())

        settle_figures(
            flat(self.expected()),
            read,
            self._truth,
            hold=hold,
            patience=PATIENCE_SECONDS,
            every=LOOK_SECONDS,
        )

    def require_exact(self) -> int:
        """Compare every measure of every total now, and return how many there are. Raises LedaError."""
        expected = flat(self.expected())
        require_none(compare(expected, flat(self.totals())), len(expected), self._truth)
        return len(expected)

    @property
    def _truth(self) -> str:
        return f"what one plain pass over {self.table} gives"


def flat(totals: Mapping[str, Measures]) -> dict[str, Decimal]:
    """Each measure of each total by a name of its own, as `comparison.compare` takes them."""
    return {
        f"{identifier} {name}": amount
        for identifier, measures in totals.items()
        for name, amount in measures.items()
    }


def raise_what_failed(*work: Future[None]) -> None:
    """Raise the error of a thread that has failed."""
    for future in work:
        if future.done():
            future.result()


class Writer(ABC):
    """Writes rows at random; `counts` has the number of writes by what they did."""

    PAUSE_SECONDS = 0.01

    def __init__(self, table: GroupedTable, draw: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._table = table
        self._draw = draw
        self._name = secrets.token_hex(3)

    @abstractmethod
    def once(self) -> None:
        """Make one write."""

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop."""
        while not stop.wait(self.PAUSE_SECONDS):
            self.once()


class SpoilingWriter(Writer):
    """One that can also write a row that cannot be counted."""

    @property
    def unreadable(self) -> str:
        """The key of the row that cannot be counted."""
        return f"{self._name}-unreadable"

    @abstractmethod
    def write_one_that_cannot_be_counted(self) -> None:
        """Write that row, and count it as `unreadable`."""


def season(
    writer: SpoilingWriter,
    redeliveries: Sequence[Redelivery],
    seconds: float,
    show: Callable[[LiveView, str], None],
    settle: Callable[[Callable[[], None]], None],
) -> None:
    """Write for so many seconds, beside second deliveries, and wait until the totals are exact.

    show: draws the present state under a status line. settle: waits, and calls what it gets before each comparison.
    """
    stop_writing, stop_delivering = threading.Event(), threading.Event()
    began = time.monotonic()
    with ThreadPoolExecutor(1 + len(redeliveries)) as pool, LiveView(console) as view:
        writing = pool.submit(writer.run, stop_writing)
        delivering = [pool.submit(each.run, stop_delivering) for each in redeliveries]

        def look() -> None:
            raise_what_failed(writing, *delivering)
            again = sum(each.records for each in redeliveries)
            passed = time.monotonic() - began
            writes = writer.counts.total()
            show(
                view,
                f"{passed:4.1f} s: {number_of(writes, 'write')}, {number_of(again, 'record')} delivered again",
            )

        try:
            while (now := time.monotonic() - began) < seconds:
                if now > seconds / 2 and not writer.counts["unreadable"]:
                    writer.write_one_that_cannot_be_counted()
                look()
                time.sleep(LOOK_SECONDS)
            stop_writing.set()
            writing.result()
            settle(look)
        finally:
            stop_writing.set()
            stop_delivering.set()
    for each in delivering:
        each.result()
