"""The pipeline of a name prefix, found from its functions: no Terraform state and no outputs are needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from leda.pipeline.schema import Schema, SchemaError
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.functions import Function, mappings_of
from leda_cli.operate.stack import stack_options


@dataclass(frozen=True)
class Pipeline:
    """The aggregation, with StateLambda before it, the stream that StateLambda reads and the table that it writes."""

    aggregation: Aggregation
    state_function: str
    state_mapping: str
    """UUID of State's event source mapping."""
    stream_arn: str
    state_table: str
    schema: Schema

    @property
    def stream(self) -> str:
        """The name of the ingest stream."""
        return self.stream_arn.rpartition("/")[2]

    @classmethod
    def find(cls, aws: bool, prefix: str) -> Pipeline:
        """The pipeline whose names begin with `prefix`. Raises LedaError where there is none."""
        account = Account.chosen(aws)
        map_function = f"{prefix}MapLambda"
        fix = "the command with a pipeline's --name-prefix, or with the --map-function of an aggregation without one"
        with account.reached(f"{prefix}StateLambda and {map_function} cannot be looked at", fix):
            aggregation = Aggregation.of_function(account, map_function)
            state = Function.of(account.lambdas, f"{prefix}StateLambda")
            mappings = list(mappings_of(account.lambdas, FunctionName=state.name))
        state_table = state.variable("STATE_TABLE")
        if len(mappings) != 1 or state_table != aggregation.source.name:
            raise LedaError(
                f"{state.name} has {len(mappings)} event source mappings and writes to {state_table}; a pipeline's "
                f"has one and writes to {aggregation.source.name}, whose rows {map_function} counts",
                "run `terraform apply`; an aggregation without a pipeline is checked with --map-function",
            )
        try:
            schema = Schema.from_json(state.variable("SCHEMA"))
        except SchemaError as error:
            raise LedaError(
                f"{state.name}'s environment has a SCHEMA that this version of LEDA cannot read: {error}",
                "use the `leda` command of the version that is deployed",
            ) from error
        return cls(
            replace(aggregation, option=stack_options(aws, prefix)),
            state.name,
            mappings[0]["UUID"],
            mappings[0]["EventSourceArn"],
            state_table,
            schema,
        )
