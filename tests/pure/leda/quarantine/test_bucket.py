"""The quarantine bucket: the objects that are stored, and their keys."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.quarantine.bucket import BadRecord, Quarantine, key_of
from leda.streams.raw_records import id_by_content, to_json

BAD = BadRecord(
    "not JSON",
    "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream",
    "shardId-000000000007",
    "4959",
    "shardId-000000000007:4959",
    datetime(2026, 3, 7, 23, 59, 59, 500_000, tzinfo=UTC),
    b"\x00\xff no JSON",
)


class Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}

    def put_object(self, **request: Any) -> None:
        self.objects[request["Key"]] = request


def put(bad: BadRecord, bucket: Bucket) -> str:
    client: Any = bucket
    return Quarantine(client, "bad-messages", "StateLambda").put(bad)


def test_an_object_has_the_whole_message_the_reason_and_its_origin() -> None:
    bucket = Bucket()

    key = put(BAD, bucket)

    kept = bucket.objects[key]
    assert kept["Bucket"] == "bad-messages"
    assert kept["ContentType"] == "application/json"
    assert json.loads(kept["Body"]) == {
        "reason": "not JSON",
        "function": "StateLambda",
        "stream": BAD.stream,
        "shard": "shardId-000000000007",
        "sequenceNumber": "4959",
        "eventID": "shardId-000000000007:4959",
        "arrived": "2026-03-07T23:59:59.500000+00:00",
        "data": "AP8gbm8gSlNPTg==",
        "dataLength": 10,
    }


def test_the_key_consists_of_the_time_of_arrival_and_the_event_id() -> None:
    assert put(BAD, Bucket()) == "StateLambda/2026/03/07/shardId-000000000007_4959.json"
    assert put(replace(BAD, arrived=None), Bucket()).startswith("StateLambda/undated/")


def test_a_retry_overwrites_its_object_and_no_other() -> None:
    bucket = Bucket()
    for bad in (BAD, replace(BAD, reason="another"), replace(BAD, event_id=BAD.event_id + "-1")):
        put(bad, bucket)

    assert len(bucket.objects) == 2


@given(st.text(min_size=1))
def test_any_event_id_makes_a_key_of_safe_characters(event_id: str) -> None:
    name = put(replace(BAD, event_id=event_id), Bucket()).removeprefix("StateLambda/2026/03/07/")

    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def test_long_event_ids_make_different_keys_that_s3_accepts() -> None:
    keys = {key_of("f" * 64, BAD.arrived, "\U0001f600" * 5_000 + end) for end in "ab"}

    assert len(keys) == 2
    assert all(len(key.encode()) <= 1_024 for key in keys)


def test_a_record_without_an_event_id_gets_one_from_its_content() -> None:
    assert id_by_content(b"a") == id_by_content(b"a") != id_by_content(b"b")


def test_only_values_that_are_nested_too_deeply_are_cut() -> None:
    deep: Any = {"end": "end"}
    for _ in range(50_000):
        deep = [deep]

    assert json.loads(to_json({"a": [1, None, "\ud800"]})) == {"a": [1, None, "\ud800"]}
    kept = json.loads(to_json({"a": 1, "b": deep, "c": {"d": deep}}))
    assert kept["a"] == 1
    assert json.dumps(kept["b"]).strip("[]") == '"[...]"'
    assert json.dumps(kept["c"]["d"]).strip("[]") == '"[...]"'


def test_an_object_that_cannot_be_put_is_an_error() -> None:
    class Broken:
        def put_object(self, **_request: Any) -> None:
            raise OSError("no bucket")

    client: Any = Broken()
    with pytest.raises(OSError, match="no bucket"):
        Quarantine(client, "b", "f").put(BAD)
