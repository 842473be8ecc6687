"""The loop that applies each record once: whatever fails, comes again, or runs at the same time."""

import json
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from leda import exactly_once
from leda.checkpoints import Checkpoints
from leda.exactly_once import MAX_TRIES, ExactlyOnce, GaveUp, Planner, Prefix, Rejected
from leda.lanes import Lane
from leda.streams import StreamRecord
from support.deliveries import Environment, Schedule
from support.fake_dynamodb import FakeDynamoDB
from support.faults import (
    Faults as CallFaults,
)
from support.faults import (
    FaultyClient,
    Killed,
    after,
    cancelled,
    client_error,
    instead,
    meanwhile,
    timed_out,
)

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/StateTable/stream/2026-01-01T00:00:00.000"
STREAM = Lane(ARN, ARN)
SHARD = Lane(ARN, "shardId-00000001")


def record(sequence: int, path: str = "PV", value: str = "1") -> StreamRecord:
    image = {"path": {"S": path}, "value": {"N": value}}
    return StreamRecord(sequence, f"e{sequence}", "INSERT", None, image, False, None, {})


def records(*sequences: int) -> list[StreamRecord]:
    return [record(sequence) for sequence in sequences]


def sums(most: int) -> Planner:
    """A planner like Reduce's that takes at most so many records at a time."""

    def plan(lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        totals: dict[str, Decimal] = {}
        for one in records[:most]:
            assert one.new
            path = one.new["path"]["S"]
            totals[path] = totals.get(path, Decimal(0)) + Decimal(one.new["value"]["N"])
        actions = [
            {
                "Update": {
                    "TableName": "totals",
                    "Key": {"Identifier": {"S": path}},
                    "UpdateExpression": "ADD #Value :delta",
                    "ExpressionAttributeNames": {"#Value": "Value"},
                    "ExpressionAttributeValues": {":delta": {"N": str(value)}},
                }
            }
            for path, value in totals.items()
        ]
        return Prefix(len(records[:most]), actions)

    return plan


class Function:
    """A function's execution environment over a fake table."""

    def __init__(self, fake: FakeDynamoDB, name: str = "MapLambda") -> None:
        self.faults = CallFaults()
        client: Any = FaultyClient(fake, self.faults)
        self.rejected: list[Rejected] = []
        self.pauses: list[float] = []
        self.exactly_once = ExactlyOnce(
            client,
            Checkpoints(client, "checkpoints", name),
            lambda _lane, rejected: self.rejected.append(rejected),
            self.pauses.append,
        )

    def __call__(
        self, lane: Lane, batch: Sequence[StreamRecord], most: int = 3
    ) -> exactly_once.Outcome:
        return self.exactly_once.apply(lane, batch, sums(most))


@pytest.fixture
def fake() -> FakeDynamoDB:
    return FakeDynamoDB()


def totals(fake: FakeDynamoDB) -> dict[str, Decimal]:
    return {
        row["Identifier"]["S"]: Decimal(row["Value"]["N"]) for row in fake.tables["totals"].values()
    }


def rows(fake: FakeDynamoDB) -> dict[str, dict[str, Any]]:
    return {row["Lane"]["S"]: row for row in fake.tables["checkpoints"].values()}


def set_back(fake: FakeDynamoDB) -> None:
    fake.tables["checkpoints"].clear()


# -- any delivery


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 5))
def test_any_schedule_of_deliveries_applies_every_record_once(
    seed: int, count: int, most: int
) -> None:
    draw = random.Random(seed)
    fake = FakeDynamoDB()
    stream = [
        record(number * 7, draw.choice("ABC"), str(draw.randint(-9, 9)))
        for number in range(1, count + 1)
    ]

    def new_environment() -> Environment:
        function = Function(fake)

        def deliver(batch: Sequence[StreamRecord], windowed: bool) -> None:
            # In order and each once, as `streams.read` hands them over.
            ordered = sorted({one.sequence: one for one in batch}.items())
            function(SHARD if windowed else STREAM, [one for _, one in ordered], most)

        return Environment(deliver, function.faults)

    schedule = Schedule(draw, new_environment)
    schedule.run(stream)

    expected: dict[str, Decimal] = {}
    for one in stream:
        assert one.new
        path = one.new["path"]["S"]
        expected[path] = expected.get(path, Decimal(0)) + Decimal(one.new["value"]["N"])
    assert totals(fake) == expected, schedule.log


