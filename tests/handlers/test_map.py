"""MapLambda over DynamoDB Local: delta rows, quarantine, and failures at each of its calls."""

import base64
import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from leda.lanes import UnknownLane
from leda.streams import MalformedEvent
from support.faults import (
    Fault,
    Faults,
    FaultyClient,
    Killed,
    after,
    cancelled,
    client_error,
    instead,
    timed_out,
)
from support.pipeline import Pipeline, event, parameter


def put(pipeline: Pipeline, identifier: str, path: Any, value: Any, version: int = 1) -> None:
    """Write a row of StateTable as State does, or as it would not."""
    item = {"id": {"S": identifier}, "Version": {"N": str(version)}, "Path": path, "Value": value}
    pipeline.dynamodb.put_item(
        TableName=pipeline.prefix + "StateTable", Item={k: v for k, v in item.items() if v}
    )


def trades(pipeline: Pipeline, count: int, path: Callable[[int], str] = lambda n: "PV:A") -> None:
    for number in range(count):
        put(pipeline, f"t{number}", {"S": path(number)}, {"N": str(number)})


def deltas(pipeline: Pipeline) -> dict[str, Decimal]:
    """The sum of all delta rows."""
    found: dict[str, Decimal] = {}
    for row in pipeline.rows("ReduceTable"):
        for path, value in row["Totals"]["M"].items():
            found[path] = found.get(path, Decimal(0)) + Decimal(value["N"])
    return found


@pytest.mark.parametrize("windowed", [True, False])
def test_a_batch_becomes_a_delta_row(pipeline: Pipeline, windowed: bool) -> None:
    trades(pipeline, 4)
    records, shard = pipeline.stream_records("StateTable"), pipeline.shard("StateTable")

    assert pipeline.function("map")(event(records, shard if windowed else None)) == {"state": {}}

    (row,) = pipeline.rows("ReduceTable")
    lane = shard if windowed else pipeline.stream_arn("StateTable")
    last = records[-1]["dynamodb"]["SequenceNumber"]
    assert row["Lane"] == {"N": "0"}
    assert row["Delta"] == {"S": f"{lane}#{int(last):056d}#00"}
    assert row["Totals"] == {"M": {"PV": {"N": "6"}, "PV:A": {"N": "6"}}}
    assert row["Records"] == {"N": "4"}
    assert int(row["ExpiresAt"]["N"]) > 1_700_000_000
    assert "OldestTimestamp" not in row


def test_the_windows_state_comes_back_as_it_was(pipeline: Pipeline) -> None:
    function, shard = pipeline.function("map"), pipeline.shard("StateTable")

    assert function(event([], shard)) == {"state": {}}
    assert function({**event([], shard), "state": {"kept": 1}}) == {"state": {"kept": 1}}


def test_lanes_of_the_reduce_table_are_as_many_as_the_setting_says(pipeline: Pipeline) -> None:
    pipeline.settings["REDUCE_LANES"] = "4"
    trades(pipeline, 3)
    pipeline.function("map")(event(pipeline.stream_records("StateTable")))

    (row,) = pipeline.rows("ReduceTable")
    assert 0 <= int(row["Lane"]["N"]) < 4


def test_many_nodes_become_several_rows_in_one_transaction(pipeline: Pipeline) -> None:
    trades(pipeline, 150, lambda number: f"PV:{number}")
    faults = Faults()
    function = pipeline.function("map", lambda client: FaultyClient(client, faults))

    function(event(pipeline.stream_records("StateTable")))

    assert faults.log.count("transact_write_items") == 1
    rows = sorted(pipeline.rows("ReduceTable"), key=lambda row: row["Delta"]["S"])
    assert [len(row["Totals"]["M"]) for row in rows] == [98, 53]
    assert [row["Delta"]["S"][-3:] for row in rows] == ["#00", "#01"]
    assert pipeline.run()["PV"] == sum(range(150))


# -- rows that cannot be counted

FOREIGN = [
    (None, {"N": "5"}),
    ({"S": "PV:A"}, None),
    ({"S": "PV:A"}, {"S": "5"}),
    ({"S": "PV:A"}, {"N": "1E+100"}),
    ({"S": "PV:A"}, {"N": "1E-100"}),
    ({"S": "PV:" + "x" * 2050}, {"N": "5"}),
    ({"S": ":"}, {"N": "5"}),
    ({"S": ":PV"}, {"N": "5"}),
    ({"N": "5"}, {"N": "5"}),
]


