"""An aggregation of tables that a test provides, and a run of a rebuild, for the tests of the operators' commands."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

from leda.engine.group_by.configuration import Configuration
from leda.engine.map.source_shards import Assignment
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding.rebuild import Rebuild, Result
from support.pipeline import CONFIGURATION

NO_ACCOUNT: Any = SimpleNamespace(endpoint=None, dynamodb=None, streams=None, lambdas=None)


def aggregation(
    account: Any = None, configuration: str = CONFIGURATION, **changes: Any
) -> Aggregation:
    """An aggregation with the pipeline's names. `changes`: other fields, or what stands in for methods."""
    made = Aggregation(
        source=SourceTable("StateTable", {"id": "S"}),
        reduce_table="ReduceTable",
        registry_table="RegistryTable",
        totals_table="AggregateTable",
        totals_key="Identifier",
        account=account or NO_ACCOUNT,
        map_function="MapLambda",
        reduce_function="ReduceLambda",
        map_mappings={},
        reduce_mapping="",
        quarantine_bucket="quarantine",
        deployed=Assignment(Configuration.from_json(configuration), 1),
        needs_backfill=False,
        option=" --map-function MapLambda",
    )
    fields = {name: changes.pop(name) for name in made.__dataclass_fields__ if name in changes}
    made = replace(made, **fields)
    vars(made).update(changes)
    return made


class FakeRebuild(Rebuild):
    """A run with a given result, or an error."""

    given: ClassVar[dict[str, Any]] = {}
    """The fields of the result, the deployed configuration excepted."""
    error: ClassVar[BaseException | None] = None
    last: ClassVar[FakeRebuild]

    @property
    def is_open(self) -> bool:
        """Whether the run ends with an error."""
        return self.error is not None

    def look(self) -> Result:
        """Return the result."""
        FakeRebuild.last = self
        return Result(self.configuration, **self.given)

    def run(self) -> Result:
        """Return the result, or raise the error."""
        if self.error:
            raise self.error
        return self.look()