@pytest.mark.parametrize(("first", "second"), [(SHARD, STREAM), (STREAM, SHARD)])
def test_what_one_name_of_a_lane_covers_is_a_duplicate_under_the_other(
    fake: FakeDynamoDB, first: Lane, second: Lane
) -> None:
    Function(fake)(first, records(1, 2, 3))

    outcome = Function(fake)(second, records(1, 2, 3, 4))

    assert (outcome.applied, outcome.duplicates) == (1, 3)
    assert totals(fake) == {"PV": 4}


def test_a_shard_that_follows_another_starts_at_its_own_checkpoint(fake: FakeDynamoDB) -> None:
    child = Lane(ARN, "shardId-00000002")
    Function(fake)(SHARD, records(1, 2))
    Function(fake)(child, records(3, 4))

    assert Function(fake)(STREAM, records(1, 2, 3, 4, 5)).applied == 1
    assert totals(fake) == {"PV": 5}
    assert rows(fake)[ARN]["Lanes"] == {"N": "2"}


@pytest.mark.parametrize("outer", [SHARD, STREAM])
@pytest.mark.parametrize("inner", [SHARD, STREAM])
@pytest.mark.parametrize("before", [None, SHARD, STREAM])
def test_two_deliveries_at_once_apply_a_record_once(
    fake: FakeDynamoDB, outer: Lane, inner: Lane, before: Lane | None
) -> None:
    if before:
        Function(fake)(before, records(1, 2))
    function = Function(fake)
    other = meanwhile(lambda: Function(fake)(inner, records(1, 2, 3, 4, 5)))
    function.faults.arm("transact_write_items", 1, other)

    function(outer, records(1, 2, 3, 4, 5, 6))

    assert totals(fake) == {"PV": 6}


def test_functions_of_two_pipelines_share_no_checkpoint(fake: FakeDynamoDB) -> None:
    Function(fake, "MapLambda")(SHARD, records(1, 2))
    Function(fake, "test-MapLambda")(SHARD, records(1, 2))

    assert totals(fake) == {"PV": 4}


def test_streams_of_one_function_share_no_checkpoint(fake: FakeDynamoDB) -> None:
    other = Lane(ARN + "-made-anew", SHARD.name)
    Function(fake)(SHARD, records(1, 2))

    assert Function(fake)(other, records(1, 2)).applied == 2


# -- transactions


def test_every_transaction_holds_a_checkpoint_and_its_effects(fake: FakeDynamoDB) -> None:
    Function(fake)(SHARD, records(*range(1, 8)), most=3)

    assert len(fake.transactions) == 3
    for transaction in fake.transactions:
        tables = [next(iter(action.values()))["TableName"] for action in transaction]
        assert sorted(set(tables)) == ["checkpoints", "totals"]


