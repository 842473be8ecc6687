"""Reading a shard of a Kinesis stream from a place on, without taking it from the mapping that reads it too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef

MAX_RECORDS = 1000
"""Of a GetRecords call; it may return 10,000, and 10 MB, which would shut the shard to others for five seconds."""
READ_SECONDS = 0.25
BYTES_A_SECOND = 1_000_000
"""A shard gives 5 reads and 2 MB a second to all who share it; these take half of the bytes and leave a read.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""
BUSY_SECONDS = 1.0
"""Before a read that the stream has refused is tried again."""

_BUSY = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
}


def shard_ids(client: KinesisClient, stream: str) -> list[str]:
    """Every shard that may still have records, closed ones included."""
    pages = client.get_paginator("list_shards").paginate(StreamName=stream)
    return [shard["ShardId"] for page in pages for shard in page["Shards"]]


@dataclass(eq=False)
class Cursor:
    """A place in a shard. `start` is GetShardIterator's: its type and what belongs to it."""

    client: KinesisClient
    stream: str
    shard: str
    start: Mapping[str, Any]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._iterator: str | None = None
        self.ready = 0.0
        """When the next read may be, on the clock."""
        self.is_at_end = False
        """Nothing more was there at the last read, or will ever be."""

    def read(self) -> list[RecordTypeDef]:
        """The next records; none where the stream is too busy, the shard has a gap, or this is its end."""
        try:
            answer = self._next()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _BUSY:
                raise
            self.ready = self.clock() + BUSY_SECONDS
            return []
        records = answer["Records"]
        if records:
            self.start = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": records[-1]["SequenceNumber"],
            }
        self._iterator = answer.get("NextShardIterator")
        # A closed shard ends with no iterator; an open one with nothing that it is behind of.
        self.is_at_end = self._iterator is None or (
            not records and not answer.get("MillisBehindLatest")
        )
        size = sum(len(each["Data"]) for each in records)
        self.ready = self.clock() + max(READ_SECONDS, size / BYTES_A_SECOND)
        return records

    def _next(self) -> GetRecordsOutputTypeDef:
        while True:
            if self._iterator is None:
                self._iterator = self.client.get_shard_iterator(
                    StreamName=self.stream, ShardId=self.shard, **self.start
                )["ShardIterator"]
            try:
                return self.client.get_records(ShardIterator=self._iterator, Limit=MAX_RECORDS)
            except self.client.exceptions.ExpiredIteratorException:
                # It lives for five minutes, and deliveries may take longer.
                self._iterator = None


def read_range(
    client: KinesisClient,
    stream: str,
    shard: str,
    first: str,
    last: str,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[RecordTypeDef]:
    """The records of a shard from one sequence number to another, as far as the stream still has them."""
    cursor = Cursor(
        client,
        stream,
        shard,
        {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": first},
    )
    while not cursor.is_at_end:
        for record in cursor.read():
            if int(record["SequenceNumber"]) > int(last):
                return
            if int(record["SequenceNumber"]) >= int(first):
                yield record
        if not cursor.is_at_end:
            pause(max(0.0, cursor.ready - time.monotonic()))
