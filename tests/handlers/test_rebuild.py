"""`leda rebuild` over DynamoDB Local: after any loss, killed anywhere, with anybody writing in between."""

import io
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from leda.checkpoints import padded
from leda_cli import fences
from leda_cli import rebuild as rebuild_module
from leda_cli.errors import LedaError
from leda_cli.mappings import LambdaMappings
from leda_cli.operations import Operation
from leda_cli.rebuild import Rebuild, Tables
from support import trades
from support.faults import (
    Fault,
    Killed,
    after,
    cancelled,
    client_error,
    instead,
    meanwhile,
    timed_out,
)
from support.pipeline import Function, Pipeline, event


class FakeMappings:
    """Mappings that are switched at once; nothing is delivered but by the test."""

    def __init__(self) -> None:
        self.on = {"state": True, "map": True, "reduce": True}

    def enabled(self) -> list[str]:
        return [name for name, is_on in self.on.items() if is_on]

    def pause(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, False)

    def resume(self, uuids: Iterable[str]) -> None:
        self.on |= dict.fromkeys(uuids, True)


@dataclass
class Calls:
    """Counts a run's calls; the one numbered `at` (from 1) meets `fault`."""

    at: int = 0
    fault: Fault | None = None
    log: list[str] = field(default_factory=list)

    def wrap(self, real: Any) -> Any:
        return _Wrapped(real, self)

    def call(self, name: str, send: Callable[[], Any]) -> Any:
        self.log.append(name)
        if self.fault and len(self.log) == self.at:
            return self.fault(send)
        return send()


class _Wrapped:
    def __init__(self, real: Any, calls: Calls) -> None:
        self._real, self._calls = real, calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return lambda *given, **named: self._calls.call(name, lambda: real(*given, **named))


