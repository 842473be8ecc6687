"""A pipeline with trades in it for the tests of `leda rebuild`: what may happen to it, what must hold afterwards."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda.checkpoints import padded
from leda_cli import fences
from leda_cli import rebuild as rebuild_module
from leda_cli.operations import Operation
from leda_cli.rebuild import Rebuild, Tables
from support import trades
from support.faults import Fault
from support.pipeline import Function, Pipeline, event


class FakeMappings:
    """Mappings that are switched at once; nothing is delivered but by the test."""

    def __init__(self) -> None:
        self.on = {"state": True, "map": True, "reduce": True}

    def enabled(self) -> list[str]:
        return [name for name, is_on in self.on.items() if is_on]

    def pause(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, False)

    def resume(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, True)


@dataclass
class Calls:
    """Counts a run's calls; the one numbered `at` (from 1) meets `fault`."""

    at: int = 0
    fault: Fault | None = None
    log: list[str] = field(default_factory=list)

    def wrap(self, real: Any) -> Any:
        return _Wrapped(real, self)

    def call(self, name: str, send: Callable[[], Any]) -> Any:
        self.log.append(name)
        if self.fault and len(self.log) == self.at:
            return self.fault(send)
        return send()


class _Wrapped:
    def __init__(self, real: Any, calls: Calls) -> None:
        self._real, self._calls = real, calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return lambda *given, **named: self._calls.call(name, lambda: real(*given, **named))


@dataclass
class Site:
    """A pipeline with trades in it, and what its totals must be."""

    pipeline: Pipeline
    draw: random.Random
    sent: list[trades.Version] = field(default_factory=list)
    mappings: FakeMappings = field(default_factory=FakeMappings)
    numbers: Any = field(default_factory=itertools.count)
    functions: dict[str, Function] = field(default_factory=dict)

    @classmethod
    def started(cls, pipeline: Pipeline, windowed: bool) -> Site:
        """Trades whose totals are there; deliveries named the shard (`windowed`), or not."""
        made = cls(pipeline, random.Random(5))
        made.store(8)
        made.deliver(windowed)
        assert made.found() == made.expected()
        return made

    def warm(self, name: str) -> Function:
        """An execution environment of the function that stays, and remembers what it did."""
        if name not in self.functions:
            self.functions[name] = self.pipeline.function(name)
        return self.functions[name]

    def store(self, count: int = 3) -> None:
        """Some messages through State."""
        name = next(self.numbers)
        made = [
            trades.Version(f"{name}-{each.id}", each.number, each.value, each.levels)
            for each in trades.versions(self.draw, count, 2)
        ]
        self.sent += made
        self.warm("state")(self.pipeline.kinesis_event(*trades.burst(self.draw, made, bad=0)))

    def lose(self) -> None:
        """Changes that Map has never seen: its checkpoint passes them, as if their 24 hours were over."""
        self.store()
        last = self.pipeline.stream_records("StateTable")[-1]["dynamodb"]["SequenceNumber"]
        self.pipeline.dynamodb.update_item(
            TableName=self.table("Checkpoint"),
            Key=self.key("Map", "StateTable"),
            UpdateExpression="SET #Sequence = :last",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":last": {"S": padded(int(last))}},
        )

    def key(self, function: str, table: str) -> dict[str, Any]:
        """The checkpoint under the stream's name, as deliveries without a window move it."""
        stream = self.pipeline.stream_arn(table)
        source = f"{self.pipeline.prefix}{function}Lambda|{stream}"
        return {"Source": {"S": source}, "Lane": {"S": stream}}

    def table(self, name: str) -> str:
        return f"{self.pipeline.prefix}{name}Table"

    def damage(self) -> None:
        """A total that somebody changed, one that is gone, and one of nothing."""
        rows = sorted(self.pipeline.totals())
        self.set_total(rows[0], {"N": "123456.5"})
        self.pipeline.dynamodb.delete_item(
            TableName=self.table("Aggregate"), Key={"Identifier": {"S": rows[1]}}
        )
        self.set_total("nobody", {"N": "7"})

    def set_total(self, name: str, value: dict[str, str]) -> None:
        self.pipeline.dynamodb.put_item(
            TableName=self.table("Aggregate"), Item={"Identifier": {"S": name}, "Value": value}
        )

    def rebuild(self, calls: Calls | None = None, **options: Any) -> rebuild_module.Result:
        return self.work(calls or Calls(), **options).run()

    def work(self, calls: Calls, **options: Any) -> Rebuild:
        pipeline = self.pipeline
        return Rebuild(
            calls.wrap(pipeline.dynamodb),
            calls.wrap(pipeline.streams),
            calls.wrap(self.mappings),
            Tables(
                self.table("State"),
                self.table("Reduce"),
                self.table("Aggregate"),
                self.table("Checkpoint"),
                f"{pipeline.prefix}MapLambda",
                f"{pipeline.prefix}ReduceLambda",
            ),
            Operation(as_json=False),
            segments=1,
            sleep=lambda _seconds: None,
            **options,
        )

    def deliver(self, windowed: bool) -> None:
        """Both streams from their beginning, to fresh functions."""
        for name, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
            if records := self.pipeline.stream_records(table):
                shard = self.pipeline.shard(table) if windowed else None
                self.pipeline.function(name)(event(records, shard))

    def found(self) -> dict[str, Decimal]:
        return {name: total for name, total in self.pipeline.totals().items() if total}

    def expected(self) -> dict[str, Decimal]:
        return trades.fold(self.sent)

    def check(self) -> None:
        """The totals are exact, now and after everything came again under either name; nothing is left over."""
        self.check_leftovers()
        for windowed in (False, True):
            self.deliver(windowed)
            assert self.found() == self.expected()

    def check_leftovers(self) -> None:
        assert self.mappings.on == {"state": True, "map": True, "reduce": True}
        for table in ("StateTable", "ReduceTable"):
            assert [row for row in self.pipeline.rows(table) if fences.ATTRIBUTE in row] == []
        sources = {row["Source"]["S"] for row in self.pipeline.rows("CheckpointTable")}
        assert rebuild_module.JOURNAL["Source"]["S"] not in sources
