"""GROUP BY over a table as a system under test: random tables, groupings and measures.

The oracle (group_by_oracle) looks at the source table as it is at the end; where configurations keep what expires, at
the rows that time to live has removed as well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from leda_cli import group_by_oracle as oracle
from simulation import random_groupings as tables
from simulation.engine import (
    MOST_LANES,
    REDUCE_TABLE,
    REGISTRY_TABLE,
    Engine,
    of_the_engine,
)
from simulation.memory_dynamodb import Change
from simulation.pipeline import PUBLISHED
from simulation.plans import (
    COMMON,
    EXPIRY,
    LOSS,
    NARROW,
    OFF,
    SETTINGS,
    STREAMS,
    Disturbance,
    Frame,
    Plan,
    Put,
)
from simulation.streams import Record
from simulation.systems import LAMBDA_SRC, TableShape
from simulation.world import World
from support import trades

SOURCE = "SourceTable"
STAGES = ("map", "reduce")
LABELS = ("Grouping", "Keys", "Parent", "ExpiresAt")
LIMITS = {"max_integer_digits": 12, "max_decimal_places": 17}
# Where a change of several groupings still fits a row, as it does by the engine's own limits in a real partition.
NARROW_PARTITIONS: dict[str, Any] = {"units_per_second": 24.0, "unit_bytes": 256}
# How often DynamoDB deletes what has expired, at most.
MOST_DELETIONS = 4


class GroupBy(Engine):
    """Rows of a table are written, changed, moved to other groups, deleted, expired, damaged and mended."""

    FAMILIES: ClassVar = (*COMMON, SETTINGS, OFF, EXPIRY, NARROW)
    SUBJECTS: ClassVar = {
        "LEDA": {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
        "published": {"map": PUBLISHED / "unconditional_add.py"},
    }
    SOURCES: ClassVar = {"map": SOURCE, "reduce": "ReduceTable"}
    COMPARED_WITH: ClassVar = "an unconditional ADD a total and record"

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        self._totals_key: str = plan.design["totals_key"]
        self._is_leda = subject == "LEDA"
        self._expired: list[dict[str, Any]] = []
        super().__init__(world, plan, subject)
        self.operator.totals_key = self._totals_key

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Some versions of each row, deletes among them; one to three shards of each stream."""
        frame = Frame.of("group-by", seed, families, cls.FAMILIES)
        draw = frame.draw
        shape = draw.choice(tables.SHAPES)
        document = tables.document(
            draw, shape, may_keep=not {LOSS, STREAMS}.intersection(frame.families)
        )
        documents = [document, *(tables.other_document(draw, document, shape) for _ in range(3))]
        puts = frame.puts(_writes(draw, shape, frame.span))
        shards = {stage: draw.choice((1, 1, 2, 3)) for stage in cls.SOURCES}
        disturbances = [*frame.disturbances((), shards), *of_the_engine(frame, puts)]
        disturbances += frame.some("rows expire", ("map",), MOST_DELETIONS)
        is_narrow = NARROW in frame.families
        return Plan(
            system="group-by",
            seed=seed,
            families=frame.families,
            puts=puts,
            shards=shards,
            small_transactions=is_narrow or draw.random() < 0.6,
            mappings={stage: frame.exactly_once() for stage in shards},
            fault_rate=frame.fault_rate(),
            disturbances=tuple(sorted(disturbances, key=lambda disturbance: disturbance.at)),
            lanes=draw.choice((1, 1, 2, MOST_LANES)),
            rising_numbers=draw.random() < 0.5,
            partitions=draw.choice((1, 4)),
            design={
                "keys": shape,
                "configurations": documents,
                "totals_key": draw.choice(("Identifier", "Identifier", "Username")),
            },
            **(NARROW_PARTITIONS if is_narrow else {}),
        )

    def tables_of(self, subject: str) -> Mapping[str, TableShape]:
        """The source table has the keys that the plan says, and so has the totals' table."""
        given = {
            SOURCE: TableShape(self.plan.design["keys"], expires_by=tables.EXPIRES_BY),
            "AggregateTable": TableShape({self._totals_key: "S"}, expires_by="ExpiresAt"),
        }
        if subject == "LEDA":
            given |= {"ReduceTable": REDUCE_TABLE, "RegistryTable": REGISTRY_TABLE}
        return given

    def variables(self) -> dict[str, str]:
        """What is deployed at first, and the name of the totals' key."""
        return {
            **super().variables(),
            "LIMITS": json.dumps(LIMITS),
            "CONFIGURATION": json.dumps(self.plan.design["configurations"][0]),
            "TOTALS_KEY": self._totals_key,
        }

    def put(self, put: Put) -> None:
        """Write a row, or delete it (no data). A narrow partition may refuse it; then nothing was written."""
        try:
            if put.data:
                self.store.put_item(TableName=SOURCE, Item=json.loads(put.data))
            else:
                self.store.delete_item(TableName=SOURCE, Key=json.loads(put.key))
        except ClientError:
            self.counts["writes that were refused"] += 1

    def disturb(self, disturbance: Disturbance) -> None:
        """Let it happen, where the subject has such a stage."""
        if disturbance.stage in self.mappings:
            super().disturb(disturbance)

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """What befalls this system alone."""
        match kind:
            case "expiry":
                self.counts["totals that expired"] += self.store.delete_expired("AggregateTable")
                if self._is_leda:
                    super().disturb_otherwise(kind, stage, draw)
            case "rows expire":
                self.counts["source rows that expired"] += self.store.delete_expired(SOURCE)
            case _ if self._is_leda:
                super().disturb_otherwise(kind, stage, draw)

    @property
    def other_configurations(self) -> list[dict[str, Any]]:
        """Those of the plan."""
        found: list[dict[str, Any]] = self.plan.design["configurations"]
        return found

    @property
    def measures(self) -> Collection[str]:
        """Those of the configuration by which the totals are kept."""
        return list(self.document["measures"])

    @property
    def document(self) -> dict[str, Any]:
        """The configuration by which the totals are kept."""
        found: dict[str, Any] = self.plan.design["configurations"][0]
        if not self._is_leda:
            return found
        rows = {
            row["Name"]["S"]: row
            for row in self.rows("RegistryTable")
            if row["Scope"]["S"] == "configurations"
        }
        if "live" not in rows:
            return found
        live: dict[str, Any] = json.loads(rows[rows["live"]["Version"]["S"]]["Document"]["S"])
        return live

    def _changed(self, change: Change) -> None:
        if change.by_time_to_live and change.table == SOURCE and change.old:
            self._expired.append(change.old)
        super()._changed(change)

    def differences(self) -> dict[str, tuple[object, object]]:
        """Every total, and its labels, against the oracle; a total that is 0 is as good as none.

        So is one whose time has ended: DynamoDB removes it, with its checkpoint, and a late record may make it anew.
        """
        document, now = self.document, self.world.true_clock()
        rows = self.rows(SOURCE)
        if document.get("on_expiry") == "keep":
            rows += self._expired
        must: dict[str, object] = {}
        for total, sums in oracle.totals(document, rows).items():
            identifier, labels = oracle.row_of(document, total)
            if int(labels.get("ExpiresAt", {}).get("N", now)) < now:
                continue
            must |= _measured(identifier, {name: trades.decimal_of(sums[name]) for name in sums})
            if self._is_leda and any(sums.values()):
                must |= {f"{identifier}, {name}": labels.get(name, "none") for name in LABELS}
        found: dict[str, object] = {}
        for row in self.rows("AggregateTable"):
            identifier = row[self._totals_key]["S"]
            if identifier.startswith(":") or int(row.get("ExpiresAt", {}).get("N", now)) < now:
                continue
            amounts = {name: _number(row, name) for name in document["measures"]}
            found |= _measured(identifier, amounts)
            labels = {f"{identifier}, {name}": row.get(name, "none") for name in LABELS}
            found |= {name: value for name, value in labels.items() if name in must}
        if self._is_leda:
            found |= dict.fromkeys(self.left_over(), Decimal(1))
        zero = Decimal(0)
        return {
            name: (must.get(name, zero), found.get(name, zero))
            for name in sorted({*must, *found})
            if must.get(name, zero) != found.get(name, zero)
        }

    def lost(self) -> int:
        """How many records are in quarantine that do not belong there, or belong there and are not in it."""
        kept = [key.rpartition("/")[2].removesuffix(".json") for key in self.bucket.objects]
        if {LOSS, STREAMS}.isdisjoint(self.plan.families):
            must = {record.raw["eventID"] for record in self.uncountable()}
            return len(must.symmetric_difference(kept))
        return len(set(kept) - {record.raw["eventID"] for record in self.uncountable()})

    def uncountable(self) -> Iterator[Record]:
        """The records of the source table's streams after which a row could not be counted."""
        document = self.document
        for stream in self.dynamodb_streams.known.values():
            if f":table/{SOURCE}/" in stream.arn:
                for shard in stream.shards.values():
                    for record in shard.records:
                        new = record.raw["dynamodb"].get("NewImage")
                        if new and not oracle.can_be_counted(document, new):
                            yield record


def _writes(draw: random.Random, shape: Mapping[str, str], span: float) -> list[tuple[str, bytes]]:
    """Rows as they are written one after the other; a row is often the one before it with some attributes changed."""
    found: list[tuple[str, bytes]] = []
    last: dict[str, tables.Item] = {}
    most = draw.choice((1, 4, 10))
    for _ in range(draw.choice((1, 10, 30, 60))):
        key = tables.key(draw, shape, most)
        name = json.dumps(key)
        if draw.random() < 0.15:
            found.append((name, b""))
            continue
        if name in last and draw.random() < 0.6:
            item = tables.changed(draw, last[name], key)
        else:
            item = tables.row(draw, key, span)
        last[name] = item
        found.append((name, tables.written(item)))
    return found


def _measured(identifier: str, amounts: Mapping[str, Decimal]) -> dict[str, object]:
    return {f"{identifier}, {name}": amount for name, amount in amounts.items()}


def _number(row: Mapping[str, Any], measure: str) -> Decimal:
    return Decimal(row.get(measure, {}).get("N", "NaN"))
