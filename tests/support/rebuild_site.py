"""A pipeline with trades for the tests of `leda rebuild`: losses and damage, and what must hold afterwards."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import WATERMARK, Configuration
from leda.engine.map.source_shards import Assignment
from leda_cli.base.operations import Operation
from leda_cli.operate.deployed.source_table import SourceTable, Tables
from leda_cli.operate.rebuilding import journal
from leda_cli.operate.rebuilding.rebuild import Rebuild, Result
from simulation import trades
from support.faults import Fault, Faults
from support.lambda_events import event
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION, Function, Pipeline

STREAMS = {"map": "StateTable", "reduce": "ReduceTable"}

Total = tuple[int, Decimal]


class FakeMappings:
    """Map's event source mapping, which changes at once."""

    def __init__(self) -> None:
        self.on = {"map": True}

    def enabled(self) -> list[str]:
        return [name for name, is_on in self.on.items() if is_on]

    def pause(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, False)

    def resume(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, True)


@dataclass
class Calls(Faults):
    """The calls of a run; the call numbered `at` (from 1) may meet a fault."""

    at: int = 0

    def meet(self, fault: Fault) -> None:
        """Let the call meet the fault."""
        self.arm(None, self.at, fault)

    def wrap(self, real: Any) -> Any:
        return _Wrapped(real, self)


def each_call(step: int = 1) -> Iterator[Calls]:
    """The calls of one run after the other, until a run has so few that its fault was not met.

    The fault is for the call numbered `step` in the first run, 2 * `step` in the second, and so on.
    """
    for at in itertools.count(step, step):
        yield (calls := Calls(at=at))
        if calls.disarm():
            if at < 3 * step:
                raise RuntimeError(f"a run has only {len(calls.log)} calls: {calls.log}")
            return


class _Wrapped:
    def __init__(self, real: Any, calls: Calls) -> None:
        self._real, self._calls = real, calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return lambda *given, **named: self._calls.call(name, lambda: real(*given, **named))


