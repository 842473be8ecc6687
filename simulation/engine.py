"""Map and Reduce as parts of a system under test, their disturbances, and an operator who rebuilds the totals."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any, ClassVar
from unittest import mock

from leda.engine.audit.health import is_settled
from leda.engine.group_by.configuration import WATERMARK
from leda.engine.registry import Registry, Stage
from simulation.functions import in_one_thread
from simulation.operator import Operator
from simulation.plans import (
    EXPIRY,
    LOSS,
    OFF,
    RESHARD,
    SETTINGS,
    STREAMS,
    Disturbance,
    Frame,
    Plan,
    Put,
)
from simulation.systems import System, TableShape
from simulation.world import World

MOST_LANES = 4
MOST_REBUILDS = 5

# A row takes most of a partition's units of a second, so lanes and batches throttle each other.
NARROW_PARTITIONS: dict[str, Any] = {"units_per_second": 24.0, "unit_bytes": 32}

REDUCE_TABLE = TableShape(
    {"Lane": "S", "Source": "S"}, local_index="Never", expires_by="ExpiresAt", view="NEW_IMAGE"
)
REGISTRY_TABLE = TableShape({"Scope": "S", "Name": "S"}, expires_by="ExpiresAt")


class Engine(System):
    """The totals of a table, kept by Map and Reduce."""

    THREADED: ClassVar[Sequence[str]] = ()
    """Further modules whose thread pools run in one thread."""

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        super().__init__(world, plan, subject)
        self.operator = Operator(self)

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """Run in one thread; if the plan says so, make rows and requests small, so that few records need several."""
        with ExitStack() as stack:
            in_one_thread(
                stack,
                *cls.THREADED,
                *(
                    "leda.engine.map.map_rows",
                    "leda.engine.audit.table_scan",
                    "leda.engine.reduce.totals",
                ),
                "leda_cli.operate.rebuilding.stored_totals",
            )
            # Removing markers reads all of them: 4 requests for 400, and 20 for the command's 2,000. 100 are too
            # few: in a rare schedule (group-by, seed 20942) none reaches one of the shards, and no backfill ends.
            stack.enter_context(
                mock.patch("leda_cli.operate.rebuilding.watermarks.MAX_MARKERS", 400)
            )
            if plan.small_transactions:
                for name, value in (
                    ("leda.engine.map.map_batch.MAX_ROW_BYTES", 800),
                    ("leda.engine.map.map_rows.SPLIT_BYTES", 100),
                    ("leda.engine.reduce.totals.MAX_STATEMENTS", 3),
                ):
                    stack.enter_context(mock.patch(name, value))
            yield

    def variables(self) -> dict[str, str]:
        """The engine's tables, and Map's number of lanes at the beginning."""
        return {
            "REDUCE_TABLE": "ReduceTable",
            "AGGREGATE_TABLE": "AggregateTable",
            "REGISTRY_TABLE": "RegistryTable",
            "REDUCE_LANES": str(self.plan.lanes),
        }

    def rebuild(self) -> None:
        """Run `leda rebuild` or `leda backfill` until nothing is left to repair, at most MOST_REBUILDS times."""

        def work() -> None:
            for _ in range(MOST_REBUILDS):
                if self.operator.needed:
                    self.operator.rebuild(is_backfill=bool(self.operator.deployments))

        self.world.spawn(work)

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """Disturb the engine. After a loss an operator rebuilds the totals, and may be stopped half-way."""
        match kind:
            case "records lost":
                self.counts["records that were lost"] += self.mappings[stage].lose()
                self.operator.needed = True
            case "total damaged":
                self.operator.damage(draw)
            case "stream replaced":
                self.replace_stream(stage)
            case "backup":
                self.operator.back_up()
            case "table restored":
                table = draw.choice(("AggregateTable", "ReduceTable"))
                self.operator.restore(table)
                if table == "ReduceTable":
                    # A restored table is a new table with a new stream.
                    self.replace_stream("reduce")
            case "rebuild":
                self.operator.start(draw)
            case "backfill":
                self.operator.start(draw, is_backfill=True)
            case "lanes":
                self.deploy(draw, REDUCE_LANES=str(draw.randint(1, MOST_LANES)))
            case "configuration" if self.is_live:
                other = draw.choice(self.other_configurations)
                self.deploy(draw, CONFIGURATION=json.dumps(other))
            case "configuration":
                # The first configuration that Map uses becomes live, so another one would define other totals.
                pass
            case "mapping off":
                self.mappings[stage].pause()
                later = self.world.now + draw.uniform(1, 900)
                self.world.at(later, lambda: self.mappings[stage].resume())
            case "expiry":
                for table in ("ReduceTable", "RegistryTable"):
                    self.counts["rows that expired"] += self.store.delete_expired(table)
            case _:
                super().disturb_otherwise(kind, stage, draw)

    @property
    def other_configurations(self) -> Sequence[dict[str, Any]]:
        """Configurations that may be deployed later. They have no effect, because Map uses the live configuration."""
        return ()

    @property
    def measures(self) -> Collection[str]:
        """The names of the totals' measures."""
        return ("Value",)

    @property
    def is_live(self) -> bool:
        """Whether a configuration is live."""
        return Registry(self.store, "RegistryTable").get("configurations", "live") is not None  # type: ignore[arg-type]

    def deploy(self, draw: random.Random, **variables: str) -> None:
        """Change Map's settings. Warm environments may keep the former settings."""
        function = self.functions["map"]
        function.variables = {**function.variables, **variables}
        if draw.random() < 0.7:
            function.forget_environments()

    def replace_stream(self, stage: str) -> None:
        """Disable and enable a table's stream: the new stream has another label, and unread records are lost."""
        self.operator.needed = True
        self.mappings[stage].pause()
        labels = self.streams[stage].arn.rpartition("/")[2]
        self._connect(stage, int(labels[8:10]) + 1)

    def left_over(self) -> list[str]:
        """Return what no rebuild may leave: markers, the journal, streams that are not settled, mappings that are off.

        Markers in AggregateTable are not listed: a late delivery of ReduceTable's stream writes them again.
        """
        if not self.counts["rebuilds"] + self.counts["backfills"]:
            return []
        found = [str(row) for row in self.rows(self.SOURCES["map"]) if WATERMARK in row]
        registry = Registry(self.store, "RegistryTable")  # type: ignore[arg-type]
        if registry.rows("rebuild"):
            found.append("the journal")
        stages: tuple[Stage, ...] = ("map", "reduce")
        for stage in stages:
            if not is_settled(registry, stage, self.streams[stage].arn):
                found.append(f"{self.streams[stage].arn} is not settled")
        return found + [
            f"{name} is off" for name, each in self.mappings.items() if not each.enabled
        ]


