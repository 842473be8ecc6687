"""A table on local AWS whose totals modules/aggregation keeps: shared by the demos of such tables."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from leda_cli.demos import group_by_oracle
from leda_cli.demos.examples import AppliedExample
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.settling import require_none, settle_figures
from leda_cli.operate.totals.comparison import EXACT, HOLD_SECONDS, compare

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.25

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""
Measures = Mapping[str, Decimal]


@dataclass(frozen=True)
class GroupedTable(AppliedExample):
    """An applied example of the module with the outputs table, totals_table, functions, tables, quarantine_bucket."""

    @property
    def table(self) -> str:
        """The source table's name."""
        return str(self.aws.outputs["table"]["name"])

    @property
    def totals_table(self) -> str:
        """The totals table's name."""
        return str(self.aws.outputs["totals_table"]["name"])

    @property
    def map_function(self) -> str:
        """The name of Map's function, by which the commands find the other parts."""
        return str(self.aws.outputs["functions"]["map"]["name"])

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The groupings and measures that Map is deployed with."""
        found = self.lambdas.get_function_configuration(FunctionName=self.map_function)
        document: dict[str, Any] = json.loads(found["Environment"]["Variables"]["CONFIGURATION"])
        return document

    def rows(self) -> Iterator[Item]:
        """Every row of the source table."""
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
        keys = [{"Identifier": {"S": identifier}} for identifier in identifiers]
        answer = self.dynamodb.batch_get_item(RequestItems={self.totals_table: {"Keys": keys}})
        return dict(map(self._total, answer["Responses"][self.totals_table]))

    def _total(self, row: Item) -> tuple[str, dict[str, Decimal]]:
        measures = {
            name: Decimal(row[name]["N"]) for name in self.configuration["measures"] if name in row
        }
        return row["Identifier"]["S"], measures

    def expected(self) -> dict[str, dict[str, Decimal]]:
        """What the totals must be: one pass over the source table, by code that shares nothing with the engine."""
        document = self.configuration
        return {
            group_by_oracle.row_of(document, total)[0]: {
                name: EXACT.divide(Decimal(sum_.numerator), Decimal(sum_.denominator))
                for name, sum_ in measures.items()
            }
            for total, measures in group_by_oracle.totals(document, self.rows()).items()
        }

    def redeliveries(self, draw: random.Random) -> Sequence[Redelivery]:
        """Second deliveries of the source table's stream to Map, and of ReduceTable's to Reduce."""
        outputs, streams = self.aws.outputs, self.aws.client("dynamodbstreams")
        return [
            Redelivery(streams, self.lambdas, table["stream_arn"], function["name"], draw)
            for table, function in (
                (outputs["table"], outputs["functions"]["map"]),
                (outputs["tables"]["reduce"], outputs["functions"]["reduce"]),
            )
        ]

    def settle(self, look: Callable[[], None] = lambda: None, hold: float = HOLD_SECONDS) -> None:
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
