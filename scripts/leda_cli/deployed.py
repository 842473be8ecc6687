"""What the stack's totals are by its own account: the configuration that is live, and both sides of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leda.audit import Tables, tables_of
from leda.engine import totals
from leda.engine.configuration import Configuration
from leda.engine.registry import Assignment, Registry, RegistryError, live_configuration
from leda_cli.errors import LedaError

if TYPE_CHECKING:
    from leda_cli.operations import Advance
    from leda_cli.stack import Stack


def deployed(stack: Stack) -> Assignment:
    """The configuration and the number of lanes that Map is deployed with. Raises LedaError or the client's error."""
    name = stack.functions["map"]
    found = stack.lambdas.get_function_configuration(FunctionName=name)
    variables = found.get("Environment", {}).get("Variables", {})
    try:
        configuration = Configuration.from_json(variables["CONFIGURATION"])
        return Assignment(configuration, int(variables.get("REDUCE_LANES", "1")))
    except (KeyError, ValueError) as error:
        raise LedaError(
            f"{name}'s environment has no CONFIGURATION, or a REDUCE_LANES that is no number: {error}",
            "deploy it anew with `terraform apply`",
        ) from error


def live(stack: Stack) -> Configuration:
    """The configuration under which the totals are kept. Raises LedaError or the client's error."""
    registry = Registry(stack.dynamodb, stack.registry_table)
    try:
        return live_configuration(registry, deployed(stack).configuration)
    except RegistryError as error:
        raise LedaError(str(error), "restore RegistryTable from a backup") from error


def both_sides(stack: Stack, configuration: Configuration, advance: Advance) -> Tables:
    """How to read what the totals must be, and what they are."""
    return tables_of(
        stack.dynamodb,
        (stack.state_table, ["id"]),
        (stack.aggregate_table, totals.KEY),
        configuration,
        advance,
    )
