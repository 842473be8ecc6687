"""MapLambda over DynamoDB Local: rows of sums, quarantine, and failures at each call."""

import base64
import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from leda.engine.map import map_batch
from leda.engine.map.map_rows import BadCheckpointError, RowClosedError
from leda.engine.shards import MissingShardIdError
from simulation.failures import Killed, client_error, timed_out
from support.faults import Fault, Faults, FaultyClient, after, instead, meanwhile, statements
from support.lambda_events import event
from support.pipeline import Pipeline, parameter


def put(pipeline: Pipeline, identifier: str, path: Any, value: Any, version: int = 1) -> None:
    """Write a row of StateTable, as State does or otherwise."""
    item = {"id": {"S": identifier}, "Version": {"N": str(version)}, "Path": path, "Value": value}
    pipeline.dynamodb.put_item(
        TableName=pipeline.prefix + "StateTable", Item={k: v for k, v in item.items() if v}
    )


def put_trades(
    pipeline: Pipeline, count: int, path: Callable[[int], str] = lambda n: "PV:A"
) -> None:
    for number in range(count):
        put(pipeline, f"t{number}", {"S": path(number)}, {"N": str(number)})


def batch_of(pipeline: Pipeline, table: str = "StateTable") -> dict[str, Any]:
    """All records of the table's stream as one event."""
    return event(pipeline.stream_records(table), pipeline.shard(table))


def sums_written(pipeline: Pipeline, measure: str = "Value") -> dict[str, Decimal]:
    """The sum of all rows that were ever put into ReduceTable, from its stream."""
    found: dict[str, Decimal] = {}
    for record in pipeline.stream_records("ReduceTable"):
        row = record["dynamodb"]["NewImage"]
        place = [name["S"] for name in row["Measures"]["L"]].index(measure)
        for node, amounts in row["Totals"]["M"].items():
            found[node] = found.get(node, Decimal(0)) + Decimal(amounts["L"][place]["N"])
    return found


def test_a_batch_becomes_a_row_with_its_sums_and_its_checkpoint(pipeline: Pipeline) -> None:
    put_trades(pipeline, 4)
    batch = batch_of(pipeline)

    assert pipeline.function("map")(batch) == {"state": {}}

    (row,) = pipeline.rows("ReduceTable")
    first, last = (batch["Records"][place]["dynamodb"] for place in (0, -1))
    label = pipeline.stream_arn("StateTable").rpartition("/")[2]
    assert row["Lane"]["S"].split(".")[1:] == ["1", "0"]
    assert row["Source"] == {"S": f"{label}/{pipeline.shard('StateTable')}"}
    assert row["Sequence"] == {"S": f"{int(last['SequenceNumber']):040d}"}
    assert row["Measures"] == {"L": [{"S": "Count"}, {"S": "Value"}]}
    amounts = {"L": [{"N": "4"}, {"N": "6"}]}
    assert row["Totals"] == {"M": {"PV": amounts, "PV:A": amounts}}
    assert row["Records"] == {"N": "4"}
    # Two days after the youngest record was made, by the service's clock.
    assert int(row["ExpiresAt"]["N"]) >= int(first["ApproximateCreationDateTime"]) + 2 * 24 * 3600
    # The messages have no time of their own.
    created = min(each["dynamodb"]["ApproximateCreationDateTime"] for each in batch["Records"])
    assert float(row["OldestTimestamp"]["N"]) == created


def test_the_next_batch_replaces_the_row_and_skips_covered_records(pipeline: Pipeline) -> None:
    put_trades(pipeline, 2)
    pipeline.function("map")(batch_of(pipeline))
    put(pipeline, "t0", {"S": "PV:B"}, {"N": "10"}, version=2)
    pipeline.function("map")(batch_of(pipeline))

    (row,) = pipeline.rows("ReduceTable")
    assert row["Totals"]["M"] == {
        "PV": {"L": [{"N": "0"}, {"N": "10"}]},
        "PV:A": {"L": [{"N": "-1"}, {"N": "0"}]},
        "PV:B": {"L": [{"N": "1"}, {"N": "10"}]},
    }
    assert len(pipeline.stream_records("ReduceTable")) == 2
    assert sums_written(pipeline) == {"PV": 11, "PV:A": 1, "PV:B": 10}
    assert sums_written(pipeline, "Count") == {"PV": 2, "PV:A": 1, "PV:B": 1}


