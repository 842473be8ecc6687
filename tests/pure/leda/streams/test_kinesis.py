"""The records of a Kinesis event, also those that the producer library packed into one."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.streams.kinesis import UserRecord, user_records
from support.user_records import packed

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"
MAGIC = b"\xf3\x89\x9a\xc2"


def raw(content: bytes, sequence: str = "4959", **more: Any) -> dict[str, Any]:
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "a",
        "sequenceNumber": sequence,
        "data": base64.b64encode(content).decode(),
        "approximateArrivalTimestamp": 1616413258.5,
    }
    kinesis.update(more)
    return {"kinesis": kinesis, "eventID": f"shardId-7:{sequence}", "eventSourceARN": ARN}


def sealed(body: bytes) -> bytes:
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


def test_all_fields_of_a_record_are_read() -> None:
    assert list(user_records([raw(b"x")])) == [
        UserRecord(
            ARN,
            "shardId-7",
            "a",
            "4959",
            "shardId-7:4959",
            datetime(2021, 3, 22, 11, 40, 58, 500_000, tzinfo=UTC),
            b"x",
        )
    ]


def test_the_time_of_arrival_may_be_missing() -> None:
    (record,) = user_records([raw(b"x", approximateArrivalTimestamp=None)])

    assert record.arrived is None


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_packed_messages_are_unpacked_with_ids_of_their_own(messages: list[bytes]) -> None:
    records = list(user_records([raw(packed(*messages))]))

    assert [record.data for record in records] == messages
    assert {record.sequence_number for record in records} == {"4959"}
    # In quarantine an event id is a part of the object's key.
    assert len({record.event_id for record in records}) == len(messages)
    assert {record.shard for record in records} == {"shardId-7"}


def test_a_packed_message_without_a_partition_key_gets_that_of_its_record() -> None:
    (record,) = user_records([raw(sealed(b"\x1a\x03\x1a\x01x"))])

    assert (record.data, record.partition_key) == (b"x", "a")


FAULTS: dict[str, tuple[Any, str]] = {
    "not an object": ("x", "kinesis.sequenceNumber"),
    "nothing": (None, "kinesis.sequenceNumber"),
    "no kinesis": ({"eventID": "shardId-7:1"}, "kinesis.sequenceNumber"),
    "a number for a sequence number": (raw(b"x", sequenceNumber=4959), "kinesis.sequenceNumber"),
    "no data": (raw(b"x", data=None), "kinesis.data"),
    "data of another type": (raw(b"x", data=["x"]), "kinesis.data"),
    "data that is not base64": (raw(b"x", data="%"), "not base64"),
    "data beyond ASCII": (raw(b"x", data="é"), "not base64"),
}


@pytest.mark.parametrize(("given_record", "fault"), FAULTS.values(), ids=FAULTS)
def test_an_unreadable_record_is_returned_whole_with_the_reason(
    given_record: Any, fault: str
) -> None:
    before, broken, after = user_records([raw(b"a"), given_record, raw(b"b")])

    assert (before.data, before.fault, after.data) == (b"a", None, b"b")
    assert broken.fault is not None
    assert fault in broken.fault
    assert json.loads(broken.data) == given_record
    assert broken.event_id


def test_two_unreadable_records_without_an_event_id_get_different_ones() -> None:
    one, other = user_records([{"a": 1}, {"a": 2}])

    assert one.event_id != other.event_id


def test_optional_fields_of_a_record_may_be_missing() -> None:
    whole = raw(b"x")
    del whole["eventID"], whole["eventSourceARN"], whole["kinesis"]["partitionKey"]

    (record,) = user_records([whole])

    assert (record.fault, record.data, record.event_id) == (None, b"x", "4959")
    assert (record.shard, record.stream, record.partition_key) == ("", "", "")


BROKEN = {
    "wrong checksum": packed(b"a", b"b")[:-1] + b"\x00",
    "not Protocol Buffers": sealed(b"\xff\xff\xff"),
    "a record cut short": sealed(b"\x1a\x02\x1a\x05"),
    "no records": sealed(b"\x0a\x03key"),
    "a record without data": sealed(b"\x1a\x02\x08\x00"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_damaged_packed_record_is_returned_whole(data: bytes) -> None:
    records = list(user_records([raw(data)]))

    assert [record.data for record in records] == [data]
    assert records[0].event_id == "shardId-7:4959"
