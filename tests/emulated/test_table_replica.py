"""The replica has each item as of its last change, however often and in whatever order records are delivered."""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda.replica.replica import WrongReplicaError
from simulation.failures import client_error, timed_out
from support.faults import Fault, Faults, FaultyClient, after, instead
from support.lambda_events import event
from support.pipeline import Function, Pipeline
from support.users import END, PLACE, Users, key

NO_FAILURES: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def users(pipeline: Pipeline) -> Users:
    return Users(pipeline)


def replicate(users: Users, fault: Fault | None = None, times: int = 1) -> Function:
    """The function, whose first puts meet the fault."""
    faults = Faults()
    for nth in range(1, times + 1):
        if fault:
            faults.arm("put_item", nth, fault)
    return users.pipeline.function("table_replica", lambda client: FaultyClient(client, faults))


def test_the_replica_has_the_items_and_the_place_of_their_last_change(users: Users) -> None:
    users.put("u1", email={"S": "a"})
    users.put("u2", tags={"SS": ["x", "y"]}, none={"NULL": True}, n={"NS": ["1", "2.5"]})
    records = users.records()

    assert replicate(users)(event(records)) == NO_FAILURES

    assert users.replica() == users.items()
    label = users.pipeline.stream_arn("Users").rpartition("/")[2]
    places = {row["user_id"]["S"]: row[PLACE]["S"] for row in users.pipeline.rows("Replica")}
    assert places["u1"] == f"{label}#{int(records[0]['dynamodb']['SequenceNumber']):056d}"
    assert places["u1"] < places["u2"]


