"""`leda backfill`, the command: what it says beforehand and afterwards, and what it refuses."""

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
from leda_cli.operate import backfill_command as module
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.backfill_command import backfill
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding.corrections import Correction
from leda_cli.operate.rebuilding.rebuild import Result
from leda_cli.operate.rebuilding.rebuild_parts import Options

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


class FakeRebuild:
    """Ends as the test wants it to."""

    seconds = 12.0

    def __init__(self, aggregation: Any, options: Options) -> None:
        self.configuration = aggregation.deployed.configuration
        self.options = options
        self.is_open = False

    def look(self) -> Result:
        expected = Expected(dict(TOTALS), 4, 1, ["k4: the row has no date"], {"no date": 1}, 0)
        changes = [Correction(name, (Decimal(0),), new) for name, new in TOTALS.items()]
        return Result(self.configuration, expected, changes, ["uuid"], True, self.seconds)

    def run(self) -> Result:
        return self.look()


class FakeAggregation:
    """Enough of an aggregation for the command."""

    map_function, totals_table, reduce_table, registry_table = "Map", "Totals", "Reduce", "Registry"
    totals_key, mappings, needs_backfill, is_pipeline = "Identifier", None, True, False
    option = " --map-function Map"
    source = SourceTable("Feedback", {"id": "S"})

    def __init__(self, document: dict[str, Any]) -> None:
        self.account = SimpleNamespace(dynamodb=FakeDynamoDB(), streams=None, endpoint=None)
        self.deployed = Assignment(Configuration.from_json(json.dumps(document)), 1)

    def both_sides(self, configuration: Configuration, _advance: Any) -> Tables:
        return Tables(configuration.names, lambda: Expected(dict(TOTALS), 4), lambda: TOTALS)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The runs that the command has made; `document` is what is deployed."""
    found: dict[str, Any] = {"document": DOCUMENT, "asked": []}

    def find(_aws: bool, _outputs: Any, name: str | None) -> Any:
        found["asked"].append(name)
        return FakeAggregation(found["document"])

    def work_of(aggregation: Any, options: Options, _operation: Any) -> FakeRebuild:
        found["work"] = work = FakeRebuild(aggregation, options)
        return work

    monkeypatch.setattr(Aggregation, "find", find)
    monkeypatch.setattr(module, "work_of", work_of)
    monkeypatch.setattr(FakeRebuild, "seconds", 12.0)
    return found


def test_a_dry_run_says_how_many_totals_what_is_in_none_what_it_costs_and_how_long_it_takes(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(dry_run=True, map_function="Feedback-MapLambda")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "daily   2 totals" in lines
    assert "source  1 totals" in lines
    assert (
        "1 rows of Feedback cannot be read and count as nothing: k4: the row has no date" in lines
    )
    (units,) = (line for line in lines if line.startswith("units:"))
    # Each total in two sets of lanes (the deployed and a former one), with an index; and ReduceTable's rows.
    assert units.startswith("units: 101 read, 14 write; $0.0000 at the list prices of us-east-1")
    (time,) = (line for line in lines if line.startswith("time:"))
    assert time.startswith("time: 12 s to read 4 rows")
    assert made["asked"] == ["Feedback-MapLambda"]


def test_the_report_of_a_dry_run_as_json(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(dry_run=True, as_json=True, map_function="Feedback-MapLambda")
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "dry run"
    assert report["groupings"] == {"daily": 2, "source": 1}
    assert report["unreadable"]["count"] == 1
    assert report["forecast"]["reading_seconds"] == 12.0
    assert report["forecast"]["behind_seconds"] > 12.0 + 10.0


def test_a_dry_run_ends_with_an_error_where_the_stream_would_not_keep_what_is_written(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRebuild, "seconds", 30 * 3600.0)
    with pytest.raises(LedaError, match="reading Feedback would take 30 hours"):
        backfill(dry_run=True, map_function="Feedback-MapLambda")


def test_a_run_makes_the_deployed_configuration_live_and_checks_the_totals(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(wait=0, map_function="Feedback-MapLambda", segments=3)
    shown = capsys.readouterr().out
    version = made["work"].configuration.version
    assert f"the configuration {version} is live" in shown
    assert "done  3 totals corrected, 3 in all" in shown
    assert made["work"].options == Options(
        is_backfill=True,
        needs_backfill=True,
        markers=False,
        segments=3,
        option=" --map-function Map",
    )


def test_the_pipelines_table_gets_markers_and_a_users_only_when_asked_for(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[dict[str, Any]] = [{"map_function": "Feedback-MapLambda"}, {"name_prefix": "F-"}, {}]
    for found in ways:
        backfill(wait=0, **found)
        assert not made["work"].options.markers
    with monkeypatch.context() as patch:
        patch.setattr(FakeAggregation, "is_pipeline", True)
        backfill(wait=0)
        assert made["work"].options.markers
    backfill(wait=0, map_function="Feedback-MapLambda", markers=True)
    assert made["work"].options.markers


def test_where_totals_keep_expired_rows_it_says_what_is_not_counted_and_compares_nothing(
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
