"""Finds a watermark in a table's stream: a sequence number in each shard up to which a scan and the stream were read.

A rebuild scans the table, and reads the table's stream from before the scan on (`Tail`). After the scan it looks for a
watermark in each open shard: every change that the scan may have read has its record at or before the watermark, and
the rebuild has read all records up to there. The content of a row at the watermark is then known: if the rebuild has
read records of the row, it is the new image of the last one; otherwise it is what the scan has read. This is the method
of Netflix's DBLog, https://arxiv.org/abs/2010.12597.

It does not matter where exactly the reading of the stream begins, as long as that is before the scan. If the last
record of a row is older than the scan, its image is what the consistent scan has read. The end must be found in one of
two ways:

- With markers (`MarkedEnd`) the rebuild writes rows with reserved keys until each open shard has shown one. A shard's
  records are in order, so every change that was written before the marker has its record before that of the marker.
- Without markers (`WaitedEnd`) the rebuild writes nothing to the table. It waits, and then reads each shard to its end.
  This relies on every record being in the stream within the waiting time (AWS: "in near-real time", which is less than
  a second as a rule).

In both cases the rebuild reads on behind the watermark. A record there whose change is older than the end of the scan
proves that the stream was slower than assumed (`Tail.require_none_late`): the rebuild begins again and waits longer.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leda.engine.audit.health import current_stream
from leda.engine.group_by.configuration import WATERMARK
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.rows import is_written, rows_by_key
from leda_cli.operate.deployed.source_table import SourceTable, service_time
from leda_cli.operate.deployed.stream_shards import MAX_RECORDS, ShardReader, shards_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Item = dict[str, Any]
Record = Mapping[str, Any]
Shards = Mapping[str, tuple[str | None, int | None]]
"""Each shard's parent, and the last sequence number of a closed one."""

MAX_MARKERS = 2000
# Seconds without a record after which a marker is given up. A record is in its stream within a second, as a rule.
PATIENCE_SECONDS = 60.0
# A shard may be read five times a second.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
POLL_SECONDS = 0.25
# The tail is read on so often while the table is scanned; an iterator expires after 15 minutes.
FOLLOW_SECONDS = 5.0
# Tries of a watermark while shards are split or closed.
MAX_TRIES = 5
# A page has 1 MB of records at most; one that is smaller, and not full, has ended because the shard has no more.
_FULL_PAGE_BYTES = 900_000
# An iterator may need several calls to cross a part of a shard that has no records, so one empty page proves nothing.
EMPTY_PAGES = 20


class ShardsMovedError(Exception):
    """A shard was closed, or a new one came, while a watermark was looked for."""


