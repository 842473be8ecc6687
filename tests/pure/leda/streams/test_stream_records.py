"""Reading the records of a DynamoDB stream as Lambda delivers them."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from leda.streams.stream_records import (
    MalformedEventError,
    MalformedRecordError,
    StreamRecord,
    content,
    read,
    read_one,
)


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


def sequences_of(records: list[StreamRecord]) -> list[int]:
    return [record.sequence for record in records]


def test_all_fields_of_a_record_are_read() -> None:
    given = raw("123456789012345678901234567890123456789")

    record = read_one(given)

    assert record.sequence == 123456789012345678901234567890123456789
    assert record.event_id == "id-123456789012345678901234567890123456789"
    assert (record.event_name, record.expired) == ("MODIFY", False)
    assert (record.old, record.new) == ({"a": {"S": "old"}}, {"a": {"S": "new"}})
    assert record.arrived == datetime(2021, 3, 22, 11, 40, 58, tzinfo=UTC)
    assert record.raw is given


def test_records_are_sorted_by_number_and_duplicates_removed() -> None:
    sequences = ["9", "10", "100", "99", "0", "18446744073709551615"]
    given = [raw(sequence) for sequence in sequences * 3]
    random.Random(1).shuffle(given)

    batch = read(given)

    assert sequences_of(batch.records) == [0, 9, 10, 99, 100, 18446744073709551615]
    assert batch.unreadable == []


def test_images_may_be_missing() -> None:
    record = read_one({"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "1"}})

    assert (record.old, record.new, record.arrived, record.event_id) == (None, None, None, "1")


WITHOUT_A_PLACE: dict[str, tuple[Any, str]] = {
    "not an object": ("x", "not a JSON object"),
    "nothing": (None, "not a JSON object"),
    "no change": ({}, "DynamoDB stream"),
    "a change that is nothing": ({"dynamodb": None}, "DynamoDB stream"),
    "a change that is a list": ({"dynamodb": [1]}, "DynamoDB stream"),
    **{
        f"sequence number {sequence!r:.20}": (raw(sequence), "string of 1 to 40 digits")
        for sequence in (None, "", "x", "-1", "1.0", 5, "١", "1" * 41, "9" * 5000, ["1"])
    },
}


@pytest.mark.parametrize(("given", "reason"), WITHOUT_A_PLACE.values(), ids=WITHOUT_A_PLACE)
def test_a_record_without_a_sequence_number_is_returned_as_unreadable(
    given: Any, reason: str
) -> None:
    batch = read([raw("7"), given, raw("6")])

    assert sequences_of(batch.records) == [6, 7]
    (unreadable,) = batch.unreadable
    assert unreadable.raw is given
    assert reason in unreadable.reason
    with pytest.raises(MalformedRecordError, match=reason):
        read_one(given)


def test_made_up_sequence_numbers_are_not_mixed_with_those_of_a_stream() -> None:
    of_a_stream = "0" * 20 + "7"

    assert sequences_of(read([raw("222"), raw("111")]).records) == [111, 222]
    batch = read([raw("111"), raw(of_a_stream)])
    assert sequences_of(batch.records) == [7]
    assert [each.reason for each in batch.unreadable] == [
        "the SequenceNumber is shorter than a stream's"
    ]


@pytest.mark.parametrize("source", ["aws:kinesis", "aws:sqs", "x" * 1000])
def test_an_event_of_another_source_is_refused(source: str) -> None:
    with pytest.raises(MalformedEventError, match="must be a DynamoDB stream") as error:
        read([{"eventSource": source, "kinesis": {}}])
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("image", [None, "x", 5, [], True])
def test_an_image_of_a_wrong_type_is_ignored(image: Any) -> None:
    given = raw("1")
    given["dynamodb"] |= {"OldImage": image, "NewImage": image}

    record = read_one(given)

    assert (record.old, record.new) == (None, None)


CONTENTS: list[tuple[Any, str | None]] = [
    ({"a": {"N": "5"}}, "5"),
    ({}, None),
    ({"a": None}, None),
    ({"a": "5"}, None),
    ({"a": {"N": 5}}, None),
    ({"a": {"S": "5"}}, None),
]


@pytest.mark.parametrize(("image", "text"), CONTENTS)
def test_an_attribute_of_a_wrong_type_has_no_content(image: Any, text: str | None) -> None:
    assert content(image, "a", "N") == text


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
        ("REMOVE", "Service", False),
    ],
)
def test_only_removals_by_time_to_live_are_expiries(
    name: str, identity: Any, expired: bool
) -> None:
    assert read_one(raw(eventName=name, userIdentity=identity)).expired is expired
