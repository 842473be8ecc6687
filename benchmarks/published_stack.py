"""The published design on the local AWS of the applied stack, with its own tables, stream, functions and mappings."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks.designs import PUBLISHED, STAGES
from leda_cli.base.waiting import wait_for
from leda_cli.operate.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

# The same settings as those of the applied stack, so that both get the same batches.
SHARDS = 16
BATCH_SIZE = 1000
TIMEOUT_SECONDS = 300
MEMORY_MB = 512
READY_SECONDS = 120.0

_ROLE = "arn:aws:iam::000000000000:role/published"
_TYPES = {"id": "S", "MessageId": "S", "Identifier": "S"}
_VIEWS = {"StateTable": "NEW_AND_OLD_IMAGES", "ReduceTable": "NEW_IMAGE"}


@dataclass(frozen=True)
class PublishedStack:
    """The design under names with `prefix`, on the local AWS of `applied`."""

    applied: Stack
    prefix: str
    runtime: str

    def named(self) -> Stack:
        """The design's parts, for the tools that put messages and read totals."""
        return replace(
            self.applied,
            stream_arn=self.prefix + "DataStream",
            state_table=self.prefix + "StateTable",
            reduce_table=self.prefix + "ReduceTable",
            aggregate_table=self.prefix + "AggregateTable",
        )

    def deploy(self) -> None:
        """Create all parts. Raises LedaError if they do not become ready."""
        streams = {name: self._table(name, keys) for name, keys in PUBLISHED.keys.items()}
        sources = {
            "state": self._stream(),
            "map": streams["StateTable"],
            "reduce": streams["ReduceTable"],
        }
        for stage in STAGES:
            self._function(stage)
        for stage, arn in sources.items():
            self.applied.lambdas.create_event_source_mapping(
                FunctionName=self.function(stage),
                EventSourceArn=arn,
                StartingPosition="TRIM_HORIZON",
                BatchSize=BATCH_SIZE,
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )
        self._wait(
            "the mappings", lambda: {each["State"] for each in self._mappings()}, {"Enabled"}
        )

    def stop(self) -> None:
        """Remove mappings and functions. Running invocations end by themselves, and the tables stay."""
        for mapping in self._mappings():
            self.applied.lambdas.delete_event_source_mapping(UUID=mapping["UUID"])
        for stage in STAGES:
            self.applied.lambdas.delete_function(FunctionName=self.function(stage))

    def function(self, stage: str) -> str:
        """The name of a stage's function."""
        return f"{self.prefix}{stage.title()}Lambda"

    def _mappings(self) -> list[EventSourceMappingConfigurationTypeDef]:
        listed = self.applied.lambdas.list_event_source_mappings
        return [
            mapping
            for stage in STAGES
            for mapping in listed(FunctionName=self.function(stage))["EventSourceMappings"]
        ]

    def _table(self, name: str, keys: tuple[str, ...]) -> str:
        """Create the table; returns the ARN of its stream, or an empty text if it has none."""
        view = _VIEWS.get(name)
        self.applied.dynamodb.create_table(
            TableName=self.prefix + name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": _TYPES[key]} for key in keys  # type: ignore[typeddict-item]
            ],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"} for key in keys],
            StreamSpecification=(
                {"StreamEnabled": True, "StreamViewType": view}  # type: ignore[typeddict-item]
                if view
                else {"StreamEnabled": False}
            ),
        )
        describe = self.applied.dynamodb.describe_table
        self._wait(
            name, lambda: describe(TableName=self.prefix + name)["Table"]["TableStatus"], "ACTIVE"
        )
        return describe(TableName=self.prefix + name)["Table"].get("LatestStreamArn", "")

    def _stream(self) -> str:
        """Create the stream; returns its ARN."""
        name, kinesis = self.named().stream, self.applied.kinesis
        kinesis.create_stream(StreamName=name, ShardCount=SHARDS)

        def summary() -> Mapping[str, Any]:
            return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

        self._wait("the stream", lambda: summary()["StreamStatus"], "ACTIVE")
        return str(summary()["StreamARN"])

    def _function(self, stage: str) -> None:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", PUBLISHED.files[stage].read_text())
        tables = {
            f"{name.removesuffix('Table').upper()}_TABLE": self.prefix + name
            for name in PUBLISHED.keys
        }
        self.applied.lambdas.create_function(
            FunctionName=self.function(stage),
            Role=_ROLE,
            Runtime=self.runtime,  # type: ignore[arg-type]
            Handler="handler.lambda_handler",
            Code={"ZipFile": package.getvalue()},
            Timeout=TIMEOUT_SECONDS,
            MemorySize=MEMORY_MB,
            Environment={"Variables": tables},
        )
        configuration = self.applied.lambdas.get_function_configuration
        self._wait(
            f"the function {stage}",
            lambda: configuration(FunctionName=self.function(stage))["State"],
            "Active",
        )

    def _wait(self, what: str, state: Callable[[], object], wanted: object) -> None:
        wait_for(
            f"{what} of the published design is {wanted}", lambda: state() == wanted, READY_SECONDS
        )