@dataclass
class Site:
    """A pipeline with trades in it, and what its totals must be."""

    pipeline: Pipeline
    draw: random.Random
    sent: list[trades.Version] = field(default_factory=list)
    mappings: FakeMappings = field(default_factory=FakeMappings)
    numbers: Any = field(default_factory=itertools.count)
    functions: dict[str, Function] = field(default_factory=dict)

    def warm(self, name: str) -> Function:
        """An execution environment of the function that stays, and remembers what it did."""
        if name not in self.functions:
            self.functions[name] = self.pipeline.function(name)
        return self.functions[name]

    def store(self, count: int = 3) -> None:
        """Some messages through State."""
        name = next(self.numbers)
        made = [
            trades.Version(f"{name}-{each.id}", each.number, each.value, each.levels)
            for each in trades.versions(self.draw, count, 2)
        ]
        self.sent += made
        self.warm("state")(self.pipeline.kinesis_event(*trades.burst(self.draw, made, bad=0)))

    def lose(self) -> None:
        """Changes that Map has never seen: its checkpoint passes them, as if their 24 hours were over."""
        self.store()
        last = self.pipeline.stream_records("StateTable")[-1]["dynamodb"]["SequenceNumber"]
        self.pipeline.dynamodb.update_item(
            TableName=self.table("Checkpoint"),
            Key=self.key("Map", "StateTable"),
            UpdateExpression="SET #Sequence = :last",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":last": {"S": padded(int(last))}},
        )

    def key(self, function: str, table: str) -> dict[str, Any]:
        """The checkpoint under the stream's name, as deliveries without a window move it."""
        stream = self.pipeline.stream_arn(table)
        source = f"{self.pipeline.prefix}{function}Lambda|{stream}"
        return {"Source": {"S": source}, "Lane": {"S": stream}}

    def table(self, name: str) -> str:
        return f"{self.pipeline.prefix}{name}Table"

    def damage(self) -> None:
        """A total that somebody changed, one that is gone, and one of nothing."""
        rows = sorted(self.pipeline.totals())
        self.set_total(rows[0], {"N": "123456.5"})
        self.pipeline.dynamodb.delete_item(
            TableName=self.table("Aggregate"), Key={"Identifier": {"S": rows[1]}}
        )
        self.set_total("nobody", {"N": "7"})

    def set_total(self, name: str, value: dict[str, str]) -> None:
        self.pipeline.dynamodb.put_item(
            TableName=self.table("Aggregate"), Item={"Identifier": {"S": name}, "Value": value}
        )

    def rebuild(self, calls: Calls | None = None, **options: Any) -> rebuild_module.Result:
        return self.work(calls or Calls(), **options).run()

    def work(self, calls: Calls, **options: Any) -> Rebuild:
        pipeline = self.pipeline
        return Rebuild(
            calls.wrap(pipeline.dynamodb),
            calls.wrap(pipeline.streams),
            calls.wrap(self.mappings),
            Tables(
                self.table("State"),
                self.table("Reduce"),
                self.table("Aggregate"),
                self.table("Checkpoint"),
                f"{pipeline.prefix}MapLambda",
                f"{pipeline.prefix}ReduceLambda",
            ),
            Operation(as_json=False),
            segments=1,
            sleep=lambda _seconds: None,
            **options,
        )

    def deliver(self, windowed: bool) -> None:
        """Both streams from their beginning, to fresh functions."""
        for name, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
            if records := self.pipeline.stream_records(table):
                shard = self.pipeline.shard(table) if windowed else None
                self.pipeline.function(name)(event(records, shard))

    def found(self) -> dict[str, Decimal]:
        return {name: total for name, total in self.pipeline.totals().items() if total}

    def expected(self) -> dict[str, Decimal]:
        return trades.fold(self.sent)

    def check(self) -> None:
        """The totals are exact, now and after everything came again under either name; nothing is left over."""
        self.check_leftovers()
        for windowed in (False, True):
            self.deliver(windowed)
            assert self.found() == self.expected()

    def check_leftovers(self) -> None:
        assert self.mappings.on == {"state": True, "map": True, "reduce": True}
        for table in ("StateTable", "ReduceTable"):
            assert [row for row in self.pipeline.rows(table) if fences.ATTRIBUTE in row] == []
        sources = {row["Source"]["S"] for row in self.pipeline.rows("CheckpointTable")}
        assert rebuild_module.JOURNAL["Source"]["S"] not in sources


