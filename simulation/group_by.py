"""GROUP BY over a table as a system under test: random tables, groupings and measures.

The oracle (group_by_oracle) looks at the source table as it is at the end; where configurations keep what expires, at
the rows that time to live has removed as well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from leda_cli.demos import group_by_oracle as oracle
from leda_cli.memory_dynamodb.store import Change
from simulation import random_groupings as tables
from simulation import trades
from simulation.engine import (
    MOST_LANES,
    REDUCE_TABLE,
    REGISTRY_TABLE,
    Engine,
    of_the_engine,
)
from simulation.pipeline import PUBLISHED
from simulation.plans import (
    CHANGES,
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
from simulation.systems import LAMBDA_SRC, TableShape
from simulation.world import World

SOURCE = "SourceTable"
STAGES = ("map", "reduce")
OTHER_MEASURES = {"Count", "Score", "Price", "Rows"}
LABELS = ("Grouping", "Keys", "Parent", "ExpiresAt")
LIMITS = {"max_integer_digits": 12, "max_decimal_places": 17}
# Where a change of several groupings still fits a row, as it does by the engine's own limits in a real partition.
NARROW_PARTITIONS: dict[str, Any] = {"units_per_second": 24.0, "unit_bytes": 256}
# How often DynamoDB deletes what has expired, at most.
MOST_DELETIONS = 4
WRITES_AFTERWARDS, DELIVERIES_AFTERWARDS = 8, 6
# What only a rebuild, or a backfill, makes good.
CORRECTED = {LOSS, STREAMS, CHANGES}


class GroupBy(Engine):
    """Rows of a table are written, changed, moved to other groups, deleted, expired, damaged and corrected."""

    FAMILIES: ClassVar = (*COMMON, SETTINGS, OFF, EXPIRY, NARROW, STREAMS, LOSS, CHANGES)
    SUBJECTS: ClassVar = {
        "LEDA": {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
        "published": {"map": PUBLISHED / "unconditional_add.py"},
    }
    SOURCES: ClassVar = {"map": SOURCE, "reduce": "ReduceTable"}
    COMPARED_WITH: ClassVar = "an unconditional ADD a total and record"
    NOT_COMPARED: ClassVar = dict.fromkeys((STREAMS, LOSS, CHANGES), "no way back")

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        self._totals_key: str = plan.design["totals_key"]
        self._is_leda = subject == "LEDA"
        self._expired: list[dict[str, Any]] = []
        super().__init__(world, plan, subject)
        self.operator.totals_key = self._totals_key
        self.operator.markers = plan.design["markers"]
        if rows := plan.design["rows"]:
            # The table is older than its stream.
            self.store.restore(SOURCE, rows)
        if plan.design["backfill"] == "required":
            self.operator.deployments, self.operator.needed = 1, True

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Some versions of each row, deletes among them; one to three shards of each stream."""
        frame = Frame.of("group-by", seed, families, cls.FAMILIES)
        draw = frame.draw
        shape = draw.choice(tables.SHAPES)
        # The table does not have what was kept, so nobody can compute the totals from it.
        document = tables.document(draw, shape, may_keep=CORRECTED.isdisjoint(frame.families))
        documents = [document, *(tables.other_document(draw, document, shape) for _ in range(3))]
        puts = frame.puts(_writes(draw, shape, frame.span))
        if CHANGES in frame.families:
            puts = _spread(draw, puts)
        shards = {stage: draw.choice((1, 1, 2, 3)) for stage in cls.SOURCES}
        disturbances = [*frame.disturbances((), shards), *of_the_engine(frame, puts)]
        disturbances += frame.some("rows expire", ("map",), MOST_DELETIONS)
        is_old = CHANGES in frame.families and draw.random() < 0.5
        if CHANGES in frame.families:
            disturbances += _changes(draw, puts)
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
                "rows": _rows(draw, shape, frame.span) if is_old else [],
                "backfill": "required" if is_old else "none",
                "markers": draw.random() < 0.5,
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
            "BACKFILL": self.plan.design["backfill"],
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
            case "change":
                self.operator.deployments += 1
                self.operator.needed = True
                other = draw.choice(self.other_configurations)
                self.deploy(draw, CONFIGURATION=json.dumps(other))
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

    def redrive(self) -> None:
        """After the last backfill rows are written, and records are delivered again, also from before it.

        Execution environments may remember the former configuration then.
        """
        if self.counts["backfills"]:
            draw = self.world.random("afterwards")
            for put in draw.choices(self.plan.puts, k=WRITES_AFTERWARDS):
                self.put(put)
            for mapping in self.mappings.values():
                for _ in range(DELIVERIES_AFTERWARDS):
                    mapping.redeliver(draw)
        super().redrive()

    def _changed(self, change: Change) -> None:
        if change.by_time_to_live and change.table == SOURCE and change.old:
            self._expired.append(change.old)
        super()._changed(change)

    def differences(self) -> dict[str, tuple[object, object]]:
        """Every total, and its labels, against the oracle; a total that is 0 is as good as none.

        So is one whose time has ended: DynamoDB removes it, with its checkpoint, and a late record may create it again.
        """
        document, now = self.document, self.world.true_clock()
        rows = self.rows(SOURCE)
        if document.get("on_expiry") == "keep":
            rows += self._expired
        must: dict[str, object] = {}
        for total, sums in oracle.totals(document, rows).items():
            identifier, labels = oracle.row_of(document, total)
            if self._is_leda and _is_over(labels, now):
                continue
            must |= _measured(identifier, {name: trades.decimal_of(sums[name]) for name in sums})
            if self._is_leda and any(sums.values()):
                must |= {f"{identifier}, {name}": labels.get(name, "none") for name in LABELS}
        found: dict[str, object] = {}
        for row in self.rows("AggregateTable"):
            identifier = row[self._totals_key]["S"]
            if identifier.startswith(":") or _is_over(row, now):
                continue
            amounts = {name: _number(row, name) for name in document["measures"]}
            found |= _measured(identifier, amounts)
            labels = {f"{identifier}, {name}": row.get(name, "none") for name in LABELS}
            found |= {name: value for name, value in labels.items() if name in must}
            # A measure that only a former configuration had would stand still.
            strange = row.keys() & OTHER_MEASURES - document["measures"].keys()
            found |= {f"{identifier}, {name}": "still there" for name in strange}
        if self._is_leda:
            found |= dict.fromkeys(self.left_over(), Decimal(1))
            if made_live := self.operator.made_live:
                must["live"], found["live"] = json.loads(made_live), document
        zero = Decimal(0)
        return {
            name: (must.get(name, zero), found.get(name, zero))
            for name in sorted({*must, *found})
            if must.get(name, zero) != found.get(name, zero)
        }

    def lost(self) -> int:
        """How many records are in quarantine that do not belong there, or belong there and are not in it.

        Those from before the last backfill may have been read under another configuration, or by the backfill alone.
        """
        kept = {
            key.rpartition("/")[2].removesuffix(".json")
            for key in self.bucket.objects
            # Reduce adds nothing to a total that somebody has made a string.
            if not (key.startswith("ReduceLambda/") and self.counts["total damaged"])
        }
        is_changed = bool(self.counts["backfills"])
        must = self._uncountable([self.document], self.operator.done_at if is_changed else 0.0)
        may = self._uncountable(self.other_configurations if is_changed else [self.document], 0.0)
        missing = must - kept if {LOSS, STREAMS}.isdisjoint(self.plan.families) else set()
        return len(missing | (kept - may)) + self.operator.needed

    def _uncountable(self, documents: Sequence[dict[str, Any]], since: float) -> set[str]:
        """The IDs of the records after which a row could not be counted under one of the configurations."""
        return {
            record.raw["eventID"]
            for stream in self.dynamodb_streams.known.values()
            if f":table/{SOURCE}/" in stream.arn
            for shard in stream.shards.values()
            for record in shard.records
            if record.arrived >= since
            and "LedaWatermark" not in record.raw["dynamodb"].get("NewImage", {})
            and (new := record.raw["dynamodb"].get("NewImage"))
            and not all(oracle.can_be_counted(document, new) for document in documents)
        }