def test_a_row_of_records_without_a_plausible_time_does_not_expire(pipeline: Pipeline) -> None:
    put_trades(pipeline, 1)
    for created in (None, 1_000_000_000.0, 4_000_000_000.0):
        batch = batch_of(pipeline)
        for record in batch["Records"]:
            record["dynamodb"]["ApproximateCreationDateTime"] = created
        pipeline.function("map")(batch)

        (row,) = pipeline.rows("ReduceTable")
        assert "ExpiresAt" not in row
        key = {name: row[name] for name in ("Lane", "Source")}
        pipeline.dynamodb.delete_item(TableName=pipeline.prefix + "ReduceTable", Key=key)


def test_the_state_of_the_tumbling_window_is_returned_unchanged(pipeline: Pipeline) -> None:
    function, shard = pipeline.function("map"), pipeline.shard("StateTable")

    assert function(event([], shard)) == {"state": {}}
    assert function({**event([], shard), "state": {"kept": 1}}) == {"state": {"kept": 1}}


@pytest.mark.parametrize("lanes", ["1", "4"])
def test_a_repeated_batch_of_many_rows_makes_one_request_for_each_lane(
    pipeline: Pipeline, lanes: str
) -> None:
    """Otherwise a delivery that ran into its timeout would be followed by deliveries that take as long."""
    pipeline.settings |= {"REDUCE_LANES": lanes, "LIMITS": json.dumps({"max_integer_digits": 1})}
    for number in range(10):
        put(pipeline, f"t{number}", {"S": "PV:A:B"}, {"N": "10"})
    batch = batch_of(pipeline)
    pipeline.function("map")(batch)
    assert sums_written(pipeline)["PV"] == 100
    function, faults = pipeline.faulty("map")

    function(batch)

    touched = {row["Lane"]["S"] for row in pipeline.rows("ReduceTable")}
    assert faults.log.count("put_item") == len(touched)


def test_a_damaged_checkpoint_fails_the_batch_with_an_error_that_names_leda_rebuild(
    pipeline: Pipeline,
) -> None:
    put_trades(pipeline, 1)
    batch = batch_of(pipeline)
    pipeline.function("map")(batch)
    (row,) = pipeline.rows("ReduceTable")
    pipeline.dynamodb.put_item(
        TableName=pipeline.prefix + "ReduceTable", Item=row | {"Sequence": {"N": "1"}}
    )

    with pytest.raises(BadCheckpointError, match="leda rebuild"):
        pipeline.function("map")(batch)


# -- rows that cannot be counted

UNCOUNTABLE = [
    (None, {"N": "5"}),
    ({"S": "PV:A"}, {"N": "1E+100"}),
    ({"S": ":".join("x" * 1000)}, {"N": "5"}),
]