def differing(
    must: Mapping[str, object], found: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    """The values that differ, by name: (expected, found). An absent value is 0."""
    zero = Decimal(0)
    return {
        name: (must.get(name, zero), found.get(name, zero))
        for name in sorted({*must, *found})
        if must.get(name, zero) != found.get(name, zero)
    }


def number_of(row: Mapping[str, Any], measure: str) -> Decimal:
    """A total's measure; NaN if it is not a number."""
    return Decimal(row.get(measure, {}).get("N", "NaN"))


def of_the_engine(frame: Frame, puts: Sequence[Put]) -> Iterator[Disturbance]:
    """The disturbances of Map and Reduce."""
    families, tables = frame.families, ("map", "reduce")
    if SETTINGS in families:
        yield from frame.some("lanes", ("map",), most=4)
        yield from frame.some("configuration", ("map",), most=2)
    if OFF in families:
        yield from frame.some("mapping off", tables, most=3)
    if EXPIRY in families:
        yield from frame.some("expiry", ("reduce",), most=3)
    if RESHARD in families:
        yield from frame.some("split", tables, most=3)
        yield from frame.some("roll", tables, most=3)
    if STREAMS in families:
        yield from _loss(frame.draw, puts, "stream replaced")
    if LOSS in families:
        kinds = ("records lost", "total damaged", "table restored")
        yield from _loss(frame.draw, puts, frame.draw.choice(kinds))


def _loss(draw: random.Random, puts: Sequence[Put], kind: str) -> Iterator[Disturbance]:
    """Something is lost while messages arrive, and an operator rebuilds the totals soon afterwards."""
    at = draw.choice(puts).at + draw.uniform(0, 5)

    def one(kind: str, at: float) -> Disturbance:
        stage = draw.choice(("map", "reduce"))
        return Disturbance(round(max(0.0, at), 3), kind, stage, draw.getrandbits(32))

    yield one("backup", at - draw.uniform(5, 60))
    yield one(kind, at - draw.uniform(0, 5))
    yield one("rebuild", at)
    if draw.random() < 0.4:
        # Two rebuilds at once, or one soon after the other.
        yield one("rebuild", at + draw.uniform(0, 20))
    if draw.random() < 0.3:
        yield one("mapping off", at + draw.uniform(-5, 10))
