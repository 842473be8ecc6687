"""`leda verify`: what it reads, what it says, and its exit status."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from leda.audit import Expected, Tables
from leda.engine.health import Health
from leda_cli import verify as module
from leda_cli.console import LedaError
from leda_cli.stack import Stack
from leda_cli.verify import danger_lines, quiet, running, verify


class Clock:
    """Time that passes only when somebody sleeps; `each_time` may change something then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.each_time: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.each_time()


class Source:
    """Tables in memory: one trade at each node; `totals` and `counts` are what AggregateTable has."""

    def __init__(self, trades: dict[str, str]) -> None:
        self.trades = {name: Decimal(value) for name, value in trades.items()}
        self.totals = dict(self.trades)
        self.counts = dict.fromkeys(trades, 1)
        self.unreadable: list[str] = []

    @property
    def tables(self) -> Tables:
        return Tables(("Count", "Value"), self.expected, self.found)

    def expected(self) -> Expected:
        totals: Any = {name: (1, value) for name, value in self.trades.items()}
        return Expected(totals, len(self.trades), len(self.unreadable), self.unreadable)

    def found(self) -> Any:
        return {name: (self.counts[name], value) for name, value in self.totals.items()}


def test_totals_that_are_still_and_right_are_exact() -> None:
    clock = Clock()
    verdict = quiet(Source({"PV": "5", "PV:a": "5"}).tables, 30, clock, clock.sleep)
    assert (verdict.wrong, verdict.in_flight, verdict.totals) == ([], [], 2)
    assert [*verdict.lines()] == ["exact  2 totals over 2 trades"]
    assert clock() == 2


def test_totals_that_are_on_their_way_are_waited_for() -> None:
    clock, source = Clock(), Source({"PV": "5"})
    source.totals = {"PV": Decimal(0)}

    def arrive() -> None:
        if clock() >= 20:
            source.totals = {"PV": Decimal(5)}
        elif clock() % 5 == 0:
            source.totals = {"PV": Decimal(int(clock()))}

    clock.each_time = arrive
    assert quiet(source.tables, 8, clock, clock.sleep).wrong == []


def test_totals_that_are_still_and_differ_are_wrong_by_just_that() -> None:
    clock, source = Clock(), Source({"PV": "5"})
    source.totals["PV"] += Decimal("0.01")
    verdict = quiet(source.tables, 30, clock, clock.sleep)
    (line,) = verdict.lines()
    assert line == "PV  Value  expected 5  found 5.01  off by +0.01"
    assert verdict.as_json()["wrong"] == [
        {
            "identifier": "PV",
            "measure": "Value",
            "expected": Decimal(5),
            "found_between": [Decimal("5.01"), Decimal("5.01")],
            "off": Decimal("0.01"),
        }
    ]
    assert 30 <= clock() < 31


@pytest.mark.parametrize("look", [quiet, running])
def test_a_wrong_number_of_trades_is_wrong_although_the_value_is_right(look: Any) -> None:
    clock, source = Clock(), Source({"PV": "0", "PV:a": "7"})
    source.counts["PV"] = 2
    verdict = look(source.tables, 30, clock, clock.sleep)
    assert [*verdict.lines()] == ["PV  Count  expected 1  found 2  off by +1"]
    assert (verdict.totals, verdict.wrong_totals) == (2, 1)


def test_while_running_rows_in_flight_are_told_from_wrong_ones() -> None:
    clock, source = Clock(), Source({"PV": "5", "Delta": "100", "Vega": "1"})
    source.totals = {"PV": Decimal(0), "Delta": Decimal(-8), "Vega": Decimal(1)}

    def flow() -> None:
        source.totals["PV"] += 2
        source.totals["Delta"] += 1

    clock.each_time = flow
    verdict = running(source.tables, 30, clock, clock.sleep)
    assert [row.identifier for row in verdict.wrong] == ["Delta"]
    # PV had passed its sum when the second round began: what was in flight once is not called wrong.
    assert [*verdict.lines()] == [
        "Delta  Value  expected 100  found -2 to 4  off by -96 at least",
        "PV  Value  expected 5  found 12 to 24  in flight",
    ]
    report = verdict.as_json()
    assert report["exact"] is False
    assert [row["identifier"] for row in report["in_flight"]] == ["PV"]


