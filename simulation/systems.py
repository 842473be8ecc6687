"""A system under test: its tables and streams in a world of its own, its functions, what must come out of it."""

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
from simulation.mappings import Mapping as EventSourceMapping
from simulation.plans import Disturbance, Plan, Put
from simulation.streams import Raw, Stream
from simulation.world import World

LAMBDA_SRC = ROOT / "lambda_src"
# DynamoDB gives no limit ("near-real time"); leda rebuild waits for longer than this.
LATEST_SECONDS = 4.0
# Who deletes a row whose time to live has ended.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TIME_TO_LIVE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"


class Bucket:
    """The quarantine bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        """Keep an object."""
        self.objects[Key] = Body


class DynamoDBStreams:
    """The API of DynamoDB's streams; an iterator is "<ARN> <shard> <records before it>".

    `page` is how many shards an answer of DescribeStream lists: 100, where nobody asks for fewer
    (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html).
    """

    def __init__(self, page: int = 100) -> None:
        self.known: dict[str, Stream] = {}
        self._page = page

    def list_streams(self, *, TableName: str, ExclusiveStartStreamArn: str = "") -> dict[str, Any]:
        """The table's streams; those before the present one are kept for ever here. One a page."""
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
        """A place in a shard."""
        stream = self.known[StreamArn]
        records = stream.shards[ShardId].records
        place = {
            "LATEST": len(records),
            "TRIM_HORIZON": sum(map(stream.is_trimmed, records)),
            "AFTER_SEQUENCE_NUMBER": sum(r.sequence <= int(SequenceNumber) for r in records),
        }[ShardIteratorType]
        return {"ShardIterator": f"{StreamArn} {ShardId} {place}"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:
        """Records from a place on, and the next place."""
        arn, name, place = ShardIterator.split(" ")
        shard = self.known[arn].shards[name]
        records = shard.records[int(place) :][:Limit]
        answer: dict[str, Any] = {"Records": [_of_the_api(record.raw) for record in records]}
        if shard.is_open or records:
            answer["NextShardIterator"] = f"{arn} {name} {int(place) + len(records)}"
        return answer


def _of_the_api(raw: Raw) -> Raw:
    """The record as boto3 gives it: the API has a time where Lambda's events have a number."""
    created = raw["dynamodb"]["ApproximateCreationDateTime"]
    if isinstance(created, datetime):
        return raw
    at = datetime.fromtimestamp(created, UTC)
    return {**raw, "dynamodb": {**raw["dynamodb"], "ApproximateCreationDateTime": at}}


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table's keys with their types, and what else it is made with."""

    keys: Mapping[str, str]
    local_index: str | None = None
    """What a local secondary index sorts by: with one, a partition key's items stay together."""
    expires_by: str | None = None
    view: str = "NEW_AND_OLD_IMAGES"
    """What the records of its stream show."""


class System(ABC):
    """One deployment. A stage is a function with its mapping and the stream that it reads."""

    FAMILIES: ClassVar[tuple[str, ...]]
    """The kinds of trouble that can befall it."""
    SUBJECTS: ClassVar[Mapping[str, Mapping[str, Path]]]
    """The code of each stage: of LEDA, and of what it is compared with."""
    TABLES: ClassVar[Mapping[str, Mapping[str, TableShape]]]
    """The tables of each subject."""
    SOURCES: ClassVar[Mapping[str, str]]
    """The table that a stage's stream belongs to; a stage that is missing here reads Kinesis."""
    COMPARED_WITH: ClassVar[str] = ""
    """What the subject `published` is, where there is one."""
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {}
    """Why the subject `published` is not played under some kinds of trouble."""

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
        """Let the stage read its stream: the first of its table, or a later one, which has another label."""
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
        """The plan of a seed; with `families`, with these kinds of trouble and no others."""

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """What the code under test must find while the system runs."""
        yield

    @abstractmethod
    def put(self, put: Put) -> None:
        """Somebody writes into the system."""

    def tables_of(self, subject: str) -> Mapping[str, TableShape]:
        """The tables of the subject."""
        return self.TABLES[subject]

    def rebuild(self) -> None:  # noqa: B027 - most systems have none
        """When the trouble is over, an operator makes good what was lost, where the system has a way back."""

    def redrive(self) -> None:
        """At last, an operator puts back what a mapping gave up, where a mapping may give up."""
        assert not any(mapping.discarded for mapping in self.mappings.values())

    @abstractmethod
    def differences(self) -> Mapping[str, tuple[object, object]]:
        """The totals, or other rows, that are not what they must be, by name: (must, is)."""

    def lost(self) -> int:
        """How many bad messages are neither in a total nor in quarantine."""
        return 0

    def variables(self) -> dict[str, str]:
        """The functions' environment variables beside those that every function has."""
        return {}

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
        """Something that can happen to this system alone."""
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
        """A table's change goes into its stream, in a while: the records of a transaction not all at once.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        stage = next((s for s, table in self.SOURCES.items() if table == change.table), None)
        if stage is None:
            return
        stream, created = self.streams[stage], int(self.world.true_clock())
        shape = self.tables[change.table]
        item = "|".join(str(value) for value in change.keys.values())
        # A partition's changes are in one shard at a time. Without a local index a partition key's items may be
        # in several partitions.
        partition_key = str(next(iter(change.keys.values()))) if shape.local_index else item
        name = "MODIFY" if change.old and change.new else "INSERT" if change.new else "REMOVE"

        def raw(_shard: str, sequence: int) -> Raw:
            record: Raw = {
                "ApproximateCreationDateTime": created,
                "Keys": change.keys,
                "SequenceNumber": str(sequence),
                "StreamViewType": shape.view,
            }
            if change.old and shape.view == "NEW_AND_OLD_IMAGES":
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
                **({"userIdentity": TIME_TO_LIVE} if change.by_time_to_live else {}),
            }

        # Most within a second; some of them later than what was written after them.
        delay = self._random.expovariate(1 / self._random.choice((0.05, 0.05, 1.0)))
        stream.publish_later(partition_key, item, min(delay, LATEST_SECONDS), raw)


def stream_arn(table: str, label: int) -> str:
    """The ARN of a table's stream; one that is replaced has another label."""
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-01-{label:02d}T00:00:00.000"


def _key_schema(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]
