"""`leda rebuild`, the command: its report and its errors."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.audit.audit import Tables
from leda.engine.audit.source_sum import Expected
from leda_cli.base.errors import LedaError
from leda_cli.operate import rebuild_command as module
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.rebuild_command import rebuild
from leda_cli.operate.rebuilding.corrections import Correction
from leda_cli.operate.totals.totals_age import Age
from support.aggregations import FakeRebuild, aggregation

CHANGES = [
    Correction("PV", (Decimal(1), Decimal(5)), (2, Decimal("7.5"))),
    Correction("nobody", (Decimal(0), None), (Decimal(0), Decimal(0))),
]
EXPECTED = Expected({"PV": (2, Decimal("7.5"))}, rows=2)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """AggregateTable's totals in the check at the end."""
    totals: dict[str, Any] = dict(EXPECTED.totals)
    tables = Tables(("Count", "Value"), lambda: EXPECTED, lambda: totals)
    made = aggregation(both_sides=lambda *_: tables, age=lambda _: Age(None, None))
    monkeypatch.setattr(Aggregation, "find", lambda *_: made)
    monkeypatch.setattr(module, "Rebuild", FakeRebuild)
    monkeypatch.setattr(FakeRebuild, "error", None)
    given = {"expected": EXPECTED, "changes": CHANGES, "mappings": ["uuid"], "behind_seconds": 61.5}
    monkeypatch.setattr(FakeRebuild, "given", given)
    return totals


def test_the_corrected_measures_are_listed(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "PV      Count  from            1  to   2" in lines
    assert "PV      Value  from            5  to 7.5" in lines
    assert "nobody  Value  from not a number  to   0" in lines
    assert "done  2 totals corrected, 1 in all, 62 s behind while it ran" in lines
    assert not any("is off now" in line for line in lines)

    monkeypatch.setitem(FakeRebuild.given, "mappings", ())
    rebuild(wait=0)
    assert "is off now" in capsys.readouterr().out


def test_the_report_in_json_has_every_measure(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "done"
    assert report["wrong_afterwards"] == []
    assert report["changes"][0] == {
        "identifier": "PV",
        "old": {"Count": "1", "Value": "5"},
        "new": {"Count": 2, "Value": "7.5"},
    }
    assert report["changes"][1]["old"] == {"Count": "0", "Value": None}
    assert len(report["changes"]) == 2
    monkeypatch.setitem(FakeRebuild.given, "changes", [])
    rebuild(wait=0, as_json=True)
    assert json.loads(capsys.readouterr().out)["changes"] == []


def test_a_dry_run_lists_what_would_change(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(dry_run=True)
    shown = capsys.readouterr().out
    assert "would switch off and on 1 mapping: uuid" in shown
    assert "would correct 2 totals" in shown


@pytest.mark.parametrize(
    ("ages", "looks", "said"),
    [
        ([Age(90.0, 95.5), Age(None, 40.0), Age(12.0, None)], 3, "lack changes of the last 96 s"),
        ([Age(90.0, None), "no rights"], 2, "lack changes of the last 90 s"),
        # Map does not come nearer: the check says what is wrong.
        ([Age(90.0 + n, None) for n in range(100)], 60, "lack changes of the last 138 s"),
    ],
)
def test_the_check_waits_until_what_came_meanwhile_is_counted(
    found: dict[str, Any],
    ages: list[Age | str],
    looks: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    left = iter(ages)
    monkeypatch.setitem(vars(Aggregation.find(False, "", None)), "age", lambda _: next(left))
    rebuild(wait=30)
    assert len(ages) - len(list(left)) == looks
    assert said in capsys.readouterr().out


def test_totals_that_differ_afterwards_are_an_error(found: dict[str, Any]) -> None:
    found["PV"] = (3, Decimal("7.5"))
    with pytest.raises(LedaError, match="1 of 1 total differs after the rebuild"):
        rebuild(wait=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LedaError("what", "fix")])
def test_an_interrupted_run_says_that_the_next_run_finishes_it(
    found: dict[str, Any],
    error: BaseException,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeRebuild, "error", error)
    with pytest.raises(type(error)):
        rebuild(wait=0)
    assert (
        "The mapping of MapLambda may be off. Run `leda rebuild --map-function MapLambda` again"
        in capsys.readouterr().out
    )
