"""Delivers a table's stream to a function again, as a mapping does after failures, in parallel to the real mapping.

Lambda delivers a record at least once: the first time in order within its shard, later deliveries in any order. A
function must tolerate that: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.stream_shards import ShardReader, shards_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_lambda import LambdaClient

Record = dict[str, Any]

MOST_RECORDS = 200
"""The most records of a delivery, which then stays well below the limit of 6 MB for an invocation's payload."""
TRIES = 5


class Redelivery:
    """Invokes a function with records of a stream; `deliveries` and `records` count what was delivered."""

    def __init__(
        self,
        streams: DynamoDBStreamsClient,
        lambdas: LambdaClient,
        stream: str,
        function: str,
        draw: random.Random,
    ) -> None:
        self.deliveries = 0
        self.records = 0
        self._streams = streams
        self._lambdas = lambdas
        self._stream = stream
        self._function = function
        self._draw = draw
        self._readers: dict[str, ShardReader] = {}
        self._seen: dict[str, list[Record]] = {}

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop."""
        while not stop.is_set():
            self.once()
            stop.wait(0.1)

    def once(self) -> None:
        """Deliver the stream's new records in order, and parts of the earlier records in any order."""
        for shard, fresh in self._read().items():
            seen = self._seen.setdefault(shard, [])
            while fresh:
                size = self._draw.randint(1, MOST_RECORDS)
                # The batch begins with some records of earlier batches: a retry may have other batch boundaries.
                again = seen[len(seen) - self._draw.randint(0, min(len(seen), 20)) :]
                self._deliver(shard, [*again, *fresh[:size]][-MOST_RECORDS:])
                seen += fresh[:size]
                fresh = fresh[size:]
            if seen:
                start = self._draw.randrange(len(seen))
                part = seen[start : start + self._draw.randint(1, MOST_RECORDS)]
                self._deliver(shard, self._draw.choices(part, k=len(part)))

    def everything(self) -> None:
        """Deliver all earlier records once more, from the start."""
        for shard, seen in self._seen.items():
            for start in range(0, len(seen), MOST_RECORDS):
                self._deliver(shard, seen[start : start + MOST_RECORDS])

    def _read(self) -> dict[str, list[Record]]:
        """The new records of each shard."""
        for shard in shards_of(self._streams, self._stream):
            name = shard["ShardId"]
            if name not in self._readers:
                self._readers[name] = ShardReader(self._streams, self._stream, name)
        return {
            name: [as_delivered(record, self._stream) for record in reader.read_all()]
            for name, reader in self._readers.items()
        }

    def _deliver(self, shard: str, records: Sequence[Record]) -> None:
        """Invoke the function until it takes the batch, because later records of a shard must wait for earlier ones."""
        # The event of a mapping with a tumbling window.
        event = {"Records": list(records), "shardId": shard, "state": {}}
        for attempt in range(1, TRIES + 1):
            answer = self._lambdas.invoke(FunctionName=self._function, Payload=json.dumps(event))
            text = answer["Payload"].read().decode(errors="replace")
            failed = "FunctionError" in answer or (json.loads(text) or {}).get("batchItemFailures")
            if not failed:
                self.deliveries += 1
                self.records += len(records)
                return
            if attempt == TRIES:
                raise LedaError(
                    f"{self._function} does not take a batch of {number_of(len(records), 'record')}: {text[:500]}",
                    f"read its log: /aws/lambda/{self._function}",
                )


def as_delivered(record: Mapping[str, Any], stream: str) -> Record:
    """A record of GetRecords in the shape of Lambda's events: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"].timestamp())
    return {
        "eventID": record["eventID"],
        "eventVersion": record.get("eventVersion", "1.1"),
        "eventName": record["eventName"],
        "eventSource": "aws:dynamodb",
        "awsRegion": record.get("awsRegion", ""),
        "dynamodb": change,
        "eventSourceARN": stream,
    }