class LateRecordError(Exception):
    """A record has come after the watermark whose change the scan may have seen; the text says which and how late."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """A watermark in each shard of a stream.

    open: by open shard, the sequence number of the last record up to the watermark; 0 if the shard has no record.
    closed: by closed shard, the sequence number of its last record.
    created: when the watermark was found, by the service's clock, in epoch seconds.
    """

    open: Mapping[str, int]
    closed: Mapping[str, int]
    created: float

    @property
    def ends(self) -> dict[str, int]:
        """The last sequence number before the watermark in each shard."""
        return {**self.closed, **self.open}

    def at_least(self, reached: Mapping[str, int]) -> Watermark:
        """The same watermark, with Map's checkpoint from before the scan in each open shard that has no record.

        Such a shard never had a record, or all its records are older than the 24 hours for which a stream keeps them.
        """
        places = {name: place or reached.get(name, 0) for name, place in self.open.items()}
        return replace(self, open=places)


@dataclass(slots=True)
class Followed:
    """A shard that may have records of changes since the scan began.

    last: the sequence number of the last record that was read.
    mark: the shard's watermark as a sequence number, once it is found; no record behind it has been taken.
    """

    reader: ShardReader
    parent: str | None
    is_open: bool
    last: str | None = None
    mark: str | None = None


class Tail:
    """Reads a table's stream from now on; calls `take` with the key and the new image (None: no row) of each change."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        table: SourceTable,
        stream: str,
        attributes: Iterable[str],
        take: Callable[[list[tuple[Item, Item | None]]], None],
    ) -> None:
        self.table = table
        self.stream = stream
        self._dynamodb = dynamodb
        self._streams = streams
        self._attributes = frozenset({*table.keys, *attributes})
        self._take = take
        self._before: set[str] = set()
        # Shards that have come since the watermark, in the place of some that were open there.
        self._behind: dict[str, Followed] = {}
        self.shards: dict[str, Followed] = {}
        for name, (parent, end) in shards_with_parents(streams, stream).items():
            if end is not None:
                # All of it was written before the scan begins.
                self._before.add(name)
                continue
            self.shards[name] = Followed(self._reader(name, from_now=True), parent, True)
        self._end_of_scan = 0.0
        self._late = ""
        # The first page fixes the place where each reader begins.
        self.read_on()

    def read_on(self) -> None:
        """Take the records that the shards have by now, and begin to read the children of shards that have ended."""
        if any(shard.is_open and shard.reader.is_at_end for shard in self.shards.values()):
            self._list_again()
        for _, shard in self.readable():
            for page in pages(shard):
                self.take(shard, page)

    def readable(self) -> Iterator[tuple[str, Followed]]:
        """The shards whose parent has been read to its end, so that a row's records are taken in their order."""
        for name, shard in self.shards.items():
            parent = self.shards.get(shard.parent or "")
            if parent is None or parent.reader.is_at_end:
                yield name, shard

    def take(self, shard: Followed, page: Sequence[Record]) -> None:
        """Take the changes of a page."""
        if page:
            self._take([self._change(record) for record in page])
            shard.last = page[-1]["dynamodb"]["SequenceNumber"]

    def pass_over(self, name: str, page: Iterable[Record]) -> None:
        """Look at records behind the watermark, and note one whose change is older than the end of the scan.

        AWS gives the times of changes to the second. DynamoDB Local rounds them down to the minute, so that a change
        behind the watermark seems to be older than it is: a time without seconds proves nothing.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
        """
        for record in page:
            written = int(record["dynamodb"]["ApproximateCreationDateTime"].timestamp())
            is_old = written <= self._end_of_scan and written % 60 != 0
            if is_old and not is_marker(record):
                self._late = (
                    f"{name} has got a record whose change is older than the end of the scan"
                )

    def read_from_start(self, shard: Followed, name: str) -> None:
        """Read the shard from its beginning to find its last record: it had no record since the scan began."""
        shard.reader = self._reader(name)

    def scanned(self) -> None:
        """Note that the scan is done: it has not read what is written from now on."""
        self._end_of_scan = service_time(self._dynamodb, self.table.name)

    def watermark(self, end: MarkedEnd | WaitedEnd) -> Watermark:
        """Find a watermark, and take all records up to it. Raises LedaError if shards keep changing meanwhile."""
        for _ in range(MAX_TRIES):
            listed = self._list_again()
            try:
                end.find(self)
            except ShardsMovedError:
                continue
            if shards_with_parents(self._streams, self.stream) == listed:
                return Watermark(
                    {
                        name: int(each.mark or 0)
                        for name, each in self.shards.items()
                        if each.is_open
                    },
                    {name: last for name, (_, last) in listed.items() if last is not None},
                    service_time(self._dynamodb, self.table.name),
                )
        raise LedaError(
            f"the shards of {self.table.name}'s stream changed at each of {MAX_TRIES} tries",
            f"run {this_command()} again in a few minutes",
        )

    def require_none_late(self) -> None:
        """Raise LateRecordError if a record has come behind the watermark whose change the scan may have read."""
        for name in shards_with_parents(self._streams, self.stream):
            if name not in self.shards and name not in self._before and name not in self._behind:
                self._behind[name] = Followed(self._reader(name), None, True)
        for name, shard in (self.shards | self._behind).items():
            if shard.is_open:
                for page in pages(shard):
                    self.pass_over(name, page)
        if self._late:
            raise LateRecordError(self._late)

    def _list_again(self) -> Shards:
        """List the shards again, begin to read new ones, and forget the marks of an earlier try."""
        listed = shards_with_parents(self._streams, self.stream)
        if gone := sorted(self.shards.keys() - listed.keys()):
            raise LedaError(
                f"{self.table.name}'s stream no longer has the shards {', '.join(gone)}, which it "
                "had when the scan began",
                "the scan must end within the 24 hours for which the stream keeps records: use more --segments, or a "
                "machine in the table's Region",
            )
        for name in in_order(listed):
            parent, end = listed[name]
            if name in self.shards:
                self.shards[name].is_open = end is None
            elif name not in self._before:
                self.shards[name] = Followed(self._reader(name), parent, end is None)
        for name, shard in self.shards.items():
            if shard.mark is not None:
                # What was read behind the mark was not taken.
                shard.reader = self._reader(name, after=shard.mark if int(shard.mark) else None)
                shard.mark = None
        return listed

    def _reader(self, name: str, **place: Any) -> ShardReader:
        return ShardReader(self._streams, self.stream, name, **place)

    def _change(self, record: Record) -> tuple[Item, Item | None]:
        change = record["dynamodb"]
        image = change.get("NewImage")
        kept = image and {name: image[name] for name in image if name in self._attributes}
        return change["Keys"], kept


