"""The deployed pipeline: the names of its parts, found from those of its functions, and reading its tables.

Local AWS is the default: `.local/env` says where it answers. A real account is used only when asked for (`--aws`),
because requests cost money there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import typer
from boto3.dynamodb.types import TypeDeserializer

from leda.engine.delta_rows import RESERVED
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.functions import Function, mappings_of
from leda_cli.operate.totals.oracle import Names, Total

FAULTS = ("FAILURE_STATE_LAMBDA_PCT", "FAILURE_MAP_LAMBDA_PCT", "FAILURE_REDUCE_LAMBDA_PCT")
SPECIAL_TRADES = "SPECIAL_TRADES"
STAGES = ("state", "map", "reduce")

NamePrefixOption = Annotated[
    str,
    typer.Option(
        "--name-prefix",
        help="What the names of the stack begin with: Terraform's `name_prefix`, like Trades-.",
        show_default=False,
    ),
]


def stack_options(aws: bool, name_prefix: str) -> str:
    """The options that find a stack, as they follow a command's name in a message: " --aws --name-prefix Trades-"."""
    return (" --aws" if aws else "") + (f" --name-prefix {name_prefix}" if name_prefix else "")


@dataclass(frozen=True)
class Stack(Account):
    """The deployed stack, by the names of its parts."""

    stream_arn: str = "IncomingDataStream"
    state_table: str = "StateTable"
    reduce_table: str = "ReduceTable"
    aggregate_table: str = "AggregateTable"
    registry_table: str = "RegistryTable"
    parameter_table: str = "ParameterTable"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {part: f"{part.title()}Lambda" for part in STAGES}
    )
    """Name of each stage's function."""
    state_mapping: str = ""
    """UUID of State's event source mapping."""
    quarantine_bucket: str = ""
    names: Names = field(default_factory=Names)

    @classmethod
    def find(cls, aws: bool = False, name_prefix: str = "") -> Stack:
        """The stack that the options of a command mean. Raises LedaError where there is none."""
        account = Account.chosen(aws)
        names = f"names that begin with {name_prefix}" if name_prefix else "names without a prefix"
        fix = "the command with the --name-prefix of a pipeline; it is not for an aggregation of a table"
        local_fix = f"run {fix}. `make up` begins local AWS anew, with the pipeline"
        with account.reached(f"there is no pipeline with {names}", fix, local_fix):
            return cls.deployed(account.environment, name_prefix)

    @classmethod
    def deployed(cls, environment: Mapping[str, str], name_prefix: str = "") -> Stack:
        """The stack whose functions have that prefix, with what they work on. Raises LedaError or the client's error.

        The environment variables of the functions name the tables and the bucket, and StateLambda's event source
        mapping names the stream. So no command needs Terraform's state, and each works on what is deployed.
        """
        names = {stage: f"{name_prefix}{stage.title()}Lambda" for stage in STAGES}
        lambdas = Account(environment).lambdas
        state, map_, reduce = (Function.of(lambdas, name) for name in names.values())
        mapping = next(mappings_of(lambdas, FunctionName=state.name), None)
        if mapping is None:
            raise LedaError(
                f"{state.name} has no event source mapping, so no stream is known that it reads",
                f"create the mapping with `terraform apply`, and run {this_command()} again",
            )
        return cls(
            environment=environment,
            stream_arn=mapping["EventSourceArn"],
            state_mapping=mapping["UUID"],
            state_table=state.variable("STATE_TABLE"),
            reduce_table=map_.variable("REDUCE_TABLE"),
            aggregate_table=reduce.variable("AGGREGATE_TABLE"),
            registry_table=map_.variable("REGISTRY_TABLE"),
            parameter_table=f"{name_prefix}ParameterTable",
            functions=names,
            quarantine_bucket=state.variable("QUARANTINE_BUCKET"),
            names=Names.of_schema(json.loads(state.variable("SCHEMA"))),
        )

    @property
    def stream(self) -> str:
        """The name of the stream of messages."""
        return self.stream_arn.rpartition("/")[2]

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