@pytest.mark.parametrize(("path", "value"), FOREIGN)
def test_a_row_that_leda_did_not_write_is_kept_aside_and_blocks_nothing(
    pipeline: Pipeline, path: Any, value: Any
) -> None:
    put(pipeline, "before", {"S": "PV:A"}, {"N": "1"})
    put(pipeline, "foreign", path, value)
    put(pipeline, "after", {"S": "PV:A"}, {"N": "2"})

    assert pipeline.run() == {"PV": 3, "PV:A": 3}

    ((key, kept),) = pipeline.bucket.objects.items()
    record = pipeline.stream_records("StateTable")[1]
    assert key.startswith(f"{pipeline.prefix}MapLambda/")
    assert key.endswith(f"/{record['eventID']}.json")
    assert kept["sequenceNumber"] == record["dynamodb"]["SequenceNumber"]
    assert json.loads(base64.b64decode(kept["data"])) == record
    # Mended, it counts.
    put(pipeline, "foreign", {"S": "PV:A"}, {"N": "10"}, version=2)
    assert pipeline.run() == {"PV": 13, "PV:A": 13}
    assert len(pipeline.bucket.objects) == 1


def test_a_row_that_somebody_broke_is_out_of_the_totals_until_it_is_mended(
    pipeline: Pipeline,
) -> None:
    put(pipeline, "t", {"S": "PV:A"}, {"N": "5"})
    assert pipeline.run() == {"PV": 5, "PV:A": 5}
    put(pipeline, "t", {"S": "PV:A"}, {"S": "broken"}, version=2)
    assert pipeline.run() == {"PV": 0, "PV:A": 0}
    put(pipeline, "t", {"S": "PV:A"}, {"N": "7"}, version=3)
    assert pipeline.run() == {"PV": 7, "PV:A": 7}


def test_without_the_bucket_a_row_that_cannot_be_counted_waits(pipeline: Pipeline) -> None:
    put(pipeline, "foreign", None, {"N": "5"})
    batch = event(pipeline.stream_records("StateTable"))
    pipeline.bucket.error = client_error("SlowDown", 503)
    function = pipeline.function("map")

    with pytest.raises(ClientError, match="SlowDown"):
        function(batch)
    assert pipeline.rows("CheckpointTable") == []
    pipeline.bucket.error = None
    function(batch)
    assert len(pipeline.bucket.objects) == 1


