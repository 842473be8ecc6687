"""Invoking StateLambda with records: in batches that fit, until each record is stored or has failed alone."""

import io
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from leda.streams.kinesis import user_records
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.quarantine import state_events
from leda_cli.operate.quarantine.state_events import (
    Delivered,
    Record,
    StateFunction,
    batches,
    record,
)

STREAM = "arn:aws:kinesis:eu-west-1:000000000000:stream/IncomingDataStream"
SHARD = "shardId-000000000003"
NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_events, "FIRST_PAUSE_SECONDS", 0)


def made(number: int, data: bytes = b"{}") -> Record:
    return record(
        stream=STREAM,
        role="arn:aws:iam::000000000000:role/StateLambda",
        event_id=f"{SHARD}:{number}",
        sequence_number=str(number),
        partition_key="key",
        arrived=datetime(2026, 3, 7, 12, 30, 1, 123456, tzinfo=UTC),
        data=data,
    )


def records(count: int) -> list[Record]:
    return [made(number) for number in range(count)]


def numbers(some: Sequence[Record]) -> list[int]:
    return [int(each["kinesis"]["sequenceNumber"]) for each in some]


class Lambda:
    """Stands in for the client; `answer` gives the answer to the sequence numbers of an event."""

    def __init__(self, answer: Callable[[list[int]], Any]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.events: list[list[int]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert FunctionName == "StateLambda"
        given = numbers(json.loads(Payload)["Records"])
        with self._lock:
            self.events.append(given)
            answer = self._answer(given)
        if isinstance(answer, Exception):
            raise answer
        more = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **more}


def function(client: Lambda) -> StateFunction:
    stand_in: Any = client
    return StateFunction(stand_in, "StateLambda")


def refused(code: str, status: int = 429) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "Invoke")


def failing(*bad: int) -> Callable[[list[int]], dict[str, Any]]:
    """A function that always reports these records as failed."""
    return lambda given: {
        "batchItemFailures": [{"itemIdentifier": str(number)} for number in given if number in bad]
    }


def crashing(*bad: int) -> Callable[[list[int]], dict[str, Any]]:
    """A function that ends with an error when one of these is in the event."""
    return lambda given: (
        {"errorType": "MemoryError", "errorMessage": "too deep"}
        if set(bad) & set(given)
        else NOTHING_FAILED
    )


def failed(delivered: Delivered) -> list[int]:
    return sorted(numbers([failure.record for failure in delivered.failed]))


@given(
    st.binary(max_size=50),
    # Microseconds of this century.
    st.none() | st.integers(10**15, 7 * 10**15),
)
def test_state_reads_all_fields_from_a_record(data: bytes, microseconds: int | None) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    arrived = None if microseconds is None else epoch + timedelta(microseconds=microseconds)
    (user,) = user_records(
        [
            record(
                stream=STREAM,
                role="role",
                event_id=f"{SHARD}:49590",
                sequence_number="49590",
                partition_key="key",
                arrived=arrived,
                data=data,
            )
        ]
    )

    assert (user.data, user.event_id, user.sequence_number) == (data, f"{SHARD}:49590", "49590")
    assert (user.stream, user.shard) == (STREAM, SHARD)
    assert user.arrived == arrived, "to the microsecond, because the object's key has the day"


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2_000_000), max_size=8))
def test_batches_have_every_record_once_in_order_and_fit_an_invocation(sizes: list[int]) -> None:
    given_ones = [made(number, b"x" * size) for number, size in enumerate(sizes)]

    found = list(batches(given_ones))

    assert [each for batch in found for each in batch] == given_ones
    assert {each["awsRegion"] for each in given_ones} <= {"eu-west-1"}
    for batch in found:
        assert len(json.dumps({"Records": batch})) < 6 * 1024 * 1024
        assert batch


def test_a_batch_has_at_most_500_records() -> None:
    assert [len(batch) for batch in batches(records(1001))] == [500, 500, 1]


def test_a_record_too_large_for_an_event_fails_alone() -> None:
    large = made(1, b"x" * 5_000_000)
    assert [numbers(batch) for batch in batches([made(0), large, made(2)])] == [[0], [1], [2]]

    client = Lambda(lambda given: refused("RequestTooLargeException", 413))
    delivered = function(client).deliver([large])

    assert failed(delivered) == [1]
    assert "6 MB" in delivered.failed[0].reason
    assert len(client.events) == 1, "a retry would fail too"


