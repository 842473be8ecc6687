"""The pipeline over a DynamoDB in memory, for tests with very many runs.

tests/emulated/test_memory_dynamodb.py compares this DynamoDB with DynamoDB Local.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from simulation.streams import Record, Shard
from simulation.systems import DynamoDBStreams
from support.pipeline import Pipeline

_HIGHEST_KEY = 2**32
_FIRST_SEQUENCE = 10**23
_IMAGES = {"NEW_AND_OLD_IMAGES": ("OldImage", "NewImage"), "NEW_IMAGE": ("NewImage",)}


@dataclass
class _Stream:
    """A table's stream with one open shard, which has a record as soon as the change is committed."""

    arn: str
    view: str
    shards: dict[str, Shard] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    numbers: Any = field(default_factory=lambda: itertools.count(_FIRST_SEQUENCE + 1))
    is_enabled: bool = True

    def __post_init__(self) -> None:
        self._open(())

    @property
    def shard(self) -> Shard:
        """The open shard."""
        return list(self.shards.values())[-1]

    def roll(self, *, is_child: bool = True) -> None:
        """Close the open shard, and open its child or, with is_child=False, a shard without a parent."""
        parent = self.shard
        parent.end = next(self.numbers)
        self._open((parent.id,) if is_child else ())

    def _open(self, parents: tuple[str, ...]) -> None:
        name = f"shardId-{len(self.shards) + 1:04d}"
        self.shards[name] = Shard(name, parents, 0, _HIGHEST_KEY, next(self.numbers))

    def description(self) -> list[dict[str, Any]]:
        """The shards as DescribeStream lists them."""
        listed = []
        for shard in self.shards.values():
            described: dict[str, Any] = {
                "ShardId": shard.id,
                "SequenceNumberRange": {"StartingSequenceNumber": str(shard.start)},
            }
            if shard.end is not None:
                described["SequenceNumberRange"]["EndingSequenceNumber"] = str(shard.end)
            if shard.parents:
                described["ParentShardId"] = shard.parents[0]
            listed.append(described)
        return listed

    def is_trimmed(self, record: Record) -> bool:
        """Whether the record is too old to be read; no test lasts so long."""
        return False

    def take(self, change: Change) -> None:
        """Append the change's record."""
        sequence = next(self.numbers)
        images = {"OldImage": change.old, "NewImage": change.new}
        name = "MODIFY" if change.old and change.new else "INSERT" if change.new else "REMOVE"
        record = {
            "eventID": str(sequence),
            "eventVersion": "1.1",
            "eventName": name,
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": datetime.fromtimestamp(self.clock(), UTC),
                "Keys": change.keys,
                "SequenceNumber": str(sequence),
                "StreamViewType": self.view,
                **{key: images[key] for key in _IMAGES[self.view] if images[key]},
            },
        }
        self.shard.records.append(Record(sequence, str(change.keys), self.clock(), record))


class _DynamoDB(MemoryDynamoDB):
    """Tables with their streams."""

    def __init__(self) -> None:
        self.slept = 0.0
        super().__init__(self.now, self._changed)
        self.streams = DynamoDBStreams()
        self._of_table: dict[str, _Stream] = {}

    def now(self) -> float:
        """The machine's time plus the seconds of all sleeps, which take no time."""
        return time.time() + self.slept

    def create_table(self, **request: Any) -> dict[str, Any]:
        """Create a table, with a stream if the request has one."""
        wanted, name = request.pop("StreamSpecification"), request["TableName"]
        answer = super().create_table(**request)
        if wanted["StreamEnabled"]:
            arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}/stream/2026-01-01T00:00:00.000"
            stream = _Stream(arn, wanted["StreamViewType"], clock=self.now)
            self._of_table[name] = stream
            self.streams.known[arn] = stream  # type: ignore[assignment]
        return answer

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        """A table's key, and the ARN of its stream, where it is enabled."""
        keys = self._table(TableName).keys
        table: dict[str, Any] = {
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()
            ],
        }
        if stream := self._of_table.get(TableName):
            table["LatestStreamArn"] = stream.arn
            if stream.is_enabled:
                table["StreamSpecification"] = {
                    "StreamEnabled": True,
                    "StreamViewType": stream.view,
                }
        date = {"date": formatdate(self.now(), usegmt=True)}
        return {"Table": table, "ResponseMetadata": {"HTTPHeaders": date}}

    def roll(self, table: str, *, is_child: bool = True) -> None:
        """Close the open shard of the table's stream, and open its child, or a shard without a parent."""
        self._of_table[table].roll(is_child=is_child)

    def disable_stream(self, table: str) -> None:
        """Disable the table's stream; its records can still be read."""
        self._of_table[table].is_enabled = False

    def enable_stream(self, table: str) -> None:
        """Give the table a new stream."""
        old = self._of_table[table]
        label = f"2026-01-{len(self.streams.known) + 1:02d}T00:00:00.000"
        arn = f"{old.arn.rpartition('/')[0]}/{label}"
        self._of_table[table] = self.streams.known[arn] = _Stream(arn, old.view, clock=self.now)  # type: ignore[assignment]

    def _changed(self, change: Change) -> None:
        stream = self._of_table.get(change.table)
        if stream and stream.is_enabled:
            stream.take(change)


class MemoryPipeline(Pipeline):
    """The pipeline's tables in memory, and functions that work on them."""

    def __init__(self) -> None:
        super().__init__(endpoint="")

    def connect(self) -> None:
        """Make the clients."""
        self.dynamodb = _DynamoDB()
        self.streams = self.dynamodb.streams

    def client(self, real: Any, service: str, **arguments: Any) -> Any:
        """The client that a function gets from boto3.client."""
        return {"dynamodb": self.dynamodb, "dynamodbstreams": self.streams}[service]
