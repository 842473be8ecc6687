"""The reader of a shard continues after an error of its iterator and never skips a record."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda_cli.operate.deployed.stream_shards import MAX_RECORDS, ShardReader, shards_of, streams_of

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetRecords")


class Streams:
    """One shard. `refusals` are the errors of the next GetRecords calls; `taken` lists the iterators asked for."""

    def __init__(self, records: int = 0) -> None:
        self.records = list(range(1, records + 1))
        self.is_open = True
        self.refusals: list[str] = []
        self.taken: list[str] = []

    def describe_stream(self, *, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        shards = [name for name in ("a", "b", "c") if name > ExclusiveStartShardId][:2]
        more = {"LastEvaluatedShardId": shards[-1]} if shards[-1] != "c" else {}
        return {"StreamDescription": {"Shards": [{"ShardId": name} for name in shards], **more}}

    def list_streams(self, *, TableName: str, ExclusiveStartStreamArn: str = "") -> Any:
        names = [name for name in ("1", "2", "3") if name > ExclusiveStartStreamArn][:2]
        more = {"LastEvaluatedStreamArn": names[-1]} if names[-1] != "3" else {}
        return {"Streams": [{"StreamArn": name} for name in names], **more}

    def get_shard_iterator(
        self, *, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = ""
    ) -> Any:
        self.taken.append(f"{ShardIteratorType} {SequenceNumber}".strip())
        if ShardIteratorType == "LATEST" and not self.records:
            raise error("TrimmedDataAccessException")
        place = {
            "TRIM_HORIZON": 0,
            "LATEST": len(self.records),
            "AFTER_SEQUENCE_NUMBER": int(SequenceNumber or 0),
        }[ShardIteratorType]
        return {"ShardIterator": str(place)}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Any:
        if self.refusals:
            raise error(self.refusals.pop(0))
        place = int(ShardIterator)
        page = self.records[place:][:Limit]
        records = [{"dynamodb": {"SequenceNumber": str(number)}} for number in page]
        answer: dict[str, Any] = {"Records": records}
        if self.is_open or page:
            answer["NextShardIterator"] = str(place + len(page))
        return answer


def reader(streams: Any, **options: Any) -> ShardReader:
    return ShardReader(streams, ARN, "a", **options)


def numbers(reader: ShardReader) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) for record in reader.read_all()]


def test_all_pages_are_read_and_later_the_new_records() -> None:
    streams = Streams(MAX_RECORDS + 5)
    shard = reader(streams)

    assert numbers(shard) == streams.records
    streams.records.append(MAX_RECORDS + 6)
    assert numbers(shard) == [MAX_RECORDS + 6]
    assert not shard.is_at_end


def test_a_refused_iterator_of_an_empty_shard_is_replaced_by_one_at_the_start() -> None:
    streams = Streams()
    shard = reader(streams)
    assert numbers(shard) == []

    streams.records += [1, 2]
    streams.refusals = ["TrimmedDataAccessException"]

    assert numbers(shard) == [1, 2]
    assert streams.taken == ["TRIM_HORIZON", "TRIM_HORIZON"]


@pytest.mark.parametrize("records", [0, 3])
def test_reading_from_now_on_returns_all_later_records(records: int) -> None:
    streams = Streams(records)
    shard = reader(streams, from_now=True)
    streams.records += [records + 1, records + 2]

    assert numbers(shard) == [records + 1, records + 2]


def test_reading_from_now_on_skips_no_record_after_a_refused_iterator() -> None:
    streams = Streams(1)
    shard = reader(streams, from_now=True)
    streams.records.append(2)
    streams.refusals = ["TrimmedDataAccessException"]

    assert numbers(shard)[-1] == 2


def test_reading_after_a_sequence_number_returns_the_later_records() -> None:
    assert numbers(reader(Streams(5), after="3", from_now=True)) == [4, 5]


def test_an_expired_iterator_is_replaced_at_the_same_place() -> None:
    streams = Streams(3)
    shard = reader(streams)
    assert numbers(shard) == [1, 2, 3]

    streams.records.append(4)
    streams.refusals = ["ExpiredIteratorException"]

    assert numbers(shard) == [4]
    assert streams.taken[-1] == "AFTER_SEQUENCE_NUMBER 3"


def test_records_trimmed_before_they_were_read_are_an_error() -> None:
    streams = Streams(3)
    shard = reader(streams, after="1")
    streams.refusals = ["TrimmedDataAccessException"]

    with pytest.raises(ClientError, match="TrimmedDataAccess"):
        shard.read()


@pytest.mark.parametrize(
    "refusals",
    [["ResourceNotFoundException"], ["TrimmedDataAccessException"] * 2],
    ids=["another error", "twice"],
)
def test_an_error_that_a_new_iterator_does_not_cure_is_raised(refusals: list[str]) -> None:
    streams = Streams(3)
    shard = reader(streams)
    streams.refusals = refusals

    with pytest.raises(ClientError):
        shard.read()


def test_a_closed_shard_has_an_end() -> None:
    streams = Streams(2)
    streams.is_open = False
    shard = reader(streams)

    assert numbers(shard) == [1, 2]
    assert shard.is_at_end
    assert shard.read() == []


def test_every_page_of_shards_is_listed() -> None:
    streams: Any = Streams()

    assert [shard["ShardId"] for shard in shards_of(streams, ARN)] == ["a", "b", "c"]


def test_the_streams_of_a_table_are_listed_to_the_last_page() -> None:
    streams: Any = Streams()

    assert streams_of(streams, "T") == ["1", "2", "3"]
