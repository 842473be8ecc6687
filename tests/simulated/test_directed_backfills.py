"""Rules of `leda backfill` that random schedules test too seldom: for each, a schedule with and without its breach."""

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
from leda.streams import changes
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
from support.scenes import GroupByScene, groupings

Patch = pytest.MonkeyPatch

COUNT = {"Count": {"op": "count"}}
BY_REGION = {"group_by": {"daily": {"keys": ["region"]}}, "measures": COUNT}
# The same identifiers stand for other keys.
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


def wrong(schedule: Callable[[int], Any]) -> list[int]:
    """The seeds with which the schedule ends wrong: an environment is warm, as a rule, and now and then cold."""
    return [seed for seed in range(1, 6) if schedule(seed)]


def from_region_to_scores(seed: int) -> Any:
    # Markers add nothing, and a batch that adds nothing lets Map look at the registry.
    with groupings(BY_REGION, seed, markers=False) as it:
        write_some(it, 0)
        it.on()
        it.backfill(WITH_SCORES)
        write_some(it, 2)
        it.on()
        return it.differences()


def test_a_change_after_the_backfill_counts_once_whatever_an_environment_remembers(
    monkeypatch: Patch,
) -> None:
    assert not wrong(from_region_to_scores)
    with monkeypatch.context() as patch:
        patch.setattr(map_rows, "CLOSED_BY", "Never")
        assert wrong(from_region_to_scores)
    monkeypatch.setattr(LaneRows, "close", lambda self, *_given: padded(0))
    assert wrong(from_region_to_scores)


def test_a_change_that_counts_for_nothing_under_the_former_configuration_is_not_dropped(
    monkeypatch: Patch,
) -> None:
    """An environment that remembers the former one would write no row, and so meet none that is closed."""
    nothing = {
        "group_by": {"daily": {"keys": ["region"], "where": {"type": ["never"]}}},
        "measures": COUNT,
    }

    def schedule(seed: int) -> Any:
        with groupings(nothing, seed) as it:
            write_some(it, 0)
            it.on()
            it.backfill(BY_REGION)
            write_some(it, 2)
            it.on()
            return it.differences()

    assert not wrong(schedule)
    monkeypatch.setattr(SourceShards, "is_current", lambda self, *_given: True)
    assert wrong(schedule)


def test_what_came_before_the_backfill_counts_nowhere_when_it_comes_again(
    monkeypatch: Patch,
) -> None:
    def schedule(seed: int) -> Any:
        with groupings(BY_REGION, seed) as it:
            write_some(it, 0)
            it.on()
            write_some(it, 3)
            it.go_on()
            it.backfill(WITH_SCORES)
            for stage in ("map", "reduce"):
                it.deliver(stage, it.records(stage))
                it.on()
            return it.differences()

    assert not wrong(schedule)
    monkeypatch.setattr(Assignments, "_move", lambda self, *_given: None)
    assert wrong(schedule)


def test_both_images_are_read_under_the_shards_configuration_whatever_is_deployed(
    monkeypatch: Patch,
) -> None:
    def differences() -> Any:
        with groupings(BY_REGION) as it:
            write_some(it, 0)
            it.on()
            it.set("map", CONFIGURATION=json.dumps(BY_TYPE))
            it.write("r2", region="b", type="c", score="1")
            it.on()
            return it.differences()

    assert not differences()
    read_old_images_as_deployed(monkeypatch)
    assert differences()


def read_old_images_as_deployed(patch: Patch) -> None:
    """And the new ones as the shard's assignment says."""
    real_init, real_read = SourceShards.__init__, changes.read
    deployed: list[Any] = []

    def init(self: Any, *given: Any, **more: Any) -> None:
        real_init(self, *given, **more)
        deployed.append(self._deployed)

    def read(record: Any, contribution: Any, *, keeps_expired: bool) -> Any:
        _, new, reasons = real_read(record, contribution, keeps_expired=keeps_expired)
        old, _, _ = real_read(record, deployed[-1].contribution, keeps_expired=keeps_expired)
        return old, new, reasons

    patch.setattr(SourceShards, "__init__", init)
    patch.setattr(changes, "read", read)


def test_the_way_back_is_a_backfill_too_with_rows_of_its_own(monkeypatch: Patch) -> None:
    def schedule() -> tuple[str, Any]:
        with groupings(BY_REGION) as it:
            write_some(it, 0)
            it.on()
            it.backfill(WITH_SCORES)
            it.backfill(BY_REGION)
            it.off("map")
            write_some(it, 3)
            it.go_on()
            error = it.deliver("map", it.records("map"))
            it.on("reduce")
            it.system.mappings["map"].enabled = True
            return error, it.differences()

    assert schedule() == ("", {})
    monkeypatch.setattr(Assignment, "source", lambda self, shard: shard.source)
    error, differences = schedule()
    assert "RowClosedError" in error, (error, differences)


