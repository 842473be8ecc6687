"""A source table with groupings, for the tests of `leda backfill`, and what must hold at any time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.map_rows import RowClosedError
from leda_cli.operate.rebuilding.rebuild import Rebuild
from support.lambda_events import event
from support.memory_pipeline import MemoryPipeline
from support.pipeline import Function
from support.rebuild_site import Calls, Site

Row = dict[str, Any]

SOURCES, DATES = ("web", "app:ios"), ("2026-08-01", "2026-08-02", "2026-08-03")

# Three configurations of one table; each has something that another one lacks.
ONE = json.dumps(
    {"group_by": {"source": {"keys": ["source"]}}, "measures": {"Count": {"op": "count"}}}
)
TWO = json.dumps(
    {
        "group_by": {
            "source": {"keys": ["source", "date"], "rollup": True},
            "daily": {"keys": ["date"]},
        },
        "measures": {"Count": {"op": "count"}, "Score": {"op": "sum", "field": "score"}},
    }
)
THREE = json.dumps(
    {"group_by": {"daily": {"keys": ["date as day"]}}, "measures": {"Rows": {"op": "count"}}}
)


def _one(row: Row) -> Iterable[tuple[str, tuple[Decimal, ...]]]:
    yield f"source:{_name(row['source'])}", (Decimal(1),)


def _two(row: Row) -> Iterable[tuple[str, tuple[Decimal, ...]]]:
    amounts = (Decimal(1), Decimal(row["score"]))
    source = f"source:{_name(row['source'])}"
    for identifier in (source, f"{source}:{row['date']}", f"daily:{row['date']}"):
        yield identifier, amounts


def _three(row: Row) -> Iterable[tuple[str, tuple[Decimal, ...]]]:
    yield f"daily:{row['date']}", (Decimal(1),)


def _name(text: str) -> str:
    return text.replace(":", "%3A")


ORACLES: Mapping[str, Callable[[Row], Iterable[tuple[str, tuple[Decimal, ...]]]]] = {
    ONE: _one,
    TWO: _two,
    THREE: _three,
}


class MemoryTable(MemoryPipeline):
    """The engine's tables in memory, for a source table with a partition key and a sort key."""

    def create(self) -> None:
        """Make the tables."""
        self.settings = {"CONFIGURATION": ONE, **self.settings}
        self.create_engine({"place": "S", "at": "N"})


class BackfillSite(Site):
    """A source table with rows, and Map with one of the configurations."""

    rows: dict[tuple[str, str], Row]
    live: str

    @classmethod
    def begun(cls, lanes: int = 1, *, required: bool = True, count: int = 12) -> BackfillSite:
        """A site whose rows were written before the aggregation, so that Map has not counted them."""
        table = MemoryTable()
        table.settings |= {
            "REDUCE_LANES": str(lanes),
            "BACKFILL": "required" if required else "none",
        }
        made = cls(table, random.Random(7), lanes)
        made.rows, made.live = {}, ""
        made.store(count)
        return made

    @classmethod
    def counted(cls, configuration: str = ONE, lanes: int = 1) -> BackfillSite:
        """A site after its first backfill."""
        made = cls.begun(lanes)
        made.deploy(configuration)
        made.backfill()
        made.flow()
        assert made.found() == made.expected()
        return made

    # -- writers of the table

    def store(self, count: int = 3) -> None:
        """Some rows written, changed and deleted."""
        for _ in range(count):
            number = next(self.numbers)
            self.put(f"p{number % 5}", str(number % 7))
            if self.draw.random() < 0.3:
                self.remove(self.draw.choice(sorted(self.rows)))

    def put(self, place: str, at: str, **more: Any) -> None:
        row = {
            "source": self.draw.choice(SOURCES),
            "date": self.draw.choice(DATES),
            "score": str(self.draw.randint(-5, 5)),
            **more,
        }
        self.rows[place, at] = row
        item = {
            "place": {"S": place},
            "at": {"N": at},
            "source": {"S": row["source"]},
            "date": {"S": row["date"]},
            "score": {"N": row["score"]},
        }
        self.pipeline.dynamodb.put_item(TableName=self.table("State"), Item=item)

    def remove(self, key: tuple[str, str]) -> None:
        del self.rows[key]
        self.pipeline.dynamodb.delete_item(
            TableName=self.table("State"), Key={"place": {"S": key[0]}, "at": {"N": key[1]}}
        )

    # -- the operator

    def deploy(self, configuration: str) -> None:
        """Deploy Map with another configuration; warm environments keep the former one."""
        self.pipeline.settings["CONFIGURATION"] = configuration

    def renew(self) -> None:
        """Replace Map's environment by a cold one."""
        self.functions.pop("map", None)

    def backfill(self, calls: Calls | None = None, **options: Any) -> Any:
        result = self.backfill_work(calls or Calls(), **options).run()
        self.live = self.pipeline.settings["CONFIGURATION"]
        return result

    def backfill_work(self, calls: Calls, sleep: Any = None, **options: Any) -> Rebuild:
        given = {"is_backfill": True, "needs_backfill": True, **options}
        return self.work(calls, sleep=sleep or self.sleep, **given)

    # -- the event source mappings

    def deliver_new(self, name: str, function: Function | None = None) -> None:
        """Deliver new records; those that Map refuses while a backfill is between its steps are delivered later."""
        for shard, records in self.records(name).items():
            place = self._place(name, shard)
            if new := records[self.delivered.get(place, 0) :]:
                with suppress(RowClosedError):
                    (function or self.warm(name))(event(new, shard))
                    self.delivered[place] = len(records)

    # -- checks

    def expected(self) -> dict[str, Any]:
        """The totals under the live configuration."""
        found: dict[str, tuple[Decimal, ...]] = {}
        for row in self.rows.values():
            for identifier, amounts in ORACLES[self.live](row):
                known = found.get(identifier, (Decimal(0),) * len(amounts))
                found[identifier] = tuple(a + b for a, b in zip(known, amounts, strict=True))
        return {name: amounts for name, amounts in found.items() if any(amounts)}

    def found(self) -> dict[str, Any]:
        """The totals without absent ones."""
        names = Configuration.from_json(self.live or ONE).names
        found = {}
        for name, row in self.total_rows().items():
            amounts = tuple(Decimal(row.get(each, {"N": "0"})["N"]) for each in names)
            if any(amounts) and not name.startswith(RESERVED):
                found[name] = amounts
        return found

    def check(self) -> None:
        """Require exact totals, also after everything is delivered again, right labels, and no leftovers."""
        self.check_leftovers()
        self.check_labels()
        for _ in range(2):
            self.deliver_again()
            assert self.found() == self.expected()

    def check_labels(self) -> None:
        configuration = Configuration.from_json(self.live)
        for name, row in self.total_rows().items():
            labels = configuration.labels(name)
            keys = (
                {"M": {key: {"S": text} for key, text in labels.keys.items()}} if labels else None
            )
            assert row.get("Grouping") == ({"S": labels.grouping} if labels else None)
            assert row.get("Keys") == keys
            assert row.get("Parent") == ({"S": labels.parent} if labels else None)
            expires = labels.expires if labels else None
            assert row.get("ExpiresAt") == (None if expires is None else {"N": str(expires)})
            measures = {each for each in row if each in ("Count", "Score", "Rows")}
            assert measures == {*configuration.names}
