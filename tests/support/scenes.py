"""Schedules that a test writes itself: the pipeline, or groupings, without any trouble but what the test makes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from leda.engine.delta_rows import RESERVED
from leda.engine.group_by.configuration import WATERMARK
from leda.engine.group_by.hierarchy import nodes
from simulation.engine import Engine
from simulation.functions import Failed
from simulation.group_by import SOURCE, GroupBy
from simulation.mappings import Settings
from simulation.pipeline import STAGES, Pipeline
from simulation.plans import Plan
from simulation.runs import opened
from simulation.streams import Record, Shard, Stream

_BATCH = Settings(batch_size=100, tumbling_window=True)


class EngineScene:
    """Map and Reduce beside a table to which the test writes; their mappings are off until the test says else."""

    def __init__(self, system: Engine) -> None:
        self.system = system
        self.world = system.world
        for stage in ("map", "reduce"):
            self.off(stage)

    def off(self, stage: str) -> None:
        """Switch the stage's mapping off."""
        self.system.mappings[stage].pause()

    def on(self, *stages: str) -> None:
        """Switch mappings on, and go on until nothing more happens."""
        for stage in stages or ("map", "reduce"):
            self.system.mappings[stage].resume()
        self.go_on()

    def go_on(self, seconds: float = 0) -> None:
        """Go on until nothing more happens; then so much time goes by."""
        self.world.run()
        if seconds:
            self.world.at(self.world.now + seconds, lambda: None)
            self.world.run()

    def shards(self, stage: str) -> list[Shard]:
        """The shards of the stage's stream, the oldest first."""
        return list(self.system.streams[stage].shards.values())

    def records(self, stage: str, shard: int = 0) -> list[Record]:
        """The records of one of the stage's shards."""
        return self.shards(stage)[shard].records

    def deliver(
        self, stage: str, records: Sequence[Record], shard: int = 0, stream: Stream | None = None
    ) -> str:
        """Deliver the records by hand, to a cold environment; the error that the function ends with, or nothing."""
        (error,) = self.deliver_together(stage, [(records, shard)], stream)
        return error

    def deliver_together(
        self,
        stage: str,
        batches: Sequence[tuple[Sequence[Record], int]],
        stream: Stream | None = None,
    ) -> list[str]:
        """Deliver batches (records, shard) by hand at the same time; the error of each."""
        source = stream or self.system.streams[stage]
        shards = list(source.shards.values())
        errors = [""] * len(batches)

        def call(number: int) -> None:
            records, shard = batches[number]
            event = {
                "Records": [record.raw for record in records],
                "state": {},
                "shardId": shards[shard].id,
            }
            try:
                self.system.functions[stage].invoke(event)
            except Failed as error:
                errors[number] = str(error)

        self.system.functions[stage].forget_environments()
        for number in range(len(batches)):
            self.world.spawn(partial(call, number))
        self.world.run()
        return errors

    def rebuild(self) -> None:
        """Run `leda rebuild` to its end."""
        self.system.operator.needed = True
        self.system.rebuild()
        self.world.run()

    def set(self, stage: str, **variables: str) -> None:
        """Deploy the stage with other settings."""
        function = self.system.functions[stage]
        function.variables = {**function.variables, **variables}
        function.forget_environments()

    def totals(self) -> dict[str, dict[str, Any]]:
        """AggregateTable's rows by name, without those that are not totals."""
        key = self.system.operator.totals_key
        rows = {row[key]["S"]: row for row in self.system.rows("AggregateTable")}
        return {name: row for name, row in rows.items() if not name.startswith(RESERVED)}


class Scene(EngineScene):
    """The pipeline's Map and Reduce beside StateTable."""

    def write(self, trade: str, value: str | None, path: str = "PV:a:EMEA") -> None:
        """Write a row of StateTable; None deletes it."""
        row = {
            "id": {"S": trade},
            "Path": {"S": path},
            "Value": {"N": value or "0"},
            "Version": {"N": "1"},
            "Deleted": {"BOOL": value is None},
        }
        self.system.store.put_item(TableName="StateTable", Item=row)

    def count(self, trade: str, value: str) -> None:
        """Write a row of StateTable, and let it count."""
        self.write(trade, value)
        self.on()

    def differences(self) -> dict[str, tuple[Decimal, Decimal]]:
        """The totals that are not what StateTable's rows add up to: {node, or (node, count): (must, is)}."""
        must: dict[str, Decimal] = {}
        for row in self.system.rows("StateTable"):
            if WATERMARK in row or row["Deleted"]["BOOL"]:
                continue
            for node in nodes(row["Path"]["S"]):
                must[node] = must.get(node, Decimal(0)) + Decimal(row["Value"]["N"])
                must[f"{node}, count"] = must.get(f"{node}, count", Decimal(0)) + 1
        found: dict[str, Decimal] = {}
        for name, row in self.totals().items():
            found[name] = Decimal(row.get("Value", {}).get("N", "NaN"))
            found[f"{name}, count"] = Decimal(row.get("Count", {}).get("N", "NaN"))
        zero = Decimal(0)
        return {
            name: (must.get(name, zero), found.get(name, zero))
            for name in {*must, *found}
            if must.get(name, zero) != found.get(name, zero)
        }


