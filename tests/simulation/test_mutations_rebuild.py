"""The simulation finds what it is there for in `leda rebuild`: with each of these faults built in, a total is wrong.

What random schedules do not find is in test_directed_rebuilds.py.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from leda.engine import totals
from leda_cli import rebuild
from leda_cli.lane_rows import LaneRows, NamedNodes
from leda_cli.rebuild import Rebuild
from leda_cli.state_sum import Spool
from simulation.functions import ERRORS, KILLS, LOST
from simulation.plans import ANEW, CUTS, DOUBLE, LATE, LOSS, OFF, RESHARD, STREAMS
from simulation.runs import plan, run

SEEDS = range(1, 301)
FAMILIES = (LOSS, STREAMS, ERRORS, LOST, KILLS, CUTS, DOUBLE, ANEW, LATE, RESHARD, OFF)

Patch = pytest.MonkeyPatch


def the_streams_get_no_time_to_catch_up(patch: Patch) -> None:
    patch.setattr(rebuild, "STREAM_SECONDS", 0.0)


def what_is_written_during_the_scan_is_taken_as_it_was_read(patch: Patch) -> None:
    real = Spool.as_of
    patch.setattr(Spool, "as_of", lambda self, mark: real(self, replace(mark, images={})))


def maps_rows_stay_where_they_are(patch: Patch) -> None:
    patch.setattr(Rebuild, "_move_rows", lambda self, mark: {})


def rows_of_closed_shards_stay_where_they_are(patch: Patch) -> None:
    real = Rebuild._move_rows

    def move(self: Any, mark: Any) -> Any:
        return real(self, replace(mark, closed={}))

    patch.setattr(Rebuild, "_move_rows", move)


def rows_of_older_streams_stay_where_they_are(patch: Patch) -> None:
    patch.setattr(Rebuild, "_older_shards", lambda self: iter(()))


def nothing_is_waited_for_before_the_totals_are_read(patch: Patch) -> None:
    """The first of the two drains."""
    real = Rebuild._drain
    drains: dict[int, int] = {}

    def drain(self: Any) -> Any:
        drains[id(self)] = drains.get(id(self), 0) + 1
        return [] if drains[id(self)] % 2 else real(self)

    patch.setattr(Rebuild, "_drain", drain)


def right_totals_get_no_checkpoint(patch: Patch) -> None:
    real = Rebuild._write_corrections

    def write(self: Any, changes: Any, mark: Any) -> None:
        real(self, rebuild._wrong(changes), mark)

    patch.setattr(Rebuild, "_write_corrections", write)


def other_lanes_get_no_checkpoint(patch: Patch) -> None:
    patch.setattr(LaneRows, "touch", lambda self, lanes, nodes: None)


def nodes_that_are_only_named_get_no_checkpoint(patch: Patch) -> None:
    patch.setattr(NamedNodes, "up_to", lambda self, markers: set())


def edited_checkpoints_stay(patch: Patch) -> None:
    patch.setattr(Rebuild, "_mend_checkpoints", lambda self, suspects: None)


def reserved_nodes_are_written_first(patch: Patch) -> None:
    """A marker that shows then says nothing of what came before it."""
    real = totals.Totals._write

    def write(self: Any, line: Any, todo: Any, outcome: Any) -> None:
        pending = held.setdefault(id(line), [])
        pending.append(todo)
        if len(pending) == 2:
            for each in reversed(held.pop(id(line))):
                real(self, line, each, outcome)

    held: dict[int, list[Any]] = {}
    patch.setattr(totals.Totals, "_write", write)


def a_run_has_no_number_of_its_own(patch: Patch) -> None:
    real = LaneRows.begin
    patch.setattr(LaneRows, "begin", lambda self, run: real(self, 1))


def the_journal_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(rebuild.Journal, "require_own", lambda self: None)
    patch.setattr(rebuild.Journal, "moving", lambda self: None)


def nobody_looks_whether_map_went_on(patch: Patch) -> None:
    patch.setattr(Rebuild, "_check", lambda self, attempt: None)


def the_corrections_are_not_waited_for(patch: Patch) -> None:
    """The second of the two drains."""
    real = Rebuild._drain
    drains: dict[int, int] = {}

    def drain(self: Any) -> Any:
        drains[id(self)] = drains.get(id(self), 0) + 1
        return real(self) if drains[id(self)] % 2 else []

    patch.setattr(Rebuild, "_drain", drain)


def shards_that_reduce_never_met_can_be_met_later(patch: Patch) -> None:
    patch.setattr(Rebuild, "_ignore_unmet", lambda self, closed, mark: None)


def the_totals_are_not_compared_at_the_end(patch: Patch) -> None:
    real = Rebuild._correct

    def correct(self: Any, attempt: Any, suspects: Any) -> set[str]:
        real(self, attempt, suspects)
        return set()

    patch.setattr(Rebuild, "_correct", correct)


def lanes_are_registered_after_the_runs_number(patch: Patch) -> None:
    real = Rebuild._prepare

    def prepare(self: Any) -> None:
        kept, draws = [], self._registry.draw
        put = self._registry.put_if_absent
        self._registry.put_if_absent = lambda *row: kept.append(row)

        def draw(counter: str) -> int:
            drawn: int = draws(counter)
            self._registry.put_if_absent = put
            self._sleep(1)
            for row in kept:
                put(*row)
            return drawn

        self._registry.draw = draw
        try:
            real(self)
        finally:
            del self._registry.draw, self._registry.put_if_absent

    patch.setattr(Rebuild, "_prepare", prepare)


MUTATIONS = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__annotations__", {}).get("patch") is Patch
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_the_simulation_finds_in_the_rebuild(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[Patch], None]
) -> None:
    mutation(monkeypatch)

    assert any(run(plan(seed, FAMILIES)).wrong for seed in SEEDS)
