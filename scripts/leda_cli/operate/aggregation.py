"""An instance of the engine, found from the name of its Map function: its tables, functions and configuration.

Map's environment names ReduceTable and RegistryTable; its event source mapping names the stream of the source table;
the function that reads ReduceTable's stream and names a totals table in its environment is Reduce. So no command needs
Terraform's state, and what it works on is what runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from leda.engine.audit import audit
from leda.engine.audit.health import current_stream, is_settled
from leda.engine.audit.source_sum import Expected
from leda.engine.audit.table_scan import SEGMENTS
from leda.engine.audit.totals_table import read_totals
from leda.engine.group_by.configuration import Amounts, Configuration
from leda.engine.map.source_shards import Assignment
from leda.engine.reduce import totals
from leda.engine.registry import Registry, RegistryError, Stage, live_configuration
from leda.engine.shards import label
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.functions import Function, mappings_of
from leda_cli.operate.deployed.mappings import LambdaMappings
from leda_cli.operate.deployed.source_table import SourceTable, Tables
from leda_cli.operate.quarantine.quarantined import Bucket
from leda_cli.operate.rebuilding.journal import Journal, OpenRun
from leda_cli.operate.rebuilding.table_sum import RowSum
from leda_cli.operate.rebuilding.totals_file import TotalsFile
from leda_cli.operate.stack import Stack, stack_options
from leda_cli.operate.totals.totals_age import Age, Ages

if TYPE_CHECKING:
    from leda_cli.base.operations import Advance

MapFunctionOption = Annotated[
    str | None,
    typer.Option(
        "--map-function",
        help="Name of the Map function of an aggregation whose names have no common prefix.",
        show_default="<prefix>MapLambda",
    ),
]


@dataclass(frozen=True)
class Aggregation(Tables):
    """An instance of the engine by the names of its parts, and the account that it is in."""

    account: Account
    map_function: str
    reduce_function: str
    map_mappings: Mapping[str, str]
    """UUID of each of Map's event source mappings: its source's stream."""
    reduce_mapping: str
    """UUID of Reduce's event source mapping."""
    quarantine_bucket: str
    deployed: Assignment
    """The configuration and the number of lanes that Map is deployed with; the live ones may be others."""
    needs_backfill: bool
    """Whether Map counts nothing until the first `leda backfill` (BACKFILL = required)."""
    option: str = ""
    """The options with which commands find it, for messages: " --aws --map-function Orders-Map"."""

    @classmethod
    def find(cls, aws: bool, name_prefix: str, map_function: str | None) -> Aggregation:
        """The instance that a command's options mean. Raises LedaError where there is none."""
        account = Account.chosen(aws)
        name = map_function or f"{name_prefix}MapLambda"
        fix = "the command with the --name-prefix or the --map-function of an aggregation in this account"
        local_fix = f"run {fix}; `make up` deploys the pipeline, `make demo EXAMPLE=feedback` an aggregation of a table"
        try:
            with account.reached(f"{name} cannot be looked at", fix, local_fix):
                if map_function is not None:
                    found = cls.of_function(account, name)
                    option = f"{stack_options(aws, '')} --map-function {name}"
                else:
                    option = stack_options(aws, name_prefix)
                    found = cls.of_function(_pipeline(account, name_prefix) or account, name)
                return replace(found, option=option)
        except LedaError as error:
            is_refused = isinstance(error.__cause__, ClientError)
            if is_refused and (others := _map_functions(account)):
                one = f"give one of them, like --map-function {others[0]}"
                raise LedaError(
                    f"{error.what}. The account has the Map functions {', '.join(others)}", one
                ) from error
            raise

    @classmethod
    def of_function(cls, account: Account, map_function: str) -> Aggregation:
        """The instance with that Map function. Raises LedaError, or the client's error for what cannot be read."""
        map_ = Function.of(account.lambdas, map_function)
        deployed = _deployed(map_)
        reduce_table = map_.variable("REDUCE_TABLE")
        map_mappings = {
            each["UUID"]: each["EventSourceArn"]
            for each in mappings_of(account.lambdas, FunctionName=map_function)
        }
        tables = {_table_of(stream, map_.arn) for stream in map_mappings.values()}
        if len(tables) != 1:
            raise LedaError(
                f"{map_function} reads the streams of {len(tables)} tables, and Map reads one table's",
                "give the name of a Map function; if it is one, create its event source mapping with `terraform apply`",
            )
        reduce, reduce_mapping = _reduce(account, reduce_table)
        return cls(
            SourceTable.described(account.dynamodb, tables.pop()),
            reduce_table,
            map_.variable("REGISTRY_TABLE"),
            reduce.variable("AGGREGATE_TABLE"),
            reduce.variables.get("TOTALS_KEY", totals.KEY),
            account,
            map_function,
            reduce.name,
            map_mappings,
            reduce_mapping,
            map_.variable("QUARANTINE_BUCKET"),
            deployed,
            map_.variables.get("BACKFILL") == "required",
        )

    def command(self, name: str) -> str:
        """A command for this instance, as it is to be copied from a message."""
        return f"leda {name}{self.option}"

    @property
    def is_pipeline(self) -> bool:
        """Whether the source table is a pipeline's StateTable. Other tables are the user's."""
        return isinstance(self.account, Stack)

    @property
    def functions(self) -> Mapping[str, str]:
        """Name of each stage's function, in the order of the stages; only the pipeline has State."""
        engine = {"map": self.map_function, "reduce": self.reduce_function}
        if isinstance(self.account, Stack):
            return {"state": self.account.functions["state"], **engine}
        return engine

    @property
    def quarantine(self) -> Bucket:
        """The bucket with what its functions could not process."""
        return Bucket(self.account.s3, self.quarantine_bucket, self.functions)

    @property
    def mappings(self) -> LambdaMappings:
        """Map's event source mappings, to be switched."""
        return LambdaMappings(self.account.lambdas, {"map": self.map_function})

    def both_sides(self, configuration: Configuration, advance: Advance) -> audit.Tables:
        """How to read what the totals must be, and what they are."""
        client, names, at = self.account.dynamodb, configuration.names, time.time()

        def is_kept(identifier: str) -> bool:
            return not configuration.has_expired(identifier, at)

        def expected() -> Expected:
            with RowSum.open(configuration, self.source) as sums:
                sums.scan(client, SEGMENTS, advance)
                return sums.total(is_kept)

        def found() -> TotalsFile[Amounts]:
            stored = read_totals(client, self.totals_table, names, self.totals_key)
            return TotalsFile(each for each in stored if is_kept(each[0]))

        return audit.Tables(names, expected, found)

    def open_run(self) -> OpenRun | None:
        """The rebuild or backfill that has not come to its end; None where there is none. Raises the client's error."""
        return Journal(self.account.dynamodb, self.registry_table).open_run()

    def live(self) -> Configuration:
        """The configuration under which the totals are kept. Raises LedaError or the client's error."""
        registry = Registry(self.account.dynamodb, self.registry_table)
        try:
            return live_configuration(registry, self.deployed.configuration)
        except RegistryError as error:
            raise LedaError(
                str(error),
                f"restore {self.registry_table} from a backup, and run {this_command()} again",
            ) from error

    def age(self, live: Configuration) -> Age | str:
        """The age of the totals, or the reason why it cannot be told."""
        account = self.account
        try:
            # What lies between two streams, and in a stream that Map does not read, is seen to wait in neither.
            for stage, stream in self.unsettled_streams().items():
                return self.unsettled(stage, stream)
            stream = max(self.map_mappings.values(), key=label)
            return Ages(account.dynamodb, account.streams, self, stream, live).age()
        except ClientError as error:
            # Somebody who may read the totals may not be allowed to read the streams.
            return str(error)

    def unsettled_streams(self) -> dict[Stage, str]:
        """The stream of each table that is disabled (an empty text), or not the one that the totals were computed with.

        Raises the client's error.
        """
        client = self.account.dynamodb
        registry = Registry(client, self.registry_table)
        current = {stage: current_stream(client, table) for stage, table in self._tables.items()}
        return {
            stage: stream
            for stage, stream in current.items()
            if not is_settled(registry, stage, stream)
        }

    def unsettled(self, stage: Stage, stream: str) -> str:
        """What is said of a table whose stream is disabled, or not the one that the totals were computed with."""
        table = self._tables[stage]
        what = f"{table}'s stream {stream} is new" if stream else f"{table} has no stream"
        fix = f"run `{self.command('rebuild')}`"
        if self.live().keeps_expired:
            fix = (
                "set up a second aggregation (`name_prefix`), or go on with these totals as they are (`"
                f"{self.command('redrive')} --settle`): with on_expiry = keep no rebuild is possible"
            )
        return f"{what}: changes may be missing; `terraform apply`, then {fix}"

    def accepted(self, stage: Stage, stream: str) -> str:
        """What is said of a new stream if the totals go on as they are, because they cannot be computed again."""
        lost = {
            "map": f"changes of {self.source.name} that Map had not counted",
            "reduce": f"sums in {self.reduce_table} that Reduce had not added",
        }
        return (
            f"{stream}: {lost[stage]} before this stream began are in no total. Totals may be too low or too high for "
            "good, and nothing can tell which"
        )

    @property
    def _tables(self) -> Mapping[Stage, str]:
        """The table whose stream each stage reads."""
        return {"map": self.source.name, "reduce": self.reduce_table}


