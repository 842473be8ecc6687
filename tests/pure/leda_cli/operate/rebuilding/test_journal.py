"""The rebuild's journal: what a run learns of the run that it takes over from."""

import pytest

from leda_cli.operate.rebuilding.journal import Journal
from support.memory_pipeline import MemoryPipeline


@pytest.mark.parametrize(("target", "name"), [("v1", "backfill"), (None, "rebuild")])
def test_a_run_says_which_command_it_takes_over_from(target: str | None, name: str) -> None:
    pipeline = MemoryPipeline()
    registry = f"{pipeline.prefix}RegistryTable"
    Journal(pipeline.dynamodb, registry, f"leda {name}").open([], target)

    later = Journal(pipeline.dynamodb, registry, "leda rebuild")
    later.open([])

    assert later.taken_over_from
    assert later.taken_over_from.startswith(f"{name} that began at 20")
