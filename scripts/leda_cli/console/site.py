"""What a console shows: an account, and the functions, stream and tables of one instance of the engine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.hierarchy_path import HierarchyPath
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.stack import Stack, stack_options


@dataclass(frozen=True)
class Site:
    """The parts by name. `stack` is the whole pipeline, None for an instance of the engine over another table."""

    aggregation: Aggregation
    stack: Stack | None
    arguments: tuple[str, ...] = ()
    """The options with which other commands find the same instance."""

    @classmethod
    def find(cls, aws: bool, name_prefix: str, map_function: str | None) -> Site:
        """The instance that the command's options name. Raises LedaError where there is none."""
        aggregation = Aggregation.find(aws, name_prefix, map_function)
        account = aggregation.account
        arguments = tuple(shlex.split(aggregation.option))
        return cls(aggregation, account if isinstance(account, Stack) else None, arguments)

    @classmethod
    def beside(cls, environment: Mapping[str, str], name_prefix: str) -> Site:
        """The pipeline with that prefix; `environment`: the settings of local AWS, empty for an account."""
        stack = Stack.deployed(environment, name_prefix)
        aggregation = Aggregation.of_function(stack, stack.functions["map"])
        option = stack_options(not environment, name_prefix)
        return cls(aggregation, stack, tuple(shlex.split(option)))

    @property
    def account(self) -> Account:
        """The account of all parts."""
        return self.aggregation.account

    @property
    def is_local(self) -> bool:
        """Whether the account is local AWS, whose calls cost nothing."""
        return self.account.endpoint is not None

    @property
    def stream(self) -> str:
        """The Kinesis stream; empty where a table is the source."""
        return self.stack.stream if self.stack else ""

    @property
    def functions(self) -> Mapping[str, str]:
        """Name of each stage's function, in the order of the stages."""
        return self.aggregation.functions

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that LEDA writes, in the order of the stages; a user's own source table is not among them."""
        found = (self.aggregation.reduce_table, self.aggregation.totals_table)
        return (self.aggregation.source.name, *found) if self.stack else found

    @cached_property
    def prefix(self) -> str:
        """The prefix of the names of functions and alarms."""
        return self.aggregation.map_function.removesuffix("MapLambda")

    @property
    def where(self) -> str:
        """The account, as the page names it."""
        if self.account.endpoint:
            return f"local AWS at {self.account.endpoint.removeprefix('http://')}"
        return f"AWS, {self.account.dynamodb.meta.region_name}"


def is_hierarchy(configuration: Configuration) -> bool:
    """Whether the totals are the nodes of one hierarchy, and not of groupings."""
    return isinstance(configuration.totals, HierarchyPath)