def test_a_total_that_has_the_identifier_of_another_gets_its_labels(monkeypatch: Patch) -> None:
    def differences() -> Any:
        with groupings(BY_REGION) as it:
            write_some(it, 0)
            it.on()
            it.backfill(BY_TYPE)
            return it.differences()

    assert not differences()
    monkeypatch.setattr(TotalsSide, "label_changes", lambda self: iter(()))
    assert "daily:a, Keys" in differences()


def test_a_measure_that_is_gone_is_removed_from_the_totals() -> None:
    with groupings(WITH_SCORES) as it:
        write_some(it, 0)
        it.on()
        assert "Score" in it.totals()["daily:a"]
        it.backfill(BY_REGION)

        assert not it.differences()
        assert "Score" not in it.totals()["daily:a"]


def test_a_measure_that_is_gone_does_not_come_back_with_a_late_checkpoint(
    monkeypatch: Patch,
) -> None:
    """Of a configuration that a killed run has registered, and under which no change has ever come.

    The next run gives totals a checkpoint for it by adding 0 to the measures of that time. The backfill that removes
    the measure removes this checkpoint too, and then the row that added 0 is delivered once more.
    """
    of_types = {**WITH_SCORES, "group_by": BY_TYPE["group_by"]}
    with groupings(WITH_SCORES) as it:
        write_some(it, 0)
        it.on()
        it.set("map", CONFIGURATION=json.dumps(of_types))
        with monkeypatch.context() as patch:
            patch.setattr(SourceSide, "move_rows", lambda *_given: kill())
            backfill_until_killed(it)
        it.backfill(WITH_SCORES)
        it.backfill(BY_REGION)
        assert not it.differences()

        it.deliver("reduce", it.records("reduce"))

        assert not it.differences()


def test_a_table_that_has_rows_counts_nothing_before_its_first_backfill(
    monkeypatch: Patch,
) -> None:
    rows = [{"id": {"S": f"old{n}"}, "region": {"S": "a"}, "type": {"S": "b"}} for n in range(3)]

    def totals_and_differences() -> tuple[Any, Any]:
        with groupings(BY_REGION, rows=rows, backfill="required") as it:
            write_some(it, 0)
            it.on()
            before = it.totals()
            it.backfill()
            write_some(it, 3)
            it.on()
            return before, it.differences()

    assert totals_and_differences() == ({}, {})
    real = SourceShards.__init__
    monkeypatch.setattr(
        SourceShards, "__init__", lambda self, *given, needs_backfill: real(self, *given)
    )
    before, _ = totals_and_differences()
    assert before


def test_what_was_kept_is_not_taken_out_by_a_backfill() -> None:
    """The table does not have it any more."""
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


def test_the_first_backfill_counts_what_is_there_and_keeps_what_expires_later() -> None:
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


def test_a_killed_first_backfill_is_followed_by_one_with_other_groupings_of_what_is_kept(
    monkeypatch: Patch,
) -> None:
    """No run has come to its end, so nobody was told of a total that another try would not give."""
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


def test_what_had_expired_under_the_former_configuration_stays_when_the_new_one_keeps_it(
    monkeypatch: Patch,
) -> None:
    """Time to live removes the row at the last moment at which it may."""
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


def test_totals_that_time_to_live_never_removes_are_removed_by_a_backfill() -> None:
    """It passes over what ended more than five years ago."""
    with groupings(by_day(retention_days=1)) as it:
        it.write("r0", at="2019-05-05")
        it.write("r1", at=datetime.fromtimestamp(EPOCH - 10 * 24 * 3600, UTC).isoformat()[:10])
        it.on()
        assert len(it.totals()) == 2
        it.backfill()

        assert "daily:2019-05-05" not in it.totals()
        # That one DynamoDB will remove, at no cost.
        assert len(it.totals()) == 1


def test_an_expired_total_that_another_configuration_kept_is_not_made_again_by_its_rows(
    monkeypatch: Patch,
) -> None:
    """Its former rows may be delivered again, and know no time at which the total ends.

    Reduce may have read before the backfill which configuration is live.
    """
    monkeypatch.setattr(Configurations, "live", lambda _self, _version: None)

    def differences() -> Any:
        with groupings(by_day()) as it:
            it.write("r0", at="2019-05-05")
            it.on()
            late = it.records("reduce")
            it.backfill(by_day(retention_days=1))
            it.deliver("reduce", late)
            it.on()
            return it.differences()

    assert not differences()
    real = TotalsSide.unneeded_rows
    monkeypatch.setattr(
        TotalsSide,
        "unneeded_rows",
        lambda self, number, _used: real(self, number, {self._run.configuration.version}),
    )
    assert differences()


