"""StateLambda over DynamoDB Local: it stores the newest version of each trade and quarantines bad messages."""

import base64
import json
import random
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leda.pipeline.messages import BadInputError, Message, parse
from leda.pipeline.schema import Schema
from simulation import trades
from simulation.failures import Killed, client_error, timed_out
from support.faults import Faults, FaultyClient, after, instead
from support.pipeline import SHARD, STREAM_ARN, Pipeline, parameter
from support.user_records import packed

HIERARCHY = {"RiskType": "PV", "TradeDesk": "FXSpot", "Region": "EMEA"}


def message(
    identifier: str = "t", version: int = 1, value: float = 1, **more: Any
) -> dict[str, Any]:
    return {
        "TradeID": identifier,
        "Version": version,
        "Value": value,
        "Hierarchy": HIERARCHY,
        **more,
    }


def deletion(identifier: str = "t", version: int = 1) -> dict[str, Any]:
    return {"TradeID": identifier, "Version": version, "Deleted": True}


def store(pipeline: Pipeline, *messages: Any) -> list[str]:
    """Deliver the messages to a cold environment; returns the sequence numbers in batchItemFailures."""
    return failures(pipeline.function("state")(pipeline.kinesis_event(*messages)))


def failures(answer: Any) -> list[str]:
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def row(pipeline: Pipeline, identifier: str = "t") -> dict[str, Any] | None:
    found = {one["id"]["S"]: one for one in pipeline.rows("StateTable")}
    return found.get(identifier)


def version(pipeline: Pipeline, identifier: str = "t") -> int | None:
    found = row(pipeline, identifier)
    return None if found is None else int(found["Version"]["N"])


def test_a_message_becomes_a_row(pipeline: Pipeline) -> None:
    assert store(pipeline, message(value=34624.51, Timestamp=1616413258.8997078)) == []

    assert row(pipeline) == {
        "id": {"S": "t"},
        "Version": {"N": "1"},
        "Value": {"N": "34624.51"},
        "Path": {"S": "PV:FXSpot:EMEA"},
        "Hierarchy": {"S": json.dumps(HIERARCHY, sort_keys=True)},
        "Timestamp": {"N": "1616413258.8997078"},
        "Deleted": {"BOOL": False},
    }


def test_a_deleted_trade_keeps_its_version_until_a_newer_one_comes(pipeline: Pipeline) -> None:
    store(pipeline, message(version=1))
    store(pipeline, deletion(version=5))
    store(pipeline, message(version=4))

    found = row(pipeline)
    assert found
    assert (found["Version"], found["Deleted"]) == ({"N": "5"}, {"BOOL": True})
    store(pipeline, message(version=6))
    assert version(pipeline) == 6


# -- limits


def raw(**fields: bytes) -> bytes:
    given_fields = {
        "TradeID": b'"t"',
        "Version": b"1",
        "Value": b"1",
        "Hierarchy": json.dumps(HIERARCHY).encode(),
        **fields,
    }
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in given_fields.items()) + b"}"


def test_the_longest_id_and_path_and_the_largest_hierarchy_are_stored(pipeline: Pipeline) -> None:
    names = {"RiskType": "é" * 500, "TradeDesk": "x" * 500, "Region": "y" * 546}
    big = message("i" * 2048, Hierarchy=names | {"more": "z" * 290_000})
    batch = [big] + [{**big, "TradeID": f"{number:02d}" + "i" * 2046} for number in range(3)]

    assert store(pipeline, *batch) == []

    assert len(pipeline.rows("StateTable")) == 4
    assert pipeline.bucket.objects == {}
    totals = pipeline.run()
    assert max(len(path.encode()) for path in totals) == 2048
    assert set(totals.values()) == {4}


ODD_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=":"), min_size=1, max_size=6
)
ODD = st.builds(
    lambda identifier, number, digits, exponent, region: raw(
        TradeID=json.dumps(identifier).encode(),
        Version=str(number).encode(),
        Value=f"{digits}e{exponent}".encode(),
        Hierarchy=json.dumps(HIERARCHY | {"Region": region}).encode(),
    ),
    ODD_TEXT,
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-(10**20), 10**20),
    st.integers(-30, 30),
    ODD_TEXT,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ODD, min_size=1, max_size=30))
