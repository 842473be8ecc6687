"""`leda verify`: the comparison, its report, and its errors."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from leda.engine.audit.audit import Tables
from leda.engine.audit.brackets import Bracket
from leda.engine.audit.health import Health
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from leda_cli.base.errors import LedaError
from leda_cli.operate import verify as module
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.not_live import NotLive
from leda_cli.operate.rebuilding.journal import OpenRun
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.comparison import Difference, difference_lines
from leda_cli.operate.verify import bracket_lines, danger_lines, quiet, running, verify
from support.aggregations import aggregation
from support.clock import Clock
from support.pipeline import CONFIGURATION


class Changing(Clock):
    """A clock that calls `each_time` at every sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.each_time: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.each_time()


class Source:
    """Tables in memory with one trade at each node; `totals` and `counts` are AggregateTable's."""

    def __init__(self, trades: dict[str, str]) -> None:
        self.trades = {name: Decimal(value) for name, value in trades.items()}
        self.totals = dict(self.trades)
        self.counts = dict.fromkeys(trades, 1)
        self.unreadable: list[str] = []
        self.outside = 0
        self.aggregation: Aggregation
        self.pending: NotLive

    def found_with(self, configuration: str, *table: SourceTable) -> None:
        """Let the command find an aggregation of that table, or a pipeline, with that live configuration."""
        live = Configuration.from_json(configuration)
        self.aggregation = aggregation(
            None if table else Stack(),
            live=lambda: live,
            both_sides=lambda *_: self.tables,
            open_run=lambda: OpenRun("rebuild", is_moving=True),
            source=(*table, SourceTable("StateTable", {"id": "S"}))[0],
        )

    @property
    def tables(self) -> Tables:
        return Tables(("Count", "Value"), self.expected, self.found)

    def expected(self) -> Expected:
        totals: Any = {name: (1, value) for name, value in self.trades.items()}
        reasons = Counter(text.partition(": ")[2] for text in self.unreadable)
        return Expected(
            totals, len(self.trades), len(self.unreadable), self.unreadable, reasons, self.outside
        )

    def found(self) -> Any:
        return {name: (self.counts[name], value) for name, value in self.totals.items()}


def test_totals_that_still_change_are_waited_for() -> None:
    clock, source = Changing(), Source({"PV": "5"})
    source.totals = {"PV": Decimal(0)}

    def arrive() -> None:
        if clock() >= 20:
            source.totals = {"PV": Decimal(5)}
        elif clock() % 5 == 0:
            source.totals = {"PV": Decimal(int(clock()))}

    clock.each_time = arrive
    assert quiet(source.tables, 8, clock, clock.sleep).wrong == []


def test_totals_that_stay_different_are_wrong_by_the_exact_difference() -> None:
    clock, source = Changing(), Source({"PV": "5"})
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
    assert 1030 <= clock() < 1031


@pytest.mark.parametrize("look", [quiet, running])
def test_a_wrong_count_with_a_right_value_is_wrong(look: Any) -> None:
    clock, source = Changing(), Source({"PV": "0", "PV:a": "7"})
    source.counts["PV"] = 2
    verdict = look(source.tables, 30, clock, clock.sleep)
    assert [*verdict.lines()] == ["PV  Count  expected 1  found 2  off by +1"]
    assert (verdict.totals, verdict.wrong_totals) == (2, 1)


def test_while_running_totals_in_flight_are_told_from_wrong_ones() -> None:
    clock, source = Changing(), Source({"PV": "5", "Delta": "100", "Vega": "1"})
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


def test_while_running_totals_in_flight_are_listed_and_are_not_an_error() -> None:
    clock, source = Changing(), Source({"PV": "5"})
    source.totals = {"PV": Decimal(0)}

    def flow() -> None:
        source.totals["PV"] += 2

    clock.each_time = flow
    verdict = running(source.tables, 30, clock, clock.sleep)
    assert verdict.wrong == []
    assert [*verdict.lines()] == [
        "PV  Value  expected 5  found 0 to 12  in flight",
        "exact  0 totals over 1 trade, 1 in flight",
    ]


