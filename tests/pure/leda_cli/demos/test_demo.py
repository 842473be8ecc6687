"""`leda demo`: the rounds, when totals count as settled, and the verdict."""

import io
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from leda.pipeline import game
from leda_cli.base.errors import LedaError
from leda_cli.demos import demo as demo_module
from leda_cli.demos.demo import Round, demo, print_verdict, verdict_table
from leda_cli.demos.load import load
from leda_cli.demos.settling import Outcome, baseline, settle
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals import comparison, screen
from leda_cli.operate.totals.comparison import Difference, Phase, Settling
from leda_cli.operate.totals.oracle import NOTHING, Names, Oracle, Total
from support.clock import Clock

CALM = {
    "SPECIAL_TRADES": 0,
    "FAILURE_STATE_LAMBDA_PCT": 0,
    "FAILURE_MAP_LAMBDA_PCT": 0,
    "FAILURE_REDUCE_LAMBDA_PCT": 0,
}
HARD = {
    "SPECIAL_TRADES": 1,
    "FAILURE_STATE_LAMBDA_PCT": 5,
    "FAILURE_MAP_LAMBDA_PCT": 10,
    "FAILURE_REDUCE_LAMBDA_PCT": 10,
}


class FakeStack:
    """A pipeline in memory: it accepts records, and its totals change after `looks` reads."""

    stream = "IncomingDataStream"
    aggregate_table = "AggregateTable"
    parameter_table = "ParameterTable"
    endpoint = "http://127.0.0.1:4750"
    names = Names()

    def __init__(self, looks: int = 3) -> None:
        self.kinesis = self
        self.oracle = Oracle()
        self.shown: dict[str, Total] = {}
        self.looks = looks
        self.left = 0
        self.off = Decimal(0)
        self.written: list[dict[str, int]] = []
        self.interrupt_at_look: int | None = None
        self.asked = 0

    def check(self) -> None:
        pass

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        for record in Records:
            self.oracle.see_bytes(record["Data"])
        self.left = self.looks
        return {"FailedRecordCount": 0, "Records": [{} for _ in Records]}

    def totals(self) -> dict[str, Total]:
        self.asked += 1
        if self.asked == self.interrupt_at_look:
            raise KeyboardInterrupt
        if self.left:
            self.left -= 1
        else:
            self.shown = self.oracle.totals()
            if self.off:
                known = self.shown.get("PV", NOTHING)
                self.shown["PV"] = Total(known.trades, known.value + self.off)
        return self.shown

    def state(self) -> Iterator[dict[str, Any]]:
        for name, (version, path, value) in self.oracle._state.items():
            yield {"id": name, "Version": version, "Value": value, "Path": path}

    def set_parameters(self, values: dict[str, int]) -> None:
        self.written.append(dict(values))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the demo's own waiting moves."""
    clock = Clock()
    patience, *_ = settle.__defaults__ or ()
    monkeypatch.setattr(settle, "__defaults__", (patience, clock, clock.sleep))
    monkeypatch.setattr(comparison, "time", SimpleNamespace(monotonic=clock, sleep=clock.sleep))
    return clock


class NoPage:
    """Stands in for the process of the live page."""

    def announce(self) -> None:
        print("Watch it live: nowhere")

    def end(self) -> None:
        pass


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> FakeStack:
    stack = FakeStack()
    monkeypatch.setattr(Stack, "find", lambda *_: stack)
    monkeypatch.setattr(demo_module, "live_page", lambda *_: nullcontext(NoPage()))
    return stack


def test_totals_have_settled_when_they_match_for_two_seconds() -> None:
    settling = Settling({"PV": Decimal(2)}, began=0.0)
    assert settling.look({"PV": Decimal(1)}, 1.0) is Phase.MOVING
    assert settling.look({"PV": Decimal(2)}, 2.0) is Phase.HOLDING
    assert settling.look({"PV": Decimal(2)}, 3.9) is Phase.HOLDING
    assert settling.look({"PV": Decimal(2)}, 4.0) is Phase.SETTLED
    assert settling.matched == 2.0


