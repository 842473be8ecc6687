"""`leda rebuild`, the command: what it says and reports, and its exit status."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.audit.audit import Tables
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.source_shards import Assignment
from leda_cli.base.errors import LedaError
from leda_cli.operate import rebuild_command as module
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuild_command import rebuild
from leda_cli.operate.rebuilding.corrections import Correction
from leda_cli.operate.rebuilding.rebuild import Result
from support.pipeline import CONFIGURATION

TODAY = Configuration.from_json(CONFIGURATION)
CHANGES = [
    Correction("PV", (Decimal(1), Decimal(5)), (2, Decimal("7.5"))),
    Correction("nobody", (Decimal(0), None), (Decimal(0), Decimal(0))),
]


class FakeAggregation:
    """Enough of an aggregation for the command."""

    account = SimpleNamespace(dynamodb=None, streams=None, endpoint=None)
    map_function, totals_table, reduce_table, registry_table = (
        "MapLambda",
        "Totals",
        "R",
        "Registry",
    )
    totals_key, mappings, needs_backfill, is_pipeline = "Identifier", None, False, False
    option = " --map-function MapLambda"
    source = SourceTable("Feedback", {"id": "S"})
    deployed = Assignment(TODAY, 1)

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    @staticmethod
    def command(name: str) -> str:
        return f"leda {name} --map-function MapLambda"

    def both_sides(self, configuration: Configuration, _advance: Any) -> Tables:
        expected = {"PV": (2, Decimal("7.5"))}
        return Tables(
            configuration.names, lambda: Expected({**expected}, rows=2), lambda: {**self.found}
        )


class FakeRebuild:
    """Ends as the test wants it to."""

    error: BaseException | None = None
    mappings = ("uuid",)
    changes = CHANGES

    def __init__(self, *_: Any) -> None:
        self.is_open = self.error is not None

    def look(self) -> Result:
        expected = Expected({"PV": (2, Decimal("7.5"))}, rows=2)
        return Result(TODAY, expected, self.changes, self.mappings, behind_seconds=61.5)

    def run(self) -> Result:
        if self.error:
            raise self.error
        return self.look()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What AggregateTable holds in the check at the end."""
    totals: dict[str, Any] = {"PV": (2, Decimal("7.5"))}
    monkeypatch.setattr(Aggregation, "find", lambda *_: FakeAggregation(totals))
    monkeypatch.setattr(module, "Rebuild", FakeRebuild)
    monkeypatch.setattr(FakeRebuild, "error", None)
    return totals


def test_it_says_which_measures_of_which_totals_were_corrected(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "PV      Count  from            1  to   2" in lines
    assert "PV      Value  from            5  to 7.5" in lines
    assert "nobody  Value  from not a number  to   0" in lines
    assert "done  2 totals corrected, 1 in all, 62 s behind while it ran" in lines


@pytest.mark.usefixtures("found")
def test_it_says_when_the_mapping_of_map_was_off_before_and_so_still_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(wait=0)
    assert "is off now" not in capsys.readouterr().out

    monkeypatch.setattr(FakeRebuild, "mappings", ())
    rebuild(wait=0)

    assert "is off now" in capsys.readouterr().out


def test_the_report_as_json_has_every_measure(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
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


def test_the_report_as_json_of_totals_that_were_right(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeRebuild, "changes", [])
    rebuild(wait=0, as_json=True)
    assert json.loads(capsys.readouterr().out)["changes"] == []


def test_a_dry_run_says_what_would_change(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(dry_run=True)
    shown = capsys.readouterr().out
    assert "would switch off and on 1 mappings: uuid" in shown
    assert "would correct 2 totals" in shown


def test_totals_that_differ_afterwards_are_an_error(found: dict[str, Any]) -> None:
    found["PV"] = (3, Decimal("7.5"))
    with pytest.raises(LedaError, match="1 of 1 totals differ after the rebuild"):
        rebuild(wait=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LedaError("what", "fix")])
def test_a_run_that_does_not_finish_says_that_the_next_one_does(
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
