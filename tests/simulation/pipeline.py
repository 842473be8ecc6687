"""The pipeline as a system under test: its tables and streams, its three functions, and what must come out."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

from simulation.functions import Function, Weather, in_one_thread
from simulation.mappings import Mapping as EventSourceMapping
from simulation.memory_dynamodb import Change, MemoryDynamoDB
from simulation.plans import Disturbance, Plan
from simulation.streams import Raw, Stream
from simulation.world import World
from support import trades

HERE = Path(__file__).resolve().parent
SUBJECTS = {
    "LEDA": {
        stage: HERE.parents[1] / "lambda_src" / stage / "handler.py"
        for stage in ("state", "map", "reduce")
    },
    "published": {
        stage: HERE / "published" / f"{stage}.py" for stage in ("state", "map", "reduce")
    },
}
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"
SOURCES = {"map": "StateTable", "reduce": "ReduceTable"}
KEYS = {
    "StateTable": {"id": "S"},
    "ReduceTable": {"Lane": "N", "Delta": "S"},
    "AggregateTable": {"Identifier": "S"},
    "CheckpointTable": {"Source": "S", "Lane": "S"},
}


class Bucket:
    """The quarantine bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        self.objects[Key] = Body


class Streams:
    """DynamoDB's DescribeStream."""

    def __init__(self) -> None:
        self.known: dict[str, Stream] = {}

    def describe_stream(self, *, StreamArn: str) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": self.known[StreamArn].description()}}