def with_base64(value: Any) -> Any:
    """Binary data in base64, as in an event of Lambda."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: with_base64(each) for name, each in value.items()}
    return [with_base64(each) for each in value] if isinstance(value, list) else value


def test_binary_data_is_copied_at_any_depth(users: Users) -> None:
    data = {"B": b"\x00\xff"}
    users.put(
        "u1",
        a=data,
        s={"BS": [b"\x01", b"\x02"]},
        m={"M": {"l": {"L": [data, {"M": {"b": data}}]}}},
    )

    assert replicate(users)(event([with_base64(r) for r in users.records()])) == NO_FAILURES

    assert users.replica() == users.items()


def test_late_records_do_not_restore_a_deleted_item(users: Users) -> None:
    users.put("u1", email={"S": "a"})
    users.put("u1", email={"S": "b"})
    users.delete("u1")
    created, changed, deleted = users.records()
    function = replicate(users)

    for record in (deleted, created, changed, created):
        function(event([record]))

    assert users.replica() == {}
    (tombstone,) = users.tombstones()
    assert tombstone.keys() == {"user_id", "timestamp", PLACE, END}
    users.put("u1", email={"S": "new"})
    function(event([users.records()[3], deleted, changed]))
    assert users.replica() == users.items()
    assert users.tombstones() == []


def test_a_tombstone_expires_after_tombstone_seconds(users: Users) -> None:
    users.pipeline.settings["TOMBSTONE_SECONDS"] = "1000"
    users.put("u1")
    users.delete("u1")
    function = replicate(users)
    function.module.replica._clock = lambda: 5000.9

    function(event(users.records()))

    assert [row[END] for row in users.tombstones()] == [{"N": "6000"}]


def test_sequence_numbers_are_compared_as_numbers(users: Users) -> None:
    users.put("u1", value={"N": "9"})
    users.put("u1", value={"N": "10"})
    older, newer = users.records()
    older["dynamodb"]["SequenceNumber"] = "999999999999999999999"
    newer["dynamodb"]["SequenceNumber"] = "1000000000000000000000"
    function = replicate(users)

    for batch in ([newer], [older], [newer, older]):
        function(event(batch))

    assert users.replica() == users.items()


def test_records_of_a_newer_stream_win_whatever_their_sequence_numbers(users: Users) -> None:
    users.put("u1", value={"N": "1"})
    users.put("u1", value={"N": "2"})
    first, second = users.records()
    table = first["eventSourceARN"].rpartition("/")[0]
    first["eventSourceARN"] = f"{table}/2025-01-01T00:00:00.000"
    second["eventSourceARN"] = f"{table}/2025-11-01T00:00:00.000"
    second["dynamodb"]["SequenceNumber"] = "1"
    function = replicate(users)

    for record in (first, second, first):
        function(event([record]))

    assert users.replica() == users.items()


def test_a_row_without_a_place_is_replaced(users: Users) -> None:
    table = users.pipeline.settings["REPLICA_TABLE"]
    users.pipeline.dynamodb.put_item(TableName=table, Item={**key("u1"), "imported": {"N": "1"}})
    users.put("u1", value={"N": "2"})

    replicate(users)(event(users.records()))

    assert users.replica() == users.items()


# -- failures

FAULTS: dict[str, Fault] = {
    "no answer": instead(timed_out()),
    "a lost answer": after(timed_out()),
    "throttled": instead(client_error("ProvisionedThroughputExceededException")),
    "a transaction is under way": instead(client_error("TransactionConflictException")),
    "a server error": instead(client_error("InternalServerError", 500)),
    "a server error after the effect": after(client_error("InternalServerError", 500)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_only_records_whose_write_failed_are_reported_as_failed(users: Users, fault: str) -> None:
    for number in range(6):
        users.put(f"u{number}")
    records = users.records()

    answer = replicate(users, FAULTS[fault], times=2)(event(records))

    numbers = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert len(numbers) == 2
    assert len(users.pipeline.rows("Replica")) >= 4
    again = [r for r in records if r["dynamodb"]["SequenceNumber"] in numbers]
    assert replicate(users)(event(again)) == NO_FAILURES
    assert users.replica() == users.items()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_an_error_that_concerns_every_item_fails_the_batch(users: Users, code: str) -> None:
    users.put("u1")
    with pytest.raises(ClientError, match=code):
        replicate(users, instead(client_error(code)))(event(users.records()))
    assert users.pipeline.bucket.objects == {}


def test_an_item_that_the_replica_cannot_hold_is_quarantined_and_the_others_are_written(
    users: Users,
) -> None:
    users.put("u1")
    # With the attributes that the replica adds, the item would exceed 400 KB.
    users.put("large", text={"S": "x" * (400 * 1024 - 60)})
    marked: dict[str, Any] = {PLACE: {"S": "mine"}}
    users.put("taken", **marked)
    users.put("garbled")
    users.put("u2")
    records = users.records()
    records[3]["dynamodb"]["NewImage"]["data"] = {"B": "no base64"}

    assert replicate(users)(event(records)) == NO_FAILURES

    assert {user for user, _ in users.replica()} == {"u1", "u2"}
    reasons = sorted(users.pipeline.bucket.reasons)
    assert len(reasons) == 3
    assert "DynamoDB refuses the row" in reasons[0]
    assert f"the item has the attribute {PLACE}" in reasons[2]
    assert "not base64" in reasons[1]


def test_an_unreadable_record_is_quarantined(users: Users) -> None:
    users.put("u1")
    users.put("u2")
    records = users.records()
    del records[0]["dynamodb"]["NewImage"]

    assert replicate(users)(event(records)) == NO_FAILURES

    assert {user for user, _ in users.replica()} == {"u2"}
    assert len(users.pipeline.bucket.objects) == 1


def test_a_replica_with_another_key_fails_the_batch_and_quarantines_nothing(users: Users) -> None:
    users.pipeline._create("Other", {"id": "S"})
    users.pipeline.settings["REPLICA_TABLE"] = f"{users.pipeline.prefix}Other"
    users.put("u1")

    with pytest.raises(WrongReplicaError, match="names and types of the source table"):
        replicate(users)(event(users.records()))
    assert users.pipeline.bucket.objects == {}