@pytest.mark.parametrize(("path", "value"), UNCOUNTABLE)
def test_an_uncountable_row_is_quarantined_and_counts_once_it_is_corrected(
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
    put(pipeline, "foreign", {"S": "PV:A"}, {"N": "10"}, version=2)
    assert pipeline.run() == {"PV": 13, "PV:A": 13}
    assert len(pipeline.bucket.objects) == 1


def test_a_row_that_becomes_uncountable_is_subtracted_until_it_is_corrected(
    pipeline: Pipeline,
) -> None:
    put(pipeline, "t", {"S": "PV:A"}, {"N": "5"})
    assert pipeline.run() == {"PV": 5, "PV:A": 5}
    put(pipeline, "t", {"S": "PV:A"}, {"S": "broken"}, version=2)
    assert pipeline.run() == {"PV": 0, "PV:A": 0}
    put(pipeline, "t", {"S": "PV:A"}, {"N": "7"}, version=3)
    assert pipeline.run() == {"PV": 7, "PV:A": 7}


def test_an_uncountable_row_fails_the_batch_while_the_bucket_refuses_it(pipeline: Pipeline) -> None:
    put(pipeline, "foreign", None, {"N": "5"})
    batch = batch_of(pipeline)
    pipeline.bucket.error = client_error("SlowDown", 503)
    function = pipeline.function("map")

    with pytest.raises(ClientError, match="SlowDown"):
        function(batch)
    assert pipeline.rows("ReduceTable") == []
    pipeline.bucket.error = None
    function(batch)
    assert len(pipeline.bucket.objects) == 1


# -- values beyond the schema's limits


@pytest.mark.parametrize("lanes", ["1", "4"])
def test_values_without_a_common_sum_of_38_digits_replace_each_other(
    pipeline: Pipeline, lanes: str
) -> None:
    """The sum of 10^28 and 10^-28 has 57 digits; a row was written by hand with the one and then the other."""
    pipeline.settings["REDUCE_LANES"] = lanes
    put(pipeline, "t", {"S": "PV:A"}, {"N": "1E+28"})
    assert pipeline.run() == {"PV": 10**28, "PV:A": 10**28}
    put(pipeline, "t", {"S": "PV:A"}, {"N": "1E-28"}, version=2)
    put(pipeline, "u", {"S": "PV:A"}, {"N": "1"})
    batch = batch_of(pipeline)

    expected = Decimal("1.0000000000000000000000000001")
    assert pipeline.run() == {"PV": expected, "PV:A": expected}

    # Again, the batch and its last record alone: both halves of the change are covered.
    for again in (batch, {**batch, "Records": batch["Records"][1:2]}):
        pipeline.function("map")(again)
    assert pipeline.run()["PV"] == expected
    assert pipeline.bucket.objects == {}


def test_a_repeated_batch_under_narrower_limits_is_covered(pipeline: Pipeline) -> None:
    put(pipeline, "t", {"S": "PV"}, {"N": "1000000"})
    put(pipeline, "t", {"S": "PV"}, {"N": "2000000"}, version=2)
    batch = batch_of(pipeline)
    pipeline.function("map")(batch)

    pipeline.settings["LIMITS"] = json.dumps({"max_integer_digits": 3})
    pipeline.function("map")(batch)

    assert sums_written(pipeline) == {"PV": 2000000}


@pytest.mark.parametrize(
    ("limits", "values", "most"),
    [
        ({}, ("1E+28", "1E-28"), map_batch.MAX_ROW_BYTES),
        ({"max_integer_digits": 3}, ("1000000", "2000000"), map_batch.MAX_ROW_BYTES),
        # With one row for each change, the answer to the first put already covers the last change.
        ({"max_integer_digits": 3}, ("1000000", "2000000"), 1),
    ],
    ids=["no common sum", "narrower limits", "narrower limits, small rows"],
)
def test_a_delivery_killed_between_the_halves_of_a_change_is_completed_by_the_next(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
    values: tuple[str, str],
    most: int,
) -> None:
    """The next delivery has the default limits."""
    monkeypatch.setattr(map_batch, "MAX_ROW_BYTES", most)
    pipeline.settings["LIMITS"] = json.dumps(limits)
    for version, value in enumerate(values, 1):
        put(pipeline, "t", {"S": "PV"}, {"N": value}, version=version)
    batch = batch_of(pipeline)
    function, faults = pipeline.faulty("map")
    function({**batch, "Records": batch["Records"][:1]})
    # The first put finds its change covered, the second subtracts the old value, the third would add the new one.
    faults.arm("put_item", 3, instead(Killed()))
    with pytest.raises(Killed):
        function(batch)
    assert sums_written(pipeline) == {"PV": 0}

    pipeline.settings["LIMITS"] = "{}"
    pipeline.function("map")(batch)

    assert sums_written(pipeline) == {"PV": Decimal(values[1])}


# -- shards


def test_an_event_without_a_shard_is_refused_and_the_error_names_the_setting(
    pipeline: Pipeline,
) -> None:
    put_trades(pipeline, 2)
    records = pipeline.stream_records("StateTable")

    with pytest.raises(MissingShardIdError, match="tumbling_window_in_seconds"):
        pipeline.function("map")(event(records))
    assert pipeline.rows("ReduceTable") == []
    assert pipeline.rows("RegistryTable") == []


@pytest.mark.parametrize("count", [1, 2])
def test_with_single_shard_an_event_without_a_shard_is_that_of_the_only_shard(
    pipeline: Pipeline, count: int
) -> None:
    pipeline.settings["SINGLE_SHARD"] = "true"
    put_trades(pipeline, 2)
    batch = event(pipeline.stream_records("StateTable"))
    listed = {"StreamDescription": {"Shards": [{"ShardId": f"shardId-{n}"} for n in range(count)]}}
    with mock.patch.object(
        pipeline, "streams", SimpleNamespace(describe_stream=lambda **_: listed)
    ):
        function = pipeline.function("map")

    if count == 1:
        function(batch)
        (row,) = pipeline.rows("ReduceTable")
        assert row["Source"]["S"].endswith("/shardId-0")
    else:
        with pytest.raises(MissingShardIdError):
            function(batch)


def test_a_test_event_of_the_lambda_console_has_a_checkpoint_of_its_own(pipeline: Pipeline) -> None:
    """Its SequenceNumber 111, as a number of the shard, would hide records of the stream or be hidden by them."""
    put_trades(pipeline, 1)
    (record,) = pipeline.stream_records("StateTable")
    change = record["dynamodb"]
    made_up = {**record, "dynamodb": {**change, "SequenceNumber": "111"}}
    for _ in range(2):
        assert pipeline.function("map")(event([made_up])) == {"state": {}}
    pipeline.function("map")(batch_of(pipeline))

    assert sums_written(pipeline, "Count") == {"PV": 2, "PV:A": 2}
    sources = {row["Source"]["S"].rpartition("/")[2] for row in pipeline.rows("ReduceTable")}
    assert sources == {"made-up", pipeline.shard("StateTable")}
    # Together with records of a stream, such a record is quarantined.
    pipeline.function("map")(event([made_up, record], pipeline.shard("StateTable")))
    assert sums_written(pipeline, "Count") == {"PV": 2, "PV:A": 2}
    assert "SequenceNumber" in pipeline.bucket.reasons[0]


# -- failures

FAULTS: dict[str, Fault] = {
    "no answer": instead(timed_out()),
    "a lost answer": after(timed_out()),
    "throttled": instead(client_error("ThrottlingException")),
    "a server error": instead(client_error("InternalServerError", 500)),
    "a server error after the effect": after(client_error("InternalServerError", 500)),
    "refused by IAM": instead(client_error("AccessDeniedException")),
    "killed before": instead(Killed()),
    "killed after": after(Killed()),
}
STATEMENT_FAULTS: dict[str, Fault] = {
    "some statements throttled": statements("ThrottlingError", applied=False),
    "some statements without an answer": statements("InternalServerError", applied=True),
}
NOT_RETRIED = {"refused by IAM", "killed before", "killed after"}
# Each call that the functions make of DynamoDB, and how often.
CALLS = {
    "map": {"get_item": 5, "put_item": 6, "query": 1},
    "reduce": {"get_item": 3, "put_item": 2, "query": 2, "update_item": 1}
    | {"batch_execute_statement": 8},
}
FAILURES = [
    (name, call, nth, fault)
    for name, calls in CALLS.items()
    for call, times in calls.items()
    for nth in range(1, times + 1)
    for fault in (*FAULTS, *(STATEMENT_FAULTS if call == "batch_execute_statement" else ()))
]


@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize(("name", "call", "nth", "fault"), FAILURES)
def test_totals_are_exact_after_a_failure_at_any_call(
    memory_pipeline: Pipeline, name: str, call: str, nth: int, fault: str
) -> None:
    pipeline = memory_pipeline
    put_trades(pipeline, 12, lambda number: f"PV:{number}")
    for stage, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
        batch = batch_of(pipeline, table)
        if stage == name:
            faults = Faults()
            faults.arm(call, nth, {**FAULTS, **STATEMENT_FAULTS}[fault])
            function = pipeline.function(stage, lambda client, f=faults: FaultyClient(client, f))
            # Statements are retried within the invocation; after all other failures Lambda delivers the batch again.
            is_retried = call == "batch_execute_statement" and fault not in NOT_RETRIED
            with nullcontext() if is_retried else suppress(Killed, ClientError, BotoCoreError):
                function(batch)
            assert faults.log.count(call) >= nth
        pipeline.function(stage)(batch)

    assert pipeline.totals() == {"PV": 66} | {f"PV:{number}": number for number in range(12)}


def test_a_shard_is_assigned_once_by_two_deliveries_at_the_same_time(pipeline: Pipeline) -> None:
    put_trades(pipeline, 3)
    batch = batch_of(pipeline)
    function, faults = pipeline.faulty("map")
    pipeline.settings["REDUCE_LANES"] = "4"
    other = pipeline.function("map")
    faults.arm("put_item", 3, meanwhile(lambda: other(batch)))

    function(batch)

    assert sums_written(pipeline) == {"PV": 3, "PV:A": 3}
    assert {row["Lane"]["S"].split(".")[1] for row in pipeline.rows("ReduceTable")} == {"4"}


@pytest.mark.parametrize("name", ["map", "reduce"])
def test_an_injected_failure_comes_after_the_write_and_totals_stay_exact(
    pipeline: Pipeline, name: str
) -> None:
    pipeline.settings["PARAMETER_TABLE"] = pipeline.prefix + "ParameterTable"
    put_trades(pipeline, 3)
    table, target = {
        "map": ("StateTable", "ReduceTable"),
        "reduce": ("ReduceTable", "AggregateTable"),
    }[name]
    if name == "reduce":
        pipeline.function("map")(batch_of(pipeline))
    batch, function = batch_of(pipeline, table), pipeline.function(name)

    with parameter(pipeline, f"FAILURE_{name.upper()}_LAMBDA_PCT", 100):
        for _ in range(3):
            with pytest.raises(RuntimeError, match=f"injected failure: FAILURE_{name.upper()}"):
                function(batch)
            assert len(pipeline.rows(target)) == (2 if name == "reduce" else 1)
    assert function(batch) == {"state": {}}

    assert pipeline.run() == {"PV": 3, "PV:A": 3}


def test_the_oldest_timestamp_under_groupings_is_that_of_the_record(pipeline: Pipeline) -> None:
    group_by = {"paths": {"keys": ["Path"]}}
    measures = {"Rows": {"op": "count"}}
    pipeline.settings["CONFIGURATION"] = json.dumps({"group_by": group_by, "measures": measures})
    put_trades(pipeline, 1)
    batch = batch_of(pipeline)
    pipeline.function("map")(batch)

    (row,) = pipeline.rows("ReduceTable")
    created = batch["Records"][0]["dynamodb"]["ApproximateCreationDateTime"]
    assert float(row["OldestTimestamp"]["N"]) == created


def test_a_batch_fails_while_its_shards_row_is_closed_and_the_shard_is_not_assigned_again(
    pipeline: Pipeline,
) -> None:
    put_trades(pipeline, 1)
    pipeline.function("map")(batch_of(pipeline))
    (row,) = pipeline.rows("ReduceTable")
    closed = {**row, "Sequence": {"S": "9" * 40}, "ClosedBy": {"S": "other"}}
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "ReduceTable", Item=closed)
    put(pipeline, "new", {"S": "PV:A"}, {"N": "4"})

    with pytest.raises(RowClosedError, match="`leda backfill` is at work"):
        pipeline.function("map")(batch_of(pipeline))

    assert pipeline.rows("ReduceTable") == [closed]
