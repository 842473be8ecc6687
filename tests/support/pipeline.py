"""State, Map and Reduce over DynamoDB Local, without Lambda: the test delivers the events.

Each execution environment has a handler module of its own, as in Lambda, so that a test can have cold and warm ones,
and several at once.
"""

import importlib.util
import itertools
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from leda_cli.base.paths import ROOT
from leda_cli.operate.quarantine import state_events
from simulation import pipeline as simulated_pipeline
from simulation.clients import clients
from support import dynamodb_local
from support.faults import Faults, FaultyClient
from support.lambda_events import ROLE, dynamodb_records, event
from support.tables import definition

SOURCES = ROOT / "lambda_src"
STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"
SHARD = "shardId-000000000000"
ARRIVED = datetime(2021, 3, 22, 11, 40, 58, 900_000, UTC)
CONFIGURATION = json.dumps(simulated_pipeline.CONFIGURATION)


class Bucket:
    """Stands in for the quarantine bucket: keeps the objects that are put, or raises `error`."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.error: Exception | None = None

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        if self.error:
            raise self.error
        self.objects[Key] = json.loads(Body)

    @property
    def reasons(self) -> list[str]:
        return [kept["reason"] for kept in self.objects.values()]


@dataclass
class Tables:
    """The tables of one test, and functions that use them; a subclass creates the tables of a system."""

    endpoint: str
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}-")
    bucket: Bucket = field(default_factory=Bucket)
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connect()
        self.create()

    def connect(self) -> None:
        """Make the test's clients."""
        self.dynamodb: Any = dynamodb_local.client("dynamodb", self.endpoint)
        self.streams: Any = dynamodb_local.client("dynamodbstreams", self.endpoint)

    def client(self, real: Any, service: str, **arguments: Any) -> Any:
        """The client that a function gets in place of `real(service, **arguments)`."""
        return real(service, **arguments)

    def create(self) -> None:
        """Make the tables."""

    def _create(self, name: str, keys: Mapping[str, str], view: str | None = None) -> None:
        stream = (
            {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
        )
        self.dynamodb.create_table(
            **definition(self.prefix + name, keys, StreamSpecification=stream)
        )

    # -- functions

    def function(self, name: str, client_wrapper: Any = None) -> "Function":
        """A new (cold) execution environment of a function; `client_wrapper` may wrap its DynamoDB client."""
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": f"{self.prefix}{name.title()}Lambda",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "POWERTOOLS_SERVICE_NAME": name,
            "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
            "QUARANTINE_BUCKET": "quarantine",
            **self.settings,
        }

        def client(real: Any, service: str, **arguments: Any) -> Any:
            if service == "s3":
                return self.bucket
            if service == "dynamodbstreams":
                # The function would make this client at its first call, when the variables are no longer set.
                return self.streams
            made = self.client(real, service, **arguments)
            return client_wrapper(made) if client_wrapper and service == "dynamodb" else made

        with mock.patch.dict(os.environ, environment), clients(client):
            module = load(SOURCES / name / "handler.py")
        return Function(module, environment)

    def faulty(self, name: str) -> "tuple[Function, Faults]":
        """A cold execution environment, and the faults that calls of its DynamoDB client may meet."""
        faults = Faults()
        return self.function(name, lambda client: FaultyClient(client, faults)), faults

    # -- streams

    def stream_arn(self, table: str) -> str:
        arn: str = self.dynamodb.describe_table(TableName=self.prefix + table)["Table"][
            "LatestStreamArn"
        ]
        return arn

    def stream_records(self, table: str) -> list[dict[str, Any]]:
        """All records of the table's stream so far, as Lambda delivers them."""
        return [record for records in self.records_by_shard(table).values() for record in records]

    def records_by_shard(self, table: str) -> dict[str, list[dict[str, Any]]]:
        """All records of the table's stream so far, by shard."""
        return dynamodb_records(self.streams, self.stream_arn(table), {})

    def shard(self, table: str) -> str:
        arn = self.stream_arn(table)
        (shard,) = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return str(shard["ShardId"])

    # -- tables

    def rows(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.prefix + table, ConsistentRead=True
        )
        return [row for page in pages for row in page["Items"]]


