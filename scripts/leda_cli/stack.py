"""Where the deployed stack is: its endpoint, its names, and the few calls to it that the tools make.

Local AWS is the default: `.local/env` says where it answers and `.local/outputs.json` holds Terraform's outputs. A
real account is used only when asked for, because a load costs money there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from leda.engine.delta_rows import RESERVED
from leda_cli.clients import callers_client, local_client
from leda_cli.console import LedaError, error_console
from leda_cli.oracle import Names, Total
from leda_cli.paths import ENV_FILE, OUTPUTS_FILE, ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

FAULTS = ("FAILURE_STATE_LAMBDA_PCT", "FAILURE_MAP_LAMBDA_PCT", "FAILURE_REDUCE_LAMBDA_PCT")
SPECIAL_TRADES = "SPECIAL_TRADES"
STAGES = ("state", "map", "reduce")

AwsOption = Annotated[
    bool,
    typer.Option(
        "--aws",
        help="Use the AWS account of the usual environment (AWS_PROFILE, AWS_REGION), not local AWS.",
    ),
]
OutputsOption = Annotated[
    Path | None,
    typer.Option(
        "--outputs",
        help="Terraform's outputs of the stack: the file that `terraform output -json` writes.",
        show_default=".local/outputs.json",
    ),
]

_EXPORT = re.compile(r"""^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)=(["']?)(.*?)\2\s*$""")


@dataclass(frozen=True)
class Stack:
    """The deployed stack, by the names of its parts."""

    stream: str = "IncomingDataStream"
    state_table: str = "StateTable"
    reduce_table: str = "ReduceTable"
    aggregate_table: str = "AggregateTable"
    registry_table: str = "RegistryTable"
    parameter_table: str = "ParameterTable"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {part: f"{part.title()}Lambda" for part in STAGES}
    )
    """Name of each stage's function."""
    mappings: Mapping[str, str] = field(default_factory=dict)
    """UUID of each stage's event source mapping, where Terraform's outputs are at hand."""
    quarantine_bucket: str | None = None
    """None where Terraform's outputs are not at hand: the bucket's name has the account in it."""
    names: Names = field(default_factory=Names)
    environment: Mapping[str, str] = field(default_factory=dict)
    """AWS_* settings of local AWS, which take the place of the process's own; empty for a real account."""

    @classmethod
    def find(cls, aws: bool = False, outputs: Path | None = None) -> Stack:
        """The stack that the options of a command mean. Raises LedaError where there is none."""
        if aws:
            return cls.from_outputs(read_outputs(outputs) if outputs else {}, {})
        return cls.from_outputs(read_outputs(outputs or OUTPUTS_FILE), read_env(ENV_FILE))

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any], environment: Mapping[str, str]) -> Stack:
        """The names in Terraform's outputs; what they do not hold keeps the workshop's name."""
        found: dict[str, Any] = {}
        if outputs.get("stream"):
            found["stream"] = outputs["stream"]["name"]
        for table in ("state", "reduce", "aggregate", "registry", "parameter"):
            if table in outputs.get("tables", {}):
                found[f"{table}_table"] = outputs["tables"][table]["name"]
        stages = {part: outputs.get("functions", {}).get(part) for part in STAGES}
        if all(stages.values()):
            found["functions"] = {part: stage["name"] for part, stage in stages.items()}
            found["mappings"] = {part: stage["mapping_uuid"] for part, stage in stages.items()}
        if outputs.get("quarantine_bucket"):
            found["quarantine_bucket"] = outputs["quarantine_bucket"]["name"]
        schema = outputs.get("schema")
        if schema:
            known = {name: schema[name] for name in Names.__slots__ if name in schema}
            if "levels" in known:
                known["levels"] = tuple(known["levels"])
            found["names"] = Names(**known)
        return cls(environment=environment, **found)

    @property
    def endpoint(self) -> str | None:
        """Where local AWS answers; None for a real account."""
        return self.environment.get("AWS_ENDPOINT_URL")

    @cached_property
    def kinesis(self) -> KinesisClient:
        """The client, made at its first use."""
        client: KinesisClient = self._client("kinesis")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The client, made at its first use."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def streams(self) -> DynamoDBStreamsClient:
        """The client, made at its first use."""
        client: DynamoDBStreamsClient = self._client("dynamodbstreams")
        return client

    @cached_property
    def lambdas(self) -> LambdaClient:
        """The client, made at its first use. An invocation that got no answer is not made again by itself."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """The client, made at its first use."""
        client: S3Client = self._client("s3")
        return client

    def _client(self, service: str) -> Any:
        if self.environment:
            return local_client(service, self.environment)
        return callers_client(service)

    def check(self) -> None:
        """Raise LedaError unless the stack answers; say which account, Region and endpoints those are that will."""
        try:
            if not self.environment:
                # On standard error: standard output may be JSON.
                error_console.print(f"    {escape(self._account())}")
            self.dynamodb.describe_table(TableName=self.aggregate_table)
            self.kinesis.describe_stream_summary(StreamName=self.stream)
        except ClientError as error:
            raise LedaError(
                f"the stack is not there: {error.response['Error'].get('Message', error)}",
                (
                    "run `make up`"
                    if self.endpoint
                    else "look at the account and the Region, run `terraform apply`, and pass its outputs (--outputs)"
                ),
            ) from error
        except BotoCoreError as error:
            if self.endpoint:
                raise LedaError(
                    f"nothing answers at {self.endpoint}, where local AWS was: {error}",
                    "run `make up`",
                ) from error
            raise LedaError(
                f"AWS cannot be called: {error}",
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION; without --aws the "
                "command uses local AWS",
            ) from error

    def _account(self) -> str:
        """The account, the Region and the endpoints that the caller's settings mean."""
        identity = self._client("sts").get_caller_identity()
        clients = (self.dynamodb, self.streams, self.kinesis, self.lambdas, self.s3)
        endpoints = dict.fromkeys(client.meta.endpoint_url for client in clients)
        return (
            f"AWS account {identity['Account']}, Region {self.dynamodb.meta.region_name}, "
            f"{', '.join(endpoints)}"
        )

    def totals(self) -> dict[str, Total]:
        """Every total of AggregateTable that has trades below it, or a value without trades, which is an error."""
        found = {}
        for row in self._scan(self.aggregate_table, "#Identifier, #Value, #Count"):
            total = Total(int(row.get("Count", 0)), row.get("Value", Decimal(0)))
            if any(total) and not row["Identifier"].startswith(RESERVED):
                found[row["Identifier"]] = total
        return found

    def state(self) -> Iterator[dict[str, Any]]:
        """Every row of StateTable, with what the oracle reads of it."""
        return self._scan(self.state_table, "#id, #Version, #Value, #Path, #Deleted")

    def parameters(self) -> dict[str, int]:
        """Every row of ParameterTable."""
        rows = self._scan(self.parameter_table, "#parameter, #value")
        return {row["parameter"]: int(row["value"]) for row in rows}

    def set_parameters(self, values: Mapping[str, int]) -> None:
        """Write rows of ParameterTable."""
        for name, value in values.items():
            item = {"parameter": {"S": name}, "value": {"N": str(value)}}
            self.dynamodb.put_item(TableName=self.parameter_table, Item=item)

    def _scan(self, table: str, attributes: str) -> Iterator[dict[str, Any]]:
        read = TypeDeserializer().deserialize
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=table,
            ConsistentRead=True,
            ProjectionExpression=attributes,
            ExpressionAttributeNames={name: name[1:] for name in attributes.split(", ")},
        )
        for page in pages:
            for item in page["Items"]:
                yield {name: read(value) for name, value in item.items()}


