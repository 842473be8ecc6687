"""`leda rebuild` killed before or after any of its calls, and with anybody writing between any two of them.

Over the DynamoDB in memory, which is fast enough for every call.
"""

import io
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from leda_cli import fences
from leda_cli import rebuild as rebuild_module
from leda_cli.errors import LedaError
from leda_cli.operations import Operation
from leda_cli.rebuild import Rebuild
from support.faults import Fault, Killed, after, cancelled, instead, meanwhile, timed_out
from support.memory_pipeline import MemoryPipeline
from support.pipeline import event
from support.rebuild_site import Calls, Site


@pytest.fixture(autouse=True)
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the command says."""
    text = io.StringIO()
    screen = Console(file=text, width=200)
    monkeypatch.setattr(Operation, "screen", property(lambda _self: screen))
    return text


@pytest.fixture(params=[False, True], ids=["no window", "window"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site.started(MemoryPipeline(), windowed=request.param)


def _journey(site: Site) -> int:
    """How many calls a rebuild of a damaged site makes."""
    site.lose()
    site.damage()
    calls = Calls()
    site.rebuild(calls)
    assert "transact_write_items" in calls.log
    return len(calls.log)


@pytest.mark.parametrize("place", ["before", "after"])
def test_killed_at_any_call_and_run_again_it_finishes(site: Site, place: str) -> None:
    end = instead(Killed()) if place == "before" else after(Killed())
    for number in range(1, _journey(site) + 1):
        site.lose()
        site.damage()
        calls = Calls(number, end)
        with pytest.raises(Killed):
            site.rebuild(calls)
        assert len(calls.log) == number
        site.rebuild()
        assert site.found() == site.expected(), f"killed {place} call {number}, {calls.log[-1]}"
        site.check_leftovers()
    site.check()


def test_killed_again_and_again_it_finishes_in_the_end(site: Site) -> None:
    site.lose()
    site.damage()
    draw = random.Random(3)
    for _ in range(12):
        calls = Calls(draw.randint(1, 40), after(Killed()))
        with pytest.raises(Killed):
            site.rebuild(calls)
    site.rebuild()
    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize(
    "fault",
    [after(timed_out()), instead(timed_out()), instead(cancelled("None", "TransactionConflict"))],
    ids=["lost answer", "no answer", "conflict"],
)
def test_a_transaction_without_an_answer_is_looked_up(site: Site, fault: Fault) -> None:
    site.lose()
    log = Calls()
    site.rebuild(log)
    places = [n for n, name in enumerate(log.log, 1) if name == "transact_write_items"]
    assert len(places) >= 3
    for number in places:
        site.lose()
        site.damage()
        site.rebuild(Calls(number, fault))
        assert site.found() == site.expected()
    site.check()


# -- others that write meanwhile


def _zombies(site: Site) -> dict[str, Callable[[], None]]:
    def state() -> None:
        site.store(1)

    def mapping() -> None:
        site.warm("map")(event(site.pipeline.stream_records("StateTable")))

    def reducing() -> None:
        if records := site.pipeline.stream_records("ReduceTable"):
            site.warm("reduce")(event(records, site.pipeline.shard("ReduceTable")))

    def all_three() -> None:
        state()
        mapping()
        reducing()

    return {"state": state, "map": mapping, "reduce": reducing, "all": all_three}


@pytest.mark.parametrize(
    ("site", "who"),
    [(False, "state"), (True, "map"), (False, "reduce"), (False, "all"), (True, "all")],
    indirect=["site"],
)
def test_deliveries_between_any_two_calls_leave_every_total_exact(site: Site, who: str) -> None:
    _hunt(site, who)
    site.check()


def _hunt(site: Site, who: str) -> None:
    """Deliveries by `who` before calls of a rebuild in turn; fails where a total is wrong then."""
    zombie = _zombies(site)[who]
    for number in range(1, _journey(site) + 1):
        # Some changes are lost, some totals damaged, some changes wait for Map.
        site.lose()
        site.damage()
        site.store(1)
        calls = Calls(number, meanwhile(zombie))
        site.rebuild(calls)
        site.check_leftovers()
        site.deliver(windowed=False)
        assert site.found() == site.expected(), f"{who} before call {number}, {calls.log[number-1]}"


def _ignore_strangers(patch: pytest.MonkeyPatch) -> None:
    draw = fences.Fence.draw
    blind: Any = lambda fence, after=None: replace(draw(fence, after), strangers=())  # noqa: E731
    patch.setattr(fences.Fence, "draw", blind)


def _do_not_check_map(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rebuild, "_unmoved", lambda _self, _line: [])


def _move_only(patch: pytest.MonkeyPatch, is_border: bool) -> None:
    move: Any = Rebuild._move

    def some(self: Rebuild, *given: Any, **named: Any) -> None:
        if named["is_border"] is is_border:
            move(self, *given, **named)

    patch.setattr(Rebuild, "_move", some)


def _leave_map(patch: pytest.MonkeyPatch) -> None:
    _move_only(patch, is_border=False)
    _do_not_check_map(patch)


def _leave_reduce(patch: pytest.MonkeyPatch) -> None:
    _move_only(patch, is_border=True)


@pytest.mark.parametrize("site", [True], indirect=True)
@pytest.mark.parametrize(
    ("weaken", "who"),
    [
        (_ignore_strangers, "state"),
        (_do_not_check_map, "all"),
        (_leave_map, "map"),
        (_leave_reduce, "map"),
    ],
)
def test_each_part_of_the_rebuild_is_needed(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    weaken: Callable[[pytest.MonkeyPatch], None],
    who: str,
) -> None:
    weaken(monkeypatch)
    with pytest.raises(AssertionError, match="before call"):
        _hunt(site, who)


def test_a_map_that_held_its_batch_from_before_and_goes_on_after_the_move_is_noticed(
    site: Site, console: io.StringIO
) -> None:
    """Its batch reaches beyond the line: what it adds is neither lost nor counted twice."""
    site.lose()
    calls = Calls()
    site.rebuild(calls)
    last = max(n for n, name in enumerate(calls.log, 1) if name == "transact_write_items")
    site.lose()
    site.rebuild(Calls(last, meanwhile(_zombies(site)["all"])))
    assert "once more" in console.getvalue()
    assert site.found() == site.expected()
    site.check()


def test_a_state_that_never_rests_ends_with_an_error_and_the_mappings_on_again(site: Site) -> None:
    calls = Calls()

    class Restless(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            if name == "scan":
                site.store(1)
            return super().call(name, send)

    with pytest.raises(LedaError, match="StateTable changed meanwhile"):
        site.rebuild(Restless())
    assert not calls.log
    site.check()


def test_a_run_whose_journal_was_taken_over_commits_nothing_more(site: Site) -> None:
    log = Calls()
    site.lose()
    site.rebuild(log)
    places = [n for n, name in enumerate(log.log, 1) if name == "transact_write_items"]
    for number in places:
        site.lose()
        with pytest.raises(LedaError, match="taken this one over"):
            site.rebuild(Calls(number, meanwhile(lambda: site.rebuild())))
        assert site.found() == site.expected()
    site.check()


def test_in_parts_killed_at_any_transaction_and_run_again_it_finishes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "MAX_ACTIONS", 6)
    for number in itertools.count(1):
        site.lose()
        site.damage()
        seen = itertools.count(1)

        class Ending(Calls):
            def call(self, name: str, send: Callable[[], Any]) -> Any:
                answer = super().call(name, send)
                if name == "transact_write_items" and next(seen) == number:  # noqa: B023
                    raise Killed
                return answer

        try:
            site.rebuild(Ending(), in_parts=True)
        except Killed:
            site.rebuild(in_parts=True)
            assert site.found() == site.expected()
            continue
        break
    assert number > 4
    site.check()
