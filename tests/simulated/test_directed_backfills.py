"""Rules of `leda backfill` that random schedules test too rarely: a schedule for each, with and without its breach."""

import json
import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from leda.engine import registry
from leda.engine.group_by.configuration import WATERMARK, Configuration
from leda.engine.map import map_rows
from leda.engine.map.source_shards import Assignment, SourceShards
from leda.engine.registry import MEMORY_SECONDS, Configurations
from leda.engine.shards import padded
from leda_cli.operate.rebuilding import stored_totals
from leda_cli.operate.rebuilding.assignments import Assignments
from leda_cli.operate.rebuilding.lane_rows import LaneRows
from leda_cli.operate.rebuilding.rebuild import Rebuild
from leda_cli.operate.rebuilding.rebuild_source import SourceSide
from leda_cli.operate.rebuilding.rebuild_totals import TotalsSide
from leda_cli.operate.rebuilding.stored_totals import Change, StoredTotals
from simulation import operator
from simulation.failures import Killed
from simulation.group_by import SOURCE
from simulation.world import EPOCH
from support.scenes import GroupByScene, breach, groupings

Patch = pytest.MonkeyPatch

COUNT = {"Count": {"op": "count"}}
BY_REGION = {"group_by": {"daily": {"keys": ["region"]}}, "measures": COUNT}
# Its identifiers are the same as BY_REGION's, and their keys are others.
BY_TYPE = {"group_by": {"daily": {"keys": ["type"]}}, "measures": COUNT}
WITH_SCORES = {
    "group_by": {"daily": {"keys": ["region"]}, "types": {"keys": ["type"]}},
    "measures": {**COUNT, "Score": {"op": "sum", "field": "score"}},
}
KEPT = {**BY_REGION, "on_expiry": "keep"}


def write_some(it: GroupByScene, first: int, count: int = 3) -> None:
    for number in range(first, first + count):
        region, kind = "ab"[number % 2], "abc"[number % 3]
        it.write(f"r{number}", region=region, type=kind, score=str(number))


def count_some(it: GroupByScene, first: int) -> None:
    """Write some rows, and let them count."""
    write_some(it, first)
    it.on()


FROM_REGION = partial(groupings, BY_REGION)
# An execution environment is warm in most of these schedules, and cold in some.
SEEDS = range(1, 6)


def from_region_to_scores(it: GroupByScene) -> Any:
    count_some(it, 0)
    it.backfill(WITH_SCORES)
    count_some(it, 2)
    return it.differences()


# Markers add nothing, and a batch that adds nothing lets Map read the registry.
WITHOUT_MARKERS = partial(groupings, BY_REGION, markers=False)


test_map_writes_new_rows_where_it_finds_closed_ones = breach(
    map_rows, "CLOSED_BY", "Never", of=WITHOUT_MARKERS, seeds=SEEDS
)(from_region_to_scores)
test_a_backfill_closes_the_former_rows_of_map = breach(
    LaneRows, "close", lambda self, *_given: padded(0), of=WITHOUT_MARKERS, seeds=SEEDS
)(from_region_to_scores)


NOTHING = {
    "group_by": {"daily": {"keys": ["region"], "where": {"type": ["never"]}}},
    "measures": COUNT,
}


@breach(
    SourceShards,
    "is_current",
    lambda self, *_given: True,
    of=partial(groupings, NOTHING),
    seeds=SEEDS,
)
def test_a_change_that_added_nothing_under_the_former_configuration_counts(it: GroupByScene) -> Any:
    """An environment that remembers the former configuration would write no row, and so find none that is closed."""
    count_some(it, 0)
    it.backfill(BY_REGION)
    count_some(it, 2)
    return it.differences()


@breach(Assignments, "_move", lambda self, *_given: None, of=FROM_REGION, seeds=SEEDS)
def test_changes_from_before_the_backfill_do_not_count_when_they_are_redelivered(
    it: GroupByScene,
) -> Any:
    count_some(it, 0)
    write_some(it, 3)
    it.go_on()
    it.backfill(WITH_SCORES)
    for stage in ("map", "reduce"):
        it.deliver(stage, it.records(stage))
        it.on()
    return it.differences()


