"""`leda rebuild` killed before or after any of its calls, and with other writers between any two of its calls.

Over the DynamoDB in memory, which is fast enough to try every call.
"""

import io
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from leda.engine.delta_rows import RESERVED
from leda_cli.base.errors import LedaError
from leda_cli.operate.rebuilding.journal import KEY
from leda_cli.operate.rebuilding.lane_rows import SOURCE, LaneRows, Lanes
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS
from leda_cli.operate.rebuilding.rebuild_totals import TotalsSide
from simulation.failures import Killed, client_error
from support.faults import after, instead, meanwhile
from support.memory_pipeline import MemoryPipeline
from support.rebuild_site import STREAMS, Calls, Site, each_call

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("console")]

Patch = pytest.MonkeyPatch


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site.started(MemoryPipeline(), request.param)


def _journey(site: Site) -> int:
    """The number of calls of a rebuild of a damaged site."""
    site.lose()
    site.damage()
    calls = Calls()
    site.rebuild(calls)
    return len(calls.log)


def _sites(given: Site, step: int = 1) -> Iterator[tuple[Site, Calls]]:
    """A rebuild's calls, each with a site. Every eighth site is a new one, because a long history is slow."""
    for calls in each_call(step):
        if calls.at // step % 8 == 0:
            given = Site.started(MemoryPipeline(), given.lanes)
        yield given, calls


# -- killed


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_rebuild_killed_at_any_call_is_completed_by_the_next(site: Site, place: str) -> None:
    for each, calls in _sites(site):
        each.lose()
        each.damage()
        calls.meet(instead(Killed()) if place == "before" else after(Killed()))
        with suppress(Killed):
            each.rebuild(calls)
        each.rebuild()
        assert each.found() == each.expected(), f"killed {place} call {calls.at}, {calls.log[-1]}"
        each.check_leftovers()
    each.check()


def _kill(site: Site, calls: Calls) -> None:
    """Run a rebuild that is killed after a call."""
    calls.meet(after(Killed()))
    with suppress(Killed):
        site.rebuild(calls)


def test_a_rebuild_that_is_killed_repeatedly_is_completed_in_the_end(site: Site) -> None:
    site.lose()
    site.damage()
    draw = random.Random(3)
    for _ in range(12):
        _kill(site, Calls(at=draw.randint(1, 60)))
        site.store(1)
    site.rebuild()
    site.flow()
    assert site.found() == site.expected()
    site.check()


def test_the_next_run_repairs_totals_if_the_mapping_was_switched_on_after_a_kill(
    site: Site,
) -> None:
    """Until then totals lack the changes between Map's rows and the totals, so the journal stays open."""
    for each, calls in _sites(site, 3):
        each.lose()
        _kill(each, calls)
        each.mappings.on["map"] = True
        each.store()
        each.flow()
        each.rebuild()
        each.flow()
        assert each.found() == each.expected(), f"killed after call {calls.at}"
    each.check()


@pytest.mark.parametrize("is_on", [False, True])
def test_the_next_run_counts_how_long_the_mapping_has_been_off(site: Site, is_on: bool) -> None:
    site.work(Calls()).journal.open(["map"])
    site.mappings.on["map"] = is_on
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    site.pipeline.dynamodb.update_item(
        TableName=site.table("Registry"),
        Key=KEY,
        UpdateExpression="SET #Started = :ago",
        ExpressionAttributeNames={"#Started": "Started"},
        ExpressionAttributeValues={":ago": {"S": an_hour_ago}},
    )
    assert (site.rebuild().behind_seconds > 3600) is not is_on


def test_a_throttled_put_is_repeated(site: Site) -> None:
    refused: set[tuple[str, str]] = set()

    class Throttling(Calls):
        def wrap(self, real: Any) -> Any:
            class Client:
                def __getattr__(self, name: str) -> Any:
                    return getattr(real, name)

                def put_item(self, **request: Any) -> Any:
                    item = request["Item"]
                    if request["TableName"] == site.table("Reduce"):
                        place = item["Lane"]["S"], item["Sequence"]["S"]
                        if place not in refused:
                            refused.add(place)
                            raise client_error("ProvisionedThroughputExceededException")
                    return real.put_item(**request)

            return Client()

    site.lose()
    site.damage()
    site.rebuild(Throttling())
    # In each lane: the moved row, two markers, and the corrections.
    assert len(refused) == 4 * site.lanes
    assert site.found() == site.expected()
    site.check()


