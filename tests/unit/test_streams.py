"""A DynamoDB stream's records as Lambda delivers them."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from leda.streams import MalformedEvent, read


def raw(sequence: Any = "5", **more: Any) -> dict[str, Any]:
    return {
        "eventID": f"id-{sequence}",
        "eventName": "MODIFY",
        "dynamodb": {
            "ApproximateCreationDateTime": 1616413258.0,
            "SequenceNumber": sequence,
            "OldImage": {"a": {"S": "old"}},
            "NewImage": {"a": {"S": "new"}},
        },
        **more,
    }


def test_a_record_is_read() -> None:
    given = raw("123456789012345678901234567890123456789")

    (record,) = read([given])

    assert record.sequence == 123456789012345678901234567890123456789
    assert record.event_id == "id-123456789012345678901234567890123456789"
    assert (record.event_name, record.expired) == ("MODIFY", False)
    assert (record.old, record.new) == ({"a": {"S": "old"}}, {"a": {"S": "new"}})
    assert record.arrived == datetime(2021, 3, 22, 11, 40, 58, tzinfo=UTC)
    assert record.raw is given


def test_records_are_ordered_as_numbers_and_each_comes_once() -> None:
    sequences = ["9", "10", "100", "99", "0", "18446744073709551616"]
    given = [raw(sequence) for sequence in sequences * 3]
    random.Random(1).shuffle(given)

    assert [record.sequence for record in read(given)] == [0, 9, 10, 99, 100, 18446744073709551616]


def test_images_may_be_missing() -> None:
    (record,) = read([{"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "1"}}])

    assert (record.old, record.new, record.arrived, record.event_id) == (None, None, None, "1")


@pytest.mark.parametrize("sequence", [None, "", "x", "-1", "1.0", 5, "١x"])
def test_a_record_without_a_sequence_number_is_refused(sequence: Any) -> None:
    with pytest.raises(MalformedEvent, match="SequenceNumber"):
        read([raw(sequence)])


@pytest.mark.parametrize("given", [{}, {"kinesis": {}}, {"dynamodb": None}])
def test_a_record_of_another_source_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent, match="DynamoDB stream"):
        read([given])


TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@pytest.mark.parametrize(
    ("name", "identity", "expired"),
    [
        ("REMOVE", TTL, True),
        ("REMOVE", None, False),
        ("REMOVE", {}, False),
        ("REMOVE", {"type": "Service", "principalId": "replication.dynamodb.amazonaws.com"}, False),
        ("REMOVE", {"type": "IAMUser", "principalId": "dynamodb.amazonaws.com"}, False),
        ("MODIFY", TTL, False),
    ],
)
def test_only_time_to_lives_removals_are_expiries(name: str, identity: Any, expired: bool) -> None:
    (record,) = read([raw(eventName=name, userIdentity=identity)])

    assert record.expired is expired