def test_what_a_backfill_has_taken_back_from_an_expired_total_is_not_taken_back_again(
    monkeypatch: Patch,
) -> None:
    """Time to live removes the total with its checkpoints; then the correction is delivered again.

    Reduce may have read before the backfill which configuration is live, and so not know when the total expires.
    """
    monkeypatch.setattr(Configurations, "live", lambda _self, _version: None)
    yesterday = datetime.fromtimestamp(EPOCH - 2 * 24 * 3600, UTC).isoformat()[:10]

    def differences() -> Any:
        with groupings(by_day(retention_days=1)) as it:
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

    assert not differences()
    monkeypatch.setattr(Configuration, "has_total", lambda self, _identifier: True)
    assert differences()


def test_a_total_that_a_former_configuration_makes_again_expires_as_the_live_one_says(
    monkeypatch: Patch,
) -> None:
    """Time to live removes the total with its checkpoints; then a row from before the backfill is delivered again."""

    def differences() -> Any:
        with groupings(by_day()) as it:
            it.write("r0", at=datetime.fromtimestamp(EPOCH - 24 * 3600, UTC).isoformat()[:10])
            it.on()
            counted = it.records("reduce")
            it.go_on(seconds=22 * 3600)
            it.backfill(by_day(retention_days=1))
            it.go_on(seconds=3 * 3600)
            assert it.system.store.delete_expired("AggregateTable")
            it.deliver("reduce", counted)
            return it.differences()

    assert not differences()
    monkeypatch.setattr(Configurations, "live", lambda _self, _version: None)
    assert differences()


def test_a_shard_whose_records_are_all_trimmed_goes_on_where_map_had_come() -> None:
    """AWS closes a shard within hours; an emulator may keep one open for days."""
    for document in (BY_REGION, WITH_SCORES):
        with groupings(BY_REGION, markers=False) as it:
            write_some(it, 0)
            it.on()
            it.go_on(seconds=30 * 3600)
            it.backfill(document)
            write_some(it, 2)
            it.on()

            assert it.system.counts["backfills"] == 1
            assert not it.differences()


def test_markers_of_a_run_that_was_killed_are_removed_by_one_that_writes_none(
    monkeypatch: Patch,
) -> None:
    with groupings(BY_REGION) as it:
        write_some(it, 0)
        it.on()
        with monkeypatch.context() as patch:
            patch.setattr(SourceSide, "move_rows", lambda *_given: kill())
            backfill_until_killed(it)
        assert any(WATERMARK in row for row in it.system.rows(SOURCE))
        it.system.operator.markers = False
        it.backfill()

        assert not any(WATERMARK in row for row in it.system.rows(SOURCE))
        assert not it.differences()


def test_a_run_that_was_taken_over_writes_to_no_total(monkeypatch: Patch) -> None:
    """It sleeps before it reads the totals; when it wakes, another configuration is live, without a measure."""

    def differences() -> Any:
        with groupings(WITH_SCORES) as it, pytest.MonkeyPatch.context() as patch:
            write_some(it, 0)
            it.on()
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

    assert not differences()
    monkeypatch.setattr(StoredTotals, "change", without_looking(StoredTotals.change))
    assert differences()


def without_looking(change: Callable[..., bool]) -> Callable[..., bool]:
    def changed(totals: StoredTotals, changes: Any) -> bool:
        totals._require_own = lambda: None
        return change(totals, changes)

    return changed


def test_a_rebuild_that_began_before_a_backfill_leaves_its_configuration_live() -> None:
    """It has looked at what is live, and sleeps; the backfill comes to its end before the rebuild changes anything."""

    def differences(looks: int) -> Any:
        with groupings(BY_REGION) as it, pytest.MonkeyPatch.context() as patch:
            write_some(it, 0)
            it.on()
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


def test_a_run_that_sleeps_before_its_write_changes_no_total_that_another_run_has_corrected(
    monkeypatch: Patch,
) -> None:
    """It gives totals a measure that they lack; when it wakes, a configuration without that measure is live again."""

    def differences() -> Any:
        with groupings(BY_REGION) as it, pytest.MonkeyPatch.context() as patch:
            write_some(it, 0)
            it.on()
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
            it.world.at(
                it.world.now + 100, lambda: it.set("map", CONFIGURATION=json.dumps(BY_REGION))
            )
            it.world.at(it.world.now + 120, lambda: it.world.spawn(backfill))
            it.go_on()
            assert changes[0].values == {"Score": {"N": "0"}}
            assert it.system.counts["backfills"] == it.system.counts["backfills given up"] == 1
            return it.differences()

    assert not differences()
    monkeypatch.setattr(stored_totals, "lanes_of", lambda _name: None)
    assert differences()


