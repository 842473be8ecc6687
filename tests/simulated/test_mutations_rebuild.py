"""The simulation finds faults of `leda rebuild`: with each mutation built in, a total is wrong.

test_directed_rebuilds.py has the rules that random schedules do not test.
"""

from dataclasses import replace
from typing import Any

import pytest

from leda_cli.operate.rebuilding import rebuild_source, rebuild_totals
from leda_cli.operate.rebuilding.lane_rows import LaneRows, NamedNodes
from leda_cli.operate.rebuilding.rebuild_source import SourceSide
from leda_cli.operate.rebuilding.watermarks import Tail
from simulation.functions import ERRORS, KILLS, LOST
from simulation.plans import CUTS, DOUBLE, LATE, LOSS, OFF, RECREATED, RESHARD, STREAMS
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

pytestmark = pytest.mark.slow

SEEDS = range(1, 301)
# Some faults show in schedules with much trouble, others in schedules with little.
FAMILIES = (
    (LOSS, LATE),
    (LOSS, STREAMS, ERRORS, LOST, KILLS, CUTS, DOUBLE, RECREATED, LATE, RESHARD, OFF),
)

Patch = pytest.MonkeyPatch


def the_streams_get_no_time_to_catch_up(patch: Patch) -> None:
    patch.setattr(rebuild_source, "STREAM_SECONDS", 0.0)
    patch.setattr(rebuild_totals, "STREAM_SECONDS", 0.0)
    # It finds out where the streams needed more.
    patch.setattr(Tail, "require_none_late", lambda self: None)


def maps_rows_stay_where_they_are(patch: Patch) -> None:
    patch.setattr(SourceSide, "move_rows", lambda self, mark, assignments: {})


def rows_of_closed_shards_stay_where_they_are(patch: Patch) -> None:
    real = SourceSide.move_rows

    def move(self: Any, mark: Any, assignments: Any) -> Any:
        return real(self, replace(mark, closed={}), assignments)

    patch.setattr(SourceSide, "move_rows", move)


def nodes_that_are_only_named_get_no_checkpoint(patch: Patch) -> None:
    patch.setattr(NamedNodes, "up_to", lambda self, markers: set())


def a_run_has_no_number_of_its_own(patch: Patch) -> None:
    real = LaneRows.begin
    patch.setattr(LaneRows, "begin", lambda self, run: real(self, 1))


test_the_simulation_finds_in_the_rebuild = finds_each_mutation(
    globals(),
    lambda: any(run(plan(seed, families)).wrong for seed in SEEDS for families in FAMILIES),
)
