"""The simulation finds faults of `leda backfill`: with each mutation built in, a total is wrong.

test_directed_backfills.py has the rules that random schedules do not test.
"""

from typing import Any

import pytest

from leda.engine.registry import Configurations
from leda_cli.operate.rebuilding.assignments import Assignments
from leda_cli.operate.rebuilding.table_sum import TableSum
from simulation.functions import ERRORS, KILLS, LOST
from simulation.plans import CHANGES, CUTS, DOUBLE, LATE, OFF, RECREATED, RESHARD
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

pytestmark = pytest.mark.slow

SEEDS = range(1, 101)
FAMILIES = (CHANGES, ERRORS, LOST, KILLS, CUTS, DOUBLE, RECREATED, LATE, RESHARD, OFF)

Patch = pytest.MonkeyPatch


def the_configuration_does_not_go_live(patch: Patch) -> None:
    patch.setattr(Assignments, "make_live", lambda self: None)


def labels_are_those_of_the_first_version(patch: Patch) -> None:
    real = Configurations.of

    def of(self: Any, version: str) -> Any:
        real(self, version)
        return next(iter(self._known.values()), None)

    patch.setattr(Configurations, "of", of)


def what_is_written_during_the_scan_is_not_taken(patch: Patch) -> None:
    patch.setattr(TableSum, "write", lambda self, changes: None)


test_the_simulation_finds_in_the_backfill = finds_each_mutation(
    globals(), lambda: any(run(plan(seed, FAMILIES, "group-by")).wrong for seed in SEEDS)
)