# -- other writers meanwhile


def _zombies(site: Site) -> dict[str, Callable[[], None]]:
    def all_three() -> None:
        site.store(1)
        site.deliver_new("map")
        site.deliver_new("reduce")

    return {
        "state": partial(site.store, 1),
        "map": partial(site.deliver_new, "map"),
        "reduce": partial(site.deliver_new, "reduce"),
        "all": all_three,
    }


@pytest.mark.parametrize("who", ["state", "map", "reduce", "all"])
def test_deliveries_between_any_two_calls_leave_every_total_exact(site: Site, who: str) -> None:
    """Map may run although its mapping is off: an invocation that was still running, or one by hand."""
    for each, calls in _sites(site):
        zombie = _zombies(each)[who]
        # Some changes are lost, some totals damaged, some changes wait for Map.
        each.lose()
        each.damage()
        each.store(1)
        calls.meet(meanwhile(zombie))
        each.rebuild(calls)
        each.check_leftovers()
        each.flow()
        assert each.found() == each.expected(), f"{who} before call {calls.at}, {calls.log[-1]}"


@pytest.mark.parametrize(
    ("rolls", "said"), [(False, "Map went on at"), (True, "Map has met new shards")]
)
def test_deliveries_of_map_after_its_rows_were_moved_are_detected(
    site: Site, console: io.StringIO, monkeypatch: Patch, rolls: bool, said: str
) -> None:
    """Map's changes are from after the watermark, and are neither lost nor counted twice."""
    drain: Any = TotalsSide.drain
    once = iter([True])

    def draining(work: TotalsSide) -> Any:
        if next(once, False):
            if rolls:
                site.roll("map")
            _zombies(site)["all"]()
        return drain(work)

    site.lose()
    monkeypatch.setattr(TotalsSide, "drain", draining)
    site.rebuild()
    assert said in console.getvalue()
    assert "once more" in console.getvalue()
    assert site.found() == site.expected()
    site.check()