def test_the_number_of_shown_rows_is_bounded() -> None:
    clock = Changing()
    source = Source({f"n{number:02d}": "1" for number in range(25)})
    source.totals = {}
    assert [*quiet(source.tables, 1, clock, clock.sleep).lines()][-1] == "and 30 more"
    assert [*running(source.tables, 1, clock, clock.sleep).lines()][-1] == "and 30 more"


# -- dangers


def _dangers(health: Health) -> list[str]:
    live = Configuration.from_json(CONFIGURATION)
    found = aggregation(open_run=lambda: OpenRun("backfill", is_moving=False), live=lambda: live)
    return [*danger_lines(found, health)]


def test_a_healthy_pipeline_has_no_dangers() -> None:
    assert _dangers(Health(False, {}, {})) == []


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (Health(True, {}, {}), ["a backfill is open", "`leda backfill --map-function MapLambda`"]),
        (Health(False, {"MapLambda": "Disabled"}, {}), ["MapLambda is Disabled", "24 hours"]),
        (Health(False, {}, {"reduce": "arn:x"}), ["ReduceTable's stream arn:x is new"]),
        (Health(False, {}, {"map": ""}), ["StateTable has no stream", "`terraform apply`"]),
    ],
)
def test_each_danger_is_reported_with_a_fix(health: Health, says: list[str]) -> None:
    (line,) = _dangers(health)
    assert [text for text in says if text not in line] == []


# -- the command


GROUPINGS: dict[str, Any] = {
    "group_by": {"daily": {"keys": ["date"]}},
    "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}},
}


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> list[Health]:
    """The findings about the pipeline's health; the command gets the last one."""
    found = [Health(False, {}, {})]
    monkeypatch.setattr(module, "health_of", lambda _stack: found[-1])
    return found


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, health: list[Health]) -> Source:
    """The tables that the command reads; waiting takes no time."""
    clock, made = Changing(), Source({"PV": "5", "PV:a": "5", "PV:a:x": "5"})
    made.found_with(CONFIGURATION)
    made.pending = NotLive()
    monkeypatch.setattr(Aggregation, "find", lambda *_: made.aggregation)
    monkeypatch.setattr(module, "not_live", lambda *_: made.pending)
    for function in (quiet, running):
        monkeypatch.setattr(function, "__defaults__", (clock, clock.sleep))
    return made


@pytest.mark.parametrize("while_running", [False, True])
def test_the_command_passes_only_exact_totals(
    source: Source, capsys: pytest.CaptureFixture[str], while_running: bool
) -> None:
    # A deleted trade is in no total, and no grouping has refused it.
    source.outside = 4
    verify(while_running=while_running)
    shown = capsys.readouterr().out
    assert "exact  3 totals over 3 trades" in shown
    assert "in no total" not in shown
    source.totals["PV"] += Decimal("0.01")
    source.counts["PV"] = 7
    with pytest.raises(LedaError, match="1 of 3 totals differ") as error:
        verify(while_running=while_running)
    assert "leda rebuild" in error.value.fix
    shown = capsys.readouterr().out
    assert "found 5.01  off by +0.01" in shown
    assert "PV  Count  expected 1" in shown


def test_exact_totals_in_danger_are_an_error(
    source: Source, health: list[Health], capsys: pytest.CaptureFixture[str]
) -> None:
    health.append(Health(True, {}, {}))
    with pytest.raises(LedaError, match="may not stay so"):
        verify(as_json=True)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["exact"] is True
    assert "a rebuild is open" in report["dangers"][0]
    source.totals["PV"] += Decimal("0.01")
    with pytest.raises(LedaError, match="1 of 3 totals differ") as error:
        verify()
    assert "do what the lines above say" in error.value.fix
    assert "a rebuild is open" in capsys.readouterr().out