@dataclass(eq=False)
class MarkedEnd:
    """Finds the watermark with marker rows, written until each open shard has shown a record of one.

    It cannot be known beforehand which shard has the records of a key. Markers get `attributes` beside their key and
    WATERMARK; `seconds` is how long the stream gets before the first one.
    """

    dynamodb: DynamoDBClient
    table: SourceTable
    attributes: Mapping[str, Any]
    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._reached: dict[str, int] = {}

    def find(self, tail: Tail) -> None:
        """Write markers and read on until each open shard has shown one. Raises LedaError if they do not come out."""
        wait(tail, self.seconds, self.sleep)
        token = uuid.uuid4().hex
        still_open = [name for name, shard in tail.shards.items() if shard.is_open]
        # The shards of earlier markers are known, so these are written again; other shards get new ones.
        places = [self._reached[name] for name in still_open if name in self._reached]
        untried = iter(sorted(set(range(MAX_MARKERS)) - set(places)))
        while missing := [name for name in still_open if tail.shards[name].mark is None]:
            places = places or list(itertools.islice(untried, 2 * len(missing)))
            if not places:
                raise LedaError(
                    f"{MAX_MARKERS} markers in {self.table.name} did not reach its stream's shards {missing}",
                    f"run {this_command()} again in a few minutes",
                )
            written = {place for place in places if self._write(place, token)}
            self._read_until_seen(tail, written, token)
            places = []

    def clean_up(self) -> None:
        """Delete the markers, also those of other runs.

        The numbers of the markers that are there may have gaps: while a run sleeps, another run may delete its markers,
        and the first run then continues with higher numbers.
        """
        keys = map(self.table.marker_key, range(MAX_MARKERS))
        attributes = [*self.table.keys, WATERMARK]
        found = rows_by_key(self.dynamodb, self.table, keys, attributes, self.sleep)
        for row in found.values():
            is_written(
                self.dynamodb.delete_item,
                TableName=self.table.name,
                Key={name: row[name] for name in self.table.keys},
                ConditionExpression="attribute_exists(#Watermark)",
                ExpressionAttributeNames={"#Watermark": WATERMARK},
            )

    def _write(self, place: int, token: str) -> bool:
        """Write a marker, unless somebody else has a row of that key."""
        key = self.table.marker_key(place)
        return is_written(
            self.dynamodb.put_item,
            TableName=self.table.name,
            Item={**self.attributes, **key, WATERMARK: {"S": f"{token} {place}"}},
            ConditionExpression="attribute_not_exists(#key) OR attribute_exists(#Watermark)",
            ExpressionAttributeNames={"#key": next(iter(key)), "#Watermark": WATERMARK},
        )

    def _read_until_seen(self, tail: Tail, written: set[int], token: str) -> None:
        """Read until every marker that was written has come out, and every closed shard has ended."""
        unseen = set(written)
        deadline = self.clock() + PATIENCE_SECONDS
        while True:
            for name, shard in tail.readable():
                for page in pages(shard):
                    # A mapping that works on a backlog makes progress.
                    deadline = self.clock() + PATIENCE_SECONDS
                    unseen -= self._look(tail, name, page, token)
                if shard.is_open and shard.reader.is_at_end:
                    raise ShardsMovedError
            if not unseen and all(
                each.is_open or each.reader.is_at_end for each in tail.shards.values()
            ):
                return
            if self.clock() > deadline:
                raise LedaError(
                    f"{len(unseen)} of {number_of(len(written), 'marker')} in {self.table.name} did not come out of "
                    f"its stream within {PATIENCE_SECONDS:.0f} s",
                    f"run {this_command()} again; if the error stays, look at the table's stream in DynamoDB's console",
                )
            self.sleep(POLL_SECONDS)

    def _look(self, tail: Tail, name: str, page: Sequence[Record], token: str) -> set[int]:
        """Take the page's records up to the shard's first marker; return the numbers of this try's markers."""
        shard, seen = tail.shards[name], set[int]()
        behind = page if shard.mark is not None else ()
        for position, record in enumerate(page):
            text = record["dynamodb"].get("NewImage", {}).get(WATERMARK, {}).get("S", "")
            if not text.startswith(token):
                continue
            seen.add(int(text.rpartition(" ")[2]))
            self._reached[name] = int(text.rpartition(" ")[2])
            if shard.mark is None:
                shard.mark = record["dynamodb"]["SequenceNumber"]
                tail.take(shard, page[: position + 1])
                behind = page[position + 1 :]
        if shard.mark is None:
            tail.take(shard, page)
        tail.pass_over(name, behind)
        return seen


