"""`leda backfill` on a table that users write to: the first run, changes of the configuration, and failures.

With the real handlers of Map and Reduce over the DynamoDB in memory.
"""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from leda.engine.delta_rows import CLOSED_BY
from leda.engine.group_by.configuration import WATERMARK
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.source_table import Tables
from leda_cli.operate.rebuilding import forecast
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS
from leda_cli.operate.rebuilding.rebuild_source import WAITING_SECONDS
from simulation.failures import Killed
from support.backfill_site import ONE, THREE, TWO, BackfillSite
from support.faults import after, instead, meanwhile
from support.lambda_events import event
from support.rebuild_site import Calls, each_call

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("console")]

Patch = pytest.MonkeyPatch


@pytest.fixture(params=[True, False], ids=["markers", "no markers"])
def markers(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_first_backfill_counts_the_rows_that_the_table_has(lanes: int, markers: bool) -> None:
    site = BackfillSite.begun(lanes)
    site.deploy(TWO)
    site.flow()
    assert site.total_rows() == {}, "Map waits for the backfill"

    site.backfill(markers=markers)

    assert site.found() == site.expected() != {}
    site.store()
    site.flow()
    site.check()


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_stream_without_both_images_is_refused_before_anything_is_changed(dry_run: bool) -> None:
    site = BackfillSite.begun()
    site.pipeline.dynamodb._of_table[site.table("State")].view = "KEYS_ONLY"
    work = site.backfill_work(Calls())
    with pytest.raises(LedaError, match="has KEYS_ONLY, and Map needs NEW_AND_OLD_IMAGES"):
        work.look() if dry_run else work.run()
    assert not work.is_open
    assert site.total_rows() == {}


def test_a_table_whose_stream_never_had_a_record_is_counted(markers: bool) -> None:
    site = BackfillSite.begun()
    site.pipeline.dynamodb.disable_stream(site.table("State"))
    site.pipeline.dynamodb.enable_stream(site.table("State"))
    site.backfill(markers=markers)
    site.store()
    site.flow()
    site.check()


def test_rows_that_are_written_during_the_scan_are_counted_once(markers: bool) -> None:
    site = BackfillSite.counted()
    site.deploy(TWO)

    class Writing(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            answer = super().call(name, send)
            site.store(1)
            return answer

    site.backfill(Writing(), markers=markers)
    site.flow()
    assert site.found() == site.expected()
    site.check()


def test_without_markers_nothing_is_written_to_the_users_table() -> None:
    site = BackfillSite.counted()
    written: list[str] = []

    class Watching(Calls):
        def wrap(self, real: Any) -> Any:
            class Client:
                def __getattr__(self, name: str) -> Any:
                    def call(**request: Any) -> Any:
                        if request.get("TableName") == site.table("State"):
                            written.append(name)
                        return getattr(real, name)(**request)

                    return call

            return Client() if hasattr(real, "put_item") else real

    site.deploy(TWO)
    site.backfill(Watching(), markers=False)
    assert {*written} == {"describe_table", "scan"}
    written.clear()
    site.backfill(Watching(), markers=True)
    assert {"put_item", "delete_item"} <= {*written}
    site.check()


@pytest.mark.parametrize("is_pipeline", [True, False])
def test_only_markers_of_a_pipeline_look_like_deleted_trades(
    is_pipeline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tables, "is_pipeline", is_pipeline)
    site = BackfillSite.begun()
    site.deploy(json.dumps({"path": "source", "measures": {"Count": {"op": "count"}}}))
    site.backfill(markers=True)
    images = [
        record["dynamodb"]["NewImage"]
        for records in site.records("map").values()
        for record in records
        if WATERMARK in record["dynamodb"].get("NewImage", {})
    ]
    trades = {"Deleted", "Version"} if is_pipeline else set()
    assert {frozenset(image) for image in images} == {
        frozenset({"place", "at", WATERMARK, *trades})
    }


# -- another configuration


def test_a_deployed_configuration_has_no_effect_until_the_backfill() -> None:
    site = BackfillSite.counted()
    site.deploy(TWO)
    site.renew()
    site.store()
    site.flow()
    assert site.found() == site.expected(), "still under the former configuration"

    site.backfill()

    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize("lanes", [1, 3])
def test_several_configurations_follow_each_other(lanes: int, markers: bool) -> None:
    site = BackfillSite.counted(lanes=lanes)
    for number, configuration in enumerate((TWO, THREE, TWO, ONE, ONE, TWO)):
        site.deploy(configuration)
        if number == 3:
            site.set_lanes(4)
        if number % 2:
            site.renew()
        site.store()
        site.flow()
        site.backfill(markers=markers)
        assert site.found() == site.expected()
        site.store()
        site.flow()
        assert site.found() == site.expected()
        site.roll("map")
    site.check()


def test_an_environment_with_the_former_assignment_counts_under_the_new_one() -> None:
    site = BackfillSite.counted()
    remembers = site.warm("map")
    site.deploy(TWO)
    site.backfill()
    site.store()
    site.deliver_new("map", remembers)
    site.deliver_new("reduce")
    assert site.found() == site.expected()
    site.check()


def test_a_shard_that_closed_before_the_backfill_is_covered() -> None:
    site = BackfillSite.counted()
    site.store()
    site.roll("map")
    site.store()
    site.deploy(TWO)
    site.backfill()
    site.flow()
    site.check()


# -- killed


@pytest.mark.parametrize("first", [True, False], ids=["first", "change"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_backfill_killed_at_any_call_is_completed_by_the_next(
    first: bool, place: str, markers: bool
) -> None:
    for calls in each_call(4):
        site = BackfillSite.begun() if first else BackfillSite.counted()
        site.deploy(TWO)
        calls.meet(instead(Killed()) if place == "before" else after(Killed()))
        with suppress(Killed):
            site.backfill(calls, markers=markers)
        site.store(1)
        site.flow()
        site.backfill(markers=markers)
        site.flow()
        assert site.found() == site.expected(), f"killed {place} call {calls.at}, {calls.log[-1]}"
        site.check_leftovers()
        site.check_labels()
    site.check()


def test_after_a_killed_backfill_the_former_configuration_can_be_made_live_again() -> None:
    for calls in each_call(5):
        site = BackfillSite.counted(ONE, 2)
        site.deploy(TWO)
        calls.meet(after(Killed()))
        with suppress(Killed):
            site.backfill(calls)
        site.deploy(ONE)
        site.store(1)
        site.flow()
        site.backfill()
        site.store(1)
        site.flow()
        assert site.found() == site.expected(), f"killed after call {calls.at}"
        # And back to the new configuration.
        site.deploy(TWO)
        site.backfill()
        site.store(1)
        site.flow()
        assert site.found() == site.expected(), f"killed after call {calls.at}, and back again"
    site.check()


def test_a_shard_that_closes_after_a_killed_backfill_does_not_block_map() -> None:
    """The killed run may have closed Map's rows and not have assigned the shard again."""
    closed = 0
    for calls in each_call():
        site = BackfillSite.counted()
        site.store(2)
        site.deploy(TWO)
        calls.meet(after(Killed()))
        with suppress(Killed):
            site.backfill(calls)
        rows = site.pipeline.rows("ReduceTable")
        closed += any(CLOSED_BY in row for row in rows)
        site.roll("map")
        site.store(2)
        site.backfill()
        for function in (site.warm("map"), site.pipeline.function("map")):
            for shard, records in site.records("map").items():
                function(event(records, shard))
        site.deliver_new("reduce")
        assert site.found() == site.expected(), f"killed after call {calls.at}"
    assert closed


@pytest.mark.parametrize("first", [True, False], ids=["first", "change"])
def test_deliveries_between_any_two_calls_leave_every_total_exact(
    first: bool, markers: bool
) -> None:
    """Map may run although its mapping is off: an invocation that was still running, or one by hand."""
    for calls in each_call(2):
        site = BackfillSite.begun() if first else BackfillSite.counted()
        site.deploy(TWO)

        def others(site: BackfillSite = site) -> None:
            site.store(2)
            site.deliver_new("map")
            site.deliver_new("reduce")

        calls.meet(meanwhile(others))
        site.backfill(calls, markers=markers)
        site.flow()
        assert site.found() == site.expected(), f"deliveries before call {calls.at}"
    site.check()


def test_another_run_between_any_two_calls_leaves_every_total_exact() -> None:
    """The run that continues later gives up, or has not changed what the other run decided."""
    for calls in each_call(3):
        site = BackfillSite.counted()
        site.deploy(TWO)

        def other(site: BackfillSite = site) -> None:
            site.deploy(THREE)
            site.backfill()

        calls.meet(meanwhile(other))
        work = site.backfill_work(calls)
        with suppress(LedaError):
            work.run()
        site.deploy(THREE)
        site.backfill()
        site.store(2)
        site.flow()
        assert site.found() == site.expected(), f"another run before call {calls.at}"
    site.check()


# -- late records


def test_a_late_record_makes_the_backfill_start_again(console: io.StringIO, markers: bool) -> None:
    """The scan has read the change, and its record is after the watermark, so it would count twice."""
    site = BackfillSite.counted()
    site.deploy(TWO)
    stream = site.pipeline.dynamodb._of_table[site.table("State")]
    site.put("late", "1")
    held = [stream.shard.records.pop()]
    # Without markers, a shard without records is read for some seconds more.
    slept, found = 0.0, STREAM_SECONDS + 1 if markers else WAITING_SECONDS + 6

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        site.sleep(seconds)
        if held and slept > found:
            record, number = held.pop(), next(stream.numbers)
            change = {**record.raw["dynamodb"], "SequenceNumber": str(number)}
            raw = {**record.raw, "dynamodb": change}
            stream.shard.records.append(replace(record, sequence=number, raw=raw))

    site.backfill_work(Calls(), sleep, markers=markers).run()

    site.live = TWO
    site.flow()
    assert "whose change is older than the end of the scan" in console.getvalue()
    assert site.found() == site.expected()
    site.check()


# -- expired rows that the totals keep


def _keeping(configuration: str) -> str:
    return configuration[:-1] + ', "on_expiry": "keep"}'


def test_totals_that_keep_expired_rows_allow_only_the_first_backfill() -> None:
    site = BackfillSite.begun()
    site.deploy(_keeping(ONE))
    work = site.backfill_work(Calls())
    assert work.run().is_first
    for again in (site.backfill_work(Calls()), site.work(Calls())):
        with pytest.raises(LedaError, match="no longer holds what was counted"):
            again.run()
        with pytest.raises(LedaError, match="no longer holds what was counted"):
            again.look()
    site.deploy(TWO)
    with pytest.raises(LedaError, match="no longer holds what was counted"):
        site.backfill()
    assert site.mappings.on == {"map": True}


def test_totals_may_be_changed_to_keep_expired_rows() -> None:
    site = BackfillSite.counted()
    site.deploy(_keeping(ONE))
    site.backfill_work(Calls()).run()
    assert site.found() == site.expected()


def test_a_killed_first_backfill_that_keeps_expired_rows_is_completed_by_the_next() -> None:
    for calls in each_call(5):
        site = BackfillSite.begun()
        site.deploy(_keeping(ONE))
        calls.meet(instead(Killed()))
        try:
            site.backfill_work(calls).run()
        except Killed:
            site.backfill_work(Calls()).run()
        site.live = ONE
        assert site.found() == site.expected()
        site.check_leftovers()


# -- totals with a retention


def test_expired_totals_are_not_changed() -> None:
    """Their source rows may still exist. Readers ignore expired totals, and time to live may have removed them."""
    grouping = {"daily": {"keys": ["date:day as day"], "retention_days": 1}}
    document = json.dumps({"group_by": grouping, "measures": {"Count": {"op": "count"}}})
    today = datetime.fromtimestamp(BackfillSite.begun().pipeline.dynamodb.now(), UTC).date()
    site = BackfillSite.begun(count=0)
    site.put("old", "1", date="2026-08-01")
    site.put("young", "1", date=str(today))
    site.deploy(document)

    work = site.backfill_work(Calls())
    assert {*work.look().expected.totals} == {f"daily:{today}"}
    assert {*work.run().expected.totals} == {f"daily:{today}"}

    rows = site.total_rows()
    assert {*rows} == {f"daily:{today}"}
    assert int(rows[f"daily:{today}"]["ExpiresAt"]["N"]) > site.pipeline.dynamodb.now()
    site.live = document
    site.check_labels()


# -- refusals


def test_a_rebuild_before_the_first_backfill_is_refused() -> None:
    site = BackfillSite.begun()
    work = site.work(Calls(), needs_backfill=True)
    with pytest.raises(LedaError, match="waits for the first backfill") as error:
        work.run()
    assert "leda backfill" in error.value.fix


def test_a_table_that_takes_longer_than_its_streams_retention_is_refused(
    monkeypatch: Patch,
) -> None:
    site = BackfillSite.counted()
    site.deploy(TWO)
    monkeypatch.setattr(forecast, "reading_seconds", lambda *_: 21 * 3600.0)
    with pytest.raises(LedaError, match="would take 21 hours with 1 segment,") as error:
        site.backfill()
    assert "--segments" in error.value.fix
    assert site.mappings.on == {"map": True}
    assert site.pipeline.rows("RegistryTable")
    site.live = ONE
    site.check_leftovers()


def test_a_dry_run_changes_nothing_and_returns_the_new_totals() -> None:
    site = BackfillSite.counted()
    site.deploy(TWO)
    before = {name: site.pipeline.rows(f"{name}Table") for name in ("Registry", "Aggregate")}
    result = site.backfill_work(Calls()).look()
    assert {name: site.pipeline.rows(f"{name}Table") for name in before} == before
    site.backfill()
    assert {each: amounts for each, amounts in result.expected.totals.items() if any(amounts)} == (
        site.expected()
    )


def test_progress_shows_how_far_behind_the_totals_are(console: io.StringIO) -> None:
    site = BackfillSite.counted()
    console.truncate(0)
    site.backfill()
    assert "the totals are 0 s behind" in console.getvalue()
    assert console.getvalue().count("done switching the mapping on") == 1
