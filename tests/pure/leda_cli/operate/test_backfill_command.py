"""`leda backfill`, the command: its dry run, its report, and its refusals."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.audit.audit import Tables
from leda.engine.audit.source_sum import Expected
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.backfill_command import backfill
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding.corrections import Correction
from leda_cli.operate.totals.totals_age import Age
from support.aggregations import FakeRebuild, aggregation

DOCUMENT: dict[str, Any] = {
    "group_by": {"daily": {"keys": ["date"]}, "source": {"keys": ["source"]}},
    "measures": {"Count": {"op": "count"}},
}
TOTALS = {"daily:2026-08-01": (2,), "daily:2026-08-02": (1,), "source:web": (3,)}


class FakeDynamoDB:
    """Tables of these sizes, and a registry with one number of lanes."""

    meta = SimpleNamespace(region_name="us-east-1")

    def __init__(self) -> None:
        self.bytes = 409_600

    def describe_table(self, TableName: str) -> Any:
        table = {"ItemCount": 4, "TableSizeBytes": self.bytes, "GlobalSecondaryIndexes": [{}]}
        date = {"date": "Sat, 01 Aug 2026 12:00:00 GMT"}
        return {"Table": table, "ResponseMetadata": {"HTTPHeaders": date}}

    def query(self, **_: Any) -> Any:
        return {"Items": [{"Name": {"S": "0123abcd.1"}}]}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """`document` is the deployed configuration, of a pipeline if `is_pipeline`; `asked` are the names asked for."""
    found: dict[str, Any] = {"document": DOCUMENT, "is_pipeline": False, "asked": []}

    def find(_aws: bool, _outputs: Any, name: str | None) -> Any:
        found["asked"].append(name)
        account = SimpleNamespace(endpoint=None, dynamodb=FakeDynamoDB(), streams=None)
        monkeypatch.setattr(Aggregation, "is_pipeline", found["is_pipeline"])
        monkeypatch.setattr(Aggregation, "mappings", None)
        return aggregation(
            account,
            json.dumps(found["document"]),
            source=SourceTable("Feedback", {"id": "S"}),
            needs_backfill=True,
            age=lambda _: Age(None, None),
            both_sides=lambda *_: Tables(
                ("Count",), lambda: Expected(dict(TOTALS), 4), lambda: TOTALS
            ),
        )

    given = {
        "expected": Expected(dict(TOTALS), 4, 1, ["k4: the row has no date"], {"no date": 1}, 0),
        "changes": [Correction(name, (Decimal(0),), new) for name, new in TOTALS.items()],
        "mappings": ["uuid"],
        "is_first": True,
        "reading_seconds": 12.0,
    }
    monkeypatch.setattr(Aggregation, "find", find)
    monkeypatch.setattr("leda_cli.operate.rebuild_command.Rebuild", FakeRebuild)
    monkeypatch.setattr(FakeRebuild, "given", given)
    return found


def test_a_dry_run_shows_totals_unreadable_rows_cost_and_time(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(dry_run=True, map_function="Feedback-MapLambda")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "daily   2 totals" in lines
    assert "source  1 total" in lines
    assert (
        "1 row of Feedback cannot be read and counts as nothing: k4: the row has no date" in lines
    )
    (units,) = (line for line in lines if line.startswith("units:"))
    # Each total in two sets of lanes (the deployed and a former one), with an index; and ReduceTable's rows.
    assert units.startswith("units: 101 read, 14 write; $0.0000 at the list prices of us-east-1")
    (time,) = (line for line in lines if line.startswith("time:"))
    assert time.startswith("time: 12 s to read 4 rows")
    assert made["asked"] == ["Feedback-MapLambda"]

    backfill(dry_run=True, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "dry run"
    assert report["groupings"] == {"daily": 2, "source": 1}
    assert report["unreadable"]["count"] == 1
    assert report["forecast"]["reading_seconds"] == 12.0
    assert report["forecast"]["behind_seconds"] > 12.0 + 10.0


def test_a_dry_run_that_would_exceed_the_streams_retention_is_an_error(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FakeRebuild.given, "reading_seconds", 30 * 3600.0)
    with pytest.raises(LedaError, match="reading Feedback would take 30 hours"):
        backfill(dry_run=True, map_function="Feedback-MapLambda")


def test_a_run_makes_the_deployed_configuration_live_and_checks_the_totals(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(wait=0, map_function="Feedback-MapLambda", segments=3)
    shown = capsys.readouterr().out
    work = FakeRebuild.last
    assert f"the configuration {work.configuration.version} is live" in shown
    assert "done  3 totals corrected, 3 in all" in shown
    assert (work.is_backfill, work.needs_backfill, work.segments) == (True, True, 3)
    assert work.option == " --map-function MapLambda"


def test_markers_are_the_default_for_the_pipeline_only(made: dict[str, Any]) -> None:
    backfill(wait=0, name_prefix="Feedback-")
    assert not FakeRebuild.last.markers
    backfill(wait=0, name_prefix="Feedback-", markers=True)
    assert FakeRebuild.last.markers

    made["is_pipeline"] = True
    backfill(wait=0)
    assert FakeRebuild.last.markers


def test_totals_that_keep_expired_rows_are_not_compared(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made["document"] = {**DOCUMENT, "on_expiry": "keep"}
    monkeypatch.setattr("leda_cli.operate.rebuild_command.audit.audit", None)
    backfill(wait=0, map_function="Feedback-MapLambda")
    assert "rows that time to live had removed before this backfill are not counted" in (
        capsys.readouterr().out
    )


def test_a_hierarchy_is_one_grouping(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    made["document"] = {"path": "Path", "measures": DOCUMENT["measures"]}
    backfill(dry_run=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["groupings"] == {"totals": 3}
