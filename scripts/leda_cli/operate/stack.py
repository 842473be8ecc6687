"""Where the deployed stack is: its endpoint, its names, and the few calls to it that the tools make.

Local AWS is the default: `.local/env` says where it answers and `.local/outputs.json` holds Terraform's outputs. A
real account is used only when asked for, because a load costs money there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from boto3.dynamodb.types import TypeDeserializer

from leda.engine.delta_rows import RESERVED
from leda_cli.base.output import LedaError
from leda_cli.base.paths import ENV_FILE, OUTPUTS_FILE
from leda_cli.operate.account import Account, not_set_up, read_env
from leda_cli.operate.oracle import Names, Total

FAULTS = ("FAILURE_STATE_LAMBDA_PCT", "FAILURE_MAP_LAMBDA_PCT", "FAILURE_REDUCE_LAMBDA_PCT")
SPECIAL_TRADES = "SPECIAL_TRADES"
STAGES = ("state", "map", "reduce")

OutputsOption = Annotated[
    Path | None,
    typer.Option(
        "--outputs",
        help="Terraform's outputs of the stack: the file that `terraform output -json` writes.",
        show_default=".local/outputs.json",
    ),
]


@dataclass(frozen=True)
class Stack(Account):
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

    def check(self) -> None:
        """Raise LedaError unless the stack answers; say which account, Region and endpoints those are that will."""
        with self.reached(
            "the stack is not there", "`terraform apply`, and pass its outputs (--outputs)"
        ):
            self.dynamodb.describe_table(TableName=self.aggregate_table)
            self.kinesis.describe_stream_summary(StreamName=self.stream)

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


def read_outputs(path: Path) -> dict[str, Any]:
    """Terraform's outputs, with or without the wrapping that `terraform output -json` gives each."""
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if path == OUTPUTS_FILE:
            raise not_set_up(path, error) from error
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
