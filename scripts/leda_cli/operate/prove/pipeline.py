"""The pipeline of a name prefix, found from its functions: no Terraform state and no outputs are needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from leda.pipeline.schema import Schema, SchemaError
from leda_cli.base.errors import LedaError
from leda_cli.operate.account import Account
from leda_cli.operate.aggregation import Aggregation, event_source_mappings


@dataclass(frozen=True)
class Pipeline:
    """The aggregation with what is before it: StateLambda, the stream that it reads, and the table that it writes."""

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
        """The pipeline whose names begin so. Raises LedaError where there is none."""
        account = Account.chosen(aws)
        state, map_function = f"{prefix}StateLambda", f"{prefix}MapLambda"
        fix = "`terraform apply`, and give its name_prefix with --name-prefix"
        with account.reached(f"{state} and {map_function} cannot be looked at", fix):
            aggregation = Aggregation.of_function(account, map_function)
            found = account.lambdas.get_function_configuration(FunctionName=state)
            mappings = list(event_source_mappings(account.lambdas, FunctionName=state))
        variables: dict[str, Any] = found.get("Environment", {}).get("Variables", {})
        if len(mappings) != 1 or variables.get("STATE_TABLE") != aggregation.source.name:
            raise LedaError(
                f"{state} has {len(mappings)} event source mappings and writes to {variables.get('STATE_TABLE')}; that "
                f"of a pipeline has one, and writes to {aggregation.source.name}, whose rows {map_function} counts",
                "run `terraform apply`; an aggregation without a pipeline is checked with --map-function",
            )
        try:
            schema = Schema.from_json(variables.get("SCHEMA", "{}"))
        except SchemaError as error:
            raise LedaError(
                f"{state}'s environment has a SCHEMA that this version of LEDA cannot read: {error}",
                "use the `leda` command of the version that is deployed",
            ) from error
        return cls(
            replace(aggregation, option=f" --map-function {map_function}"),
            state,
            mappings[0]["UUID"],
            mappings[0]["EventSourceArn"],
            variables["STATE_TABLE"],
            schema,
        )