@dataclass
class Site:
    """A pipeline with trades, and the totals that it must have."""

    pipeline: Pipeline
    draw: random.Random
    lanes: int = 1
    sent: list[trades.Version] = field(default_factory=list)
    mappings: FakeMappings = field(default_factory=FakeMappings)
    is_reduce_on: bool = True
    numbers: Any = field(default_factory=itertools.count)
    functions: dict[str, Function] = field(default_factory=dict)
    delivered: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many records of each stream's shards the mappings have delivered."""

    @classmethod
    def started(cls, pipeline: Pipeline, lanes: int = 1) -> Site:
        """A site with trades that are counted."""
        pipeline.settings["REDUCE_LANES"] = str(lanes)
        made = cls(pipeline, random.Random(5), lanes)
        made.store(8)
        made.flow()
        assert made.found() == made.expected()
        return made

    def warm(self, name: str) -> Function:
        """The function's warm execution environment."""
        if name not in self.functions:
            self.functions[name] = self.pipeline.function(name)
        return self.functions[name]

    def set_lanes(self, lanes: int) -> None:
        """Deploy Map with another number of lanes."""
        self.lanes = lanes
        self.pipeline.settings["REDUCE_LANES"] = str(lanes)
        self.functions.pop("map", None)

    def store(self, count: int = 3) -> None:
        """Send some messages to State."""
        name = next(self.numbers)
        made = [
            trades.Version(f"{name}-{each.id}", each.number, each.value, each.levels)
            for each in trades.versions(self.draw, count, 2)
        ]
        self.send(made)

    def send(self, made: list[trades.Version]) -> None:
        self.sent += made
        self.warm("state")(self.pipeline.kinesis_event(*trades.burst(self.draw, made, bad=0)))

    def flow(self) -> None:
        """Deliver the new records of the enabled mappings."""
        if self.mappings.on["map"]:
            self.deliver_new("map")
        if self.is_reduce_on:
            self.deliver_new("reduce")

    def deliver_new(self, name: str, function: Function | None = None) -> None:
        """Deliver the new records of the function's stream, shard by shard."""
        for shard, records in self.records(name).items():
            done = self.delivered.get(self._place(name, shard), 0)
            if new := records[done:]:
                (function or self.warm(name))(event(new, shard))
            self.delivered[self._place(name, shard)] = len(records)

    def deliver_again(self) -> None:
        """Deliver both streams from their beginning, in other batches, to cold environments."""
        for name in STREAMS:
            function = self.pipeline.function(name)
            for shard, records in self.records(name).items():
                first = 0
                while first < len(records):
                    last = first + self.draw.randint(1, 7)
                    function(event(records[first:last], shard))
                    first = last
                self.delivered[self._place(name, shard)] = len(records)

    def records(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """The records of the function's stream by shard, as Lambda delivers them."""
        return self.pipeline.records_by_shard(STREAMS[name])

    def skip(self, name: str) -> None:
        """Never deliver the new records of the function's stream, as if they had expired."""
        for shard, records in self.records(name).items():
            self.delivered[self._place(name, shard)] = len(records)

    def _place(self, name: str, shard: str) -> tuple[str, str]:
        """A shard with its stream, because another stream of the table may have a shard with the same ID."""
        return self.pipeline.stream_arn(STREAMS[name]), shard

    def lose(self) -> None:
        """Store changes that Map never gets."""
        self.store()
        self.skip("map")

    def change_lanes(self) -> None:
        """Store trades under 1, 4 and 1 lanes; Map uses a new number of lanes from a new shard on."""
        for lanes in (1, 4, 1):
            self.set_lanes(lanes)
            self.roll("map")
            self.store()
            self.flow()
        assert self.found() == self.expected()

    def roll(self, name: str, *, is_child: bool = True) -> None:
        """Close the open shard of the function's stream (in memory only)."""
        table = self.pipeline.prefix + STREAMS[name]
        self.pipeline.dynamodb.roll(table, is_child=is_child)

    def leave_nothing(self, place: tuple[str, str, str]) -> None:
        """Store trades at a new place of the hierarchy, and delete them."""
        for name in ("alone", "other"):
            self.send([trades.Version(f"{name}-{place}", 0, "5", place)])
            self.flow()
            self.send([trades.Version(f"{name}-{place}", 1, None, place)])
            self.flow()

    def deliver_last_of(self, node: str) -> None:
        """Deliver the last of Map's rows with the node again, as if the earlier ones had expired."""
        for shard, records in self.records("reduce").items():
            naming = [
                record
                for record in records
                if node in record["dynamodb"]["NewImage"]["Totals"]["M"]
                and record["dynamodb"]["NewImage"]["Source"] != {"S": "rebuild"}
            ]
            if naming:
                self.pipeline.function("reduce")(event(naming[-1:], shard))

    def table(self, name: str) -> str:
        return f"{self.pipeline.prefix}{name}Table"

    @property
    def tables(self) -> Tables:
        return Tables(
            SourceTable.described(self.pipeline.dynamodb, self.table("State")),
            self.table("Reduce"),
            self.table("Registry"),
            self.table("Aggregate"),
            "Identifier",
        )

    def damage(self) -> None:
        """Change one total, delete one, and make one without rows."""
        rows = sorted(self.found())
        self.set_total(rows[0], {"N": "123456.5"})
        self.delete_total(rows[1])
        self.set_total("nobody", {"N": "7"})

    def set_total(self, name: str, value: dict[str, str] | None, measure: str = "Value") -> None:
        """Write a measure (or a checkpoint) of a total; None removes it."""
        request: dict[str, Any] = {
            "TableName": self.table("Aggregate"),
            "Key": {"Identifier": {"S": name}},
            "ExpressionAttributeNames": {"#a": measure},
        }
        if value is None:
            self.pipeline.dynamodb.update_item(**request, UpdateExpression="REMOVE #a")
            return
        self.pipeline.dynamodb.update_item(
            **request, UpdateExpression="SET #a = :a", ExpressionAttributeValues={":a": value}
        )

    def delete_total(self, name: str) -> None:
        self.pipeline.dynamodb.delete_item(
            TableName=self.table("Aggregate"), Key={"Identifier": {"S": name}}
        )

    def rebuild(self, calls: Calls | None = None, **options: Any) -> Result:
        return self.work(calls or Calls(), **options).run()

    def work(self, calls: Calls, **options: Any) -> Rebuild:
        pipeline = self.pipeline
        return Rebuild(
            calls.wrap(pipeline.dynamodb),
            calls.wrap(pipeline.streams),
            calls.wrap(self.mappings),
            self.tables,
            Operation(as_json=False),
            Assignment(
                Configuration.from_json(pipeline.settings.get("CONFIGURATION", CONFIGURATION)),
                self.lanes,
            ),
            **{"segments": 1, "sleep": self.sleep, **options},
        )

    def sleep(self, seconds: float) -> None:
        """Let the mappings deliver while the command sleeps."""
        if isinstance(self.pipeline, MemoryPipeline):
            self.pipeline.dynamodb.slept += seconds
        self.flow()

    def total_rows(self) -> dict[str, dict[str, Any]]:
        return {row["Identifier"]["S"]: row for row in self.pipeline.rows("AggregateTable")}

    def found(self) -> dict[str, Total]:
        """Count and Value of every total that is not absent."""
        found = {}
        for name, row in self.total_rows().items():
            total = int(row["Count"]["N"]), Decimal(row["Value"]["N"])
            if any(total) and not name.startswith(RESERVED):
                found[name] = total
        return found

    def expected(self) -> dict[str, Total]:
        values = trades.fold(self.sent)
        return {
            node: (count, values.get(node, Decimal(0)))
            for node, count in trades.count(self.sent).items()
        }

    def check(self) -> None:
        """Require exact totals, also after everything is delivered again, and no leftovers."""
        self.check_leftovers()
        for _ in range(2):
            self.deliver_again()
            assert self.found() == self.expected()

    def check_leftovers(self) -> None:
        assert self.mappings.on == {"map": True}
        assert [row for row in self.pipeline.rows("StateTable") if WATERMARK in row] == []
        assert [name for name in self.total_rows() if name.startswith(RESERVED)] == []
        scopes = {row["Scope"]["S"] for row in self.pipeline.rows("RegistryTable")}
        assert journal.SCOPE not in scopes
        streams = [
            row
            for row in self.pipeline.rows("RegistryTable")
            if row["Scope"]["S"].startswith("streams/")
        ]
        assert json.dumps(streams).count("true") == len(streams)