@contextmanager
def answering(endpoint: str | None) -> Iterator[None]:
    """Turn a call that the stack does not answer, or refuses, into an error that says what to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise LedaError(
            f"{f'local AWS at {endpoint}' if endpoint else 'AWS'} no longer answers as it should: {error}",
            (
                "look at `leda status` and begin again with `make up`"
                if endpoint
                else "look at the account's limits and at the permissions of your credentials"
            ),
        ) from error


def read_env(path: Path) -> dict[str, str]:
    """The settings in a file of `export NAME=value` lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _not_set_up(path, error) from error
    return dict(_env_lines(text.splitlines()))


def _env_lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = _EXPORT.match(line)
        if match:
            yield match[1], match[3]


def read_outputs(path: Path) -> dict[str, Any]:
    """Terraform's outputs, with or without the wrapping that `terraform output -json` gives each."""
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if path == OUTPUTS_FILE:
            raise _not_set_up(path, error) from error
        raise LedaError(
            f"{path} cannot be read: {error.strerror}",
            "pass a file that `terraform output -json` has written",
        ) from error
    except ValueError as error:
        raise LedaError(f"{path} is not JSON: {error}", "write it anew with `make up`") from error
    return {
        name: output["value"] if isinstance(output, dict) and "sensitive" in output else output
        for name, output in outputs.items()
    }


def _not_set_up(path: Path, error: OSError) -> LedaError:
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return LedaError(
        f"{shown} cannot be read ({error.strerror}): local AWS is not set up",
        "run `make up`, or pass --aws for the account of your AWS environment",
    )
