"""The pipeline that an aggregation is a part of, as a proof needs it."""

from __future__ import annotations

from dataclasses import dataclass

from leda.pipeline.schema import Schema
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.quarantine.state_events import Deployed
from leda_cli.operate.stack import Stack


@dataclass(frozen=True)
class Pipeline:
    """The aggregation, the stack that it is a part of, and the schema of the stack's messages."""

    aggregation: Aggregation
    stack: Stack
    schema: Schema

    @classmethod
    def of(cls, aggregation: Aggregation) -> Pipeline:
        """The aggregation's pipeline. Raises LedaError where it has none, or another table than its own is counted."""
        stack = aggregation.account
        if not isinstance(stack, Stack):
            raise LedaError(
                f"{aggregation.map_function} counts the rows of {aggregation.source.name}, and no StateLambda with the "
                "same prefix writes them",
                f"for an aggregation without a pipeline, pass --map-function {aggregation.map_function}",
            )
        if stack.state_table != aggregation.source.name:
            raise LedaError(
                f"{stack.functions['state']} writes to {stack.state_table}, and {aggregation.map_function} counts the "
                f"rows of {aggregation.source.name}",
                "run `terraform apply`; an aggregation without a pipeline is checked with --map-function",
            )
        return cls(aggregation, stack, Deployed.of(stack).schema)