@pytest.fixture(autouse=True)
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the command says."""
    text = io.StringIO()
    screen = Console(file=text, width=200)
    monkeypatch.setattr(Operation, "screen", property(lambda _self: screen))
    return text


@pytest.fixture(params=[False, True], ids=["no window", "window"])
def site(pipeline: Pipeline, request: pytest.FixtureRequest) -> Site:
    """Trades whose totals are there; deliveries named the shard, or not."""
    made = Site(pipeline, random.Random(5))
    made.store(8)
    made.deliver(windowed=request.param)
    assert made.found() == made.expected()
    return made


def test_a_rebuild_of_exact_totals_changes_nothing(site: Site) -> None:
    before = site.pipeline.totals()

    assert site.rebuild().changes == []

    assert site.pipeline.totals() == before
    site.check()


def test_changes_that_were_lost_are_in_the_totals_again_and_counted_once(site: Site) -> None:
    site.lose()
    site.deliver(windowed=False)
    assert site.found() != site.expected()

    assert site.rebuild().changes

    assert site.found() == site.expected()
    site.check()


def test_totals_that_somebody_damaged_are_mended_and_a_row_of_nothing_becomes_0(site: Site) -> None:
    site.damage()
    site.set_total("no number", {"S": "x"})

    result = site.rebuild()

    assert site.found() == site.expected()
    assert site.pipeline.totals()["nobody"] == 0
    assert site.pipeline.totals()["no number"] == 0
    assert len(result.changes) == 4
    site.check()


@pytest.mark.parametrize("function", ["Map", "Reduce"])
def test_lost_checkpoints_are_written_anew(site: Site, function: str) -> None:
    table = "StateTable" if function == "Map" else "ReduceTable"
    stream = site.key(function, table)["Lane"]["S"]
    for lane in (stream, site.pipeline.shard(table)):
        site.pipeline.dynamodb.delete_item(
            TableName=site.table("Checkpoint"),
            Key={**site.key(function, table), "Lane": {"S": lane}},
        )
    # What the streams still hold comes again, in another cut, and is counted twice.
    records = site.pipeline.stream_records(table)
    site.warm(function.lower())(event(records[:3] if function == "Map" else records))
    site.deliver(windowed=True)
    assert site.found() != site.expected()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_changes_that_are_still_in_the_streams_are_not_counted_twice(site: Site) -> None:
    site.store()
    site.warm("map")(event(site.pipeline.stream_records("StateTable")))
    site.store()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_messages_after_the_rebuild_count(site: Site) -> None:
    site.lose()
    site.rebuild()
    site.store()
    site.check()


def test_a_dry_run_says_what_would_change_and_writes_nothing(site: Site) -> None:
    site.lose()
    before = {
        name: site.pipeline.rows(name) for name in ("StateTable", "ReduceTable", "CheckpointTable")
    }
    calls = Calls()

    result = site.work(calls).look()

    wrong = site.found()
    assert {change.identifier: change.new for change in result.changes} == {
        name: total
        for name, total in (dict.fromkeys(wrong, Decimal(0)) | site.expected()).items()
        if wrong.get(name, 0) != total
    }
    assert result.mappings == ["state", "map", "reduce"]
    assert set(calls.log) == {"scan", "enabled"}
    assert before == {name: site.pipeline.rows(name) for name in before}


def test_mappings_that_were_off_stay_off(site: Site) -> None:
    site.mappings.on["map"] = False

    site.rebuild()

    assert site.mappings.on == {"state": True, "map": False, "reduce": True}


# -- killed


def _journey(site: Site) -> int:
    """How many calls a rebuild of a damaged site makes."""
    site.lose()
    site.damage()
    calls = Calls()
    site.rebuild(calls)
    assert "transact_write_items" in calls.log
    return len(calls.log)


@pytest.mark.parametrize(("site", "place"), [(False, "before"), (True, "after")], indirect=["site"])
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
    ("site", "who", "first"),
    [(False, "state", 1), (True, "map", 2), (False, "reduce", 3), (True, "all", 1)],
    indirect=["site"],
)
def test_deliveries_between_any_two_calls_leave_every_total_exact(
    site: Site, who: str, first: int
) -> None:
    # Every third call: the simulation's operator meets deliveries everywhere.
    _hunt(site, who, first, step=3)
    site.check()


def _hunt(site: Site, who: str, first: int = 1, step: int = 1) -> None:
    """Deliveries by `who` before calls of a rebuild in turn; fails where a total is wrong then."""
    zombie = _zombies(site)[who]
    for number in range(first, _journey(site) + 1, step):
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


# -- too much for one transaction


def test_more_totals_than_a_transaction_holds_are_refused_and_nothing_is_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "MAX_ACTIONS", 6)
    site.lose()
    site.damage()
    before = site.pipeline.totals()
    with pytest.raises(LedaError, match="one transaction sets 3") as error:
        site.rebuild()
    assert "--in-parts" in error.value.fix
    assert site.pipeline.totals() == before
    site.check_leftovers()

    site.rebuild(in_parts=True)

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


# -- what cannot be mended


def test_a_total_that_no_row_can_hold_is_named_and_nothing_is_changed(site: Site) -> None:
    for name, value in (("a", "1E+27"), ("b", "1E-27")):
        row = {"id": {"S": name}, "Version": {"N": "1"}, "Path": {"S": "PV:wide"}}
        site.pipeline.dynamodb.put_item(
            TableName=site.table("State"), Item={**row, "Value": {"N": value}}
        )
    with pytest.raises(LedaError, match="more than the 38 digits") as error:
        site.rebuild()
    assert "PV:wide" in error.value.what
    site.check_leftovers()


def test_a_checkpoint_that_somebody_wrote_by_hand_is_named(site: Site) -> None:
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Checkpoint"),
        Item={**site.key("Map", "StateTable"), "Sequence": {"S": "17"}},
    )
    with pytest.raises(LedaError, match="not 56 digits") as error:
        site.rebuild()
    assert "delete the row" in error.value.fix


def test_a_checkpoint_beyond_the_stream_is_named_and_deleting_it_mends_it(site: Site) -> None:
    key = site.key("Map", "StateTable")
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Checkpoint"), Item={**key, "Sequence": {"S": "9" * 56}}
    )
    site.store()
    with pytest.raises(LedaError, match="beyond what the rebuild has read"):
        site.rebuild()
    assert site.mappings.enabled() == []
    site.pipeline.dynamodb.delete_item(TableName=site.table("Checkpoint"), Key=key)

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_a_trade_whose_id_is_a_markers_stays(site: Site) -> None:
    site.sent.append(trades.Version("leda-fence-0", 1, "5", ("PV", "a", "EMEA")))
    site.warm("state")(site.pipeline.kinesis_event(site.sent[-1].message()))

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


# -- the mappings themselves


class FakeLambda:
    """Mappings that take a look or two to change, and refuse a second change meanwhile."""

    def __init__(self, states: dict[str, str], functions: dict[str, list[str]]) -> None:
        self.states, self.functions = states, functions
        self.busy = 0

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:
        if UUID not in self.states:
            raise client_error("ResourceNotFoundException")
        state = self.states[UUID]
        self.states[UUID] = {"Disabling": "Disabled", "Enabling": "Enabled"}.get(state, state)
        return {"State": state}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:
        if self.busy:
            self.busy -= 1
            raise client_error("ResourceInUseException")
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def get_paginator(self, _name: str) -> Any:
        pages = SimpleNamespace()
        pages.paginate = lambda FunctionName: [
            {"EventSourceMappings": [{"UUID": each} for each in self.functions[FunctionName]]}
        ]
        return pages


def _mappings(client: Any, uuids: dict[str, str]) -> LambdaMappings:
    now = itertools.count()
    return LambdaMappings(
        client, {"map": "MapLambda"}, uuids, lambda: float(next(now)), lambda _seconds: None
    )


def test_a_mapping_is_off_when_lambda_says_so_and_on_again_likewise() -> None:
    client = FakeLambda({"u1": "Enabled"}, {})
    client.busy = 2
    mappings = _mappings(client, {"map": "u1"})
    assert mappings.enabled() == ["u1"]
    mappings.pause(["u1"])
    assert client.states == {"u1": "Disabled"}
    assert mappings.enabled() == []
    mappings.resume(["u1"])
    assert client.states == {"u1": "Enabled"}


@pytest.mark.parametrize("uuids", [{}, {"map": "gone"}])
def test_a_mapping_that_was_made_anew_is_found_by_its_function(uuids: dict[str, str]) -> None:
    client = FakeLambda({"u2": "Enabled"}, {"MapLambda": ["u2"]})
    assert _mappings(client, uuids).enabled() == ["u2"]


def test_a_function_without_a_mapping_is_an_error_that_names_it() -> None:
    with pytest.raises(LedaError, match="MapLambda has no event source mapping"):
        _mappings(FakeLambda({}, {"MapLambda": []}), {}).enabled()


def test_a_mapping_that_never_changes_ends_the_wait_with_its_state() -> None:
    client = FakeLambda({"u1": "Enabled"}, {})
    client.busy = 10**6
    with pytest.raises(LedaError, match="u1 is Enabled"):
        _mappings(client, {"map": "u1"}).pause(["u1"])
