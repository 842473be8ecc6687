"""Readers of a table's stream on DynamoDB Local, while other tables are written to.

DynamoDB Local answers TrimmedDataAccessException to an iterator that was made while the shard was empty, if another
table was written to before the shard's first record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.deployed.stream_shards import ShardReader, shards_of
from leda_cli.operate.rebuilding.watermarks import MarkedEnd, Tail, WaitedEnd
from support import dynamodb_local
from support.tables import definition

Arns = dict[str, str]


@pytest.fixture
def dynamodb(dynamodb_endpoint: str) -> Any:
    return dynamodb_local.client("dynamodb", dynamodb_endpoint)


@pytest.fixture
def streams(dynamodb_endpoint: str) -> Any:
    return dynamodb_local.client("dynamodbstreams", dynamodb_endpoint)


@pytest.fixture
def arns(dynamodb: Any) -> Iterator[Arns]:
    """The stream ARNs of two tables, Mine and Other."""
    made = {}
    for name in ("Mine", "Other"):
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        answer = dynamodb.create_table(**definition(name, {"id": "S"}, StreamSpecification=stream))
        made[name] = answer["TableDescription"]["LatestStreamArn"]
    yield made
    for name in made:
        dynamodb.delete_table(TableName=name)


def put(dynamodb: Any, table: str, name: str) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": name}})


@pytest.mark.parametrize("from_now", [False, True])
def test_a_reader_made_while_the_shard_was_empty_reads_its_first_record(
    dynamodb: Any, streams: Any, arns: Arns, from_now: bool
) -> None:
    (shard,) = shards_of(streams, arns["Mine"])
    reader = ShardReader(streams, arns["Mine"], shard["ShardId"], from_now=from_now)
    assert reader.read() == []
    put(dynamodb, "Other", "1")
    put(dynamodb, "Mine", "1")

    records = list(reader.read_all())

    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in records] == ["1"]


@pytest.mark.parametrize("is_marked", [True, False])
def test_an_empty_stream_has_a_watermark(
    dynamodb: Any, streams: Any, arns: Arns, is_marked: bool
) -> None:
    class Busy:
        """A client that writes to the other table before each put."""

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def put_item(self, **request: Any) -> Any:
            put(dynamodb, "Other", "1")
            return dynamodb.put_item(**request)

    client: Any = Busy()
    table = SourceTable("Mine", {"id": "S"})
    tail = Tail(client, streams, table, arns["Mine"], (), lambda _changes: None)
    tail.scanned()
    put(dynamodb, "Other", "1")
    end = MarkedEnd(client, table, {}, 0) if is_marked else WaitedEnd(0, lambda _seconds: None)

    watermark = tail.watermark(end)

    assert list(watermark.open) == [shard["ShardId"] for shard in shards_of(streams, arns["Mine"])]
