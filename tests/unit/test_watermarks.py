"""Watermarks in a table's stream: what is between two of them, whatever order the stream shows things in."""

import itertools
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from leda_cli import watermarks
from leda_cli.errors import LedaError
from leda_cli.watermarks import Watermarks, in_order

CREATED = datetime(2026, 3, 7, 12, tzinfo=UTC)


class Table:
    """A table whose stream has several shards; a key's shard is `place_of`, and records come when `hold` lets them."""

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

        def publish() -> None:
            change: dict[str, Any] = {
                "Keys": {"id": {"S": key}},
                "SequenceNumber": str(next(self.numbers)),
                "ApproximateCreationDateTime": CREATED,
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
        return {"Table": {"LatestStreamArn": "arn", "StreamSpecification": {"StreamEnabled": True}}}

    def put_item(self, Item: dict[str, Any], **_request: Any) -> None:
        self._record(Item["id"]["S"], Item)

    def delete_item(self, Key: dict[str, Any], **_request: Any) -> None:
        self._record(Key["id"]["S"], None)

    def get_item(self, Key: dict[str, Any], **_request: Any) -> Any:
        row = self.rows.get(Key["id"]["S"])
        return {} if row is None else {"Item": row}

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


def _watermarks(table: Any) -> Watermarks:
    clock = itertools.count()

    def sleep(_seconds: float) -> None:
        for publish in table.held or []:
            publish()
        if table.held:
            table.held.clear()

    return Watermarks(
        table, table, "StateTable", ("id", "Value"), lambda: float(next(clock)), sleep
    )


def _values(images: Any) -> dict[str, str | None]:
    """The Value of each row that is no marker."""
    return {
        key.split('"')[3]: image and image["Value"]["N"]
        for key, image in images.items()
        if watermarks.PREFIX not in key
    }


def test_what_was_written_between_two_watermarks_is_there_as_it_was_last(table: Table) -> None:
    found = _watermarks(table)
    table.put("before", Value={"N": "1"})
    low = found.low()
    for number in range(20):
        table.put(f"k{number % 7}", Value={"N": str(number)}, Unread={"S": "x"})
    table.delete_item({"id": {"S": "k3"}})
    high = found.high(low)
    assert _values(high.images) == {
        **{f"k{n}": str(max(m for m in range(20) if m % 7 == n)) for n in range(7)},
        "k3": None,
    }
    assert not any("Unread" in image for image in high.images.values() if image)
    assert high.open.keys() == {*table.open}
    assert high.created == CREATED.timestamp()


def test_a_watermark_is_where_its_marker_comes_out_and_not_where_it_was_written(
    table: Table,
) -> None:
    """A record may come later than one of what was written after it: it is then after the watermark."""
    found = _watermarks(table)
    low = found.low()
    table.held = []
    table.put("late", Value={"N": "1"})
    late = table.held.pop()
    high = found.high(low)
    late()
    assert _values(high.images) == {}
    table.held = None
    assert _values(found.high(high).images) == {"late": "1"}


def test_shards_that_were_split_meanwhile_are_read_each_after_its_parent(table: Table) -> None:
    found = _watermarks(table)
    table.put("k", Value={"N": "0"})
    low = found.low()
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

    high = found.high(low)

    assert _values(high.images) == {"k": "3"}
    assert high.open.keys() == {*table.open}
    assert high.closed.keys() == {parent, "a-right"}
    assert high.ends.keys() == {*table.shards}


def test_a_shard_that_is_closed_while_a_watermark_is_looked_for_is_looked_at_again(
    table: Table,
) -> None:
    found = _watermarks(table)
    low = found.low()
    once = iter([True])

    def split() -> None:
        if next(once, False):
            table.split(table.open[0], "child")

    table.before_read = split
    table.put("k", Value={"N": "1"})
    high = found.high(low)
    assert high.open.keys() == {*table.open}
    assert "child" in high.open
    assert _values(high.images) == {"k": "1"}


def test_shards_that_change_at_every_try_end_in_an_error(table: Table) -> None:
    names = itertools.count()
    table.before_read = lambda: table.split(table.open[0], f"child{next(names)}")
    with pytest.raises(LedaError, match="changed at each of 5 tries"):
        _watermarks(table).low()


def test_markers_that_do_not_come_out_end_in_an_error_that_names_the_table(table: Table) -> None:
    found = _watermarks(table)
    table.held = []
    found._sleep = lambda _seconds: None
    with pytest.raises(LedaError, match="markers in StateTable did not come out"):
        found.low()


def test_a_scan_that_outlives_a_shard_ends_in_an_error(table: Table) -> None:
    found = _watermarks(table)
    low = found.low()
    gone = table.open[0]
    table.split(gone, "child")
    del table.shards[gone], table.ends[gone]
    with pytest.raises(LedaError, match="no longer has the shards"):
        found.high(low)


def test_markers_are_removed_and_those_of_a_run_that_was_killed_too(table: Table) -> None:
    _watermarks(table).low()
    found = _watermarks(table)
    found.low()
    assert table.rows
    found.remove_markers()
    assert table.rows == {}


def test_shards_are_in_the_order_of_their_parents() -> None:
    shards: dict[str, tuple[str | None, int | None]] = {
        "z": (None, 1),
        "a": ("m", None),
        "m": ("z", 2),
        "orphan": ("trimmed", None),
    }
    found = in_order(shards)
    assert found.index("z") < found.index("m") < found.index("a")
    assert sorted(found) == sorted(shards)
