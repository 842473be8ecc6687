"""The aggregation pipeline as a system under test."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from leda.engine.delta_rows import RESERVED
from leda.engine.health import is_settled
from leda.engine.registry import Registry, Stage
from simulation.functions import in_one_thread
from simulation.mappings import Settings
from simulation.operator import Operator
from simulation.plans import (
    COMMON,
    EXPIRY,
    LOSS,
    NARROW,
    OFF,
    RESHARD,
    SETTINGS,
    STREAMS,
    Disturbance,
    Frame,
    Plan,
    Put,
)
from simulation.streams import Raw
from simulation.systems import KINESIS, LAMBDA_SRC, System, TableShape
from simulation.world import World
from support import trades

STAGES = ("state", "map", "reduce")
PUBLISHED = Path(__file__).resolve().parent / "published"

VALUE = {"op": "sum", "field": "Value"}
CONFIGURATION = {"path": "Path", "measures": {"Count": {"op": "count"}, "Value": VALUE}}
# What may be deployed later, without effect: shards are computed under the version that is live.
OTHER_CONFIGURATIONS = (
    CONFIGURATION,
    {"path": "Path", "measures": {"Value": VALUE}},
    {
        "path": "Path",
        "measures": {
            "Count": {"op": "count"},
            "Value": VALUE,
            "Versions": {"op": "sum", "field": "Version"},
        },
    },
    {"path": "id", "measures": {"Value": {"op": "count"}}},
)
MOST_LANES = 4
# Why the published design is not played under some kinds of trouble.
NOT_COMPARED = {
    LOSS: "no way back",
    STREAMS: "no way back",
    NARROW: "a transaction that never fits is tried for ever",
}
MOST_REDRIVES = 100
MOST_REBUILDS = 5


class Pipeline(System):
    """State, Map and Reduce, or the published design's versions of them."""

    FAMILIES: ClassVar = (*COMMON, SETTINGS, OFF, EXPIRY, NARROW, STREAMS, LOSS)
    SUBJECTS: ClassVar = {
        "LEDA": {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
        "published": {stage: PUBLISHED / f"{stage}.py" for stage in STAGES},
    }
    TABLES: ClassVar = {
        "LEDA": {
            "StateTable": TableShape({"id": "S"}),
            "ReduceTable": TableShape(
                {"Lane": "S", "Source": "S"},
                local_index="Never",
                expires_by="ExpiresAt",
                view="NEW_IMAGE",
            ),
            "AggregateTable": TableShape({"Identifier": "S"}),
            "RegistryTable": TableShape({"Scope": "S", "Name": "S"}, expires_by="ExpiresAt"),
        },
        "published": {
            "StateTable": TableShape({"id": "S"}),
            "ReduceTable": TableShape({"Lane": "N", "Delta": "S"}),
            "AggregateTable": TableShape({"Identifier": "S"}),
        },
    }
    SOURCES: ClassVar = {"map": "StateTable", "reduce": "ReduceTable"}

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        super().__init__(world, plan, subject)
        self._is_leda = subject == "LEDA"
        self.operator = Operator(self)

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Messages in any order, some twice and some bad; between one and three shards of each stream."""
        frame = Frame.of("pipeline", seed, families, cls.FAMILIES)
        draw = frame.draw
        versions = trades.versions(
            draw, trades=draw.choice((1, 4, 10, 20)), each=draw.randint(1, 4)
        )
        burst = trades.burst(draw, versions, bad=draw.choice((0, 1, 3)))
        shards = {stage: draw.choice((1, 1, 2, 3)) for stage in cls.SOURCES}
        state = Settings(
            batch_size=draw.choice((1, 5, 25, 100)),
            batching_window=draw.choice((0.0, 0.0, 2.0)),
            parallelization_factor=draw.choice((1, 1, 2, 4)),
            maximum_retries=draw.choice((0, 2, 10, -1)),
            maximum_record_age=draw.choice((60.0, 600.0, -1.0, -1.0)),
            bisect=draw.random() < 0.5,
        )
        puts = frame.puts([(f"k{draw.randrange(20)}", message) for message in burst])
        disturbances = [*frame.disturbances(("state",), shards), *_of_the_engine(frame, puts)]
        is_narrow = NARROW in frame.families
        return Plan(
            system="pipeline",
            seed=seed,
            families=frame.families,
            puts=puts,
            shards={"state": draw.randint(1, 3), **shards},
            small_transactions=is_narrow or draw.random() < 0.6,
            mappings={"state": state} | {stage: frame.exactly_once() for stage in shards},
            fault_rate=frame.fault_rate(),
            disturbances=tuple(sorted(disturbances, key=lambda disturbance: disturbance.at)),
            lanes=draw.choice((1, 1, 2, MOST_LANES)),
            rising_numbers=draw.random() < 0.5,
            partitions=draw.choice((1, 4)),
            **(NARROW_PARTITIONS if is_narrow else {}),
        )

    @staticmethod
    @contextmanager
    def installed(plan: Plan) -> Iterator[None]:
        """One thread; and, where the plan says so, small rows and requests, so that few records take many."""
        with ExitStack() as stack:
            in_one_thread(
                stack,
                *("leda.state_store", "leda.put_aside", "leda.audit"),
                *("leda.engine.map_rows", "leda.engine.totals", "leda_cli.stored_totals"),
            )
            if plan.small_transactions:
                for name, value in (
                    ("leda.engine.map_rows.MAX_ROW_BYTES", 800),
                    ("leda.engine.map_rows.SPLIT_BYTES", 100),
                    ("leda.engine.totals.MAX_STATEMENTS", 3),
                ):
                    stack.enter_context(mock.patch(name, value))
            yield

    def variables(self) -> dict[str, str]:
        """The tables' names, the schema and what the totals are."""
        return {
            **{
                f"{name.upper()}_TABLE": f"{name}Table" for name in ("State", "Reduce", "Aggregate")
            },
            "REGISTRY_TABLE": "RegistryTable",
            "SCHEMA": "{}",
            "LIMITS": "{}",
            "CONFIGURATION": json.dumps(CONFIGURATION),
            "REDUCE_LANES": str(self.plan.lanes),
        }

    def put(self, put: Put) -> None:
        """A producer's record."""
        arrived = self.world.true_clock()

        def raw(shard: str, sequence: int) -> Raw:
            return {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": put.key,
                    "sequenceNumber": str(sequence),
                    "data": base64.b64encode(put.data).decode(),
                    "approximateArrivalTimestamp": arrived,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/StateLambda",
                "awsRegion": "us-east-1",
                "eventSourceARN": KINESIS,
            }

        self.streams["state"].publish(put.key, raw)

    def rebuild(self) -> None:
        """Run `leda rebuild`, if something was lost, and again where it says so."""

        def work() -> None:
            for _ in range(MOST_REBUILDS):
                if self.operator.needed:
                    self.operator.rebuild()

        self.world.spawn(work)

    def redrive(self) -> None:
        """Put back what the State mapping gave up, as `leda redrive` does."""
        mapping = self.mappings["state"]
        discarded, mapping.discarded = mapping.discarded, []

        def work() -> None:
            for batch in discarded:
                shard, records = self.streams["state"].shards[batch.shard], batch.records
                for _ in range(MOST_REDRIVES):
                    records = records[mapping.attempt(shard, records) :]
                    if not records:
                        break
                    # A narrow partition takes the rest of it a little later.
                    self.world.sleep(1)
                assert not records, "nothing is wrong any more, and yet it failed"

        self.world.spawn(work)
        super().redrive()

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """What befalls this system alone; after a loss an operator rebuilds the totals, and may be stopped half-way."""
        match kind:
            case "records lost":
                self.counts["records that were lost"] += self.mappings[stage].lose()
                self.operator.needed = True
            case "total damaged":
                self.operator.damage(draw)
            case "stream made anew":
                self.make_stream_anew(stage)
            case "backup":
                self.operator.back_up()
            case "table restored":
                table = draw.choice(("AggregateTable", "ReduceTable"))
                self.operator.restore(table)
                if table == "ReduceTable":
                    # A restored table is a new one, with a stream of its own.
                    self.make_stream_anew("reduce")
            case "rebuild":
                self.operator.start(draw)
            case "lanes":
                self._deploy(draw, REDUCE_LANES=str(draw.randint(1, MOST_LANES)))
            case "configuration" if self._is_live:
                self._deploy(draw, CONFIGURATION=json.dumps(draw.choice(OTHER_CONFIGURATIONS)))
            case "configuration":
                # The first configuration that Map runs with goes live: another one would define other totals.
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
    def _is_live(self) -> bool:
        live = {"Scope": {"S": "configurations"}, "Name": {"S": "live"}}
        return "Item" in self.store.get_item(
            TableName="RegistryTable", Key=live, ConsistentRead=True
        )

    def _deploy(self, draw: random.Random, **variables: str) -> None:
        """Change Map's settings. Environments that run go on as they were for a while, some for long."""
        function = self.functions["map"]
        function.variables = {**function.variables, **variables}
        if draw.random() < 0.7:
            function.forget_environments()

    def make_stream_anew(self, stage: str) -> None:
        """A table's stream is disabled and enabled: it has another label, and what was not read is lost."""
        self.operator.needed = True
        self.mappings[stage].pause()
        labels = self.streams[stage].arn.rpartition("/")[2]
        self._connect(stage, int(labels[8:10]) + 1)

    def differences(self) -> dict[str, tuple[Decimal, Decimal]]:
        """AggregateTable against a plain fold over the messages; a row that is 0 is as good as none."""
        good = [trades.version_of(put.data) for put in self.plan.puts if put.data not in trades.BAD]
        must = trades.fold(good)
        rows = {
            row["Identifier"]["S"]: row
            for row in self.rows("AggregateTable")
            if not row["Identifier"]["S"].startswith(RESERVED)
        }
        found = {node: _number(row, "Value") for node, row in rows.items()}
        if self._is_leda:
            must |= {_count(node): Decimal(count) for node, count in trades.count(good).items()}
            found |= {_count(node): _number(row, "Count") for node, row in rows.items()}
            found |= dict.fromkeys(self._left_over(), Decimal(1))
        zero = Decimal(0)
        return {
            node: (must.get(node, zero), found.get(node, zero))
            for node in sorted({*must, *found})
            if must.get(node, zero) != found.get(node, zero)
        }

    def _left_over(self) -> list[str]:
        """What no rebuild must leave: its markers, its journal, streams that are not settled, a mapping that is off.

        Its markers in AggregateTable come again with a late delivery of ReduceTable's stream; they are no totals.
        """
        if not self.counts["rebuilds"]:
            return []
        found = [row["id"]["S"] for row in self.rows("StateTable") if "Watermark" in row]
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

    def lost(self) -> int:
        """How many bad messages are not in State's quarantine; and one, if a rebuild did not come to its end."""
        bad = Counter(put.data for put in self.plan.puts if put.data in trades.BAD)
        kept = Counter(
            base64.b64decode(json.loads(body)["data"])
            for key, body in self.bucket.objects.items()
            if key.startswith("StateLambda/")
        )
        return (bad - kept).total() + self.operator.needed


# A row takes most of what such a partition has in a second, so lanes and batches get into each other's way.
NARROW_PARTITIONS: dict[str, Any] = {"units_per_second": 24.0, "unit_bytes": 32}


def _number(row: dict[str, Any], measure: str) -> Decimal:
    return Decimal(row.get(measure, {}).get("N", "NaN"))


def _count(node: str) -> str:
    return f"{node}, count"


def _of_the_engine(frame: Frame, puts: Sequence[Put]) -> Iterator[Disturbance]:
    """What befalls Map and Reduce alone."""
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
        yield from _loss(frame.draw, puts, "stream made anew")
    if LOSS in families:
        kinds = ("records lost", "total damaged", "table restored")
        yield from _loss(frame.draw, puts, frame.draw.choice(kinds))


def _loss(draw: random.Random, puts: Sequence[Put], kind: str) -> Iterator[Disturbance]:
    """Something is lost while messages come, and soon after it an operator rebuilds the totals."""
    at = draw.choice(puts).at + draw.uniform(0, 5)

    def one(kind: str, at: float) -> Disturbance:
        stage = draw.choice(("map", "reduce"))
        return Disturbance(round(max(0.0, at), 3), kind, stage, draw.getrandbits(32))

    yield one("backup", at - draw.uniform(5, 60))
    yield one(kind, at - draw.uniform(0, 5))
    yield one("rebuild", at)
    if draw.random() < 0.4:
        # Two at once, or one soon after the other.
        yield one("rebuild", at + draw.uniform(0, 20))
    if draw.random() < 0.3:
        yield one("mapping off", at + draw.uniform(-5, 10))