@dataclass(eq=False)
class WaitedEnd:
    """Finds the watermark without marker rows: the end of each shard, some time after the scan."""

    seconds: float
    sleep: Callable[[float], None] = time.sleep

    def find(self, tail: Tail) -> None:
        """Wait, and then read each shard to its end."""
        wait(tail, self.seconds, self.sleep)
        idle: dict[str, int] = {}
        for name, shard in tail.shards.items():
            for page in pages(shard):
                tail.take(shard, page)
            if shard.is_open and shard.last is None:
                tail.read_from_start(shard, name)
                idle[name] = 0
        while idle:
            for name in list(idle):
                shard = tail.shards[name]
                page = shard.reader.read()
                tail.take(shard, page)
                idle[name] = 0 if page else idle[name] + 1
                if idle[name] == EMPTY_PAGES or shard.reader.is_at_end:
                    del idle[name]
            self.sleep(POLL_SECONDS)
        for shard in tail.shards.values():
            if shard.is_open:
                if shard.reader.is_at_end:
                    raise ShardsMovedError
                shard.mark = shard.last or "0"


def wait(tail: Tail, seconds: float, sleep: Callable[[float], None]) -> None:
    """Wait, and follow the stream meanwhile."""
    while seconds > 0:
        sleep(min(seconds, FOLLOW_SECONDS))
        tail.read_on()
        seconds -= FOLLOW_SECONDS


def pages(shard: Followed) -> Iterator[Sequence[Record]]:
    """The pages that the shard has by now: to the end of a closed shard; of an open shard, until a page is not full."""
    while not shard.reader.is_at_end:
        page = shard.reader.read()
        if page:
            yield page
        size = sum(record["dynamodb"].get("SizeBytes", 0) for record in page)
        if shard.is_open and len(page) < MAX_RECORDS and size < _FULL_PAGE_BYTES:
            return


def is_marker(record: Record) -> bool:
    """Whether the change is one of a marker row."""
    change = record["dynamodb"]
    return any(WATERMARK in change.get(image, {}) for image in ("NewImage", "OldImage"))


# -- streams


def stream_of(dynamodb: DynamoDBClient, table: str) -> str:
    """The ARN of the table's stream. Raises LedaError where it has no stream."""
    arn = current_stream(dynamodb, table)
    if not arn:
        raise LedaError(
            f"{table} has no stream, so no function follows it",
            f"enable its stream with `terraform apply`, and run {this_command()} again",
        )
    return arn


def shards_with_parents(
    streams: DynamoDBStreamsClient, stream: str
) -> dict[str, tuple[str | None, int | None]]:
    """The stream's shards: each one's parent and last sequence number, which an open shard does not have."""
    found = {}
    for shard in shards_of(streams, stream):
        end = shard["SequenceNumberRange"].get("EndingSequenceNumber")
        found[shard["ShardId"]] = (shard.get("ParentShardId"), None if end is None else int(end))
    return found


def in_order(shards: Shards) -> list[str]:
    """The shards, each after its parent."""

    def depth(shard: str) -> int:
        parent = shards[shard][0]
        return 0 if parent is None or parent not in shards else depth(parent) + 1

    return sorted(shards, key=depth)