def test_only_the_reported_records_are_delivered_again() -> None:
    left = [2, 1]
    client = Lambda(lambda given: failing(*([1] if left and left.pop() else []))(given))
    delivered = function(client).deliver(records(3))

    assert client.events == [[0, 1, 2], [1], [1]]
    assert (delivered.failed, delivered.invocations) == ([], 3)


def test_records_that_are_always_reported_fail() -> None:
    client = Lambda(failing(1, 4))
    delivered = function(client).deliver(records(6))

    assert failed(delivered) == [1, 4]
    assert delivered.invocations == len(client.events) == state_events.TRIES


@pytest.mark.parametrize("bad", [[0], [7], [0, 7], [3, 4]])
def test_a_record_that_crashes_the_function_fails_alone(bad: list[int]) -> None:
    client = Lambda(crashing(*bad))
    delivered = function(client).deliver(records(8))

    assert failed(delivered) == bad
    assert {each.reason for each in delivered.failed} == {"MemoryError: too deep"}
    taken = {number for event in client.events if not set(bad) & set(event) for number in event}
    assert taken == set(range(8)) - set(bad)


def test_a_transient_error_fails_no_record() -> None:
    errors = [{"errorMessage": "injected"}, {"errorMessage": "again"}]
    client = Lambda(lambda given: errors.pop() if errors else NOTHING_FAILED)

    assert not function(client).deliver(records(2)).failed
    assert client.events == [[0, 1]] * 3


@pytest.mark.parametrize(
    "error",
    [
        refused("TooManyRequestsException"),
        refused("ResourceConflictException", 409),
        refused("ServiceException", 500),
        ReadTimeoutError(endpoint_url="http://lambda"),
        EndpointConnectionError(endpoint_url="http://lambda"),
    ],
    ids=["throttled", "being updated", "server error", "no answer", "no connection"],
)
def test_an_invocation_that_lambda_rejects_or_does_not_answer_is_repeated(error: Exception) -> None:
    errors = [error] * (state_events.MAX_BUSY_TRIES - 1)
    client = Lambda(lambda given: errors.pop() if errors else NOTHING_FAILED)

    assert not function(client).deliver(records(2)).failed

    busy = Lambda(lambda given: error)
    with pytest.raises(LedaError, match="could not be invoked") as given_up:
        function(busy).deliver(records(2))
    assert len(busy.events) == state_events.MAX_BUSY_TRIES
    assert f"run {this_command()} again" in given_up.value.fix


def test_a_forbidden_invocation_is_an_error_at_once() -> None:
    client = Lambda(lambda given: refused("AccessDeniedException", 403))
    with pytest.raises(ClientError, match="AccessDenied"):
        function(client).deliver(records(2))
    assert len(client.events) == 1


def test_a_function_that_always_fails_ends_the_work_early() -> None:
    client = Lambda(crashing(*range(1000)))
    with pytest.raises(LedaError, match="in a row: MemoryError"):
        function(client).deliver(records(1000))
    assert len(client.events) == state_events.MAX_FAILURES_IN_A_ROW


@pytest.mark.parametrize("answer", [{}, [], None, {"batchItemFailures": [{}]}, "stored"])
def test_an_answer_that_is_not_a_partial_batch_response_fails_all_records(answer: Any) -> None:
    class Odd(Lambda):
        def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
            self.events.append(numbers(json.loads(Payload)["Records"]))
            return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    delivered = function(Odd(failing())).deliver(records(2))
    assert failed(delivered) == [0, 1]
    assert "partial batch response" in delivered.failed[0].reason


def test_an_answer_about_unknown_records_fails_all_records() -> None:
    client = Lambda(lambda given: {"batchItemFailures": [{"itemIdentifier": ""}]})
    assert failed(function(client).deliver(records(2))) == [0, 1]


def test_all_batches_are_delivered_and_few_are_read_ahead() -> None:
    ahead: list[int] = []
    client = Lambda(failing(5))

    def source() -> Any:
        for number in range(40):
            ahead.append(number + 1 - len(client.events))
            yield [made(number)]

    found = list(function(client).deliver_all(source()))

    assert sorted(number for each in found for number in numbers(each.records)) == list(range(40))
    assert [failed(each) for each in found if each.failed] == [[5]]
    assert max(ahead) <= 2 * state_events.THREADS + 1


def test_an_error_in_one_batch_ends_the_work() -> None:
    client = Lambda(lambda given: refused("AccessDeniedException", 403))
    batch_of_one = [[each] for each in records(500)]
    with pytest.raises(ClientError):
        list(function(client).deliver_all(batch_of_one))
    assert len(client.events) <= 3 * state_events.THREADS