def test_every_valid_message_is_stored_unchanged(
    dynamodb_endpoint: str, messages: list[bytes]
) -> None:
    pipeline = Pipeline(dynamodb_endpoint)
    expected: dict[str, Message] = {}
    for data in messages:
        try:
            parsed = parse(data, Schema())
        except BadInputError:
            continue
        if parsed.id not in expected or parsed.version > expected[parsed.id].version:
            expected[parsed.id] = parsed

    assert store(pipeline, *messages) == []

    rows = {one["id"]["S"]: one for one in pipeline.rows("StateTable")}
    assert set(rows) == set(expected)
    for identifier, parsed in expected.items():
        stored = rows[identifier]
        assert Decimal(stored["Version"]["N"]) == parsed.version
        assert Decimal(stored["Value"]["N"]) == parsed.value
        assert stored["Path"]["S"] == parsed.path
        assert stored["Hierarchy"]["S"] == parsed.names


# -- bad input

BAD = {
    "empty": b"",
    "1 MiB": b"x" * 2**20,
    "a lone surrogate": raw(TradeID=b'"\\ud800"'),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_message_is_quarantined_whole_and_the_others_are_stored(
    pipeline: Pipeline, bad: bytes
) -> None:
    event = pipeline.kinesis_event(message("before"), bad, message("after"))

    assert failures(pipeline.function("state")(event)) == []

    ((key, kept),) = pipeline.bucket.objects.items()
    number = event["Records"][1]["kinesis"]["sequenceNumber"]
    function = f"{pipeline.prefix}StateLambda"
    assert key == f"{function}/2021/03/22/{SHARD}_{number}.json"
    assert base64.b64decode(kept["data"]) == bad
    assert kept["dataLength"] == len(bad)
    assert (kept["function"], kept["stream"], kept["shard"]) == (function, STREAM_ARN, SHARD)
    assert kept["sequenceNumber"] == number
    assert kept["reason"]
    assert {one["id"]["S"] for one in pipeline.rows("StateTable")} == {"before", "after"}


def test_a_bad_message_is_reported_as_failed_while_the_bucket_refuses_it(
    pipeline: Pipeline,
) -> None:
    event = pipeline.kinesis_event(message("a"), b"bad", message("b"))
    pipeline.bucket.error = client_error("SlowDown", 503)
    function = pipeline.function("state")

    assert failures(function(event)) == [event["Records"][1]["kinesis"]["sequenceNumber"]]
    pipeline.bucket.error = None
    assert failures(function(event)) == []

    assert len(pipeline.bucket.objects) == 1
    assert {one["id"]["S"] for one in pipeline.rows("StateTable")} == {"a", "b"}


@pytest.mark.parametrize("version_sent", [1, 2])
def test_a_message_for_a_row_without_a_version_is_quarantined_and_the_row_stays(
    pipeline: Pipeline, version_sent: int
) -> None:
    foreign = {"id": {"S": "t"}, "Note": {"S": "not LEDA's"}}
    pipeline.dynamodb.put_item(TableName=pipeline.prefix + "StateTable", Item=foreign)

    assert store(pipeline, message(version=version_sent), message("u")) == []

    assert row(pipeline) == foreign
    assert version(pipeline, "u") == 1
    assert ["no Version" in reason for reason in pipeline.bucket.reasons] == [True]


# -- packed records


def test_each_message_of_a_packed_record_is_stored_or_quarantined_by_itself(
    pipeline: Pipeline,
) -> None:
    good = [json.dumps(message(*each)).encode() for each in (("a",), ("b", 2), ("b", 1))]
    data = packed(good[0], b"bad", *good[1:], b"worse")

    assert store(pipeline, message("c"), data) == []

    assert {one["id"]["S"] for one in pipeline.rows("StateTable")} == {"a", "b", "c"}
    assert {base64.b64decode(kept["data"]) for kept in pipeline.bucket.objects.values()} == {
        b"bad",
        b"worse",
    }


def test_a_damaged_packed_record_is_quarantined_whole(pipeline: Pipeline) -> None:
    data = packed(*(json.dumps(message(name)).encode() for name in "ab"))[:-1] + b"?"

    assert store(pipeline, data, message("c")) == []

    assert [base64.b64decode(kept["data"]) for kept in pipeline.bucket.objects.values()] == [data]
    assert {one["id"]["S"] for one in pipeline.rows("StateTable")} == {"c"}


# -- failures


class Selective:
    """A client that answers the statements for some trades with an error code."""

    def __init__(self, real: Any, keys: set[str], code: str) -> None:
        self._real, self._keys, self._code = real, keys, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> Any:
        fails = [any(p.get("S") in self._keys for p in s["Parameters"]) for s in Statements]
        sent = [one for one, failed in zip(Statements, fails, strict=True) if not failed]
        answers = iter(
            self._real.batch_execute_statement(Statements=sent)["Responses"] if sent else []
        )
        error = {"Error": {"Code": self._code, "Message": self._code}}
        return {"Responses": [error if failed else next(answers) for failed in fails]}


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError"]
)
def test_a_statement_that_keeps_failing_fails_every_record_of_its_trade(
    pipeline: Pipeline, code: str
) -> None:
    batch = [message(f"t{number}") for number in range(30)]
    event = pipeline.kinesis_event(*batch, message("t7", 2), message("t7", 2))
    function = pipeline.function("state", lambda client: Selective(client, {"t7"}, code))

    failed = failures(function(event))

    records = event["Records"]
    assert failed == [records[place]["kinesis"]["sequenceNumber"] for place in (7, 30, 31)]
    assert len(pipeline.rows("StateTable")) == 29
    # Lambda delivers again from the first failure on.
    assert failures(pipeline.function("state")({"Records": records[7:]})) == []
    assert version(pipeline, "t7") == 2