def test_one_long_identifier_does_not_widen_the_column() -> None:
    long = Difference("x" * 900, Decimal(1), Decimal(2), "Count")
    short = Difference("a", Decimal(1), Decimal(2), "Count")
    bracket = Bracket("x" * 900, "Count", Decimal(1), Decimal(2), Decimal(2))
    for lines in (
        difference_lines([long, short]),
        bracket_lines([bracket, replace(bracket, identifier="a")]),
    ):
        first, second = lines
        assert first.startswith("x" * 900 + "  Count  expected 1")
        assert second.startswith("a  Count  expected 1")


# -- any table


def _on_any_table(source: Source, **changes: Any) -> None:
    source.found_with(json.dumps(GROUPINGS | changes), SourceTable("Feedback", {"id": "S"}))


def test_rows_that_are_in_no_total_are_counted_by_reason(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    _on_any_table(source)
    source.unreadable = ["a: no date", "b: no Value", "c: no Value"]
    source.outside = 4
    verify()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    told = lines.index(
        "3 rows of Feedback cannot be read and count as nothing: a: no date; b: no Value; c: no Value"
    )
    assert lines[told + 1 : told + 5] == [
        "2 of them: no Value",
        "1 of them: no date",
        "4 rows of Feedback are in no total, because the configuration counts no such row",
        "exact  3 totals over 3 rows",
    ]
    verify(as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == 3
    assert report["unreadable"]["reasons"] == {"no Value": 2, "no date": 1}
    assert report["in_no_grouping"] == 4


def test_a_users_table_that_is_counted_by_a_path_has_rows_and_no_trades(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.found_with(CONFIGURATION, SourceTable("Places", {"id": "S"}))
    source.outside = 4
    verify()
    shown = capsys.readouterr().out
    assert "exact  3 totals over 3 rows" in shown
    assert "4 rows of Places are in no total" in shown
    assert "trades" not in shown
    verify(as_json=True)
    assert json.loads(capsys.readouterr().out)["rows"] == 3


def test_a_configuration_that_is_not_live_is_reported_and_not_an_error(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    _on_any_table(source)
    source.pending = NotLive(groupings=("hourly",))
    verify()
    assert "the grouping hourly is deployed and not live" in capsys.readouterr().out
    verify(as_json=True)
    assert "hourly" in json.loads(capsys.readouterr().out)["notes"][0]


def test_totals_that_keep_expired_rows_cannot_be_compared(source: Source) -> None:
    _on_any_table(source, on_expiry="keep")
    with pytest.raises(LedaError, match="no longer holds the rows that time to live has removed"):
        verify()


def test_what_endangers_totals_that_cannot_be_compared_is_told(
    source: Source, health: list[Health], capsys: pytest.CaptureFixture[str]
) -> None:
    _on_any_table(source, on_expiry="keep")
    health.append(Health(False, {"MapLambda": "Disabled"}, {"map": "arn:new"}))
    with pytest.raises(LedaError, match="no longer holds the rows that time to live has removed"):
        verify()
    shown = capsys.readouterr().out
    assert "the mapping of MapLambda is Disabled" in shown
    assert "Feedback's stream arn:new is new" in shown


def test_before_the_first_backfill_totals_cannot_be_compared(source: Source) -> None:
    _on_any_table(source)
    source.pending = NotLive(is_first=True)
    with pytest.raises(LedaError, match="no configuration is live") as error:
        verify()
    assert "leda backfill" in error.value.fix


@pytest.mark.parametrize(
    ("mappings", "names"),
    [(["m"], {"MapLambda": "m"}), (["m", "n"], {"MapLambda (m)": "m", "MapLambda (n)": "n"})],
)
def test_health_includes_all_mappings_of_map_and_reduce(
    mappings: list[str], names: dict[str, str]
) -> None:
    found = aggregation(map_mappings=dict.fromkeys(mappings, "arn"), reduce_mapping="r")
    assert module._mappings(found) == {"ReduceLambda": "r"} | names
