"""The memory of a rebuild or backfill does not grow with the number of totals."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.audit.audit import audit
from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import Configuration
from leda.engine.map import map_batch
from leda_cli.base.operations import Operation
from leda_cli.operate.rebuilding import table_sum, totals_file
from leda_cli.operate.rebuilding.rebuild import Rebuild, Result
from support.aggregations import aggregation
from support.backfill_site import BackfillSite
from support.rebuild_site import Calls

DOCUMENT = json.dumps(
    {
        "group_by": {"places": {"keys": ["source"]}},
        "measures": {"Count": {"op": "count"}, "Score": {"op": "sum", "field": "score"}},
    }
)
CONFIGURATION = Configuration.from_json(DOCUMENT)
PAGE = 50


class ManyTotals:
    """A table in which each row has a total of its own. Rows and totals are made when they are read.

    Every total is 1 too low. The corrections are not stored.
    """

    def __init__(self, real: Any, source: str, totals: str, count: int) -> None:
        self._real = real
        self._made = {source: self._row, totals: self._total}
        self._count = count
        self._is_corrected = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def scan(self, **request: Any) -> Any:
        make = self._made.get(request["TableName"])
        if make is None:
            return self._real.scan(**request)
        mine = range(request.get("Segment", 0), self._count, request.get("TotalSegments", 1))
        first = request.get("ExclusiveStartKey", 0)
        last = first + PAGE
        # Unordered, as in DynamoDB.
        items = [make((n * 7919) % self._count) for n in mine[first:last]]
        return {"Items": items} | ({"LastEvaluatedKey": last} if last < len(mine) else {})

    def put_item(self, **request: Any) -> Any:
        item = request["Item"]
        if "Totals" in item:
            kept = {n: v for n, v in item["Totals"]["M"].items() if n.startswith(RESERVED)}
            self._is_corrected |= len(kept) < len(item["Totals"]["M"])
            request["Item"] = item | {"Totals": {"M": kept}}
        return self._real.put_item(**request)

    def _row(self, number: int) -> dict[str, Any]:
        name = f"{number:06}"
        return {
            "place": {"S": name},
            "at": {"N": "1"},
            "source": {"S": f"p{name}"},
            "score": {"N": "2.5"},
        }

    def _total(self, number: int) -> dict[str, Any]:
        name = f"places:p{number:06}"
        labels = CONFIGURATION.labels(name)
        assert labels
        score = "2.5" if self._is_corrected else "1.5"
        row = {"Identifier": {"S": name}, "Count": {"N": "1"}, "Score": {"N": score}}
        return row | dict(labels.attributes)


@dataclass
class ManyCalls(Calls):
    """The calls of a run on a site with `count` totals."""

    site: BackfillSite | None = None
    count: int = 0

    def wrap(self, real: Any) -> Any:
        assert self.site
        if real is self.site.pipeline.dynamodb:
            tables = self.site.table("State"), self.site.table("Aggregate")
            return ManyTotals(real, *tables, self.count)
        return real


def rebuild(work: Rebuild, count: int) -> None:
    reported(work.run(), count)


def look(work: Rebuild, count: int) -> None:
    reported(work.look(), count)


def reported(result: Result, count: int) -> None:
    assert len(result.expected.totals) == count
    assert sum(1 for _ in result.changes) == len(result.changes) == count


def check(work: Rebuild, count: int) -> None:
    """The comparison at the end of a run, and of `leda verify --while-running`."""
    client, tables = work.dynamodb, work.tables
    client._is_corrected = True  # type: ignore[attr-defined]
    compared = aggregation(SimpleNamespace(dynamodb=client), **vars(tables))
    with Operation(as_json=True).progress("comparing") as advance:
        found = audit(compared.both_sides(CONFIGURATION, advance), 0)
    assert (found.totals, found.wrong, found.in_flight) == (count, [], [])


def peak_of(do: Callable[[Rebuild, int], None], count: int) -> int:
    """The peak of Python's memory while `do` ran with this number of totals, in bytes."""
    site = BackfillSite.begun(count=0)
    site.deploy(DOCUMENT)
    work = site.backfill_work(ManyCalls(site=site, count=count))
    tracemalloc.start()
    try:
        do(work, count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("do", [rebuild, look, check])
def test_memory_does_not_grow_with_the_number_of_totals(
    monkeypatch: pytest.MonkeyPatch, do: Callable[[Rebuild, int], None]
) -> None:
    # The maximum in memory at a time.
    monkeypatch.setattr(table_sum, "MOST_LEAVES", 100)
    monkeypatch.setattr(totals_file, "_BATCH", 100)
    monkeypatch.setattr(map_batch, "MAX_ROW_BYTES", 10_000)
    monkeypatch.setattr("leda_cli.operate.aggregation.SEGMENTS", 1)
    # The first run imports.
    _, few, many = (peak_of(do, count) for count in (10, 500, 1500))
    assert many - few < 100_000