def _spread(draw: random.Random, puts: Sequence[Put]) -> tuple[Put, ...]:
    """The writes, a third of them some minutes later: a backfill takes as long, and is followed by others."""
    later = [draw.choice((0.0, 0.0, draw.uniform(0, 600))) for _ in puts]
    moved = [
        replace(put, at=round(put.at + more, 3)) for put, more in zip(puts, later, strict=True)
    ]
    return tuple(sorted(moved, key=lambda put: put.at))


def _changes(draw: random.Random, puts: Sequence[Put]) -> Iterator[Disturbance]:
    """Configurations are deployed while rows are written, and soon after each an operator makes it live."""

    def one(kind: str, at: float) -> Disturbance:
        return Disturbance(round(max(0.0, at), 3), kind, "map", draw.getrandbits(32))

    for _ in range(draw.randint(1, 3)):
        at = draw.choice(puts).at + draw.uniform(-5, 5)
        yield one("change", at)
        yield one("backfill", at + draw.uniform(0, 10))
        if draw.random() < 0.4:
            # Two at once, or one soon after the other.
            yield one("backfill", at + draw.uniform(0, 30))
        if draw.random() < 0.2:
            yield one("rebuild", at + draw.uniform(0, 30))
        if draw.random() < 0.3:
            yield one("mapping off", at + draw.uniform(-5, 10))


def _rows(draw: random.Random, shape: Mapping[str, str], span: float) -> list[tables.Item]:
    """Rows that a table has from before its stream."""
    found = {}
    for _ in range(draw.choice((0, 3, 12))):
        key = tables.key(draw, shape, 10)
        found[json.dumps(key)] = tables.row(draw, key, span)
    return list(found.values())


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


def _is_over(total: Mapping[str, Any], now: float) -> bool:
    return "ExpiresAt" in total and float(total["ExpiresAt"]["N"]) < now


def _measured(identifier: str, amounts: Mapping[str, Decimal]) -> dict[str, object]:
    return {f"{identifier}, {name}": amount for name, amount in amounts.items()}


def _number(row: Mapping[str, Any], measure: str) -> Decimal:
    return Decimal(row.get(measure, {}).get("N", "NaN"))