@breach(Assignment, "source", lambda self, shard: shard.source, of=FROM_REGION)
def test_a_backfill_to_an_earlier_configuration_has_rows_of_its_own(it: GroupByScene) -> Any:
    count_some(it, 0)
    it.backfill(WITH_SCORES)
    it.backfill(BY_REGION)
    it.off("map")
    write_some(it, 3)
    it.go_on()
    error = it.deliver("map", it.records("map"))
    it.on("reduce")
    it.system.mappings["map"].enabled = True
    assert not error or "RowClosedError" in error
    return error or it.differences()


@breach(TotalsSide, "label_changes", lambda self: iter(()), of=FROM_REGION)
def test_a_backfill_writes_the_labels_of_totals_that_keep_their_identifier(it: GroupByScene) -> Any:
    count_some(it, 0)
    it.backfill(BY_TYPE)
    return it.differences()


def test_a_removed_measure_does_not_come_back_with_a_late_checkpoint(monkeypatch: Patch) -> None:
    """A killed run has registered a configuration under which no change was ever counted.

    The next run gives totals a checkpoint for that configuration by adding 0 to the measures. The backfill that removes
    the measure removes this checkpoint too, and then the row that added 0 is delivered again.
    """
    of_types = {**WITH_SCORES, "group_by": BY_TYPE["group_by"]}
    with groupings(WITH_SCORES) as it:
        count_some(it, 0)
        it.set("map", CONFIGURATION=json.dumps(of_types))
        with monkeypatch.context() as patch:
            patch.setattr(SourceSide, "move_rows", lambda *_given: kill())
            backfill_until_killed(it)
        it.backfill(WITH_SCORES)
        it.backfill(BY_REGION)
        assert not it.differences()

        it.deliver("reduce", it.records("reduce"))

        assert not it.differences()


def never_wait_for_a_backfill(patch: Patch) -> None:
    real = SourceShards.__init__
    patch.setattr(SourceShards, "__init__", lambda self, *given, needs_backfill: real(self, *given))


OLD_ROWS = [{"id": {"S": f"old{n}"}, "region": {"S": "a"}, "type": {"S": "b"}} for n in range(3)]


@breach(
    never_wait_for_a_backfill, of=partial(groupings, BY_REGION, rows=OLD_ROWS, backfill="required")
)
def test_a_table_with_rows_has_no_totals_before_its_first_backfill(it: GroupByScene) -> Any:
    count_some(it, 0)
    before = it.totals()
    it.backfill()
    count_some(it, 3)
    return before or it.differences()


def test_a_backfill_does_not_subtract_expired_rows_that_totals_keep() -> None:
    """The table no longer has these rows."""
    with groupings(KEPT) as it:
        it.write("r0", region="a", expires="0")
        it.system.store.put_item(
            TableName="SourceTable",
            Item={"id": {"S": "r1"}, "region": {"S": "a"}, "expires": {"N": str(int(EPOCH) + 1)}},
        )
        it.on()
        it.go_on(seconds=10)
        assert it.system.store.delete_expired("SourceTable") == 1
        it.on()
        it.backfill({**WITH_SCORES, "on_expiry": "keep"})

        assert it.system.counts["backfills given up"] == 1
        assert it.totals()["daily:a"]["Count"] == {"N": "2"}
        assert not it.differences()
        assert it.system.mappings["map"].enabled


def test_the_first_backfill_counts_the_existing_rows_and_keeps_them_when_they_expire() -> None:
    def row(name: str, seconds: float) -> dict[str, Any]:
        return {
            "id": {"S": name},
            "region": {"S": "a"},
            "expires": {"N": str(int(EPOCH + seconds))},
        }

    rows = [row("before", 1), row("after", 2000)]
    with groupings(KEPT, rows=rows, backfill="required") as it:
        it.on()
        it.go_on(seconds=10)
        assert it.system.store.delete_expired("SourceTable") == 1
        it.backfill()
        assert it.totals()["daily:a"]["Count"] == {"N": "1"}
        it.go_on(seconds=3000)
        assert it.system.store.delete_expired("SourceTable") == 1
        it.on()

        assert it.totals()["daily:a"]["Count"] == {"N": "1"}