def test_a_removal_by_time_to_live_is_no_delete_and_one_by_hand_is(pipeline: Pipeline) -> None:
    for identifier in ("expired", "deleted"):
        put(pipeline, identifier, {"S": "PV"}, {"N": "5"})
        pipeline.dynamodb.delete_item(
            TableName=pipeline.prefix + "StateTable", Key={"id": {"S": identifier}}
        )
    records = pipeline.stream_records("StateTable")
    records[1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    pipeline.function("map")(event(records))

    assert deltas(pipeline) == {"PV": 5}


# -- lanes


def test_several_shards_without_a_window_are_refused_with_the_setting(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades(pipeline, 2)
    records, shard = pipeline.stream_records("StateTable"), pipeline.shard("StateTable")
    function = pipeline.function("map")
    real = function.module.consumer._streams.describe_stream

    def split(**request: Any) -> Any:
        answer = real(**request)
        first = answer["StreamDescription"]["Shards"][0]
        answer["StreamDescription"]["Shards"].append({**first, "ShardId": "shardId-other"})
        return answer

    monkeypatch.setattr(function.module.consumer._streams, "describe_stream", split)

    with pytest.raises(UnknownLane, match="tumbling_window_in_seconds"):
        function(event(records))
    assert pipeline.rows("ReduceTable") == []
    # With the window the shard is named, and nobody needs to ask.
    function(event(records, shard))
    assert deltas(pipeline) == {"PV": 1, "PV:A": 1}


def test_two_pipelines_of_one_table_share_no_checkpoint(pipeline: Pipeline) -> None:
    trades(pipeline, 3)
    batch = event(pipeline.stream_records("StateTable"))
    pipeline.function("map")(batch)
    pipeline.settings["AWS_LAMBDA_FUNCTION_NAME"] = "another-MapLambda"
    table = pipeline.prefix + "ReduceTable"
    for row in pipeline.rows("ReduceTable"):
        pipeline.dynamodb.delete_item(TableName=table, Key={k: row[k] for k in ("Lane", "Delta")})

    pipeline.function("map")(batch)

    assert deltas(pipeline) == {"PV": 3, "PV:A": 3}
    assert len({row["Source"]["S"] for row in pipeline.rows("CheckpointTable")}) == 2


def test_an_event_of_another_source_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(MalformedEvent, match="DynamoDB stream"):
        pipeline.function("map")(event(pipeline.kinesis_event({"a": 1})["Records"], "shardId-1"))


# -- failures

FAULTS: dict[str, Fault] = {
    "no answer": instead(timed_out()),
    "a lost answer": after(timed_out()),
    "a conflict": instead(cancelled("None", "TransactionConflict")),
    "a throttled transaction": instead(cancelled("ThrottlingError")),
    "throttled": instead(client_error("ThrottlingException")),
    "a server error": instead(client_error("InternalServerError", 500)),
    "a server error after the effect": after(client_error("InternalServerError", 500)),
    "refused by IAM": instead(client_error("AccessDeniedException")),
    "killed before": instead(Killed()),
    "killed after": after(Killed()),
}
UNSETTLED = {"refused by IAM", "killed before", "killed after"}
# Each call that the functions make of DynamoDB, in both shapes of event.
CALLS = [("get_item", 1, True), ("get_item", 2, True), ("query", 1, False)]
CALLS += [("transact_write_items", nth, windowed) for nth in (1, 2) for windowed in (True, False)]


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize(("call", "nth", "windowed"), CALLS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["map", "reduce"])
def test_a_failure_at_any_call_costs_no_exactness(
    memory_pipeline: Pipeline, name: str, fault: str, call: str, nth: int, windowed: bool
) -> None:
    pipeline = memory_pipeline
    trades(pipeline, 12, lambda number: f"PV:{number}")
    for stage, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
        records = pipeline.stream_records(table)
        batch = event(records, pipeline.shard(table) if windowed else None)
        if stage == name:
            faults = Faults()
            faults.arm(call, nth, FAULTS[fault])
            function = pipeline.function(stage, lambda client, f=faults: FaultyClient(client, f))
            # What may have written is settled within the invocation; for the rest Lambda comes again.
            is_settled = call == "transact_write_items" and fault not in UNSETTLED
            with nullcontext() if is_settled else suppress(Killed, ClientError, BotoCoreError):
                function(batch)
            assert faults.log.count(call) >= nth
        pipeline.function(stage)(batch)

    assert pipeline.totals() == {"PV": 66} | {f"PV:{number}": number for number in range(12)}


@pytest.mark.parametrize("name", ["map", "reduce"])
def test_an_injected_failure_comes_after_the_write_and_costs_no_exactness(
    pipeline: Pipeline, name: str
) -> None:
    pipeline.settings["PARAMETER_TABLE"] = pipeline.prefix + "ParameterTable"
    trades(pipeline, 3)
    table = "ReduceTable" if name == "reduce" else "StateTable"
    if name == "reduce":
        pipeline.function("map")(event(pipeline.stream_records("StateTable")))
    batch, function = event(pipeline.stream_records(table)), pipeline.function(name)

    with parameter(pipeline, f"FAILURE_{name.upper()}_LAMBDA_PCT", 100):
        for _ in range(3):
            with pytest.raises(RuntimeError, match=f"injected failure: FAILURE_{name.upper()}"):
                function(batch)
            assert len(pipeline.rows("CheckpointTable")) == (2 if name == "reduce" else 1)
    assert function(batch) == {"state": {}}

    assert pipeline.run() == {"PV": 3, "PV:A": 3}


def test_a_value_that_a_narrower_schema_would_refuse_is_still_taken_out_again(
    pipeline: Pipeline,
) -> None:
    """The limits are State's at input. A row that was counted under wider ones must not stay counted for ever."""
    message = {"TradeID": "t", "Hierarchy": {"A": "PV"}}
    pipeline.settings["SCHEMA"] = json.dumps({"levels": ["A"]})
    pipeline.function("state")(pipeline.kinesis_event(message | {"Version": 1, "Value": 123456}))
    assert pipeline.run() == {"PV": Decimal(123456)}

    pipeline.settings["SCHEMA"] = json.dumps({"levels": ["A"], "max_integer_digits": 3})
    pipeline.function("state")(pipeline.kinesis_event(message | {"Version": 2, "Value": 5}))

    assert pipeline.run() == {"PV": Decimal(5)}
