"""The simulation finds faults of the replica: with each mutation built in, an item differs.

Each mutation breaks a rule of docs/change-capture.md.
"""

import itertools
from typing import Any

import pytest

from leda.replica import replica
from leda.replica.replica import Replica
from leda.streams.item_changes import ItemChange
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

pytestmark = pytest.mark.slow

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 201)

Patch = pytest.MonkeyPatch


def the_replica_takes_what_comes_last(patch: Patch) -> None:
    numbers = itertools.count()
    patch.setattr(replica, "place", lambda _change: f"{next(numbers):012d}")


def a_removed_item_leaves_no_place_in_the_replica(patch: Patch) -> None:
    real = Replica._row

    def row(self: Replica, change: ItemChange) -> dict[str, Any]:
        made = real(self, change)
        if change.record.new is None:
            del made[self._marks.place]
        return made

    patch.setattr(Replica, "_row", row)


test_the_simulation_finds_in_the_replica = finds_each_mutation(
    globals(), lambda: any(run(plan(seed, system="replica")).wrong for seed in SEEDS)
)
