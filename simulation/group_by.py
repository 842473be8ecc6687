"""GROUP BY over a table as a system under test: random tables, groupings and measures.

The oracle (group_by_oracle) uses the source table as it is at the end. If the configuration keeps expired rows, it also
uses the rows that time to live has removed.
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
    differing,
    number_of,
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
# A change of several groupings still fits a row of ReduceTable, as in a real partition.
NARROW_PARTITIONS: dict[str, Any] = {"units_per_second": 24.0, "unit_bytes": 256}
# How often DynamoDB deletes expired rows, at most.
MOST_DELETIONS = 4
WRITES_AFTERWARDS, DELIVERIES_AFTERWARDS = 8, 6
# The kinds of trouble that only a rebuild or a backfill repairs.
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
        # The table lacks rows that totals keep, so totals cannot be computed from it again.
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
        """The source table and the totals table have the plan's keys."""
        given = {
            SOURCE: TableShape(self.plan.design["keys"], expires_by=tables.EXPIRES_BY),
            "AggregateTable": TableShape({self._totals_key: "S"}, expires_by="ExpiresAt"),
        }
        if subject == "LEDA":
            given |= {"ReduceTable": REDUCE_TABLE, "RegistryTable": REGISTRY_TABLE}
        return given

    def variables(self) -> dict[str, str]:
        """The first configuration, and the name of the totals' key."""
        return {
            **super().variables(),
            "LIMITS": json.dumps(LIMITS),
            "CONFIGURATION": json.dumps(self.plan.design["configurations"][0]),
            "TOTALS_KEY": self._totals_key,
            "BACKFILL": self.plan.design["backfill"],
        }

    def put(self, put: Put) -> None:
        """Write a row, or delete it if there is no data. A narrow partition may refuse the write."""
        try:
            if put.data:
                self.store.put_item(TableName=SOURCE, Item=json.loads(put.data))
            else:
                self.store.delete_item(TableName=SOURCE, Key=json.loads(put.key))
        except ClientError:
            self.counts["writes that were refused"] += 1

    def disturb(self, disturbance: Disturbance) -> None:
        """Let the disturbance happen, if the subject has the stage."""
        if disturbance.stage in self.mappings:
            super().disturb(disturbance)

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """Disturb the table and its configuration."""
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
        """The plan's configurations."""
        found: list[dict[str, Any]] = self.plan.design["configurations"]
        return found

    @property
    def measures(self) -> Collection[str]:
        """The measures of the live configuration."""
        return list(self.document["measures"])

    @property
    def document(self) -> dict[str, Any]:
        """The live configuration, or the first one if none is live."""
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
        """After the last backfill, write rows again and redeliver records, also those from before the backfill.

        Execution environments may still remember the former configuration.
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
        """Compare every total and its labels with the oracle. A total of 0 equals an absent one.

        So does an expired total: DynamoDB removes it with its checkpoint, and a late record may create it again.
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
            amounts = {name: number_of(row, name) for name in document["measures"]}
            found |= _measured(identifier, amounts)
            labels = {f"{identifier}, {name}": row.get(name, "none") for name in LABELS}
            found |= {name: value for name, value in labels.items() if name in must}
            # A measure of a former configuration would no longer be updated.
            strange = row.keys() & OTHER_MEASURES - document["measures"].keys()
            found |= {f"{identifier}, {name}": "still there" for name in strange}
        if self._is_leda:
            found |= dict.fromkeys(self.left_over(), Decimal(1))
            if made_live := self.operator.made_live:
                must["live"], found["live"] = json.loads(made_live), document
        return differing(must, found)

    def lost(self) -> int:
        """How many records are wrongly in quarantine or missing there.

        Records from before the last backfill may have been read with another configuration, or only by the backfill.
        """
        kept = {
            key.rpartition("/")[2].removesuffix(".json")
            for key in self.bucket.objects
            # Reduce cannot add to a total whose measure was changed into a string.
            if not (key.startswith("ReduceLambda/") and self.counts["total damaged"])
        }
        is_changed = bool(self.counts["backfills"])
        must = self._uncountable([self.document], self.operator.done_at if is_changed else 0.0)
        may = self._uncountable(self.other_configurations if is_changed else [self.document], 0.0)
        missing = must - kept if {LOSS, STREAMS}.isdisjoint(self.plan.families) else set()
        return len(missing | (kept - may)) + self.operator.needed

    def _uncountable(self, documents: Sequence[dict[str, Any]], since: float) -> set[str]:
        """The event IDs of the records whose new row cannot be counted under one of the configurations."""
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
    """Move a third of the writes some minutes later, so that some come during and after backfills."""
    later = [draw.choice((0.0, 0.0, draw.uniform(0, 600))) for _ in puts]
    moved = [
        replace(put, at=round(put.at + more, 3)) for put, more in zip(puts, later, strict=True)
    ]
    return tuple(sorted(moved, key=lambda put: put.at))


def _changes(draw: random.Random, puts: Sequence[Put]) -> Iterator[Disturbance]:
    """Configurations are deployed while rows are written, and an operator makes each live soon afterwards."""

    def one(kind: str, at: float) -> Disturbance:
        return Disturbance(round(max(0.0, at), 3), kind, "map", draw.getrandbits(32))

    for _ in range(draw.randint(1, 3)):
        at = draw.choice(puts).at + draw.uniform(-5, 5)
        yield one("change", at)
        yield one("backfill", at + draw.uniform(0, 10))
        if draw.random() < 0.4:
            # Two backfills at once, or one soon after the other.
            yield one("backfill", at + draw.uniform(0, 30))
        if draw.random() < 0.2:
            yield one("rebuild", at + draw.uniform(0, 30))
        if draw.random() < 0.3:
            yield one("mapping off", at + draw.uniform(-5, 10))


def _rows(draw: random.Random, shape: Mapping[str, str], span: float) -> list[tables.Item]:
    """Rows that are older than the table's stream."""
    found = {}
    for _ in range(draw.choice((0, 3, 12))):
        key = tables.key(draw, shape, 10)
        found[json.dumps(key)] = tables.row(draw, key, span)
    return list(found.values())


def _writes(draw: random.Random, shape: Mapping[str, str], span: float) -> list[tuple[str, bytes]]:
    """Writes in their order. A written row is often the former row of the key with some attributes changed."""
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