def _map_functions(account: Account) -> list[str]:
    """The names of the account's Map functions; none where the account does not tell them."""
    found = []
    try:
        for page in account.lambdas.get_paginator("list_functions").paginate():
            for each in page["Functions"]:
                variables = each.get("Environment", {}).get("Variables", {})
                # Reduce has no REDUCE_TABLE, and HealthLambda no configuration.
                if {"REDUCE_TABLE", "CONFIGURATION"} <= variables.keys():
                    found.append(each["FunctionName"])
    except (ClientError, BotoCoreError):
        return []
    return sorted(found)


def _pipeline(account: Account, name_prefix: str) -> Stack | None:
    """The pipeline that the instance is a part of; None where it keeps the totals of a table by itself."""
    try:
        return Stack.deployed(account.environment, name_prefix)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None


def _deployed(map_: Function) -> Assignment:
    document = map_.variable("CONFIGURATION")
    try:
        return Assignment(
            Configuration.from_json(document), int(map_.variables.get("REDUCE_LANES", "1"))
        )
    except ValueError as error:
        raise LedaError(
            f"{map_.name}'s environment has a CONFIGURATION that this version of LEDA cannot read, or a REDUCE_LANES "
            f"that is not a number: {error}",
            "use the `leda` command of the version that is deployed, or deploy it again with `terraform apply`",
        ) from error


def _reduce(account: Account, table: str) -> tuple[Function, str]:
    """The function that adds ReduceTable's stream to totals, and the UUID of its event source mapping."""
    stream = current_stream(account.dynamodb, table)
    for each in mappings_of(account.lambdas, EventSourceArn=stream) if stream else ():
        found = Function.of(account.lambdas, each["FunctionArn"].partition(":function:")[2])
        if "AGGREGATE_TABLE" in found.variables:
            return found, each["UUID"]
    raise LedaError(
        f"no Reduce function reads {table}'s stream" if stream else f"{table} has no stream",
        f"create its event source mapping with `terraform apply`, and run {this_command()} again",
    )


def _table_of(stream: str, function: str) -> str:
    """The table with that stream: its name, or its ARN where it is in another account than the function."""
    table = stream.partition("/stream/")[0]
    is_own = table.split(":")[4] == function.split(":")[4]
    return table.partition(":table/")[2] if is_own else table