def test_a_row_that_dynamodb_refuses_quarantines_every_message_of_its_trade(
    pipeline: Pipeline,
) -> None:
    function = pipeline.function(
        "state", lambda client: Selective(client, {"b"}, "ValidationError")
    )

    event = pipeline.kinesis_event(message("a"), message("b"), message("b", 2))

    assert failures(function(event)) == []
    assert {one["id"]["S"] for one in pipeline.rows("StateTable")} == {"a"}
    assert len(pipeline.bucket.objects) == 2


FAULTS = {
    "no answer": instead(timed_out()),
    "a lost answer": after(timed_out()),
    "throttled": instead(client_error("ThrottlingException")),
    "a server error": after(client_error("InternalServerError", 500)),
    "refused by IAM": instead(client_error("AccessDeniedException")),
    "killed before": instead(Killed()),
    "killed after": after(Killed()),
}


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_totals_are_exact_once_a_batch_is_delivered_again_after_a_failure_at_any_call(
    memory_pipeline: Pipeline, fault: str, nth: int
) -> None:
    pipeline = memory_pipeline
    draw = random.Random(nth)
    versions = trades.versions(draw, trades=40, each=2)
    event = pipeline.kinesis_event(*trades.burst(draw, versions))
    faults = Faults()
    faults.arm("batch_execute_statement", nth, FAULTS[fault])
    pipeline.settings["WRITE_THREADS"] = "1"
    function = pipeline.function("state", lambda client: FaultyClient(client, faults))

    # Lambda delivers the batch again whether the function fails or reports failures.
    is_raised = "IAM" in fault or "killed" in fault
    with pytest.raises((Killed, ClientError)) if is_raised else nullcontext():
        function(event)
    assert failures(pipeline.function("state")(event)) == []

    totals = {node: total for node, total in pipeline.run().items() if total}
    assert totals == trades.fold(versions)


def test_injected_failures_come_at_any_place_of_the_batch_and_totals_stay_exact(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.settings["PARAMETER_TABLE"] = pipeline.prefix + "ParameterTable"
    function = pipeline.function("state")
    event = pipeline.kinesis_event(*[message(f"t{number}") for number in range(80)], b"bad")
    places, asked = [0, 7, 50, 81], []

    def struck(size: int) -> int:
        asked.append(size)
        return places[len(asked) - 1]

    monkeypatch.setattr(function.module.random, "randrange", struck)
    stored = []
    with parameter(pipeline, "FAILURE_STATE_LAMBDA_PCT", 100):
        for _ in places:
            with pytest.raises(RuntimeError, match="injected failure: FAILURE_STATE_LAMBDA_PCT"):
                function(event)
            stored.append(len(pipeline.rows("StateTable")))
    assert failures(function(event)) == []

    # Before the first record, in the middle, and after the last one.
    assert asked == [82] * len(places)
    assert stored == [0, 7, 50, 80]
    assert pipeline.run()["PV"] == 80


def test_without_a_parameter_table_no_failure_is_injected(pipeline: Pipeline) -> None:
    function, faults = pipeline.faulty("state")
    with parameter(pipeline, "FAILURE_STATE_LAMBDA_PCT", 100):
        function(pipeline.kinesis_event(message()))

    assert faults.log == ["batch_execute_statement"]


def test_an_event_without_records_succeeds(pipeline: Pipeline) -> None:
    assert failures(pipeline.function("state")({"Records": []})) == []