class Pipeline:
    """One deployment of the pipeline (or of the design that it is compared with) in a world of its own."""

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.bucket = Bucket()
        self.weather = Weather(
            world, plan.fault_rate, frozenset(plan.families), self.counts, plan.spared
        )
        self.store = MemoryDynamoDB(world.clock, self._changed)
        self._world = world
        self._random = world.random("pipeline")
        self._create_tables()
        streams = Streams()
        self.streams = {"state": Stream(world, KINESIS, plan.shards, digits=56)}
        for stage, table in SOURCES.items():
            arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026"
            shards = plan.partitions if stage == "map" else plan.reduce_lanes
            self.streams[stage] = streams.known[arn] = Stream(world, arn, shards, digits=23)
        services = {"dynamodb": self.store, "dynamodbstreams": streams, "s3": self.bucket}
        self.functions = {
            stage: Function(
                world,
                f"{stage.title()}Lambda",
                path,
                _variables(stage, plan),
                services,
                self.weather,
                self.counts,
            )
            for stage, path in SUBJECTS[subject].items()
        }
        self.mappings = {
            stage: EventSourceMapping(
                world,
                self.streams[stage],
                function,
                plan.mappings[stage],
                self.counts,
            )
            for stage, function in self.functions.items()
        }

    @staticmethod
    @contextmanager
    def installed(plan: Plan) -> Iterator[None]:
        """What the code under test must find while the pipeline runs."""
        with ExitStack() as stack:
            in_one_thread(stack, "leda.state_store", "leda.ingest")
            if plan.small_transactions:
                # Room for few totals, so that a few records take several transactions and delta rows.
                for name, value in (
                    ("leda.deltas.MAX_NODES_OF_A_DELTA", 4),
                    ("leda.deltas.MAX_EFFECTS", 3),
                    ("leda.totals.MAX_EFFECTS", 6),
                ):
                    stack.enter_context(mock.patch(name, value))
            yield

    # -- what happens

    def put(self, key: str, data: bytes) -> None:
        """A producer's record."""
        clock = self._world.clock()

        def raw(shard: str, sequence: int) -> Raw:
            return {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": key,
                    "sequenceNumber": str(sequence),
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": clock,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/StateLambda",
                "awsRegion": "us-east-1",
                "eventSourceARN": KINESIS,
            }

        self.streams["state"].publish(key, raw)

    def disturb(self, disturbance: Disturbance) -> None:
        """Let it happen."""
        self.counts[disturbance.kind] += 1
        stage, draw = disturbance.stage, random.Random(disturbance.draw)
        mapping, stream = self.mappings[stage], self.streams[stage]
        match disturbance.kind:
            case "deployment":
                self.functions[stage].forget_environments()
            case "restart":
                mapping.restart(draw)
            case "double":
                mapping.double(draw)
            case "create anew":
                mapping.create_anew()
            case "redeliver":
                mapping.redeliver(draw)
            case "split":
                stream.split(draw)
            case "merge":
                stream.merge(draw)
            case "roll":
                stream.roll()
            case "clock":
                self._world.skew += draw.choice((-1, 1)) * draw.choice((1, 60, 3600, 10**6))
            case "window":
                mapping.tumbling_window = not mapping.tumbling_window
            case kind:
                raise AssertionError(f"unknown disturbance {kind!r}")

    def redrive(self) -> None:
        """Put back what the State mapping gave up, as `leda redrive` does."""
        mapping = self.mappings["state"]
        discarded, mapping.discarded = mapping.discarded, []

        def deliver() -> None:
            for batch in discarded:
                done = mapping.attempt(self.streams["state"].shards[batch.shard], batch.records)
                assert done == len(batch.records), "nothing is wrong any more, and yet it failed"

        self._world.spawn(deliver)

    # -- what must come out

    def differences(self) -> dict[str, tuple[Decimal, Decimal]]:
        """The totals that are not what they must be, by node: (must, is)."""
        found = {
            row["Identifier"]["S"]: Decimal(row["Value"]["N"])
            for row in self.store.scan(TableName="AggregateTable", ConsistentRead=True)["Items"]
        }
        must = trades.fold(self.plan.versions)
        zero = Decimal(0)
        return {
            node: (must.get(node, zero), found.get(node, zero))
            for node in sorted({*must, *found})
            if must.get(node, zero) != found.get(node, zero)
        }

    def missing_from_quarantine(self) -> int:
        """How many bad messages are neither in a total nor in the bucket."""
        good = {version.message() for version in self.plan.versions}
        bad = Counter(put.data for put in self.plan.puts if put.data not in good)
        kept = Counter(
            base64.b64decode(_data(body))
            for key, body in self.bucket.objects.items()
            if key.startswith("StateLambda/")
        )
        return (bad - kept).total()

    # -- how

    def _create_tables(self) -> None:
        for name, keys in KEYS.items():
            self.store.create_table(
                TableName=name,
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()
                ],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                BillingMode="PAY_PER_REQUEST",
            )

    def _changed(self, change: Change) -> None:
        """A table's change goes into its stream, in a while: the records of a transaction not all at once.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        stage = next((s for s, table in SOURCES.items() if table == change.table), None)
        if stage is None:
            return
        stream, created = self.streams[stage], int(self._world.clock())
        partition_key = next(iter(change.keys.values()))
        item = "|".join(str(value) for value in change.keys.values())
        name = "MODIFY" if change.old and change.new else "INSERT" if change.new else "REMOVE"

        def raw(_shard: str, sequence: int) -> Raw:
            record: Raw = {
                "ApproximateCreationDateTime": created,
                "Keys": change.keys,
                "SequenceNumber": str(sequence),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            }
            if change.old:
                record["OldImage"] = change.old
            if change.new:
                record["NewImage"] = change.new
            return {
                "eventID": f"{stage}{sequence}",
                "eventVersion": "1.1",
                "eventName": name,
                "eventSource": "aws:dynamodb",
                "awsRegion": "us-east-1",
                "dynamodb": record,
                "eventSourceARN": stream.arn,
            }

        stream.publish_later(str(partition_key), item, self._random.expovariate(1 / 0.1), raw)


def _variables(stage: str, plan: Plan) -> Mapping[str, str]:
    return {
        "AWS_LAMBDA_FUNCTION_NAME": f"{stage.title()}Lambda",
        "POWERTOOLS_SERVICE_NAME": stage,
        "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
        "QUARANTINE_BUCKET": "quarantine",
        "SCHEMA": "{}",
        "REDUCE_LANES": str(plan.reduce_lanes),
        **{f"{table.upper()}_TABLE": f"{table}Table" for table in ("State", "Reduce", "Aggregate")},
        "CHECKPOINT_TABLE": "CheckpointTable",
    }


def _data(body: bytes) -> str:
    return str(json.loads(body)["data"])
