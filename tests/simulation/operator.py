"""An operator with `leda rebuild`: the real one, in a task of the simulation, stopped half-way now and then."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leda_cli.errors import LedaError
from leda_cli.rebuild import Rebuild, Tables
from support.faults import Killed

if TYPE_CHECKING:
    from simulation.mappings import Mapping as EventSourceMapping
    from simulation.systems import System
    from simulation.world import World

TABLES = Tables(
    state="StateTable",
    reduce="ReduceTable",
    aggregate="AggregateTable",
    checkpoint="CheckpointTable",
    map_function="MapLambda",
    reduce_function="ReduceLambda",
)


class Operator:
    """Rebuilds the totals of a pipeline. `needed`: something was lost that no rebuild has brought back yet."""

    def __init__(self, system: System) -> None:
        self.needed = False
        self._system = system
        self._world = system.world
        self._random = system.world.random("operator")

    def damage(self, draw: random.Random) -> None:
        """Somebody writes to AggregateTable by hand."""
        rows = self._system.rows("AggregateTable")
        if not rows:
            return
        self.needed = True
        row = draw.choice(sorted(rows, key=lambda row: str(row["Identifier"])))
        store = self._system.store
        if draw.random() < 0.3:
            store.delete_item(TableName="AggregateTable", Key={"Identifier": row["Identifier"]})
        else:
            store.put_item(TableName="AggregateTable", Item={**row, "Value": {"N": "12.5"}})

    def start(self, draw: random.Random) -> None:
        """Rebuild in a task of its own, which may be stopped anywhere; another one then goes on, within minutes.

        Not within days: a stopped rebuild leaves the mappings off, and what waits in the streams is trimmed after one.
        """

        def work() -> None:
            try:
                self.rebuild()
            except Killed:
                self._system.counts["rebuilds stopped half-way"] += 1
                again = self._world.now + draw.uniform(0, 600)
                self._world.at(again, lambda: self.start(draw))

        self.needed = True
        task = self._world.spawn(work)
        if draw.random() < 0.7:

            def stop() -> None:
                if not task.dead:
                    task.interrupt(Killed())

            self._world.at(self._world.now + draw.uniform(0, 30), stop)

    def rebuild(self) -> None:
        """Run `leda rebuild` to its end, or to the error that it ends with."""
        system = self._system
        work = Rebuild(
            _Paced(self._world, self._random, system.store),  # type: ignore[arg-type]
            _Paced(self._world, self._random, system.dynamodb_streams),  # type: ignore[arg-type]
            _Mappings(system.mappings),
            TABLES,
            _Silent(),  # type: ignore[arg-type]
            in_parts=True,
            segments=2,
            sleep=self._world.sleep,
        )
        lost_before = system.counts["records that were lost"], system.counts["total damaged"]
        try:
            work.run()
        except LedaError:
            # Somebody goes on writing, or another rebuild has taken over.
            system.counts["rebuilds given up"] += 1
            return
        system.counts["rebuilds"] += 1
        if lost_before == (system.counts["records that were lost"], system.counts["total damaged"]):
            self.needed = False


class _Paced:
    """A client whose calls take time, so that others go on meanwhile."""

    def __init__(self, world: World, draw: random.Random, real: Any) -> None:
        self._world, self._random, self._real = world, draw, real

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            if name == "describe_table":
                # The store keeps no streams; the system does.
                return {"Table": {"LatestStreamArn": _arn(request["TableName"])}}
            self._world.sleep(self._random.expovariate(1 / 0.02))
            answer = getattr(self._real, name)(**request)
            self._world.sleep(self._random.expovariate(1 / 0.01))
            return answer

        return call


def _arn(table: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026"


class _Mappings:
    """The simulated mappings, by stage."""

    def __init__(self, mappings: Mapping[str, EventSourceMapping]) -> None:
        self._mappings = mappings

    def enabled(self) -> list[str]:
        return [stage for stage, mapping in self._mappings.items() if mapping.enabled]

    def pause(self, uuids: Iterable[str]) -> None:
        for stage in uuids:
            self._mappings[stage].pause()

    def resume(self, uuids: Iterable[str]) -> None:
        for stage in uuids:
            self._mappings[stage].resume()


class _Silent:
    """Stands in for an Operation."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def progress(self, text: str, total: int | None = None) -> Iterator[Callable[..., None]]:
        yield lambda count=1, *, total=None: None