def test_after_a_killed_first_backfill_another_may_have_other_groupings(monkeypatch: Patch) -> None:
    """No run has ended, so no total is live that the next run would compute otherwise."""
    rows = [{"id": {"S": f"r{number}"}, "region": {"S": "a"}} for number in range(3)]
    for call in (30, 45, 60, 75):
        with groupings(KEPT, rows=rows, backfill="required") as it:
            it.on()
            with monkeypatch.context() as patch:
                stop_at_call(patch, call)
                backfill_until_killed(it)
            other = {**BY_REGION, "group_by": {"places": {"keys": ["region"]}}}
            it.backfill({**other, "on_expiry": "keep"})
            it.write("r4", region="a")
            it.on()

            assert it.totals()["places:a"]["Count"] == {"N": "4"}, f"killed at call {call}"
            assert not it.differences()


def test_a_total_that_expired_under_the_former_configuration_stays_if_the_new_one_keeps_it(
    monkeypatch: Patch,
) -> None:
    """Time to live removes the row as late as it may."""
    day = datetime.fromtimestamp(EPOCH, UTC).date().isoformat()
    real = TotalsSide.label_changes
    with groupings(by_day(retention_days=1)) as it:
        it.write("r0", at=day)
        it.on()
        it.go_on(seconds=2.5 * 24 * 3600)

        def label_changes(self: Any) -> Any:
            removed.append(it.system.store.delete_expired("AggregateTable"))
            return real(self)

        removed: list[int] = []
        monkeypatch.setattr(TotalsSide, "label_changes", label_changes)
        it.backfill(by_day())
        it.go_on(seconds=60)

        assert removed == [1, 0]
        assert it.totals()[f"daily:{day}"]["Count"] == {"N": "1"}
        assert not it.differences()


def by_day(**more: int) -> dict[str, Any]:
    return {"group_by": {"daily": {"keys": ["at:day"], **more}}, "measures": COUNT}


def test_a_backfill_removes_expired_totals_that_time_to_live_does_not() -> None:
    """Time to live does not remove items that expired more than five years ago."""
    with groupings(by_day(retention_days=1)) as it:
        it.write("r0", at="2019-05-05")
        it.write("r1", at=datetime.fromtimestamp(EPOCH - 10 * 24 * 3600, UTC).isoformat()[:10])
        it.on()
        assert len(it.totals()) == 2
        it.backfill()

        assert "daily:2019-05-05" not in it.totals()
        # DynamoDB removes the other one.
        assert len(it.totals()) == 1


def remember_no_former_configuration(patch: Patch) -> None:
    real = TotalsSide.unneeded_rows
    patch.setattr(
        TotalsSide,
        "unneeded_rows",
        lambda self, number, _used: real(self, number, {self.run.configuration.version}),
    )


def forget_the_live_configuration(patch: Patch) -> None:
    """Reduce may have read which configuration is live before the backfill."""
    patch.setattr(Configurations, "live", lambda _self, _version: None)


@breach(remember_no_former_configuration, of=partial(groupings, by_day()))
def test_late_rows_of_a_former_configuration_do_not_make_an_expired_total_again(
    it: GroupByScene, patch: Patch
) -> Any:
    """Under the former configuration the total had no time at which it expires."""
    forget_the_live_configuration(patch)
    it.write("r0", at="2019-05-05")
    it.on()
    late = it.records("reduce")
    it.backfill(by_day(retention_days=1))
    it.deliver("reduce", late)
    it.on()
    return it.differences()


@breach(
    Configuration,
    "has_total",
    lambda self, _identifier: True,
    of=partial(groupings, by_day(retention_days=1)),
)
def test_a_correction_of_an_expired_total_is_not_applied_again(
    it: GroupByScene, patch: Patch
) -> Any:
    """Time to live removes the total with its checkpoints; then the correction is delivered again."""
    forget_the_live_configuration(patch)
    yesterday = datetime.fromtimestamp(EPOCH - 2 * 24 * 3600, UTC).isoformat()[:10]
    it.write("r0", at=yesterday, type="a")
    it.on()
    it.backfill({"group_by": {"types": {"keys": ["type"]}}, "measures": COUNT})
    taken_back = [each for each in it.records("reduce") if '"-1"' in json.dumps(each.raw)]
    it.backfill(by_day(retention_days=1))
    it.go_on(seconds=600)
    assert it.system.store.delete_expired("AggregateTable")
    it.deliver("reduce", taken_back)
    it.on()
    return it.differences()


