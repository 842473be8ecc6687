"""An instance of the engine, found from the name of its Map function: its tables, functions and configuration.

Map's environment names ReduceTable and RegistryTable; its event source mapping names the stream of the source table;
the function that reads ReduceTable's stream and names a totals table in its environment is Reduce. So no command needs
Terraform's state, and what it works on is what runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leda.engine import totals
from leda.engine.audit import Tables, tables_of
from leda.engine.configuration import Configuration
from leda.engine.health import current_stream
from leda.engine.registry import Assignment, Registry, RegistryError, live_configuration
from leda_cli.base.errors import LedaError
from leda_cli.operate.account import Account
from leda_cli.operate.journal import Journal, OpenRun
from leda_cli.operate.mappings import LambdaMappings
from leda_cli.operate.source_table import SourceTable
from leda_cli.operate.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from leda_cli.base.operations import Advance

MapFunctionOption = Annotated[
    str | None,
    typer.Option(
        "--map-function",
        help="Name of the Map function of an aggregation (module `aggregation`), like Feedback-MapLambda.",
        show_default="the pipeline's",
    ),
]


@dataclass(frozen=True)
class Aggregation:
    """An instance of the engine by the names of its parts, and the account that it is in."""

    account: Account
    map_function: str
    reduce_function: str
    map_mappings: Mapping[str, str]
    """UUID of each of Map's event source mappings: its source's stream."""
    reduce_mapping: str
    """UUID of Reduce's event source mapping."""
    source: SourceTable
    reduce_table: str
    registry_table: str
    totals_table: str
    totals_key: str
    """The key attribute of the totals table."""
    quarantine_bucket: str
    deployed: Assignment
    """The configuration and the number of lanes that Map is deployed with; the live ones may be others."""
    needs_backfill: bool
    """Whether Map counts nothing until the first `leda backfill` (BACKFILL = required)."""
    option: str = ""
    """How commands find it, as it follows their names in messages; the pipeline's needs no option."""

    @classmethod
    def find(cls, aws: bool, outputs: Path | None, map_function: str | None) -> Aggregation:
        """The instance that a command's options mean. Raises LedaError where there is none."""
        if map_function is None:
            stack = Stack.find(aws, outputs)
            stack.check()
            return cls.of_function(stack, stack.functions["map"])
        account = Account.chosen(aws)
        fix = "the command with the name of a Map function of this account, with its prefix"
        local_fix = f"run {fix}; `make demo EXAMPLE=feedback` deploys one with its table"
        with account.reached(f"{map_function} cannot be looked at", fix, local_fix):
            return replace(
                cls.of_function(account, map_function), option=f" --map-function {map_function}"
            )

    @classmethod
    def of_function(cls, account: Account, map_function: str) -> Aggregation:
        """The instance with that Map function. Raises LedaError, or the client's error for what cannot be read."""
        found = account.lambdas.get_function_configuration(FunctionName=map_function)
        variables = found.get("Environment", {}).get("Variables", {})
        deployed = _deployed(map_function, variables)
        reduce_table = _variable(map_function, variables, "REDUCE_TABLE")
        map_mappings = {
            each["UUID"]: each["EventSourceArn"]
            for each in _mappings(account.lambdas, FunctionName=map_function)
        }
        tables = {_table_of(stream, found["FunctionArn"]) for stream in map_mappings.values()}
        if len(tables) != 1:
            raise LedaError(
                f"{map_function} reads the streams of {len(tables)} tables, and Map reads one table's",
                "give the name of a Map function; if it is one, create its event source mapping with `terraform apply`",
            )
        reduce_function, reduce_mapping, totals_of = _reduce(account, reduce_table)
        return cls(
            account,
            map_function,
            reduce_function,
            map_mappings,
            reduce_mapping,
            SourceTable.described(account.dynamodb, tables.pop()),
            reduce_table,
            _variable(map_function, variables, "REGISTRY_TABLE"),
            totals_of["AGGREGATE_TABLE"],
            totals_of.get("TOTALS_KEY", totals.KEY),
            _variable(map_function, variables, "QUARANTINE_BUCKET"),
            deployed,
            variables.get("BACKFILL") == "required",
        )

    def command(self, name: str) -> str:
        """A command for this instance, as it is to be copied from a message."""
        return f"leda {name}{self.option}"

    @property
    def mappings(self) -> LambdaMappings:
        """Map's event source mappings, to be switched."""
        return LambdaMappings(self.account.lambdas, {"map": self.map_function}, {})

    def both_sides(self, configuration: Configuration, advance: Advance) -> Tables:
        """How to read what the totals must be, and what they are."""
        return tables_of(
            self.account.dynamodb,
            (self.source.name, list(self.source.keys)),
            (self.totals_table, self.totals_key),
            configuration,
            advance,
        )

    def open_run(self) -> OpenRun | None:
        """The rebuild or backfill that has not come to its end; None where there is none. Raises the client's error."""
        return Journal(self.account.dynamodb, self.registry_table).open_run()

    def live(self) -> Configuration:
        """The configuration under which the totals are kept. Raises LedaError or the client's error."""
        registry = Registry(self.account.dynamodb, self.registry_table)
        try:
            return live_configuration(registry, self.deployed.configuration)
        except RegistryError as error:
            raise LedaError(str(error), "restore RegistryTable from a backup") from error


def _variable(function: str, variables: Mapping[str, str], name: str) -> str:
    try:
        return variables[name]
    except KeyError as error:
        raise LedaError(
            f"{function}'s environment has no {name}, as that of a Map function has",
            "give the name of a Map function, or deploy it anew with `terraform apply`",
        ) from error


def _deployed(function: str, variables: Mapping[str, str]) -> Assignment:
    document = _variable(function, variables, "CONFIGURATION")
    try:
        return Assignment(
            Configuration.from_json(document), int(variables.get("REDUCE_LANES", "1"))
        )
    except ValueError as error:
        raise LedaError(
            f"{function}'s environment has a CONFIGURATION that this version of LEDA cannot read, or a REDUCE_LANES "
            f"that is no number: {error}",
            "use the `leda` command of the version that is deployed, or deploy it anew with `terraform apply`",
        ) from error


def _mappings(client: LambdaClient, **wanted: str) -> Iterator[dict[str, Any]]:
    """The event source mappings of one function or one stream."""
    pages: Any = client.get_paginator("list_event_source_mappings")
    for page in pages.paginate(**wanted):
        yield from page["EventSourceMappings"]


def _reduce(account: Account, table: str) -> tuple[str, str, Mapping[str, str]]:
    """The function that brings ReduceTable's stream into totals, its mapping, and its environment."""
    stream = current_stream(account.dynamodb, table)
    for each in _mappings(account.lambdas, EventSourceArn=stream) if stream else ():
        name = each["FunctionArn"].partition(":function:")[2]
        found = account.lambdas.get_function_configuration(FunctionName=name)
        variables = found.get("Environment", {}).get("Variables", {})
        if "AGGREGATE_TABLE" in variables:
            return name, each["UUID"], variables
    raise LedaError(
        f"no Reduce function reads {table}'s stream" if stream else f"{table} has no stream",
        "create its event source mapping with `terraform apply`, and run the command again",
    )


def _table_of(stream: str, function: str) -> str:
    """The table with that stream: its name, or its ARN where it is in another account than the function."""
    table = stream.partition("/stream/")[0]
    is_own = table.split(":")[4] == function.split(":")[4]
    return table.partition(":table/")[2] if is_own else table
