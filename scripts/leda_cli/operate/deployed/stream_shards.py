"""Reading the shards of a table's stream, beside the mapping that reads them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import (
        DescribeStreamInputTypeDef,
        ListStreamsInputTypeDef,
        RecordTypeDef,
        ShardTypeDef,
    )

MAX_RECORDS = 1000
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html"""

_TRIMMED = "TrimmedDataAccessException"
_EXPIRED = "ExpiredIteratorException"


def shards_of(client: DynamoDBStreamsClient, stream: str) -> Iterator[ShardTypeDef]:
    """Every shard that the stream lists, closed ones included.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    """
    request: DescribeStreamInputTypeDef = {"StreamArn": stream}
    while True:
        description = client.describe_stream(**request)["StreamDescription"]
        yield from description["Shards"]
        last = description.get("LastEvaluatedShardId")
        if not last:
            return
        request["ExclusiveStartShardId"] = last


def streams_of(client: DynamoDBStreamsClient, table: str) -> list[str]:
    """The ARNs of the table's stream and of those before it whose records are still kept.

    A stream that was disabled can be read for a day.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html
    """
    found: list[str] = []
    request: ListStreamsInputTypeDef = {"TableName": table}
    while True:
        page = client.list_streams(**request)
        found += [stream["StreamArn"] for stream in page["Streams"]]
        last = page.get("LastEvaluatedStreamArn")
        if not last:
            return found
        request["ExclusiveStartStreamArn"] = last


class ShardReader:
    """A place in a shard; each read moves it on.

    after: read what follows this sequence number; the shard must still have it.
    from_now: read what is written after the reader was made; without it and `after`, all that the shard has.

    A shard without records needs care on local AWS: GetShardIterator may refuse LATEST in it, and an iterator of it
    answers TrimmedDataAccessException once the shard has its first record. Nothing was read or lost then, so reading
    begins again at the shard's start. An iterator also expires, after 15 minutes.
    """

    def __init__(
        self,
        client: DynamoDBStreamsClient,
        stream: str,
        shard: str,
        *,
        after: str | None = None,
        from_now: bool = False,
    ) -> None:
        self.shard = shard
        self.is_at_end = False
        """The shard is closed, and all of it was read."""
        self._client = client
        self._stream = stream
        self._after = after
        if from_now and after is None:
            try:
                self._iterator = self._take({"ShardIteratorType": "LATEST"})
                return
            except ClientError as error:
                if _code(error) != _TRIMMED:
                    raise
        self._iterator = self._take_again()

    def read(self) -> list[RecordTypeDef]:
        """Read the next page; it is empty where there is no record now. Raises ClientError if records were trimmed."""
        if self.is_at_end:
            return []
        try:
            page = self._client.get_records(ShardIterator=self._iterator, Limit=MAX_RECORDS)
        except ClientError as error:
            is_lost = _code(error) == _TRIMMED and self._after is not None
            if is_lost or _code(error) not in (_TRIMMED, _EXPIRED):
                raise
            self._iterator = self._take_again()
            page = self._client.get_records(ShardIterator=self._iterator, Limit=MAX_RECORDS)
        if page["Records"]:
            self._after = page["Records"][-1]["dynamodb"]["SequenceNumber"]
        following = page.get("NextShardIterator")
        self.is_at_end = not following
        self._iterator = following or ""
        return page["Records"]

    def read_all(self) -> Iterator[RecordTypeDef]:
        """Read until a page is empty or the shard ends."""
        while page := self.read():
            yield from page

    def _take_again(self) -> str:
        if self._after is None:
            return self._take({"ShardIteratorType": "TRIM_HORIZON"})
        return self._take(
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._after}
        )

    def _take(self, place: dict[str, Any]) -> str:
        answer = self._client.get_shard_iterator(
            StreamArn=self._stream, ShardId=self.shard, **place
        )
        return answer["ShardIterator"]


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