@breach(forget_the_live_configuration, of=partial(groupings, by_day()))
def test_a_total_made_again_by_a_former_configuration_expires_as_the_live_one_says(
    it: GroupByScene,
) -> Any:
    """Time to live removes the total with its checkpoints; then a row from before the backfill is delivered again."""
    it.write("r0", at=datetime.fromtimestamp(EPOCH - 24 * 3600, UTC).isoformat()[:10])
    it.on()
    counted = it.records("reduce")
    it.go_on(seconds=22 * 3600)
    it.backfill(by_day(retention_days=1))
    it.go_on(seconds=3 * 3600)
    assert it.system.store.delete_expired("AggregateTable")
    it.deliver("reduce", counted)
    return it.differences()


def test_a_shard_without_remaining_records_continues_at_maps_checkpoint() -> None:
    """AWS closes a shard within hours; an emulator may keep one open for days."""
    for document in (BY_REGION, WITH_SCORES):
        with groupings(BY_REGION, markers=False) as it:
            count_some(it, 0)
            it.go_on(seconds=30 * 3600)
            it.backfill(document)
            count_some(it, 2)

            assert it.system.counts["backfills"] == 1
            assert not it.differences()


def test_a_run_without_markers_removes_those_of_a_killed_run(monkeypatch: Patch) -> None:
    with groupings(BY_REGION) as it:
        count_some(it, 0)
        with monkeypatch.context() as patch:
            patch.setattr(SourceSide, "move_rows", lambda *_given: kill())
            backfill_until_killed(it)
        assert any(WATERMARK in row for row in it.system.rows(SOURCE))
        it.system.operator.markers = False
        it.backfill()

        assert not any(WATERMARK in row for row in it.system.rows(SOURCE))
        assert not it.differences()


def without_looking(change: Callable[..., bool]) -> Callable[..., bool]:
    def changed(totals: StoredTotals, changes: Any) -> bool:
        totals.require_own = lambda: None
        return change(totals, changes)

    return changed


@breach(
    StoredTotals, "change", without_looking(StoredTotals.change), of=partial(groupings, WITH_SCORES)
)
def test_a_run_that_was_taken_over_changes_no_total(it: GroupByScene, patch: Patch) -> Any:
    """The run sleeps before it reads the totals; when it wakes, another configuration without a measure is live."""
    count_some(it, 0)
    runs: list[TotalsSide] = []
    real = TotalsSide.ignore_unmet

    def ignore_unmet(run: TotalsSide, *given: Any) -> None:
        runs.append(run)
        if run is runs[0]:
            it.world.sleep(600)
        real(run, *given)

    patch.setattr(TotalsSide, "ignore_unmet", ignore_unmet)
    it.world.spawn(it.system.operator.rebuild)
    it.set("map", CONFIGURATION=json.dumps(BY_REGION))
    backfill = partial(it.system.operator.rebuild, is_backfill=True)
    it.world.at(it.world.now + 120, lambda: it.world.spawn(backfill))
    it.go_on()
    assert it.system.counts["backfills"] == it.system.counts["rebuilds given up"] == 1
    return it.differences()


def test_a_rebuild_that_began_before_a_backfill_does_not_change_the_live_configuration() -> None:
    """The rebuild reads which configuration is live and sleeps; the backfill ends before the rebuild's first change."""

    def differences(looks: int) -> Any:
        with groupings(BY_REGION) as it, pytest.MonkeyPatch.context() as patch:
            count_some(it, 0)
            configure, require_time = Rebuild._configure, Rebuild._require_time
            looked = Counter[Rebuild]()

            def look(run: Rebuild) -> None:
                looked[run] += 1
                if looked[run] <= looks:
                    configure(run)

            def sleep(run: Rebuild) -> None:
                if run is next(iter(looked)):
                    it.world.sleep(600)
                require_time(run)

            patch.setattr(Rebuild, "_configure", look)
            patch.setattr(Rebuild, "_require_time", sleep)
            it.world.spawn(it.system.operator.rebuild)
            it.set("map", CONFIGURATION=json.dumps(WITH_SCORES))
            backfill = partial(it.system.operator.rebuild, is_backfill=True)
            it.world.at(it.world.now + 100, lambda: it.world.spawn(backfill))
            it.go_on()
            assert it.system.counts["backfills"] == it.system.counts["rebuilds"] == 1
            return it.differences()

    assert not differences(looks=2)
    assert differences(looks=1)