def test_a_map_that_never_rests_is_an_error(site: Site) -> None:
    class Restless(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            if name == "put_item":
                _zombies(site)["all"]()
            return super().call(name, send)

    site.lose()
    with pytest.raises(LedaError, match="did not rest in 5 tries"):
        site.rebuild(Restless())
    assert site.mappings.enabled() == []
    site.rebuild()
    site.flow()
    assert site.found() == site.expected()
    site.check()


# -- two at once


def test_a_run_that_was_taken_over_at_any_call_changes_no_total(site: Site) -> None:
    taken = 0
    for each, calls in _sites(site):
        each.lose()
        each.damage()

        def other(each: Site = each) -> None:
            each.rebuild()

        calls.meet(meanwhile(other))
        taken += _is_taken_over(each, calls)
        each.flow()
        assert each.found() == each.expected(), f"another run before call {calls.at}"
        each.check_leftovers()
    assert taken > 20
    each.check()


def _is_taken_over(site: Site, calls: Calls) -> bool:
    """Run a rebuild. Returns whether it ended because another run had taken it over."""
    try:
        site.rebuild(calls)
    except LedaError as error:
        if "taken this one over" not in error.what:
            raise
        return True
    return False


def test_a_third_run_completes_two_runs_of_which_one_was_killed(site: Site) -> None:
    draw = random.Random(7)
    journey = _journey(site)
    for _ in range(25):
        site.lose()
        site.damage()
        # A later run may make fewer calls, because it takes over the work of the first one.
        first, second = (Calls(at=draw.randint(1, journey * 3 // 4)) for _ in range(2))

        def other(second: Calls = second) -> None:
            second.meet(draw.choice((after, instead))(Killed()))
            with suppress(Killed):
                site.rebuild(second)
            site.store(1)

        first.meet(meanwhile(other))
        with suppress(LedaError):
            site.rebuild(first)
        site.rebuild()
        site.flow()
        assert site.found() == site.expected(), f"the second at {first.at}, killed at {second.at}"
        site.check_leftovers()
    site.check()


def _two_numbers_of_lanes(given: Site) -> None:
    """Only the earlier run has used its lanes, so the later one knows them from the registry."""
    for calls in each_call(2):
        site = Site.started(MemoryPipeline(), given.lanes)
        site.lose()

        def other(site: Site = site) -> None:
            site.lanes = given.lanes
            site.rebuild()

        site.lanes = 5
        calls.meet(meanwhile(other))
        _is_taken_over(site, calls)
        site.flow()
        assert site.found() == site.expected(), f"another run before call {calls.at}"


# -- each part is needed (tests/simulated/test_directed_rebuilds.py and test_mutations_rebuild.py have the others)


def _correct_what_differs_only(patch: Patch) -> None:
    correct: Any = LaneRows.correct

    def some(rows: LaneRows, lanes: Lanes, amounts: Any) -> None:
        correct(rows, lanes, [(node, added) for node, added in amounts if any(added)])

    patch.setattr(LaneRows, "correct", some)


def _know_lanes_that_shards_use(patch: Patch) -> None:
    every: Any = TotalsSide.all_lanes

    def used(work: TotalsSide) -> list[Lanes]:
        return [lanes for lanes in every(work) if lanes == work.lanes or lanes.count < 5]

    patch.setattr(TotalsSide, "all_lanes", used)


def _checkpoints_are_lost(site: Site) -> None:
    """Rows written by hand have the right values and no checkpoints."""
    site.change_lanes()
    for name, row in site.total_rows().items():
        site.pipeline.dynamodb.put_item(
            TableName=site.table("Aggregate"),
            Item={"Identifier": {"S": name}, "Value": row["Value"], "Count": row["Count"]},
        )
    site.rebuild()
    site.check()


@pytest.mark.parametrize(
    ("weaken", "play"),
    [
        (_correct_what_differs_only, _checkpoints_are_lost),
        (_know_lanes_that_shards_use, _two_numbers_of_lanes),
    ],
)
def test_each_part_of_the_rebuild_is_needed(
    site: Site, monkeypatch: Patch, weaken: Callable[[Patch], None], play: Callable[[Site], None]
) -> None:
    play(site)
    weaken(monkeypatch)
    with pytest.raises(AssertionError):
        play(Site.started(MemoryPipeline(), site.lanes))


# -- pauses


def test_markers_follow_the_corrections_of_their_lane_in_one_row(site: Site) -> None:
    """AWS promises the order of the records of one row, so that a run need not pause before its second markers."""
    site.lose()
    before = len(site.pipeline.stream_records("ReduceTable"))
    site.rebuild()
    rows: dict[str, list[tuple[str, bool]]] = {}
    for record in site.pipeline.stream_records("ReduceTable")[before:]:
        image = record["dynamodb"]["NewImage"]
        if totals := image["Totals"]["M"]:
            is_marker = all(name.startswith(RESERVED) for name in totals)
            rows.setdefault(image["Lane"]["S"], []).append((image["Source"]["S"], is_marker))
    written = [(SOURCE, True), (SOURCE, False), (SOURCE, True)]
    assert len(rows) == site.lanes
    assert all(found == written for found in rows.values())
    site.check()


def test_a_rebuild_pauses_after_the_scan_and_before_the_first_markers(site: Site) -> None:
    """A record may appear some time after its write, and after records of later writes."""
    log: list[str] = []

    class Telling(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            log.append(name)
            return super().call(name, send)

    def sleep(seconds: float) -> None:
        log.append(f"{seconds} s")
        site.flow()

    site.rebuild(Telling(), sleep=sleep)
    pause = f"{STREAM_SECONDS} s"
    assert log.count(pause) == 2
    end = log.index(pause)
    assert "scan" in log[:end]
    assert "put_item" not in log[len(log) - log[::-1].index("scan", len(log) - end) : end]
    assert STREAMS == {"map": "StateTable", "reduce": "ReduceTable"}