def test_while_running_what_is_in_flight_is_said_and_is_no_error() -> None:
    clock, source = Clock(), Source({"PV": "5"})
    source.totals = {"PV": Decimal(0)}

    def flow() -> None:
        source.totals["PV"] += 2

    clock.each_time = flow
    verdict = running(source.tables, 30, clock, clock.sleep)
    assert verdict.wrong == []
    assert [*verdict.lines()] == [
        "PV  Value  expected 5  found 0 to 12  in flight",
        "exact  0 totals over 1 trades, 1 in flight",
    ]


def test_rows_that_cannot_be_read_are_named() -> None:
    clock, source = Clock(), Source({"PV": "5"})
    source.unreadable = ["t7: the row has no Path (a string)"]
    lines = [*quiet(source.tables, 30, clock, clock.sleep).lines()]
    assert lines[0].startswith("1 rows of StateTable cannot be read")
    assert "t7" in lines[0]


def test_only_so_many_rows_are_shown() -> None:
    clock = Clock()
    source = Source({f"n{number:02d}": "1" for number in range(25)})
    source.totals = {}
    assert [*quiet(source.tables, 1, clock, clock.sleep).lines()][-1] == "and 30 more"
    assert [*running(source.tables, 1, clock, clock.sleep).lines()][-1] == "and 30 more"


# -- dangers


def test_a_healthy_pipeline_is_in_no_danger() -> None:
    assert [*danger_lines(Health(False, {}, {}))] == []


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (Health(True, {}, {}), ["a rebuild is open", "`leda rebuild`"]),
        (Health(False, {"MapLambda": "Disabled"}, {}), ["MapLambda is Disabled", "24 hours"]),
        (Health(False, {}, {"reduce": "arn:x"}), ["ReduceTable's stream arn:x is new"]),
        (Health(False, {}, {"map": ""}), ["StateTable has no stream", "`terraform apply`"]),
    ],
)
def test_each_danger_is_said_with_what_to_do(health: Health, says: list[str]) -> None:
    (line,) = danger_lines(health)
    assert [text for text in says if text not in line] == []


# -- the command


class FakeStack:
    """Enough of a stack for the command."""

    state_table = "StateTable"
    aggregate_table = "AggregateTable"
    endpoint = "http://127.0.0.1:4566"

    def check(self) -> None:
        pass


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> list[Health]:
    """What the command finds beside the totals: the last one."""
    found = [Health(False, {}, {})]
    monkeypatch.setattr(module, "health_of", lambda _stack: found[-1])
    return found


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, health: list[Health]) -> Source:
    """What the command finds in the stack's tables; waiting takes no time."""
    clock, made = Clock(), Source({"PV": "5", "PV:a": "5", "PV:a:x": "5"})
    monkeypatch.setattr(Stack, "find", lambda *_: FakeStack())
    monkeypatch.setattr(module, "live", lambda _stack: None)
    monkeypatch.setattr(module, "both_sides", lambda *_: made.tables)
    for function in (quiet, running):
        monkeypatch.setattr(function, "__defaults__", (clock, clock.sleep))
    return made


@pytest.mark.parametrize("while_running", [False, True])
def test_the_command_passes_only_exact_totals(
    source: Source, capsys: pytest.CaptureFixture[str], while_running: bool
) -> None:
    verify(while_running=while_running)
    assert "exact  3 totals over 3 trades" in capsys.readouterr().out
    source.totals["PV"] += Decimal("0.01")
    source.counts["PV"] = 7
    with pytest.raises(LedaError, match="1 of 3 totals differ") as error:
        verify(while_running=while_running)
    assert "leda rebuild" in error.value.fix
    shown = capsys.readouterr().out
    assert "found 5.01  off by +0.01" in shown
    assert "PV  Count  expected 1" in shown


def test_the_command_fails_on_exact_totals_that_are_in_danger(
    source: Source, health: list[Health], capsys: pytest.CaptureFixture[str]
) -> None:
    health.append(Health(True, {}, {}))
    with pytest.raises(LedaError, match="may not stay so"):
        verify(as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["exact"] is True
    assert "a rebuild is open" in report["dangers"][0]


def test_the_report_as_json_stands_alone_on_standard_output(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.totals["PV"] += Decimal("0.01")
    with pytest.raises(LedaError):
        verify(as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["totals"] == 3
    assert report["wrong"][0]["measure"] == "Value"
    assert report["wrong"][0]["off"] == "0.01"