def test_a_warm_environment_reads_no_checkpoint_before_new_records(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    function(SHARD, records(1, 2))
    function.faults.log.clear()

    function(SHARD, records(3, 4))

    assert function.faults.log == ["transact_write_items"]


def test_a_memory_that_is_behind_costs_a_try_and_no_exactness(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    function(SHARD, records(1, 2))
    Function(fake)(SHARD, records(3, 4))

    outcome = function(SHARD, records(1, 2, 3, 4, 5))

    assert (outcome.applied, outcome.duplicates) == (1, 4)
    assert totals(fake) == {"PV": 5}


def test_an_operators_reset_holds_for_warm_environments_too(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    function(SHARD, records(1, 2, 3))
    set_back(fake)
    fake.tables["totals"].clear()

    # All of it is covered by this environment's memory alone.
    function(SHARD, records(1, 2, 3))

    assert totals(fake) == {"PV": 3}


def test_an_empty_batch_of_duplicates_makes_no_transaction(fake: FakeDynamoDB) -> None:
    Function(fake)(SHARD, records(1, 2))
    made = len(fake.transactions)

    outcome = Function(fake)(SHARD, records(1, 2))

    assert (outcome.applied, outcome.duplicates, outcome.committed) == (0, 2, [])
    assert len(fake.transactions) == made


# -- failures


@pytest.mark.parametrize("lane", [SHARD, STREAM])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    "fault",
    [
        instead(timed_out()),
        after(timed_out()),
        instead(cancelled("None", "TransactionConflict")),
        instead(cancelled("ThrottlingError")),
        instead(cancelled("ConditionalCheckFailed", "TransactionConflict")),
        instead(cancelled("None", "None")),
        instead(client_error("TransactionConflictException")),
        instead(client_error("ProvisionedThroughputExceededException")),
        instead(client_error("InternalServerError", 500)),
        after(client_error("InternalServerError", 500)),
        after(client_error("ServiceUnavailable", 503)),
    ],
)
def test_an_unconfirmed_transaction_is_settled_within_the_invocation(
    fake: FakeDynamoDB, lane: Lane, nth: int, fault: Any
) -> None:
    function = Function(fake)
    function.faults.arm("transact_write_items", nth, fault)

    outcome = function(lane, records(*range(1, 9)), most=3)

    assert totals(fake) == {"PV": 8}
    assert function.faults.log.count("transact_write_items") >= 3
    assert outcome.duplicates + outcome.applied == 8
    assert int(rows(fake)[lane.name]["Sequence"]["S"]) == 8


@pytest.mark.parametrize("call", ["get_item", "query", "transact_write_items"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", [instead(Killed()), after(Killed())])
@pytest.mark.parametrize("lane", [SHARD, STREAM])
def test_a_function_killed_at_any_call_leaves_what_the_next_one_completes(
    fake: FakeDynamoDB, call: str, nth: int, fault: Any, lane: Lane
) -> None:
    killed = Function(fake)
    killed.faults.arm(call, nth, fault)
    try:
        killed(lane, records(*range(1, 9)))
    except Killed:
        applied = totals(fake).get("PV", Decimal(0))
        assert applied == 0 or int(rows(fake)[lane.name]["Sequence"]["S"]) == applied
    Function(fake)(lane, records(*range(1, 9)))

    assert totals(fake) == {"PV": 8}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_what_no_retry_mends_is_raised_at_once(fake: FakeDynamoDB, code: str) -> None:
    function = Function(fake)
    function.faults.arm("transact_write_items", 1, instead(client_error(code)))

    with pytest.raises(Exception, match=code):
        function(SHARD, records(1))

    assert function.faults.log.count("transact_write_items") == 1
    assert totals(fake) == {}


def test_it_gives_up_after_some_tries_with_pauses_that_grow_and_are_limited(
    fake: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _least, most: most)
    function = Function(fake)
    for nth in range(MAX_TRIES):
        function.faults.arm(
            "transact_write_items", nth + 1, instead(cancelled("TransactionConflict"))
        )

    with pytest.raises(GaveUp, match="no commit in 10 tries"):
        function(SHARD, records(1, 2))

    assert function.pauses == sorted(function.pauses)
    assert function.pauses[-1] == exactly_once.LONGEST_PAUSE_SECONDS
    assert sum(function.pauses) < 30
    Function(fake)(SHARD, records(1, 2))
    assert totals(fake) == {"PV": 2}


def test_progress_sets_the_tries_back(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    # Nine conflicts before each of two commits are more than MAX_TRIES together.
    for nth in [*range(1, MAX_TRIES), *range(MAX_TRIES + 1, 2 * MAX_TRIES)]:
        function.faults.arm("transact_write_items", nth, instead(cancelled("TransactionConflict")))

    function(SHARD, records(1, 2), most=1)

    assert totals(fake) == {"PV": 2}


def test_lost_answers_without_end_apply_nothing_twice(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    for nth in range(1, 9):
        function.faults.arm("transact_write_items", nth, after(timed_out()))

    function(STREAM, records(*range(1, 9)), most=1)

    assert totals(fake) == {"PV": 8}


def test_the_cause_of_giving_up_is_kept(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    for nth in range(MAX_TRIES):
        function.faults.arm("transact_write_items", nth + 1, instead(timed_out()))

    with pytest.raises(GaveUp) as caught:
        function(SHARD, records(1))

    assert isinstance(caught.value.__cause__, ReadTimeoutError)


# -- effects that DynamoDB refuses


def foreign(fake: FakeDynamoDB, path: str) -> None:
    """A row that somebody wrote, with a string where a number belongs."""
    key = {"Identifier": {"S": path}}
    fake.tables["totals"][str(key["Identifier"])] = {**key, "Value": {"S": "n/a"}}


@pytest.mark.parametrize("poison", range(1, 9))
@pytest.mark.parametrize("most", [1, 3, 8])
def test_a_refused_record_is_put_aside_and_the_others_are_applied(
    fake: FakeDynamoDB, poison: int, most: int
) -> None:
    foreign(fake, "broken")
    batch = [record(n, "broken" if n == poison else "PV") for n in range(1, 9)]
    function = Function(fake)

    outcome = function(SHARD, batch, most)

    assert {rejected.record.sequence for rejected in function.rejected} == {poison}
    assert {rejected.record.sequence for rejected in outcome.rejected} == {poison}
    assert "refuses" in function.rejected[0].reason
    assert fake.tables["totals"].pop("{'S': 'broken'}")["Value"] == {"S": "n/a"}
    assert totals(fake) == {"PV": 7}
    assert int(rows(fake)[SHARD.name]["Sequence"]["S"]) == 8
    assert outcome.applied == 8


def test_every_refused_record_of_a_batch_is_found(fake: FakeDynamoDB) -> None:
    foreign(fake, "broken")
    poison = {2, 3, 7}
    function = Function(fake)

    function(SHARD, [record(n, "broken" if n in poison else "PV") for n in range(1, 9)], most=8)

    assert {rejected.record.sequence for rejected in function.rejected} == poison
    fake.tables["totals"].pop("{'S': 'broken'}")
    assert totals(fake) == {"PV": 5}


def test_a_record_stays_when_it_cannot_be_put_aside(fake: FakeDynamoDB) -> None:
    foreign(fake, "broken")
    client: Any = fake

    def unavailable(_lane: Lane, _rejected: Rejected) -> None:
        raise client_error("SlowDown", 503)

    function = ExactlyOnce(client, Checkpoints(client, "checkpoints", "f"), unavailable)
    with pytest.raises(Exception, match="SlowDown"):
        function.apply(SHARD, [record(1, "broken")], sums(1))

    assert rows(fake) == {}


def test_a_refused_checkpoint_is_no_records_fault(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    for nth in (1, 2, 3):
        function.faults.arm(
            "transact_write_items", nth, instead(client_error("ValidationException"))
        )

    with pytest.raises(Exception, match="ValidationException"):
        function(SHARD, records(1), most=1)

    assert totals(fake) == {}
    assert rows(fake) == {}


# -- the schedule itself catches what it is there for


def loses_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDynamoDB, "transact_write_items", _without_conditions)


def _without_conditions(self: FakeDynamoDB, *, TransactItems: list[dict[str, Any]]) -> Any:
    actions = json.loads(json.dumps(TransactItems))
    for action in actions:
        for request in action.values():
            request.pop("ConditionExpression", None)
    return _real_transaction(self, TransactItems=actions)


_real_transaction = FakeDynamoDB.transact_write_items


def test_the_schedule_finds_a_transaction_without_conditions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loses_conditions(monkeypatch)

    with pytest.raises(AssertionError):
        test_any_schedule_of_deliveries_applies_every_record_once()


def test_a_connection_that_is_refused_is_tried_again(fake: FakeDynamoDB) -> None:
    function = Function(fake)
    refused = EndpointConnectionError(endpoint_url="http://127.0.0.1")
    function.faults.arm("transact_write_items", 1, instead(refused))

    assert function(SHARD, records(1, 2)).applied == 2
    assert totals(fake) == {"PV": Decimal(2)}
