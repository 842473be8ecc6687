"""A system under test: its tables, streams, functions and mappings in a world of its own, and its expected results."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from leda_cli.base.paths import ROOT
from leda_cli.memory_dynamodb.partitions import Partitions
from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from simulation.functions import Function, Weather
from simulation.mappings import EventSourceMapping
from simulation.plans import Disturbance, Plan, Put
from simulation.streams import Raw, Stream
from simulation.world import World

LAMBDA_SRC = ROOT / "lambda_src"
# DynamoDB gives no limit ("near-real time"); leda rebuild waits for longer than this.
LATEST_SECONDS = 4.0
# The identity in records of rows that time to live removes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TIME_TO_LIVE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"


class Bucket:
    """The quarantine bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        """Store an object."""
        self.objects[Key] = Body


class DynamoDBStreams:
    """The API of DynamoDB Streams; an iterator is "<ARN> <shard> <number of earlier records>".

    `page` is the number of shards in an answer of DescribeStream: 100 by default
    (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html).
    """

    def __init__(self, page: int = 100) -> None:
        self.known: dict[str, Stream] = {}
        self._page = page

    def list_streams(self, *, TableName: str, ExclusiveStartStreamArn: str = "") -> dict[str, Any]:
        """The table's streams, one a page. Older streams stay listed for ever here."""
        listed = sorted(
            arn
            for arn in self.known
            if f":table/{TableName}/" in arn and arn > ExclusiveStartStreamArn
        )
        answer: dict[str, Any] = {"Streams": [{"StreamArn": arn} for arn in listed[:1]]}
        if len(listed) > 1:
            answer["LastEvaluatedStreamArn"] = listed[0]
        return answer

    def describe_stream(
        self, *, StreamArn: str, ExclusiveStartShardId: str = "", Limit: int = 100
    ) -> dict[str, Any]:
        """A page of the stream's shards."""
        listed = self.known[StreamArn].description()
        shards = [each for each in listed if each["ShardId"] > ExclusiveStartShardId]
        shown = shards[: min(self._page, Limit)]
        description: dict[str, Any] = {"StreamArn": StreamArn, "Shards": shown}
        if len(shown) < len(shards):
            description["LastEvaluatedShardId"] = shown[-1]["ShardId"]
        return {"StreamDescription": description}

    def get_shard_iterator(
        self, *, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = "-1"
    ) -> dict[str, Any]:
        """An iterator for a place in a shard."""
        stream = self.known[StreamArn]
        records = stream.shards[ShardId].records
        place = {
            "LATEST": len(records),
            "TRIM_HORIZON": sum(map(stream.is_trimmed, records)),
            "AFTER_SEQUENCE_NUMBER": sum(r.sequence <= int(SequenceNumber) for r in records),
        }[ShardIteratorType]
        return {"ShardIterator": f"{StreamArn} {ShardId} {place}"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:
        """Records after a place, and the next iterator."""
        arn, name, place = ShardIterator.split(" ")
        shard = self.known[arn].shards[name]
        records = shard.records[int(place) :][:Limit]
        answer: dict[str, Any] = {"Records": [_of_the_api(record.raw) for record in records]}
        if shard.is_open or records:
            answer["NextShardIterator"] = f"{arn} {name} {int(place) + len(records)}"
        return answer


def _of_the_api(raw: Raw) -> Raw:
    """The record as boto3 returns it, with a datetime where Lambda's events have a number."""
    created = raw["dynamodb"]["ApproximateCreationDateTime"]
    if isinstance(created, datetime):
        return raw
    at = datetime.fromtimestamp(created, UTC)
    return {**raw, "dynamodb": {**raw["dynamodb"], "ApproximateCreationDateTime": at}}


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table's keys with their types, and its other settings."""

    keys: Mapping[str, str]
    local_index: str | None = None
    """The sort key of a local secondary index, which keeps a partition key's items in one partition."""
    expires_by: str | None = None
    view: str = "NEW_AND_OLD_IMAGES"
    """The view type of its stream."""


class System(ABC):
    """One deployment. A stage is a function with its mapping and the stream that it reads."""

    FAMILIES: ClassVar[tuple[str, ...]]
    """The system's possible kinds of trouble."""
    SUBJECTS: ClassVar[Mapping[str, Mapping[str, Path]]]
    """The code of each stage, of LEDA and of the design that LEDA is compared with."""
    TABLES: ClassVar[Mapping[str, Mapping[str, TableShape]]]
    """The tables of each subject."""
    SOURCES: ClassVar[Mapping[str, str]]
    """The table whose stream a stage reads; a stage without an entry reads Kinesis."""
    COMPARED_WITH: ClassVar[str] = ""
    """A description of the subject `published`, if there is one."""
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {}
    """The kinds of trouble that the subject `published` is not played with, and why."""

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        self.plan = plan
        self.world = world
        self.tables = self.tables_of(subject)
        self.counts: Counter[str] = Counter()
        self.bucket = Bucket()
        self.weather = Weather(
            world, plan.fault_rate, frozenset(plan.families), self.counts, plan.spared
        )
        partitions = Partitions(
            world.true_clock, plan.partitions, plan.units_per_second, plan.unit_bytes
        )
        self.store = MemoryDynamoDB(world.true_clock, self._changed, partitions)
        self._random = world.random("system")
        self._create_tables()
        self.dynamodb_streams = DynamoDBStreams(page=self._random.choice((1, 2, 100)))
        services = {
            "dynamodb": self.store,
            "dynamodbstreams": self.dynamodb_streams,
            "s3": self.bucket,
        }
        self.streams: dict[str, Stream] = {}
        self.functions: dict[str, Function] = {}
        self.mappings: dict[str, EventSourceMapping] = {}
        for stage, path in self.SUBJECTS[subject].items():
            self.functions[stage] = Function(
                world,
                f"{stage.title()}Lambda",
                path,
                self._variables(stage),
                services,
                self.weather,
                self.counts,
            )
            self._connect(stage, 1)

    def _connect(self, stage: str, label: int) -> None:
        """Make the stage read its stream; the label tells a table's first stream from later ones."""
        table = self.SOURCES.get(stage)
        arn = stream_arn(table, label) if table else KINESIS
        # Stages that read one table read one stream.
        stream = self.dynamodb_streams.known.get(arn) or Stream(
            self.world,
            arn,
            self.plan.shards[stage],
            digits=23 if table else 56,
            is_rising=table is None or self.plan.rising_numbers,
        )
        self.dynamodb_streams.known[arn] = self.streams[stage] = stream
        self.mappings[stage] = EventSourceMapping(
            self.world, stream, self.functions[stage], self.plan.mappings[stage], self.counts
        )

    @classmethod
    @abstractmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """The plan of a seed; with `families`, with exactly these kinds of trouble."""

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """Patch the code under test while the system runs."""
        yield

    @abstractmethod
    def put(self, put: Put) -> None:
        """Write into the system."""

    def tables_of(self, subject: str) -> Mapping[str, TableShape]:
        """The tables of the subject."""
        return self.TABLES[subject]

    def rebuild(self) -> None:  # noqa: B027 - most systems have none
        """Repair losses after the faults have ended, if the system can."""

    def redrive(self) -> None:
        """Process the batches that a mapping gave up, if the system's mappings may give up."""
        assert not any(mapping.discarded for mapping in self.mappings.values())

    @abstractmethod
    def differences(self) -> Mapping[str, tuple[object, object]]:
        """The wrong totals or other rows, by name: (expected, found)."""

    def lost(self) -> int:
        """The number of bad messages that are missing in quarantine."""
        return 0

    def variables(self) -> dict[str, str]:
        """The system's own environment variables of its functions."""
        return {}

    def disturb(self, disturbance: Disturbance) -> None:
        """Let the disturbance happen."""
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
            case "create again":
                mapping.recreate()
            case "redeliver":
                mapping.redeliver(draw)
            case "split":
                stream.split(draw)
            case "merge":
                stream.merge(draw)
            case "roll":
                stream.roll()
            case "clock":
                self.world.skew += draw.choice((-1, 1)) * draw.choice((1, 60, 3600, 10**6))
            case kind:
                self.disturb_otherwise(kind, disturbance.stage, draw)

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """Let a disturbance happen that only this system has."""
        raise AssertionError(f"unknown disturbance {kind!r}")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        rows: list[dict[str, Any]] = self.store.scan(TableName=table, ConsistentRead=True)["Items"]
        return rows

    def _variables(self, stage: str) -> Mapping[str, str]:
        return {
            "AWS_LAMBDA_FUNCTION_NAME": f"{stage.title()}Lambda",
            "POWERTOOLS_SERVICE_NAME": stage,
            "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
            "QUARANTINE_BUCKET": "quarantine",
            **self.variables(),
        }

    def _create_tables(self) -> None:
        for name, shape in self.tables.items():
            hash_key, *range_key = shape.keys
            definitions, indexes = dict(shape.keys), []
            if shape.local_index:
                definitions[shape.local_index] = "S"
                keys = _key_schema(hash_key, shape.local_index)
                projection = {"ProjectionType": "KEYS_ONLY"}
                indexes = [{"IndexName": "Index", "KeySchema": keys, "Projection": projection}]
            self.store.create_table(
                TableName=name,
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": kind}
                    for key, kind in definitions.items()
                ],
                KeySchema=_key_schema(hash_key, *range_key),
                BillingMode="PAY_PER_REQUEST",
                LocalSecondaryIndexes=indexes,
            )
            if shape.expires_by:
                specification = {"Enabled": True, "AttributeName": shape.expires_by}
                self.store.update_time_to_live(
                    TableName=name, TimeToLiveSpecification=specification
                )

    def _changed(self, change: Change) -> None:
        """Publish a table's change in its stream after a delay, which differs for the records of a transaction.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        stage = next((s for s, table in self.SOURCES.items() if table == change.table), None)
        if stage is None:
            return
        stream, created = self.streams[stage], int(self.world.true_clock())
        shape = self.tables[change.table]
        item = "|".join(str(value) for value in change.keys.values())
        # A partition's changes are in one shard at a time. Without a local index, a partition key's items may be
        # in several partitions.
        partition_key = str(next(iter(change.keys.values()))) if shape.local_index else item

        def raw(_shard: str, sequence: int) -> Raw:
            record = record_of(change, shape.view, stream.arn, created, sequence)
            return {**record, "eventID": f"{stage}{sequence}"}

        # Most within a second; some records appear after records of later writes.
        delay = self._random.expovariate(1 / self._random.choice((0.05, 0.05, 1.0)))
        stream.publish_later(partition_key, item, min(delay, LATEST_SECONDS), raw)


def record_of(change: Change, view: str, arn: str, created: float, sequence: int) -> Raw:
    """The record of a change in a table's stream, as Lambda delivers it."""
    kind = "MODIFY" if change.old and change.new else "INSERT" if change.new else "REMOVE"
    record: Raw = {
        "ApproximateCreationDateTime": created,
        "Keys": change.keys,
        "SequenceNumber": str(sequence),
        "StreamViewType": view,
    }
    if change.old and view == "NEW_AND_OLD_IMAGES":
        record["OldImage"] = change.old
    if change.new:
        record["NewImage"] = change.new
    return {
        "eventID": str(sequence),
        "eventVersion": "1.1",
        "eventName": kind,
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": record,
        "eventSourceARN": arn,
        **({"userIdentity": TIME_TO_LIVE} if change.by_time_to_live else {}),
    }


def stream_arn(table: str, label: int) -> str:
    """The ARN of a table's stream; a replaced stream has another label."""
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-01-{label:02d}T00:00:00.000"


def _key_schema(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]
