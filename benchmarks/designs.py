"""The two designs as they are measured: handlers, settings, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import Environment
from leda_cli.base.paths import ROOT
from leda_cli.models.pipeline_units import CONFIGURATION

STAGES = ("state", "map", "reduce")
LAMBDA_SRC = ROOT / "lambda_src"
PUBLISHED_SRC = ROOT / "benchmarks" / "published"

_CLIENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    # Whatever the user's files say of AWS is not for these.
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@dataclass(frozen=True, slots=True)
class Design:
    """A design by its `name`; `keys` are its tables' key attributes, under names that end with the usual ones."""

    name: str
    files: Mapping[str, Path]
    settings: Mapping[str, str]
    keys: Mapping[str, tuple[str, ...]]

    def table(self, name: str) -> str:
        """The table's name in the stub, which both designs share."""
        return f"{self.name}-{name}"

    def tables(self) -> dict[str, tuple[str, ...]]:
        """The tables' keys, by their names in the stub."""
        return {self.table(name): keys for name, keys in self.keys.items()}

    def streamed(self) -> frozenset[str]:
        """The tables whose changes the next stage gets."""
        return frozenset(map(self.table, ("StateTable", "ReduceTable")))

    def variables(self, stage: str, endpoint: str) -> dict[str, str]:
        """What a function's environment holds."""
        tables = {
            f"{name.removesuffix('Table').upper()}_TABLE": self.table(name) for name in self.keys
        }
        function = {"AWS_LAMBDA_FUNCTION_NAME": f"{stage.title()}Lambda"}
        return {**_CLIENT, "AWS_ENDPOINT_URL": endpoint, **function, **tables, **self.settings}

    def environment(self, stage: str, endpoint: str) -> Environment:
        """A cold start of a stage's function."""
        return Environment(self.files[stage], self.variables(stage, endpoint), [LAMBDA_SRC])


LEDA = Design(
    "LEDA",
    {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
    {
        "SCHEMA": "{}",
        "LIMITS": "{}",
        "CONFIGURATION": CONFIGURATION.document,
        "QUARANTINE_BUCKET": "quarantine",
        "POWERTOOLS_SERVICE_NAME": "benchmark",
        "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    },
    {
        "StateTable": ("id",),
        "ReduceTable": ("Lane", "Source"),
        "AggregateTable": ("Identifier",),
        "RegistryTable": ("Scope", "Name"),
    },
)
PUBLISHED = Design(
    "published",
    {stage: PUBLISHED_SRC / f"{stage}.py" for stage in STAGES},
    {},
    {"StateTable": ("id",), "ReduceTable": ("MessageId",), "AggregateTable": ("Identifier",)},
)
DESIGNS = (LEDA, PUBLISHED)
