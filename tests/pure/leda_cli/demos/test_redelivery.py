"""The demo's redelivery repeats records as Lambda may: in any order, but each for the first time in order."""

import io
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda_cli.base.errors import LedaError
from leda_cli.demos.redelivery import MOST_RECORDS, Redelivery, as_delivered

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"


class Streams:
    """Two shards that grow. An iterator of an empty shard becomes invalid when records follow, as on DynamoDB Local."""

    def __init__(self) -> None:
        self.shards: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}

    def grow(self, shard: str, count: int) -> None:
        records = self.shards[shard]
        for _ in range(count):
            number = f"{len(records):021d}"
            change = {
                "Keys": {"shard": {"S": shard}},
                "SequenceNumber": number,
                "ApproximateCreationDateTime": datetime(2026, 1, 1, tzinfo=UTC),
            }
            records.append({"eventID": number, "eventName": "INSERT", "dynamodb": change})

    def describe_stream(self, *, StreamArn: str) -> Any:
        assert StreamArn == ARN
        return {"StreamDescription": {"Shards": [{"ShardId": name} for name in self.shards]}}

    def get_shard_iterator(self, *, ShardId: str, ShardIteratorType: str, **_more: Any) -> Any:
        assert ShardIteratorType == "TRIM_HORIZON"
        return {"ShardIterator": self._iterator(ShardId, 0)}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Any:
        shard, start = ShardIterator.split(":")
        if start == "empty" and self.shards[shard]:
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetRecords")
        place = 0 if start == "empty" else int(start)
        page = self.shards[shard][place:][:Limit]
        return {"Records": page, "NextShardIterator": self._iterator(shard, place + len(page))}

    def _iterator(self, shard: str, place: int) -> str:
        return f"{shard}:{place if self.shards[shard] else 'empty'}"


class Function:
    """Records the events that it is invoked with; fails `failures` times first."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        self.failures = 0
        self.failure: dict[str, Any] = {"FunctionError": "Unhandled", "Payload": b"no"}

    def invoke(self, *, FunctionName: str, Payload: str) -> Any:
        assert FunctionName == "F"
        if self.failures:
            self.failures -= 1
            return self.failure | {"Payload": io.BytesIO(self.failure["Payload"])}
        self.batches.append(json.loads(Payload))
        return {"Payload": io.BytesIO(b"{}")}


def redelivery(streams: Any, function: Any, seed: int) -> Redelivery:
    return Redelivery(streams, function, ARN, "F", random.Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_records_are_delivered_in_order_first_and_then_repeated_in_any_order(seed: int) -> None:
    streams, function = Streams(), Function()
    work = redelivery(streams, function, seed)
    for count in (0, 3, 250, 0, 900):
        streams.grow("a", count)
        streams.grow("b", count // 2)
        function.failures = count % 4
        work.once()
    work.everything()

    applied = {"a": -1, "b": -1}
    delivered = 0
    for batch in function.batches:
        assert 0 < len(batch["Records"]) <= MOST_RECORDS
        delivered += len(batch["Records"])
        (shard,) = {record["dynamodb"]["Keys"]["shard"]["S"] for record in batch["Records"]}
        assert batch["shardId"] == shard
        numbers = {int(record["dynamodb"]["SequenceNumber"]) for record in batch["Records"]}
        fresh = sorted(number for number in numbers if number > applied[shard])
        # A gap would be a lost record: what a checkpoint moves past counts as applied.
        assert fresh == list(range(applied[shard] + 1, applied[shard] + 1 + len(fresh)))
        applied[shard] += len(fresh)
    assert applied == {shard: len(records) - 1 for shard, records in streams.shards.items()}
    assert (work.deliveries, work.records) == (len(function.batches), delivered)
    assert delivered > 2 * (1153 + 576)


def test_a_partly_failed_batch_is_delivered_again_first() -> None:
    streams, function = Streams(), Function()
    failed = {"batchItemFailures": [{"itemIdentifier": "0"}]}
    function.failure = {"Payload": json.dumps(failed).encode()}
    function.failures = 2
    streams.grow("a", 1)
    redelivery(streams, function, 1).once()
    assert function.failures == 0
    assert function.batches[0]["Records"][0]["eventID"] == f"{0:021d}"


def test_a_batch_that_always_fails_is_an_error_that_names_the_log() -> None:
    streams, function = Streams(), Function()
    streams.grow("a", 1)
    function.failures = 100

    with pytest.raises(LedaError, match="/aws/lambda/F"):
        redelivery(streams, function, 1).once()


def test_a_record_has_the_form_that_lambda_delivers() -> None:
    streams = Streams()
    streams.grow("a", 1)

    found = as_delivered(streams.shards["a"][0], ARN)

    assert found["eventSourceARN"] == ARN
    assert found["dynamodb"]["ApproximateCreationDateTime"] == 1767225600
    assert json.loads(json.dumps(found)) == found
