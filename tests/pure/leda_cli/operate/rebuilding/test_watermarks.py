"""Watermarks in a table's stream: which records are before them, in whatever order records appear."""

import itertools
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from leda.engine.group_by.configuration import WATERMARK
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding.watermarks import (
    EMPTY_PAGES,
    MAX_MARKERS,
    LateRecordError,
    MarkedEnd,
    Tail,
    WaitedEnd,
    Watermark,
    in_order,
)

SOURCE = SourceTable("StateTable", {"id": "S"})
BEGIN = datetime(2026, 3, 7, 12, 0, 7, tzinfo=UTC)


class Table:
    """A table whose stream has several shards. `place_of` gives a key's shard; `held` delays records."""

    def __init__(self, shards: int) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.shards: dict[str, list[dict[str, Any]]] = {f"s{n}": [] for n in range(shards)}
        self.parents: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.numbers = itertools.count(10**20 + 1)
        self.place_of: Callable[[str], str] = lambda key: sorted(self.open)[
            zlib.crc32(key.encode()) % len(self.open)
        ]
        self.held: list[Callable[[], None]] | None = None
        self.before_read: Callable[[], None] = lambda: None
        self.seconds = 0
        self.rounds_to_minutes = False

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    @property
    def open(self) -> list[str]:
        return [name for name in self.shards if name not in self.ends]

    def put(self, key: str, **attributes: Any) -> None:
        self._record(key, {"id": {"S": key}, **attributes})

    def split(self, shard: str, *children: str) -> None:
        self.ends[shard] = str(next(self.numbers))
        for child in children:
            self.shards[child] = []
            self.parents[child] = shard

    def _record(self, key: str, image: dict[str, Any] | None) -> None:
        if image is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = image

        written = self.now.replace(second=0) if self.rounds_to_minutes else self.now

        def publish() -> None:
            change: dict[str, Any] = {
                "Keys": {"id": {"S": key}},
                "SequenceNumber": str(next(self.numbers)),
                "ApproximateCreationDateTime": written,
            }
            if image is not None:
                change["NewImage"] = image
            self.shards[self.place_of(key)].append({"dynamodb": change})

        if self.held is None:
            publish()
        else:
            self.held.append(publish)

    # -- DynamoDB

    def describe_table(self, TableName: str) -> Any:
        date = {"date": format_datetime(self.now, usegmt=True)}
        return {"ResponseMetadata": {"HTTPHeaders": date}}

    def put_item(self, Item: dict[str, Any], **_request: Any) -> None:
        self._record(Item["id"]["S"], Item)

    def delete_item(self, Key: dict[str, Any], **_request: Any) -> None:
        self._record(Key["id"]["S"], None)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:
        [(name, asked)] = RequestItems.items()
        names = [key["id"]["S"] for key in asked["Keys"]]
        found = [self.rows[each] for each in names if each in self.rows]
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    # -- its stream

    def describe_stream(self, StreamArn: str) -> Any:
        shards = []
        for name in self.shards:
            numbers = {"StartingSequenceNumber": "1"}
            if name in self.ends:
                numbers["EndingSequenceNumber"] = self.ends[name]
            shard = {"ShardId": name, "SequenceNumberRange": numbers}
            if name in self.parents:
                shard["ParentShardId"] = self.parents[name]
            shards.append(shard)
        return {"StreamDescription": {"Shards": shards}}

    def get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str, SequenceNumber: str = "0"
    ) -> Any:
        records = self.shards[ShardId]
        place = {
            "LATEST": len(records),
            "TRIM_HORIZON": 0,
            "AFTER_SEQUENCE_NUMBER": sum(
                int(each["dynamodb"]["SequenceNumber"]) <= int(SequenceNumber) for each in records
            ),
        }[ShardIteratorType]
        return {"ShardIterator": f"{ShardId} {place}"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        self.before_read()
        name, place = ShardIterator.split()
        records = self.shards[name][int(place) :][:Limit]
        answer: dict[str, Any] = {"Records": records}
        if name not in self.ends or records:
            answer["NextShardIterator"] = f"{name} {int(place) + len(records)}"
        return answer


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def table(request: pytest.FixtureRequest) -> Table:
    return Table(request.param)


class Follower:
    """Follows a table's stream and keeps the last image of each row."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.images: dict[str, Any] = {}
        self.tail = Tail(table, table, SOURCE, "arn", ["Value"], self._take)

    def _take(self, changes: list[tuple[Any, Any]]) -> None:
        self.images |= {keys["id"]["S"]: image for keys, image in changes}

    def watermark(self, end: Any) -> Watermark:
        return self.tail.watermark(end)

    @property
    def values(self) -> dict[str, str | None]:
        """The Value of each row that is not a marker."""
        return {
            key: image and image["Value"]["N"]
            for key, image in self.images.items()
            if not key.startswith("leda-watermark")
        }


def _end(table: Any, is_marked: bool, seconds: float = 5.0) -> Any:
    clock = itertools.count()

    def sleep(seconds: float) -> None:
        table.seconds += 1 if seconds < 1 else int(seconds)
        for publish in table.held or []:
            publish()
        if table.held:
            table.held.clear()

    if not is_marked:
        return WaitedEnd(seconds, sleep)
    return MarkedEnd(table, SOURCE, {}, seconds, lambda: float(next(clock)), sleep)


@pytest.fixture(params=[True, False], ids=["markers", "waiting"])
def is_marked(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_all_changes_before_a_watermark_have_been_read(table: Table, is_marked: bool) -> None:
    table.put("before", Value={"N": "1"})
    found = Follower(table)
    for number in range(20):
        table.put(f"k{number % 7}", Value={"N": str(number)}, Unread={"S": "x"})
    table.delete_item({"id": {"S": "k3"}})
    found.tail.scanned()
    mark = found.watermark(_end(table, is_marked))
    wanted = {
        **{f"k{n}": str(max(m for m in range(20) if m % 7 == n)) for n in range(7)},
        "k3": None,
    }
    # Records from before the beginning may be read too.
    assert {**found.values, "before": None} == {**wanted, "before": None}
    assert not any("Unread" in image for image in found.images.values() if image)
    assert mark.open.keys() == {*table.open}
    assert mark.created == table.now.timestamp()


def test_the_watermark_of_a_shard_is_its_last_record_before_the_marker(
    table: Table, is_marked: bool
) -> None:
    found = Follower(table)
    for number in range(9):
        table.put(f"k{number}", Value={"N": "0"})
    mark = found.watermark(_end(table, is_marked))
    for name, records in table.shards.items():
        before = [
            int(each["dynamodb"]["SequenceNumber"])
            for each in records
            if is_marked or WATERMARK not in each["dynamodb"].get("NewImage", {})
        ]
        assert mark.open[name] in before


def test_the_watermark_of_a_shard_without_new_records_is_its_last_record(table: Table) -> None:
    for number in range(9):
        table.put(f"k{number}", Value={"N": "0"})
    quiet = [name for name, records in table.shards.items() if records]
    found = Follower(table)
    mark = found.watermark(_end(table, is_marked=False))
    for name in quiet:
        assert mark.open[name] == int(table.shards[name][-1]["dynamodb"]["SequenceNumber"])


def test_the_watermark_of_an_empty_shard_is_before_all_records(table: Table) -> None:
    mark = Follower(table).watermark(_end(table, is_marked=False))
    assert mark.open == dict.fromkeys(table.shards, 0)


def test_a_few_empty_pages_do_not_mean_that_a_shard_is_empty() -> None:
    table = Table(1)
    table.put("old", Value={"N": "1"})
    found = Follower(table)
    real, empty = table.get_records, iter(range(EMPTY_PAGES - 1))

    def sparse(ShardIterator: str, Limit: int) -> Any:
        if ShardIterator.endswith(" 0") and next(empty, None) is not None:
            return {"Records": [], "NextShardIterator": ShardIterator}
        return real(ShardIterator, Limit)

    table.get_records = sparse  # type: ignore[method-assign]
    mark = found.watermark(_end(table, is_marked=False))
    assert mark.open["s0"] == int(table.shards["s0"][0]["dynamodb"]["SequenceNumber"])


def test_a_watermark_is_where_its_marker_appears_in_the_stream(table: Table) -> None:
    """A record that appears after the marker is after the watermark, although it was written before it."""
    found = Follower(table)
    table.held = []
    table.put("late", Value={"N": "1"})
    late = table.held.pop()
    found.watermark(_end(table, is_marked=True))
    late()
    assert found.values == {}
    table.held = None
    found.watermark(_end(table, is_marked=True))
    assert found.values == {"late": "1"}


def test_a_record_after_the_watermark_from_before_the_end_of_the_scan_is_an_error(
    table: Table, is_marked: bool
) -> None:
    found = Follower(table)
    table.held = []
    table.put("late", Value={"N": "1"})
    late = table.held.pop()
    found.tail.scanned()
    table.held = None
    found.watermark(_end(table, is_marked))
    table.put("in time", Value={"N": "2"})
    found.tail.require_none_late()
    late()
    with pytest.raises(LateRecordError, match="older than the end of the scan"):
        found.tail.require_none_late()


def test_a_late_record_in_a_shard_younger_than_the_watermark_is_an_error(table: Table) -> None:
    table.held = []
    found = Follower(table)
    table.seconds += 7
    table.put("late", Value={"N": "1"})
    late, table.held = table.held.pop(), None
    found.tail.scanned()
    found.watermark(_end(table, is_marked=False))
    for name in table.open:
        table.split(name, f"{name}a", f"{name}b")
    found.tail.require_none_late()
    late()
    with pytest.raises(LateRecordError, match="older than the end of the scan"):
        found.tail.require_none_late()


def test_a_record_whose_time_is_rounded_to_the_minute_is_not_late(
    table: Table, is_marked: bool
) -> None:
    """DynamoDB Local rounds times down to the minute, and a rebuild beside writers would start again for a minute."""
    table.rounds_to_minutes = True
    found = Follower(table)
    found.tail.scanned()
    found.watermark(_end(table, is_marked))
    table.seconds += 20
    table.put("in time", Value={"N": "2"})
    found.tail.require_none_late()


def test_shards_that_are_split_meanwhile_are_read_after_their_parents(
    table: Table, is_marked: bool
) -> None:
    table.put("k", Value={"N": "0"})
    found = Follower(table)
    table.put("k", Value={"N": "1"})
    parent = table.place_of("k")
    table.split(parent, "a-left", "a-right")
    table.place_of = lambda key: (
        "a-right" if key == "k" else sorted(table.open)[zlib.crc32(key.encode()) % len(table.open)]
    )
    table.put("k", Value={"N": "2"})
    table.split("a-right", "A-last")
    table.place_of = lambda key: (
        "A-last" if key == "k" else sorted(table.open)[zlib.crc32(key.encode()) % len(table.open)]
    )
    table.put("k", Value={"N": "3"})

    mark = found.watermark(_end(table, is_marked))

    assert found.values == {"k": "3"}
    assert mark.open.keys() == {*table.open}
    assert mark.closed.keys() == {parent, "a-right"}
    assert mark.ends.keys() == {*table.shards}


def test_children_of_a_closed_shard_are_followed_during_the_scan() -> None:
    """A scan may last longer than a shard is open, so its children are not left for the end of the scan."""
    table = Table(1)
    found = Follower(table)
    table.split("s0", "child")
    table.put("k", Value={"N": "1"})
    found.tail.read_on()
    found.tail.read_on()
    assert found.values == {"k": "1"}


def test_a_shard_that_is_closed_during_the_search_for_a_watermark_is_read_again(
    table: Table, is_marked: bool
) -> None:
    found = Follower(table)
    once = iter([True])

    def split() -> None:
        if next(once, False):
            table.split(table.open[0], "child")

    table.before_read = split
    table.put("k", Value={"N": "1"})
    mark = found.watermark(_end(table, is_marked))
    assert mark.open.keys() == {*table.open}
    assert "child" in mark.open
    assert found.values == {"k": "1"}


def test_shards_that_change_at_every_try_are_an_error(table: Table, is_marked: bool) -> None:
    found = Follower(table)
    names = itertools.count()
    table.before_read = lambda: table.split(table.open[0], f"child{next(names)}")
    with pytest.raises(LedaError, match="changed at each of 5 tries"):
        found.watermark(_end(table, is_marked))


def test_markers_that_do_not_appear_in_the_stream_are_an_error(table: Table) -> None:
    found, end = Follower(table), _end(table, is_marked=True)
    table.held = []
    end.sleep = lambda _seconds: None
    with pytest.raises(LedaError, match="markers in StateTable did not come out"):
        found.watermark(end)


def test_a_scan_that_outlives_a_shard_is_an_error(table: Table, is_marked: bool) -> None:
    found = Follower(table)
    gone = table.open[0]
    table.split(gone, "child")
    del table.shards[gone], table.ends[gone]
    with pytest.raises(LedaError, match="no longer has the shards"):
        found.watermark(_end(table, is_marked))


def test_markers_of_this_run_and_of_a_killed_run_are_removed(table: Table) -> None:
    Follower(table).watermark(_end(table, is_marked=True))
    end = _end(table, is_marked=True)
    Follower(table).watermark(end)
    assert table.rows
    end.clean_up()
    assert table.rows == {}


def test_any_remaining_markers_are_removed(table: Table) -> None:
    """Another run may have removed some of the markers of a run that was paused."""
    table.put("k", Value={"N": "1"})
    for place in (0, 12, MAX_MARKERS - 1):
        table.put(f"leda-watermark-{place}", LedaWatermark={"S": "token"})
    _end(table, is_marked=True).clean_up()
    assert set(table.rows) == {"k"}


def test_shards_are_ordered_parents_first() -> None:
    shards: dict[str, tuple[str | None, int | None]] = {
        "z": (None, 1),
        "a": ("m", None),
        "m": ("z", 2),
        "orphan": ("trimmed", None),
    }
    found = in_order(shards)
    assert found.index("z") < found.index("m") < found.index("a")
    assert sorted(found) == sorted(shards)
