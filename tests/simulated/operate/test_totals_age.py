"""The age of totals: the oldest change that Map or Reduce has not processed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.operate.deployed.stream_shards import ShardReader
from leda_cli.operate.totals import totals_age
from leda_cli.operate.totals.totals_age import Age, Ages
from simulation.failures import client_error
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION
from support.rebuild_site import Site

LATER = 100.0
"""The seconds after which the tests compute the age."""


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site.started(MemoryPipeline(), request.param)


def _age(site: Site) -> Age:
    pipeline = site.pipeline
    stream = pipeline.stream_arn("StateTable")
    live = Configuration.from_json(CONFIGURATION)
    clock: Callable[[], float] = lambda: pipeline.dynamodb.now() + LATER  # noqa: E731
    return Ages(pipeline.dynamodb, pipeline.streams, site.tables, stream, live, clock).age()


def _is_about(seconds: float | None, expected: float) -> bool:
    return seconds is not None and expected <= seconds < expected + 30


def test_a_change_that_map_has_not_processed_gives_the_age(site: Site) -> None:
    site.store()
    age = _age(site)
    assert _is_about(age.of_map, LATER)
    assert age.of_reduce is None
    assert age.seconds == age.of_map


def test_a_row_that_reduce_has_not_applied_gives_the_age(site: Site) -> None:
    site.store()
    site.deliver_new("map")
    age = _age(site)
    assert age.of_map is None
    assert _is_about(age.of_reduce, LATER)
    site.flow()
    assert _age(site) == Age(None, None)
    assert _age(site).seconds == 0


def test_changes_that_are_counted_do_not_wait_where_the_place_of_the_checkpoint_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MiniStack finds a place only by the text of its own numbers, which have more zeros in front."""
    real = site.pipeline.streams.get_shard_iterator

    def refusing(**request: Any) -> Any:
        if "SequenceNumber" in request:
            raise client_error("TrimmedDataAccessException")
        return real(**request)

    monkeypatch.setattr(site.pipeline.streams, "get_shard_iterator", refusing)
    assert _age(site) == Age(None, None)
    site.store()
    assert _is_about(_age(site).of_map, LATER)


def test_the_oldest_waiting_change_gives_the_age(site: Site) -> None:
    site.store()
    site.pipeline.dynamodb.slept += 50
    site.store()
    seconds = _age(site).seconds
    site.deliver_new("map")
    site.deliver_new("reduce")
    site.store()
    assert _is_about(seconds, LATER + 50)
    assert _is_about(_age(site).seconds, LATER)


def test_a_change_that_adds_nothing_does_not_count(site: Site) -> None:
    state = site.table("State")
    site.pipeline.dynamodb.put_item(
        TableName=state, Item={"id": {"S": "marker"}, "LedaWatermark": {"S": "x"}}
    )
    site.pipeline.dynamodb.put_item(
        TableName=state, Item={"id": {"S": "damaged"}, "Value": {"S": "?"}}
    )
    assert _age(site) == Age(None, None)


@pytest.mark.parametrize("name", ["map", "reduce"])
def test_closed_shards_count_until_their_children_are_read(site: Site, name: str) -> None:
    site.store()
    if name == "reduce":
        site.deliver_new("map")
    site.roll(name)
    age = _age(site)
    assert _is_about(age.of_map if name == "map" else age.of_reduce, LATER)
    site.flow()
    assert _age(site) == Age(None, None)
    site.store()
    site.flow()
    assert _age(site) == Age(None, None)


def test_a_skipped_shard_does_not_count(site: Site) -> None:
    site.lose()
    site.roll("map")
    site.store()
    site.flow()
    assert _age(site) == Age(None, None)


def test_after_a_rebuild_the_age_is_0(site: Site) -> None:
    site.lose()
    site.rebuild()
    site.flow()
    assert _age(site) == Age(None, None)
    site.store()
    assert _is_about(_age(site).of_map, LATER)


def test_if_not_all_records_are_read_the_last_one_gives_the_age(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_age, "MAX_PAGES", 1)
    monkeypatch.setattr("leda_cli.operate.deployed.stream_shards.MAX_RECORDS", 2)
    for number in range(5):
        site.pipeline.dynamodb.put_item(
            TableName=site.table("State"), Item={"id": {"S": f"damaged{number}"}}
        )
    # The two records that are read add nothing; later ones might.
    assert _is_about(_age(site).of_map, LATER)


def test_a_row_without_totals_does_not_count(site: Site) -> None:
    row: Any = site.pipeline.rows("ReduceTable")[0]
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Reduce"), Item={**row, "Totals": {"M": {}}}
    )
    assert _age(site).of_reduce is None


def test_a_shard_is_read_on_after_some_empty_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.store()
    empty: Iterator[list[Any]] = iter([[]] * 3)
    real = ShardReader.read
    monkeypatch.setattr(
        ShardReader, "read", lambda reader: real(reader) if next(empty, None) is None else []
    )
    assert _is_about(_age(site).of_map, LATER)
    assert next(empty, None) is None


def test_lanes_without_recent_changes_are_not_behind(site: Site) -> None:
    for number in range(6):
        site.leave_nothing((f"place{number}", "x", "y"))
        assert _age(site) == Age(None, None)


def test_applied_rows_do_not_count_even_if_no_checkpoint_is_known(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ages, "_reduce_places", lambda *_: {})
    site.store()
    site.flow()
    assert _age(site) == Age(None, None)
    site.store()
    site.deliver_new("map")
    assert _is_about(_age(site).of_reduce, LATER)


def test_only_records_after_the_checkpoints_are_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_age, "MAX_PAGES", 1)
    monkeypatch.setattr("leda_cli.operate.deployed.stream_shards.MAX_RECORDS", 1)
    assert _age(site) == Age(None, None)