def test_a_total_that_changes_after_a_match_has_not_settled() -> None:
    settling = Settling({"PV": Decimal(2)}, began=0.0)
    settling.look({"PV": Decimal(2)}, 1.0)
    assert settling.look({"PV": Decimal(4)}, 2.0) is Phase.MOVING
    assert settling.matched is None
    assert settling.look({"PV": Decimal(2)}, 3.0) is Phase.HOLDING
    assert settling.matched == 3.0


def test_patience_counts_from_the_last_change() -> None:
    settling = Settling({"PV": Decimal(9)}, began=0.0, patience=120)
    assert settling.look({"PV": Decimal(1)}, 1.0) is Phase.MOVING
    assert settling.look({"PV": Decimal(2)}, 100.0) is Phase.MOVING
    assert settling.look({"PV": Decimal(2)}, 219.9) is Phase.MOVING
    assert settling.look({"PV": Decimal(2)}, 220.0) is Phase.STUCK
    assert settling.wrong == [Difference("PV", Decimal(9), Decimal(2))]


def test_patience_counts_from_the_beginning_when_nothing_changes() -> None:
    settling = Settling({"PV": Decimal(9)}, began=0.0, patience=120)
    assert settling.look({}, 119.0) is Phase.MOVING
    assert settling.look({}, 120.0) is Phase.STUCK


def test_the_seconds_to_settle_end_at_the_first_match() -> None:
    clock = Clock()
    stack: Any = FakeStack(looks=8)
    stack.put_records("", [{"Data": _message("a", "5")}])
    last_put = clock.now
    view: Any = SimpleNamespace(settling=lambda *_: None)
    outcome = settle(stack, stack.oracle.totals(), last_put, view, clock=clock, sleep=clock.sleep)
    assert outcome == Outcome(8 * comparison.POLL_SECONDS)
    assert clock.now - last_put == 8 * comparison.POLL_SECONDS + comparison.HOLD_SECONDS


def _message(name: str, value: str) -> bytes:
    place = '{"RiskType": "PV", "Region": "EMEA", "TradeDesk": "FXSpot"}'
    return f'{{"TradeID": "{name}", "Version": 0, "Value": {value}, "Hierarchy": {place}}}'.encode()