@dataclass
class Pipeline(Tables):
    """The pipeline's tables and functions."""

    def create(self) -> None:
        self._kinesis_sequence = itertools.count(
            49590338271490256608559692538361571095921575989136588898
        )
        self.settings = {
            "SCHEMA": "{}",
            "STATE_TABLE": f"{self.prefix}StateTable",
            "CONFIGURATION": CONFIGURATION,
            **self.settings,
        }
        self.create_engine({"id": "S"})
        self._create("ParameterTable", {"parameter": "S"})

    def create_engine(self, keys: Mapping[str, str]) -> None:
        """Make StateTable, the source table, with these keys, and the engine's tables."""
        tables = {
            f"{name.upper()}_TABLE": f"{self.prefix}{name}Table"
            for name in ("Reduce", "Aggregate", "Registry")
        }
        self.settings = {"LIMITS": "{}", **tables, **self.settings}
        self._create("StateTable", keys, "NEW_AND_OLD_IMAGES")
        self._create("ReduceTable", {"Lane": "S", "Source": "S"}, "NEW_IMAGE")
        self._create("AggregateTable", {"Identifier": "S"})
        self._create("RegistryTable", {"Scope": "S", "Name": "S"})

    # -- State's events

    def kinesis_event(self, *messages: Any) -> dict[str, Any]:
        """An event of the Kinesis mapping; a message is a dict, or bytes as they are."""
        records = []
        for message in messages:
            data = (
                message
                if isinstance(message, bytes)
                else json.dumps(message, default=_plain).encode()
            )
            sequence = str(next(self._kinesis_sequence))
            records.append(
                state_events.record(
                    stream=STREAM_ARN,
                    role=ROLE,
                    event_id=f"{SHARD}:{sequence}",
                    sequence_number=sequence,
                    partition_key="key",
                    arrived=ARRIVED,
                    data=data,
                )
            )
        return event(records)

    def totals(self) -> dict[str, Decimal]:
        return {
            row["Identifier"]["S"]: Decimal(row["Value"]["N"])
            for row in self.rows("AggregateTable")
        }

    def run(self) -> dict[str, Decimal]:
        """Deliver everything in order to cold environments, and return the totals."""
        for name, table in (("map", "StateTable"), ("reduce", "ReduceTable")):
            if records := self.stream_records(table):
                self.function(name)(event(records, self.shard(table)))
        return self.totals()


class Function:
    """An execution environment of a function: call it with an event."""

    def __init__(self, module: ModuleType, environment: Mapping[str, str]) -> None:
        self.module = module
        self._environment = environment

    def __call__(self, event: Mapping[str, Any], seconds: float = 60) -> Any:
        """Invoke the function; `seconds`: how long it may run until its timeout."""
        context = SimpleNamespace(
            function_name=self._environment["AWS_LAMBDA_FUNCTION_NAME"],
            function_version="$LATEST",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
            aws_request_id=str(uuid.uuid4()),
            get_remaining_time_in_millis=lambda: int(seconds * 1000),
        )
        # Lambda passes JSON.
        return self.module.lambda_handler(json.loads(json.dumps(event)), context)


def _plain(value: object) -> float | int | str:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))


_modules = itertools.count()


def load(path: Path) -> ModuleType:
    """Import a file as a new module, however often it was imported before."""
    spec = importlib.util.spec_from_file_location(f"handler_{next(_modules)}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def parameter(pipeline: Pipeline, name: str, value: int) -> Iterator[None]:
    """Set a row of ParameterTable for the block."""
    table = pipeline.prefix + "ParameterTable"
    pipeline.dynamodb.put_item(
        TableName=table, Item={"parameter": {"S": name}, "value": {"N": str(value)}}
    )
    yield
    pipeline.dynamodb.delete_item(TableName=table, Key={"parameter": {"S": name}})
