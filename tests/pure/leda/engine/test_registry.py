"""RegistryTable: assignments that the first caller makes for good, and counters that only rise."""

from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.map.source_shards import Assignment, SourceShards
from leda.engine.reduce.epochs import Epochs, position
from leda.engine.registry import (
    Registry,
    RegistryError,
    configuration_of,
    reduce_scope,
    source_scope,
    streams_scope,
)
from leda.engine.shards import MADE_UP, Shard
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"
YOUNGER = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-02-01T00:00:00.000"
TABLE = "RegistryTable"
FIRST = Configuration.from_json('{"path": "Path", "measures": {"Count": {"op": "count"}}}')
SECOND = Configuration.from_json('{"path": "Path", "measures": {"N": {"op": "count"}}}')


@pytest.fixture
def client() -> Any:
    return StreamedDynamoDB({TABLE: ("Scope", "Name")})


@pytest.fixture
def registry(client: Any) -> Registry:
    return Registry(client, TABLE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_800_000_000.0]
    monkeypatch.setattr("leda.engine.registry.time.time", lambda: now[0])
    return now


def test_epochs_rise_whatever_the_clock_does(registry: Registry, clock: list[float]) -> None:
    drawn = []
    for now in (100.0, 100.0, 100.0, 500.0, 300.0, 501.0, 502.0):
        clock[0] = now
        drawn.append(registry.next_number("epochs"))

    assert drawn == [100, 101, 102, 500, 501, 502, 503]


def test_epochs_rise_after_the_counter_is_restored_from_a_backup(
    registry: Registry, client: Any, clock: list[float]
) -> None:
    backup = registry.next_number("epochs")
    clock[0] += 3600
    last = registry.next_number("epochs")
    row = {"Scope": {"S": "counters"}, "Name": {"S": "epochs"}, "Last": {"N": str(backup)}}
    client.put_item(TableName=TABLE, Item=row)
    clock[0] += 1

    assert registry.next_number("epochs") > last


def test_the_first_caller_decides_a_shards_lanes_and_configuration(registry: Registry) -> None:
    shard = Shard(STREAM, "shardId-1")
    first = SourceShards(registry, FIRST, 4).of(shard, None)
    again = SourceShards(registry, SECOND, 1).of(shard, None)

    assert first
    assert again
    assert (first.lanes, first.configuration.version) == (4, FIRST.version)
    assert (again.lanes, again.configuration.version) == (4, FIRST.version)
    assert again.configuration.measures == FIRST.measures


def test_a_new_shard_gets_the_deployed_number_of_lanes_and_the_live_configuration(
    registry: Registry,
) -> None:
    SourceShards(registry, FIRST, 1).of(Shard(STREAM, "shardId-1"), None)

    found = SourceShards(registry, SECOND, 4).of(Shard(STREAM, "shardId-2"), None)

    assert found
    assert (found.lanes, found.configuration.version) == (4, FIRST.version)
    lanes = {row["Name"]["S"] for row in registry.rows("lanes")}
    assert lanes == {f"{FIRST.version}.1", f"{FIRST.version}.4"}


def test_a_shards_row_expires_30_days_after_its_records(registry: Registry) -> None:
    shards = SourceShards(registry, FIRST, 1)
    shards.of(Shard(STREAM, "shardId-1"), 1_000.0)
    shards.of(Shard(STREAM, "shardId-2"), None)

    dated, undated = registry.rows(source_scope(STREAM))
    assert dated["ExpiresAt"] == {"N": str(1_000 + 30 * 24 * 3600)}
    assert "ExpiresAt" not in undated


def test_a_configuration_that_the_registry_has_lost_is_an_error(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="0123abcd"):
        configuration_of(registry, "0123abcd")


class Streams:
    """DescribeStream's answers, one shard a page."""

    def __init__(self, **parents: str | None) -> None:
        self.shards = [{"ShardId": name, "ParentShardId": of} for name, of in parents.items()]

    def describe_stream(self, *, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:
        names = [shard["ShardId"] for shard in self.shards]
        at = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        description: dict[str, Any] = {"Shards": self.shards[at : at + 1]}
        if at + 1 < len(self.shards):
            description["LastEvaluatedShardId"] = names[at]
        return {"StreamDescription": description}


@pytest.mark.usefixtures("clock")
def test_a_shard_that_is_read_before_its_ancestors_gets_a_higher_epoch(registry: Registry) -> None:
    streams: Any = Streams(c="b", b="a", a="trimmed", other=None)
    epochs = Epochs(registry, streams)

    child = epochs.of(Shard(STREAM, "c"), None)
    parents = [Epochs(registry, streams).of(Shard(STREAM, name), None) for name in "ab"]

    assert parents == sorted(parents)
    assert child > parents[-1]


def test_an_unknown_shard_of_an_older_stream_is_ignored_and_a_known_one_keeps_its_epoch(
    registry: Registry,
) -> None:
    streams: Any = Streams()
    epochs = Epochs(registry, streams)
    met = epochs.of(Shard(STREAM, "met"), None)
    younger = epochs.of(Shard(YOUNGER, "first"), None)

    cold = Epochs(registry, streams)
    assert cold.of(Shard(STREAM, "late"), None) == 0
    assert cold.of(Shard(STREAM, "met"), None) == met
    assert younger > met


def test_a_shards_row_is_read_again_after_a_minute(registry: Registry, clock: list[float]) -> None:
    streams: Any = Streams()
    epochs, shards = Epochs(registry, streams), SourceShards(registry, FIRST, 1)
    shard = Shard(STREAM, "one")
    epoch, assignment = epochs.of(shard, None), shards.of(shard, None)
    registry.put(reduce_scope(STREAM), "one", {"Epoch": {"N": "7"}})
    registry.put(
        source_scope(STREAM), "one", {"Version": {"S": FIRST.version}, "Lanes": {"N": "3"}}
    )

    clock[0] += 59
    assert (epochs.of(shard, None), shards.of(shard, None)) == (epoch, assignment)
    clock[0] += 2
    assert epochs.of(shard, None) == 7
    assert shards.of(shard, None) == Assignment(FIRST, 3)


def test_a_made_up_shard_registers_no_stream(registry: Registry) -> None:
    streams: Any = None
    assert Epochs(registry, streams).of(Shard(STREAM, MADE_UP), None) > 0
    SourceShards(registry, FIRST, 1).of(Shard(STREAM, MADE_UP), None)

    assert registry.rows("streams/reduce") == []
    assert registry.rows("streams/map") == []


def test_a_stream_is_settled_with_all_earlier_ones_and_no_later_one(registry: Registry) -> None:
    latest = YOUNGER.replace("2026-02", "2026-03")
    for stream in (STREAM, YOUNGER, latest):
        registry.register_stream("map", stream)
    registry.put(streams_scope("map"), STREAM, {"IsSettled": {"BOOL": False}})

    registry.settle_stream("map", YOUNGER)

    rows = registry.rows(streams_scope("map"))
    settled = {row["Name"]["S"]: row["IsSettled"]["BOOL"] for row in rows}
    assert settled == {STREAM: True, YOUNGER: True, latest: False}


def test_positions_sort_by_epoch_and_then_by_sequence_number() -> None:
    places = [(2, 10**39), (10, 1), (10, 2), (1_800_000_000, 0)]

    assert sorted(places) == sorted(places, key=lambda place: position(*place))
