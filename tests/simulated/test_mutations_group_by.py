"""The simulation finds faults of GROUP BY: with each mutation built in, a total is wrong.

Each mutation breaks a rule of grouping rows. Mutations of the engine are played with the pipeline.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from leda.engine.group_by import attributes, grouping, groupings, identifiers
from leda.engine.group_by.configuration import Configuration, Measure
from leda.engine.group_by.grouping import Grouping
from leda.engine.group_by.grouping_keys import Condition, Key
from leda.engine.group_by.groupings import Groupings
from leda.engine.map import map_batch
from leda.streams import changes
from leda.streams.changes import UnreadableRowError
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


def the_percent_sign_is_not_escaped(patch: Patch) -> None:
    patch.setattr(grouping, "escaped", lambda text: text.replace(":", "%3A") or "%")


def an_empty_key_is_written_as_nothing(patch: Patch) -> None:
    real = identifiers.escaped
    patch.setattr(grouping, "escaped", lambda text: real(text) if text else "")


def an_element_counts_as_often_as_it_is_there(patch: Patch) -> None:
    real = attributes.texts_of_elements

    def texts(value: Any, path: str) -> Sequence[str]:
        if isinstance(elements := value.get("L"), list):
            return [attributes.text_of(each, path) for each in elements]
        return real(value, path)

    patch.setattr(attributes, "texts_of_elements", texts)


def the_condition_is_looked_at_after_the_keys(patch: Patch) -> None:
    real = Grouping.leaves

    def leaves(self: Any, image: Any) -> Any:
        for key in self.keys:
            key.texts(image)
        return real(self, image)

    patch.setattr(Grouping, "leaves", leaves)


def one_condition_is_enough(patch: Patch) -> None:
    real = Grouping.leaves

    def leaves(self: Any, image: Any) -> Any:
        if not self.where or any(each.holds(image) for each in self.where):
            yield from real(replace(self, where=()), image)

    patch.setattr(Grouping, "leaves", leaves)


def what_is_missing_is_not_replaced(patch: Patch) -> None:
    real = Key.texts
    patch.setattr(Key, "texts", lambda self, image: real(replace(self, missing=None), image))


def a_condition_takes_no_notice_of_missing(patch: Patch) -> None:
    real = Condition.holds
    patch.setattr(
        Condition,
        "holds",
        lambda self, image: self.path.value(image) is not None and real(self, image),
    )


def null_is_not_missing(patch: Patch) -> None:
    def value(self: Any, image: Any) -> Any:
        found: Any = {"M": image}
        for name in self.names:
            found = found.get("M", {}).get(name) if isinstance(found, dict) else None
        return found

    patch.setattr(attributes.AttributePath, "value", value)


def a_sum_takes_no_notice_of_missing(patch: Patch) -> None:
    real = Measure.amount
    patch.setattr(Measure, "amount", lambda self, image: real(replace(self, missing=None), image))


def what_is_no_number_counts_as_0(patch: Patch) -> None:
    real = Measure.amount

    def amount(self: Any, image: Any) -> Any:
        try:
            return real(self, image)
        except UnreadableRowError:
            return 0

    patch.setattr(Measure, "amount", amount)


def a_row_counts_where_its_keys_can_be_read(patch: Patch) -> None:
    """A row that one grouping cannot read still counts in the others."""

    def leaves(self: Any, image: Any) -> tuple[str, ...]:
        found: list[str] = []
        for each in self._groupings.values():
            try:
                found += each.leaves(image)
            except UnreadableRowError:
                continue
        return tuple(found)

    patch.setattr(Groupings, "leaves", leaves)


def a_row_that_no_grouping_takes_is_read_all_the_same(patch: Patch) -> None:
    real = Configuration.contribution

    def contribution(self: Any, image: Any) -> Any:
        if image is not None:
            for measure in self.measures:
                measure.amount(image)
        return real(self, image)

    patch.setattr(Configuration, "contribution", contribution)


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


def a_zone_in_the_text_is_not_looked_at(patch: Patch) -> None:
    real = attributes._of_iso_8601
    patch.setattr(attributes, "_of_iso_8601", lambda text: real(text[:19].rstrip("-+.")))


def milliseconds_are_taken_for_seconds(patch: Patch) -> None:
    patch.setattr(attributes, "_FIRST_MILLISECONDS", 10**30)


def a_fraction_of_a_second_is_cut_and_not_rounded_down(patch: Patch) -> None:
    """Which is another second for a time before 1970."""
    real = attributes._of_epoch
    patch.setattr(attributes, "_of_epoch", lambda text: real(text.partition(".")[0]))


def levels_above_are_left_out(patch: Patch) -> None:
    patch.setattr(Groupings, "nodes", lambda self, leaf: [leaf])


def every_grouping_has_levels(patch: Patch) -> None:
    real = Groupings.__init__

    def init(self: Any, document: Any) -> None:
        real(self, document)
        self._rollups = set(self._groupings)

    patch.setattr(Groupings, "__init__", init)


def the_grouping_counts_as_a_level(patch: Patch) -> None:
    real = Groupings.nodes

    def nodes(self: Any, leaf: str) -> list[str]:
        found = real(self, leaf)
        return found if found == [leaf] else [leaf.partition(":")[0], *found]

    patch.setattr(Groupings, "nodes", nodes)


def a_total_is_made_without_labels(patch: Patch) -> None:
    patch.setattr(Configuration, "labels", lambda self, identifier: None)


def labels_are_as_they_are_escaped(patch: Patch) -> None:
    patch.setattr(groupings, "unescaped", lambda text: text)


def a_total_is_kept_for_ever(patch: Patch) -> None:
    patch.setattr(Grouping, "expires", lambda self, texts: None)


def a_total_is_kept_an_hour_less(patch: Patch) -> None:
    real = attributes.end_of_bucket

    def end(text: str, bucket: str) -> datetime | None:
        found = real(text, bucket)
        return found and found - timedelta(hours=1)

    patch.setattr(attributes, "end_of_bucket", end)


def the_first_bucket_to_end_counts(patch: Patch) -> None:
    patch.setattr(grouping, "max", min, raising=False)


def the_limits_of_a_number_are_not_looked_at(patch: Patch) -> None:
    patch.setattr("leda.engine.group_by.configuration.limited", lambda number, *_limits: number)


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
