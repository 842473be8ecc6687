"""The simulation finds faults of GROUP BY: with each mutation built in, a total is wrong.

Each mutation breaks a rule of grouping rows. Mutations of the engine are played with the pipeline.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from leda.engine.group_by import attributes, grouping, groupings, identifiers
from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.grouping import Grouping
from leda.engine.group_by.groupings import Groupings
from leda.engine.map import map_batch
from leda.streams import changes
from simulation.group_by import CORRECTED
from simulation.runs import plan, run
from support.mutations import finds_each_mutation

pytestmark = pytest.mark.slow

# Without a mutation all of these pass (test_simulation plays them).
SEEDS = range(1, 301)

Patch = pytest.MonkeyPatch


def keys_are_not_escaped(patch: Patch) -> None:
    patch.setattr(grouping, "escaped", lambda text: text)
    patch.setattr(groupings, "unescaped", lambda text: text)


def an_empty_key_is_written_as_nothing(patch: Patch) -> None:
    real = identifiers.escaped
    patch.setattr(grouping, "escaped", lambda text: real(text) if text else "")


def one_condition_is_enough(patch: Patch) -> None:
    real = Grouping.leaves

    def leaves(self: Any, image: Any) -> Any:
        if not self.where or any(each.holds(image) for each in self.where):
            yield from real(replace(self, where=()), image)

    patch.setattr(Grouping, "leaves", leaves)


def expired_rows_are_subtracted_although_they_are_kept(patch: Patch) -> None:
    real = changes.read
    patch.setattr(changes, "read", lambda *given, keeps_expired: real(*given, keeps_expired=False))


def expired_rows_are_kept_although_they_are_subtracted(patch: Patch) -> None:
    real = changes.read
    patch.setattr(changes, "read", lambda *given, keeps_expired: real(*given, keeps_expired=True))


def every_deleted_row_is_kept(patch: Patch) -> None:
    """As if every delete were one of time to live."""
    real = changes.read

    def read(record: Any, contribution: Any, *, keeps_expired: bool) -> Any:
        is_removed = record.event_name == "REMOVE"
        return real(
            record._replace(expired=record.expired or is_removed),
            contribution,
            keeps_expired=keeps_expired,
        )

    patch.setattr(changes, "read", read)


def a_bucket_is_in_local_time(patch: Patch) -> None:
    for name in ("_of_epoch", "_of_iso_8601"):
        real = getattr(attributes, name)
        patch.setattr(attributes, name, partial(two_hours_later, real))


def levels_above_are_left_out(patch: Patch) -> None:
    patch.setattr(Groupings, "nodes", lambda self, leaf: [leaf])


def a_total_is_made_without_labels(patch: Patch) -> None:
    patch.setattr(Configuration, "labels", lambda self, identifier: None)


def an_unreadable_row_is_not_quarantined(patch: Patch) -> None:
    real = map_batch.read

    def read(records: Any, configuration: Any) -> Any:
        found, _ = real(records, configuration)
        return found, []

    patch.setattr(map_batch, "read", read)


test_the_simulation_finds_in_group_by = finds_each_mutation(
    globals(), lambda: any(is_wrong(seed) for seed in SEEDS)
)


def is_wrong(seed: int) -> bool:
    """Whether a total is wrong after the seed's schedule, in which nobody computes the totals again."""
    chosen = plan(seed, system="group-by").families
    families = tuple(each for each in chosen if each not in CORRECTED)
    return run(plan(seed, families, "group-by")).wrong


def two_hours_later(real: Callable[[str], datetime | None], text: str) -> datetime | None:
    moment = real(text)
    return moment and moment + timedelta(hours=2)
