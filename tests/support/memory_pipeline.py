"""The pipeline over a DynamoDB in memory, for tests with very many runs.

tests/emulated/test_memory_dynamodb.py compares this DynamoDB with DynamoDB Local.
"""

import itertools
import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from simulation.streams import Record, Shard, Stream
from simulation.systems import DynamoDBStreams, record_of, stream_arn
from support.pipeline import Pipeline
from support.tables import key_schema

_WORLD: Any = SimpleNamespace(now=0.0, random=lambda *_names: None)


class _Stream(Stream):
    """A table's stream with one open shard, in which nothing is trimmed.

    Its numbers rise even if a test removes its records.
    """

    def __init__(self, arn: str, view: str) -> None:
        self.view = view
        self.is_enabled = True
        self.numbers = itertools.count(10**23)
        super().__init__(_WORLD, arn, 1, digits=24)

    @property
    def shard(self) -> Shard:
        """The open shard."""
        return self.open_shards()[0]

    def take(self, change: Change, now: float) -> None:
        """Append the change's record."""
        sequence = next(self.numbers)
        raw = record_of(change, self.view, self.arn, now, sequence)
        self.shard.records.append(Record(sequence, str(change.keys), now, raw))

    def _close(self, shard: Shard) -> None:
        shard.end = next(self.numbers)

    def _anywhere(self) -> int:
        return next(self.numbers)

    def _above(self, *_parents: Shard) -> int:
        return next(self.numbers)


class _DynamoDB(MemoryDynamoDB):
    """Tables with their streams of one open shard, which has a record as soon as the change is committed."""

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
            self._open(name, wanted["StreamViewType"])
        return answer

    def _open(self, table: str, view: str) -> None:
        arn = stream_arn(table, len(self.streams.known) + 1)
        self._of_table[table] = self.streams.known[arn] = _Stream(arn, view)

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        """A table's key, and the ARN of its stream, where it is enabled."""
        keys = self._table(TableName).keys
        table: dict[str, Any] = {
            "KeySchema": key_schema(*keys),
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()
            ],
        }
        if stream := self._of_table.get(TableName):
            table["LatestStreamArn"] = stream.arn
            if stream.is_enabled:
                enabled = {"StreamEnabled": True, "StreamViewType": stream.view}
                table["StreamSpecification"] = enabled
        date = {"date": formatdate(self.now(), usegmt=True)}
        return {"Table": table, "ResponseMetadata": {"HTTPHeaders": date}}

    def roll(self, table: str, *, is_child: bool = True) -> None:
        """Close the open shard of the table's stream, and open its child, or a shard without a parent."""
        stream = self._of_table[table]
        stream.roll()
        if not is_child:
            stream.shard.parents = ()

    def disable_stream(self, table: str) -> None:
        """Disable the table's stream; its records can still be read."""
        self._of_table[table].is_enabled = False

    def enable_stream(self, table: str) -> None:
        """Give the table a new stream."""
        self._open(table, self._of_table[table].view)

    def _changed(self, change: Change) -> None:
        stream = self._of_table.get(change.table)
        if stream and stream.is_enabled:
            stream.take(change, self.now())


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
