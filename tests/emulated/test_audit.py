"""AuditLambda over DynamoDB Local: what it counts and logs."""

import json
import random
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from leda.engine.group_by.configuration import Configuration
from simulation import trades
from support.pipeline import Function, Pipeline

COUNTS = ("Drift", "InFlight", "Totals", "Rows", "UnreadableRows")


@pytest.fixture
def function(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Function:
    """AuditLambda of a pipeline with some trades; it does not sleep."""
    monkeypatch.setattr("leda.engine.audit.audit.time.sleep", lambda _seconds: None)
    pipeline.settings |= {"FRESHNESS_SECONDS": "1", "SOURCE_TABLE": f"{pipeline.prefix}StateTable"}
    draw = random.Random(4)
    messages = trades.burst(draw, trades.versions(draw, 6, 2), bad=0)
    pipeline.function("state")(pipeline.kinesis_event(*messages))
    pipeline.run()
    return pipeline.function("audit")


def _present(pipeline: Pipeline) -> list[str]:
    """The totals that count any trade."""
    rows = pipeline.rows("AggregateTable")
    return sorted(row["Identifier"]["S"] for row in rows if row["Count"] != {"N": "0"})


def _metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last metrics line."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    found: dict[str, Any] = lines[-1]
    return found


def test_exact_totals_are_reported_without_drift(
    pipeline: Pipeline, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = len(pipeline.rows("StateTable"))
    answer = function({})
    assert answer == {
        "Drift": 0,
        "InFlight": 0,
        "Totals": len(_present(pipeline)),
        "Rows": rows,
        "UnreadableRows": 0,
    }
    metrics = _metrics(capsys)
    assert {name: metrics[name] for name in COUNTS} == {
        name: [float(value)] for name, value in answer.items()
    }


@pytest.mark.parametrize(("measure", "by"), [("Value", "0.01"), ("Count", "1")])
def test_a_changed_total_is_drift_and_an_unreadable_row_is_counted(
    pipeline: Pipeline,
    function: Function,
    capsys: pytest.CaptureFixture[str],
    measure: str,
    by: str,
) -> None:
    name = _present(pipeline)[0]
    pipeline.dynamodb.update_item(
        TableName=f"{pipeline.prefix}AggregateTable",
        Key={"Identifier": {"S": name}},
        UpdateExpression="ADD #measure :more",
        ExpressionAttributeNames={"#measure": measure},
        ExpressionAttributeValues={":more": {"N": by}},
    )
    pipeline.dynamodb.put_item(
        TableName=f"{pipeline.prefix}StateTable",
        Item={"id": {"S": "damaged"}, "Version": {"N": "1"}, "Value": {"S": "?"}},
    )
    logged: list[tuple[str, dict[str, Any]]] = []
    for level in ("error", "warning"):
        function.module.logger.__dict__[level] = lambda text, extra: logged.append((text, extra))
    try:
        answer = function({})
    finally:
        for level in ("error", "warning"):
            del function.module.logger.__dict__[level]
    assert (answer["Drift"], answer["UnreadableRows"]) == (1, 1)
    assert _metrics(capsys)["Drift"] == [1.0]
    (_, wrong), (_, unreadable) = logged
    assert (wrong["identifier"], wrong["measure"]) == (name, measure)
    assert Decimal(wrong["off"]) == Decimal(by)
    assert Decimal(wrong["lowest"]) == Decimal(wrong["expected"]) + Decimal(by)
    assert unreadable["row"].startswith("damaged: ")


# -- a table with groupings

GROUPINGS: dict[str, Any] = {
    "group_by": {"daily": {"keys": ["date"]}, "tags": {"keys": ["tags[]"]}},
    "measures": {"Count": {"op": "count"}},
}
ROWS = [
    {"id": {"S": "a"}, "date": {"S": "08-01"}, "tags": {"L": [{"S": "x"}, {"S": "y"}]}},
    {"id": {"S": "b"}, "date": {"S": "08-01"}, "tags": {"SS": ["x"]}},
    {"id": {"S": "c"}, "tags": {"L": []}},
]
TOTALS = {"daily:08-01": 2, "daily:07-31": 0, "tags:x": 2, "tags:y": 1, "former:z": 4}


@pytest.fixture
def groupings(pipeline: Pipeline) -> Pipeline:
    """Rows of a source table, and totals of the live groupings and of a former one, with another key attribute."""
    for row in ROWS:
        pipeline.dynamodb.put_item(TableName=f"{pipeline.prefix}StateTable", Item=row)
    pipeline._create("Counts", {"Name": "S"})
    for name, count in TOTALS.items():
        pipeline.dynamodb.put_item(
            TableName=f"{pipeline.prefix}Counts",
            Item={"Name": {"S": name}, "Count": {"N": str(count)}},
        )
    pipeline.settings |= {
        "FRESHNESS_SECONDS": "1",
        "SOURCE_TABLE": f"{pipeline.prefix}StateTable",
        "AGGREGATE_TABLE": f"{pipeline.prefix}Counts",
        "TOTALS_KEY": "Name",
        "CONFIGURATION": json.dumps(GROUPINGS),
    }
    return pipeline


def test_totals_of_groupings_are_compared_in_a_table_with_another_key(
    groupings: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leda.engine.audit.audit.time.sleep", lambda _seconds: None)
    answer = groupings.function("audit")({})
    # The total of the former grouping is not compared.
    assert answer == {"Drift": 1, "InFlight": 0, "Totals": 4, "Rows": 3, "UnreadableRows": 1}


@pytest.mark.parametrize(
    ("limits", "beyond"),
    [({"daily": 2, "tags": 2}, 0), ({"daily": 1, "tags": 5}, 1), ({"daily": 1, "tags": 1}, 2)],
)
def test_groupings_beyond_max_totals_are_counted_and_named(
    groupings: Pipeline, capsys: pytest.CaptureFixture[str], limits: dict[str, int], beyond: int
) -> None:
    groupings.settings |= {
        "MAX_TOTALS": json.dumps(limits),
        "CONFIGURATION": json.dumps(GROUPINGS | {"on_expiry": "keep"}),
    }
    function = groupings.function("audit")
    named: list[dict[str, Any]] = []
    warning = mock.patch.object(
        function.module.logger, "warning", lambda _text, extra: named.append(extra), create=True
    )
    # With `keep` nothing can be compared, but the totals are still counted.
    with warning:
        assert function({}) == {"GroupingsOverLimit": beyond}
    assert _metrics(capsys)["GroupingsOverLimit"] == [float(beyond)]
    assert len(named) == beyond
    if beyond:
        assert named[0] == {"grouping": "daily", "totals": 2, "max_totals": 1}


def test_nothing_is_compared_before_the_first_backfill(groupings: Pipeline) -> None:
    groupings.settings["BACKFILL"] = "required"
    function = groupings.function("audit")
    assert function({}) == {}
    version = Configuration.from_json(json.dumps(GROUPINGS)).version
    registry = f"{groupings.prefix}RegistryTable"
    for name, attributes in (
        ("live", {"Version": {"S": version}}),
        (version, {"Document": {"S": json.dumps(GROUPINGS)}}),
    ):
        groupings.dynamodb.put_item(
            TableName=registry,
            Item={"Scope": {"S": "configurations"}, "Name": {"S": name}, **attributes},
        )
    assert function({})["Rows"] == 3
