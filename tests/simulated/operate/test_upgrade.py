"""docs/upgrading.md: taking over totals of the first engine, which have no checkpoints and no Count."""

import random

import pytest

from support.memory_pipeline import MemoryPipeline
from support.rebuild_site import Site

LACKING = 2
"""The number of totals that lack rows of the old ReduceTable."""


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def lanes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def write_as_the_first_engine(site: Site) -> None:
    """Write the totals of all messages so far, some of them incomplete. Attributes of the second engine stay."""
    for number, (name, (_, value)) in enumerate(sorted(site.expected().items())):
        site.set_total(name, {"N": str(value - (1 if number < LACKING else 0))})


def taken_over(lanes: int) -> Site:
    """A site with the first engine's StateTable and AggregateTable; the other tables are new and empty."""
    pipeline = MemoryPipeline()
    pipeline.settings["REDUCE_LANES"] = str(lanes)
    site = Site(pipeline, random.Random(9), lanes)
    site.store(8)
    write_as_the_first_engine(site)
    return site


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "begins again"])
def test_totals_of_the_first_engine_are_exact_after_a_rebuild(lanes: int, goes_on: bool) -> None:
    """An existing mapping of Map keeps its position; a new one begins with the oldest record."""
    site = taken_over(lanes)
    if goes_on:
        site.skip("map")
    site.store()
    site.flow()
    assert site.total_rows().keys() >= site.expected().keys()

    assert site.rebuild().changes

    assert site.found() == site.expected()
    site.check()


def test_messages_that_arrive_during_the_rebuild_count(lanes: int) -> None:
    site = taken_over(lanes)
    site.skip("map")
    stored = iter(range(10))

    def busy(_seconds: float) -> None:
        if next(stored, None) is not None:
            site.store(1)
        site.flow()

    site.rebuild(sleep=busy)
    site.flow()

    assert site.found() == site.expected()
    site.check()


def test_old_counts_and_checkpoints_do_no_harm_after_a_downgrade_and_upgrade(lanes: int) -> None:
    """The first engine does not change Count and checkpoints; `terraform apply` replaces the other tables."""
    site = Site.started(MemoryPipeline(), lanes)
    site.store()
    site.skip("map")
    write_as_the_first_engine(site)
    for table, keys in (("RegistryTable", ("Scope", "Name")), ("ReduceTable", ("Lane", "Source"))):
        for row in site.pipeline.rows(table):
            site.pipeline.dynamodb.delete_item(
                TableName=site.pipeline.prefix + table, Key={key: row[key] for key in keys}
            )
    site.functions.clear()
    site.skip("reduce")
    site.store()
    site.flow()
    assert site.found() != site.expected()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()