@breach(stored_totals, "lanes_of", lambda _name: None, of=FROM_REGION)
def test_a_late_write_of_a_run_changes_no_total_that_another_run_has_corrected(
    it: GroupByScene, patch: Patch
) -> Any:
    """The run sleeps before it adds a missing measure; when it wakes, a configuration without the measure is live."""
    count_some(it, 0)
    real = StoredTotals._change
    changes: list[Change] = []

    def change(totals: StoredTotals, one: Change) -> bool:
        changes.append(one)
        if len(changes) == 1:
            it.world.sleep(600)
        return real(totals, one)

    patch.setattr(StoredTotals, "_change", change)
    it.set("map", CONFIGURATION=json.dumps(WITH_SCORES))
    backfill = partial(it.system.operator.rebuild, is_backfill=True)
    it.world.spawn(backfill)
    it.world.at(it.world.now + 100, lambda: it.set("map", CONFIGURATION=json.dumps(BY_REGION)))
    it.world.at(it.world.now + 120, lambda: it.world.spawn(backfill))
    it.go_on()
    assert changes[0].values == {"Score": {"N": "0"}}
    assert it.system.counts["backfills"] == it.system.counts["backfills given up"] == 1
    return it.differences()


def kill() -> None:
    raise Killed


def backfill_until_killed(it: GroupByScene) -> None:
    def work() -> None:
        with suppress(Killed):
            it.system.operator.rebuild(is_backfill=True)

    it.world.spawn(work)
    it.go_on()


def test_a_shard_that_a_restored_registry_lacks_gets_rows_that_are_not_closed() -> None:
    for seed in range(1, 4):
        with groupings(BY_REGION, seed) as it:
            count_some(it, 0)
            rows = it.system.rows("RegistryTable")
            backup = [row for row in rows if not row["Scope"]["S"].startswith("source/")]
            it.backfill(WITH_SCORES)
            it.off("map")
            it.system.store.restore("RegistryTable", backup)
            it.system.functions["map"].forget_environments()
            it.rebuild()
            count_some(it, 2)

            assert it.system.counts["rebuilds"] == 1
            found = {name: int(row["Count"]["N"]) for name, row in it.totals().items()}
            assert {name: count for name, count in found.items() if count} == {
                "daily:a": 3,
                "daily:b": 2,
            }


def stop_at_call(patch: Patch, call: int) -> None:
    """Kill the next run before its call with this number."""
    left = call
    real = operator._Pace.before

    def before(self: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed
        real(self)

    patch.setattr(operator._Pace, "before", before)


def test_an_environment_of_map_forgets_the_registry_from_before_its_restore(
    monkeypatch: Patch,
) -> None:
    def differences(memory: float) -> Any:
        with groupings(BY_REGION) as it, monkeypatch.context() as patch:
            patch.setattr(registry, "MEMORY_SECONDS", memory)
            write_some(it, 0)
            it.on()
            backup = it.system.rows("RegistryTable")
            it.backfill(WITH_SCORES)
            write_some(it, 2)
            it.on()
            function = it.system.functions["map"]
            warm = list(function._environments)
            it.system.store.restore("RegistryTable", backup)
            it.go_on(seconds=100)
            function.forget_environments()
            it.backfill()
            write_some(it, 3)
            it.on()
            assert not it.differences()
            # Either of two environments may get a batch, and the other one its redelivery.
            function._environments[:] = warm
            it.write("r7", region="a", type="b", score="7")
            it.on()
            it.deliver("map", it.records("map")[-1:])
            it.on()
            return it.differences()

    assert not differences(MEMORY_SECONDS)
    assert differences(math.inf)