def kill() -> None:
    raise Killed


def backfill_until_killed(it: GroupByScene) -> None:
    def work() -> None:
        with suppress(Killed):
            it.system.operator.rebuild(is_backfill=True)

    it.world.spawn(work)
    it.go_on()


def test_a_shard_that_a_restored_registry_has_lost_gets_rows_that_are_not_closed() -> None:
    for seed in range(1, 4):
        with groupings(BY_REGION, seed) as it:
            write_some(it, 0)
            it.on()
            rows = it.system.rows("RegistryTable")
            backup = [row for row in rows if not row["Scope"]["S"].startswith("source/")]
            it.backfill(WITH_SCORES)
            it.off("map")
            it.system.store.restore("RegistryTable", backup)
            it.system.functions["map"].forget_environments()
            it.rebuild()
            write_some(it, 2)
            it.on()

            assert it.system.counts["rebuilds"] == 1
            found = {name: int(row["Count"]["N"]) for name, row in it.totals().items()}
            assert {name: count for name, count in found.items() if count} == {
                "daily:a": 3,
                "daily:b": 2,
            }


def test_an_environment_of_map_from_before_a_registry_was_restored_forgets_what_was_in_it(
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
            # Of two environments either one may get a batch, and the other one may get it again.
            function._environments[:] = warm
            it.write("r7", region="a", type="b", score="7")
            it.on()
            it.deliver("map", it.records("map")[-1:])
            it.on()
            return it.differences()

    assert not differences(MEMORY_SECONDS)
    assert differences(math.inf)


def test_the_configuration_of_the_last_of_two_backfills_is_live() -> None:
    for seed in range(1, 6):
        with groupings(BY_REGION, seed) as it:
            write_some(it, 0)
            it.on()
            it.world.at(it.world.now + 4 * seed, partial(deploy_and_backfill, it))
            it.backfill(WITH_SCORES)
            it.backfill()
            write_some(it, 3)
            it.on()

            assert it.system.operator.made_live
            assert "types:a" not in {
                name for name, row in it.totals().items() if row["Count"] != {"N": "0"}
            }
            assert not it.differences()


def deploy_and_backfill(it: GroupByScene) -> None:
    it.set("map", CONFIGURATION=json.dumps(BY_TYPE))
    it.world.spawn(lambda: it.system.operator.rebuild(is_backfill=True))


def test_a_backfill_that_ends_at_any_call_is_simply_run_again(monkeypatch: Patch) -> None:
    """Somebody's apply switches the mapping on in between, and rows are written all along."""
    calls = calls_of_a_backfill(monkeypatch, ends_at=None)
    assert calls > 40

    for call in range(1, calls + 1):
        calls_of_a_backfill(monkeypatch, ends_at=call)


def stop_at_call(patch: Patch, call: int) -> None:
    """Let the next run be killed before its call of that number."""
    left = call
    real = operator._Pace.before

    def before(self: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed
        real(self)

    patch.setattr(operator._Pace, "before", before)


def calls_of_a_backfill(monkeypatch: Patch, ends_at: int | None) -> int:
    """Run a backfill that ends at its call of that number, and another one; the number of calls of the first."""
    calls = 0
    real = operator._Pace.before

    def before(self: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == ends_at:
            raise Killed
        real(self)

    def first(it: GroupByScene) -> None:
        with suppress(Killed):
            it.system.operator.rebuild(is_backfill=True)

    with groupings(BY_REGION, seed=ends_at or 1) as it:
        write_some(it, 0)
        it.on()
        it.set("map", CONFIGURATION=json.dumps(WITH_SCORES))
        with monkeypatch.context() as patch:
            patch.setattr(operator._Pace, "before", before)
            it.world.spawn(lambda: first(it))
            it.world.at(it.world.now + 6, lambda: write_some(it, 2))
            it.go_on()
        assert ends_at is None or calls >= ends_at, "the run has come to its end before"
        write_some(it, 4)
        it.system.mappings["map"].resume()
        # Until it is run again, Map may find its rows closed and no new ones.
        again = partial(it.system.operator.rebuild, is_backfill=True)
        it.world.at(it.world.now + 20, lambda: it.world.spawn(again))
        it.go_on()
        write_some(it, 6)
        it.go_on()
        assert not it.differences(), f"a backfill that ended at call {ends_at} of {calls}"
    return calls
