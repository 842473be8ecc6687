"""docs/upgrading.md: totals of the first engine, which carry no checkpoint and no Count, taken over by the second."""

import random

import pytest

from support.memory_pipeline import MemoryPipeline
from support.rebuild_site import Site

LACKING = 2
"""So many totals lack what was in the old ReduceTable when it was replaced."""


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def lanes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def write_as_the_first_engine(site: Site) -> None:
    """The totals of all messages so far, of which some lack a part; what the second engine wrote of its own stays."""
    for number, (name, (_, value)) in enumerate(sorted(site.expected().items())):
        site.set_total(name, {"N": str(value - (1 if number < LACKING else 0))})


def taken_over(lanes: int) -> Site:
    """StateTable and AggregateTable as the first engine left them; the other tables are new and empty."""
    pipeline = MemoryPipeline()
    pipeline.settings["REDUCE_LANES"] = str(lanes)
    site = Site(pipeline, random.Random(9), lanes)
    site.store(8)
    write_as_the_first_engine(site)
    return site


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "begins again"])
def test_totals_of_the_first_engine_are_exact_after_a_rebuild(lanes: int, goes_on: bool) -> None:
    """Map's mapping stays, and so does its position; a new one begins with the oldest record."""
    site = taken_over(lanes)
    if goes_on:
        site.skip("map")
    site.store()
    site.flow()
    assert site.total_rows().keys() >= site.expected().keys()

    assert site.rebuild().changes

    assert site.found() == site.expected()
    site.check()


def test_messages_that_come_during_the_rebuild_count(lanes: int) -> None:
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


def test_after_a_way_back_and_forth_the_old_counts_and_checkpoints_do_no_harm(lanes: int) -> None:
    """The first engine leaves Count and the checkpoints as they are; the apply replaces the other tables."""
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
