"""Reads a proof's own records from StateTable's stream, which Map reads at the same time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leda_cli.operate.deployed.stream_shards import ShardReader, shards_of
from leda_cli.operate.prove.trades import IDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

# GetRecords may return nothing although a record follows, so one empty read proves nothing.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
EMPTY_READS = 20
READ_SECONDS = 0.25


class StreamWatch:
    """Remembers the end of each shard of a stream; `records` reads on from there.

    The shards are read when the run is over, so that Map is their only reader until then.
    """

    def __init__(self, client: DynamoDBStreamsClient, stream: str) -> None:
        self._client = client
        self._stream = stream
        open_shards = [
            shard["ShardId"]
            for shard in shards_of(client, stream)
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]
        self._readers = [ShardReader(client, stream, shard, from_now=True) for shard in open_shards]

    def records(self, last_version: int) -> list[Mapping[str, Any]]:
        """The records of the proof's trades up to the version that deletes each; those of a trade are in order.

        Raises the client's error.
        """
        found: list[Mapping[str, Any]] = []
        own, waiting, empty = frozenset(IDS), set(IDS), 0
        while waiting and empty < EMPTY_READS:
            page = [record for reader in list(self._readers) for record in self._read(reader)]
            empty = 0 if page else empty + 1
            for record in page:
                identifier = record["dynamodb"]["Keys"]["id"].get("S")
                if identifier not in own:
                    continue
                found.append(record)
                version = record["dynamodb"].get("NewImage", {}).get("Version", {}).get("N")
                if version == str(last_version):
                    waiting.discard(identifier)
            if waiting:
                time.sleep(READ_SECONDS)
        return found

    def _read(self, reader: ShardReader) -> list[Any]:
        page = list(reader.read())
        if reader.is_at_end:
            # A parent is read to its end before its children.
            self._readers.remove(reader)
            self._readers += [
                ShardReader(self._client, self._stream, shard["ShardId"])
                for shard in shards_of(self._client, self._stream)
                if shard.get("ParentShardId") == reader.shard
            ]
        return page