def test_three_exact_rounds_are_reported_as_exact(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(rounds=3, messages=400, seed=7)
    shown = capsys.readouterr().out
    table = shown[shown.index("==> Verdict") :]
    rounds = [line.split() for line in table.splitlines() if line.strip()[:1].isdigit()]
    kinds_and_verdicts = [(cells[1], cells[-1]) for cells in rounds]
    assert kinds_and_verdicts == [("plain", "exact"), ("hard", "exact"), ("hard", "exact")]
    assert "Exact: 1,200 messages, no total off by any amount." in shown
    assert "Local AWS at http://127.0.0.1:4750" in shown


def test_faults_are_on_in_hard_rounds_and_off_at_the_end(stack: FakeStack) -> None:
    demo(rounds=3, messages=80, seed=7)
    assert stack.written == [CALM, CALM, HARD, HARD, CALM]


def test_a_demo_may_use_a_larger_hierarchy(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(rounds=2, messages=400, hierarchy="5x5x6", seed=7)
    assert "no total off by any amount" in " ".join(capsys.readouterr().out.split())
    assert 150 < len(stack.oracle.totals()) <= 5 + 25 + 150
    with pytest.raises(LedaError, match="3"):
        demo(rounds=1, messages=80, hierarchy="20x20", seed=7)


def test_a_repeated_game_is_exact_and_warns_that_it_proves_little(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(rounds=2, messages=400, seed=7)
    before = stack.oracle.totals()
    assert "proves little" not in capsys.readouterr().out
    demo(rounds=2, messages=400, seed=7)
    assert stack.oracle.totals() == before
    shown = capsys.readouterr().out
    assert "trades exist already; the rounds add to them" in shown
    assert "400 of these trades existed before" in shown


def test_a_total_that_goes_wrong_after_the_last_round_is_found(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoiled(*_: Any) -> None:
        stack.off = Decimal("0.01")

    monkeypatch.setattr(demo_module, "report_round", spoiled)
    with pytest.raises(typer.Exit) as end:
        demo(rounds=1, messages=80, seed=7)
    assert end.value.exit_code == 1
    assert "off by +0.01" in capsys.readouterr().out


def test_a_stack_that_stops_answering_is_an_error_with_a_fix(stack: FakeStack) -> None:
    def gone() -> dict[str, Total]:
        raise EndpointConnectionError(endpoint_url=stack.endpoint)

    stack.totals = gone  # type: ignore[method-assign]
    with pytest.raises(LedaError, match="no longer answers") as error:
        demo(rounds=1, messages=80, seed=7)
    assert "make up" in error.value.fix


def test_an_error_says_when_faults_cannot_be_switched_off(stack: FakeStack) -> None:
    def gone(values: dict[str, int]) -> None:
        stack.written.append(values)
        if len(stack.written) == 3:
            raise EndpointConnectionError(endpoint_url=stack.endpoint)

    stack.set_parameters = gone  # type: ignore[method-assign]
    with pytest.raises(LedaError, match="could not be switched off") as error:
        demo(rounds=1, messages=80, seed=7)
    assert "FAILURE_STATE_LAMBDA_PCT" in error.value.fix


def test_a_total_off_by_a_cent_is_listed_and_ends_with_status_1(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = demo_module.play_round

    def spoiled(*given: Any) -> Round:
        if given[2] == 2:
            stack.off = Decimal("0.01")
        return played(*given)

    monkeypatch.setattr(demo_module, "play_round", spoiled)
    with pytest.raises(typer.Exit) as end:
        demo(rounds=3, messages=400, seed=7)
    shown = capsys.readouterr().out
    assert end.value.exit_code == 1
    assert "1 total differs" in shown
    assert "off by +0.01" in shown
    assert "look at MapLambda and ReduceLambda" in shown
    assert "remaining rounds are not played" in shown
    assert stack.written[-1] == CALM


def test_a_total_that_is_wrong_before_the_demo_is_an_error(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put_records("", [{"Data": _message("a", "5")}])
    stack.off = Decimal(-1)
    with pytest.raises(LedaError, match=r"1 total differs .* before anything was sent"):
        baseline(stack)  # type: ignore[arg-type]
    assert "off by -1" in capsys.readouterr().out


def test_ctrl_c_resets_the_faults_and_ends_with_status_130(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(rounds=1, messages=80, seed=7)
    stack.interrupt_at_look = stack.asked + 15
    with pytest.raises(typer.Exit) as end:
        demo(rounds=1, messages=80, seed=8)
    assert end.value.exit_code == 130
    assert stack.written[-2:] == [HARD, CALM]
    shown = capsys.readouterr().out
    assert "Interrupted. Fault injection is switched off" in shown
    assert "Traceback" not in shown


def _round(number: int, hard: bool, outcome: Outcome) -> Round:
    counts = game.Counts(messages=10_000, new=8_490, newer=251, older=9, duplicates=1_250)
    return Round(number, hard, counts, 21.34, outcome)


def test_the_verdict_fits_a_terminal_of_100_columns() -> None:
    wrong = [
        Difference(str(n), Decimal(1), Decimal(2), measure)
        for n in range(18)
        for measure in ("Count", "Value")
    ]
    table = verdict_table([_round(1, False, Outcome(4.2)), _round(2, True, Outcome(None, wrong))])
    output = io.StringIO()
    Console(file=output, width=96).print(table)
    lines = output.getvalue().splitlines()
    assert " ".join(lines[1].split()) == "1 plain 10,000 8,490 1,250 251 9 21.3 s 4.2 s exact"
    assert (
        " ".join(lines[2].split())
        == "2 hard 10,000 8,490 1,250 251 9 21.3 s never 18 totals differ"
    )


def test_the_verdict_of_an_interrupted_game_does_not_claim_exactness(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_verdict([_round(1, False, Outcome(4.2))], complete=False)
    assert "no total off" not in capsys.readouterr().out


def test_a_checked_load_reports_whether_totals_are_exact(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    load(messages=400, delete=20, modify=20, seed=3, check=True)
    shown = capsys.readouterr().out
    assert "exact  settled" in shown
    assert stack.oracle.totals() == stack.totals()


def _plain(console_width: int, *things: Any) -> str:
    output = io.StringIO()
    Console(file=output, width=console_width).print(*things)
    return output.getvalue()


def test_the_tree_aligns_numbers_and_shows_missing_totals() -> None:
    found = {
        "PV": Total(2, Decimal("1234.5")),
        "PV:FXSpot": Total(2, Decimal("1234.5")),
        "PV:FXSpot:EMEA": Total(2, Decimal("1234.5")),
    }
    expected = {**found, "PV": Total(3, Decimal(2000)), "PV:FXOptions": Total(1, Decimal("765.5"))}
    lines = [line.rstrip() for line in _plain(80, screen.totals_tree(found, expected)).splitlines()]
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["PV", "1,234.50", "765.50"]
    assert lines[2].split() == ["├──", "FXOptions", "0.00", "765.50"]
    assert lines[4].split() == ["└──", "EMEA", "1,234.50", "exact"]


def test_a_tree_of_many_totals_shows_only_the_levels_that_fit() -> None:
    paths = [
        f"R{root}{below}"
        for root in range(9)
        for below in ("", ":D", *(f":D:{n}" for n in range(30)))
    ]
    found = {path: Total(1, Decimal(1)) for path in paths}
    lines = _plain(80, screen.totals_tree(found)).splitlines()
    assert len(lines) == 1 + 18 + 1
    assert lines[-1].strip() == "and 270 more totals"


def test_the_tree_does_not_round_differences() -> None:
    found = {"PV": Total(1, Decimal("12345678901234567890.00000000000000001"))}
    expected = {"PV": Total(1, Decimal("12345678901234567890"))}
    shown = _plain(120, screen.totals_tree(found, expected))
    assert "-0.00000000000000001" in shown
    assert "exact" not in shown


def test_a_total_with_the_right_value_and_a_wrong_count_is_not_exact() -> None:
    found, expected = {"PV": Total(2, Decimal(5))}, {"PV": Total(3, Decimal(5))}
    assert "trades +1" in _plain(120, screen.totals_tree(found, expected))


def test_without_a_terminal_a_load_prints_plain_lines() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80)
    with screen.RoundView(console, 1000) as view:
        for sent in (0, 100, 250, 260, 600, 1000):
            view.putting(sent, {})
        for seconds in (0.2, 1.0, 5.5, 6.0, 11.0, 20.0, 36.0):
            wrong = [
                Difference("PV", Decimal(1), Decimal(0), measure) for measure in ("Count", "Value")
            ]
            view.settling({}, {"PV": Total(1, Decimal(1))}, wrong, seconds, None)
    lines = output.getvalue().splitlines()
    assert [line.split("(")[0].strip() for line in lines[:2]] == [
        "put 250 of 1,000 messages",
        "put 600 of 1,000 messages",
    ]
    # Without a change, the next line follows after half a minute.
    assert [line.strip() for line in lines[2:]] == [
        "5.5 s after the last message: 0 of 1 total exact",
        "36.0 s after the last message: 0 of 1 total exact",
    ]
    assert "\x1b" not in output.getvalue()