class GroupByScene(EngineScene):
    """Groupings of a table of rows with an `id`."""

    def write(self, name: str, **texts: str) -> None:
        """Write a row with these attributes, all of them strings but `score`."""
        row = {each: {"N" if each == "score" else "S": text} for each, text in texts.items()}
        self.system.store.put_item(TableName=SOURCE, Item={"id": {"S": name}, **row})

    def backfill(self, document: Mapping[str, Any] | None = None) -> None:
        """Deploy the configuration, where there is one, and run `leda backfill`, to its end or its error.

        Execution environments go on as they are: they remember how they were deployed, and what they have read.
        """
        if document is not None:
            function = self.system.functions["map"]
            variables = {**function.variables, "CONFIGURATION": json.dumps(document)}
            function.variables = variables
        self.world.spawn(partial(self.system.operator.rebuild, is_backfill=True))
        self.go_on()

    def differences(self) -> Mapping[str, tuple[object, object]]:
        """The totals and their labels that are not what GROUP BY gives over the table."""
        return self.system.differences()


@contextmanager
def groupings(document: Mapping[str, Any], seed: int = 1, **more: Any) -> Iterator[GroupByScene]:
    """A scene of groupings; `more` are further parts of its plan's design."""
    design = {"keys": {"id": "S"}, "configurations": [document], "totals_key": "Identifier"}
    plan = Plan(
        system="group-by",
        seed=seed,
        families=(),
        puts=(),
        shards={"map": 1, "reduce": 1},
        small_transactions=False,
        mappings=dict.fromkeys(STAGES, _BATCH),
        fault_rate=0.0,
        disturbances=(),
        design={**design, "rows": [], "backfill": "none", "markers": True, **more},
    )
    with opened(plan) as system:
        assert isinstance(system, GroupBy)
        yield GroupByScene(system)


@contextmanager
def scene(
    lanes: int = 1, map_shards: int = 1, reduce_shards: int = 1, seed: int = 1, **more: Any
) -> Iterator[Scene]:
    """A scene; `more` are further parts of its plan."""
    plan = Plan(
        system="pipeline",
        seed=seed,
        families=(),
        puts=(),
        shards={"state": 1, "map": map_shards, "reduce": reduce_shards},
        mappings=dict.fromkeys(STAGES, _BATCH),
        fault_rate=0.0,
        disturbances=(),
        lanes=lanes,
        **{"small_transactions": False, **more},
    )
    with opened(plan) as system:
        assert isinstance(system, Pipeline)
        yield Scene(system)


def breach(
    *change: Any,
    of: Callable[..., AbstractContextManager[EngineScene]] = scene,
    seeds: Iterable[int] = (1,),
) -> Callable[[Callable[..., Any]], Callable[[pytest.MonkeyPatch], None]]:
    """Make a schedule a test: it must return nothing wrong, and something wrong after the change.

    The change is given as the arguments of setattr, or as one function that takes the MonkeyPatch. The schedule takes
    `it`, a new scene made by `of` with each of the seeds, and may take `patch`, whose changes end with the scene.
    """

    def as_test(schedule: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
        def play(seed: int) -> Any:
            with of(seed=seed) as it, pytest.MonkeyPatch.context() as patch:
                given = {"it": it, "patch": patch}
                return schedule(
                    **{name: given[name] for name in inspect.signature(schedule).parameters}
                )

        def wrong() -> dict[int, Any]:
            return {seed: found for seed in seeds if (found := play(seed))}

        def test(monkeypatch: pytest.MonkeyPatch) -> None:
            found = wrong()
            assert not found, found
            if len(change) == 1:
                change[0](monkeypatch)
            else:
                monkeypatch.setattr(*change)
            assert wrong()

        return test

    return as_test
