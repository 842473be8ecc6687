"""State, Map and Reduce one after the other: the totals that messages make, and the functions' metrics."""

import json
import random
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from simulation import trades
from support.at_once import at_once
from support.lambda_events import event
from support.pipeline import Pipeline


def message(
    identifier: str, version: int, value: Any, region: str = "EMEA", **more: Any
) -> dict[str, Any]:
    names = {"RiskType": "PV", "TradeDesk": "FXSpot", "Region": region}
    return {"TradeID": identifier, "Version": version, "Value": value, "Hierarchy": names, **more}


def totals_after(pipeline: Pipeline, *messages: Any) -> dict[str, Decimal]:
    answer = pipeline.function("state")(pipeline.kinesis_event(*messages))
    assert answer == {"batchItemFailures": []}
    return {path: total for path, total in pipeline.run().items() if total}


def test_a_message_counts_in_the_total_of_every_level(pipeline: Pipeline) -> None:
    assert totals_after(pipeline, message("a", 1, 34624.51)) == {
        "PV": Decimal("34624.51"),
        "PV:FXSpot": Decimal("34624.51"),
        "PV:FXSpot:EMEA": Decimal("34624.51"),
    }


def test_totals_are_those_of_the_newest_version_of_each_trade(pipeline: Pipeline) -> None:
    totals_after(pipeline, message("a", 1, 1), message("b", 1, 2), message("c", 1, 4))
    found = totals_after(
        pipeline,
        message("a", 2, 10),
        message("b", 3, 20, region="APAC"),
        message("b", 2, 99),
        {"TradeID": "c", "Version": 2, "Deleted": True},
        message("c", 1, 4),
    )

    assert found == {"PV": 30, "PV:FXSpot": 30, "PV:FXSpot:EMEA": 10, "PV:FXSpot:APAC": 20}


def test_thirty_times_a_tenth_is_three(pipeline: Pipeline) -> None:
    batch = [message(f"t{number}", 1, 0.1) for number in range(30)]

    assert totals_after(pipeline, *batch)["PV"] == 3


def test_values_that_cancel_out_leave_totals_of_zero(pipeline: Pipeline) -> None:
    totals_after(pipeline, message("a", 1, 1e-17), message("b", 1, -1e-17))

    assert pipeline.totals() == dict.fromkeys(("PV", "PV:FXSpot", "PV:FXSpot:EMEA"), 0)


def test_another_schema_reads_other_messages(pipeline: Pipeline) -> None:
    pipeline.settings["SCHEMA"] = json.dumps(
        {
            "id": "meter",
            "version": "seq",
            "value": "kWh",
            "deleted": "gone",
            "hierarchy": None,
            "levels": ["country", "city"],
        }
    )
    meters = [
        {"meter": "m1", "seq": 1, "kWh": 5, "country": "NO", "city": "Oslo"},
        {"meter": "m2", "seq": 1, "kWh": 7, "country": "NO", "city": "Bergen"},
        {"meter": "m2", "seq": 2, "gone": True},
    ]

    assert totals_after(pipeline, *meters) == {"NO": 5, "NO:Oslo": 5}


def test_repeated_deliveries_in_any_batches_and_two_at_once_change_nothing(
    pipeline: Pipeline,
) -> None:
    """The simulation plays thousands of such schedules, with failures, over a store in memory."""
    draw = random.Random(7)
    versions = trades.versions(draw, trades=12, each=4)
    pipeline.function("state")(pipeline.kinesis_event(*trades.burst(draw, versions)))
    for name, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for start in range(0, len(records), 15):
            batch = records[max(0, start - 3) : start + 15]
            parts = (batch, batch[: len(batch) // 2 + 1])
            at_once([partial(pipeline.function(name), event(part, shard)) for part in parts])
        warm = pipeline.function(name)
        for again in (records, records[::-1], records[5:9]):
            warm(event(again, shard))

    found = {node: total for node, total in pipeline.totals().items() if total}
    assert found == trades.fold(versions)


def metrics(output: str) -> dict[str, Any]:
    """The last EMF line's metrics."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"')]
    last: dict[str, Any] = lines[-1]
    (described,) = last["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "LEDA"
    assert {"service", "function_name"} <= set(described["Dimensions"][0])
    return {one["Name"]: last[one["Name"]] for one in described["Metrics"]}


def test_each_function_emits_its_metrics(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = [message("a", 1, 1), message("a", 2, 2), message("a", 2, 2), message("b", 1, 1), b"bad"]
    for name, table, batch_event in (
        ("state", "", pipeline.kinesis_event(*batch)),
        ("map", "StateTable", None),
        ("reduce", "ReduceTable", None),
    ):
        given = batch_event or event(pipeline.stream_records(table), pipeline.shard(table))
        reported = []
        for _ in range(2):
            pipeline.function(name)(given)
            reported.append(metrics(capsys.readouterr().out))
        first, again = reported
        if name == "state":
            assert first == {
                "Records": [5],
                "Duplicates": [1],
                "StaleVersions": [1],
                "Quarantined": [1],
            }
            assert again == {
                "Records": [5],
                "Duplicates": [3],
                "StaleVersions": [1],
                "Quarantined": [1],
            }
        else:
            size = len(given["Records"])
            assert (first["Records"], first["Duplicates"]) == ([size], [0])
            assert (again["Records"], again["Duplicates"]) == ([size], [size])
        if name == "reduce":
            assert (first["DeltasApplied"], again["DeltasApplied"]) == ([1], [0])


def test_lag_is_the_age_of_the_oldest_message_in_milliseconds(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stamped = [message(str(at), 1, 1, Timestamp=at) for at in (1616413260, 1616413258.5)]
    pipeline.function("state")(pipeline.kinesis_event(*stamped))
    pipeline.function("map")(
        event(pipeline.stream_records("StateTable"), pipeline.shard("StateTable"))
    )
    batch = event(pipeline.stream_records("ReduceTable"), pipeline.shard("ReduceTable"))
    function = pipeline.function("reduce")
    monkeypatch.setattr("leda.aws.telemetry.time.time", lambda: 1616413260.5)

    function(batch)

    assert metrics(capsys.readouterr().out)["Lag"] == [pytest.approx(2000)]
