"""AuditLambda over DynamoDB Local: what it counts and logs."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from support import trades
from support.pipeline import Function, Pipeline

COUNTS = ("Drift", "InFlight", "Totals", "Rows", "UnreadableRows")


@pytest.fixture
def function(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Function:
    """AuditLambda beside a pipeline with some trades; it does not wait."""
    monkeypatch.setattr("leda.audit.time.sleep", lambda _seconds: None)
    pipeline.settings["FRESHNESS_SECONDS"] = "1"
    draw = random.Random(4)
    messages = trades.burst(draw, trades.versions(draw, 6, 2), bad=0)
    pipeline.function("state")(pipeline.kinesis_event(*messages))
    pipeline.run()
    return pipeline.function("audit")


def _present(pipeline: Pipeline) -> list[str]:
    """The totals that have trades below them."""
    rows = pipeline.rows("AggregateTable")
    return sorted(row["Identifier"]["S"] for row in rows if row["Count"] != {"N": "0"})


def _metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last metrics line."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    found: dict[str, Any] = lines[-1]
    return found


def test_exact_totals_are_no_drift(
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
def test_a_total_that_somebody_changed_is_drift_and_a_row_that_somebody_damaged_is_counted(
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
