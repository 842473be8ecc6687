"""Watermarks: places in the shards of a table's stream that divide what a scan has seen from what comes after it.

A rebuild follows the stream from before its scan of the table on (`Tail`). When the scan is done it looks for a place
in each open shard with two properties: the record of every change that the scan may have seen is before it, and all
records before it have been read. A row that has records between the beginning and that watermark is then as its last
record says, and every other row is as the scan has read it (Netflix's DBLog works so,
https://arxiv.org/abs/2010.12597).

The beginning needs no care: what was in the stream before the scan began is in what the scan reads, and reading more of
it does no harm. Of the end there are two ways to be sure:

- With markers (`MarkedEnd`) rows with reserved keys are written until each open shard has shown one. A shard's records
  are in order, so a marker that comes out has all before it that was written before it.
- Without them (`WaitedEnd`) nothing is written to the table. After a waiting time each shard is read to its end. That
  rests on a record's being in its stream within the waiting time (AWS: "in near-real time", a second as a rule).

In both cases a record that comes after the watermark, though its change is older than the end of the scan, proves that
the stream was slower than assumed (`Tail.require_none_late`): the rebuild then begins again and waits longer.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from leda.engine.configuration import WATERMARK
from leda.engine.health import current_stream
from leda.engine.registry import condition_failed
from leda_cli.base.errors import LedaError
from leda_cli.operate.rows_by_key import rows_by_key
from leda_cli.operate.source_table import SourceTable, service_time
from leda_cli.operate.stream_shards import MAX_RECORDS, ShardReader, shards_of

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
    """A place in a stream.

    open: the last sequence number before the watermark in each open shard, 0 where there is none.
    closed: the last sequence number of each closed shard.
    created: when it was found, by the service's clock, in epoch seconds.
    """

    open: Mapping[str, int]
    closed: Mapping[str, int]
    created: float

    @property
    def ends(self) -> dict[str, int]:
        """The last sequence number before the watermark in each shard."""
        return {**self.closed, **self.open}

    def at_least(self, reached: Mapping[str, int]) -> Watermark:
        """The same watermark; in an open shard that has no record (any more), where Map had come before the scan.

        All records of such a shard are older than the 24 hours for which a stream keeps them, or there were none.
        """
        places = {name: place or reached.get(name, 0) for name, place in self.open.items()}
        return replace(self, open=places)


@dataclass(slots=True)
class Followed:
    """A shard that may have records since the scan began; `last` is the sequence number of the last one that was read.

    `mark` is set where the shard's watermark has been found, and nothing behind it has been taken.
    """

    reader: ShardReader
    parent: str | None
    is_open: bool
    last: str | None = None
    mark: str | None = None


class End(Protocol):
    """Finds the watermark in each open shard of a tail, `seconds` after the scan."""

    seconds: float

    def find(self, tail: Tail) -> None:
        """Read on until each open shard has its `mark`, and every closed one has been read to its end."""


class Tail:
    """Follows a table's stream from now on; `take` gets the keys and the new image (None: no row) of each change."""

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
        """Take what the shards have by now, and begin to follow the children of those that have ended."""
        if any(shard.is_open and shard.reader.is_at_end for shard in self.shards.values()):
            self._list_again()
        for _, shard in self.readable():
            for page in pages(shard):
                self.take(shard, page)

    def readable(self) -> Iterator[tuple[str, Followed]]:
        """The shards, each after its parent's end: the last record of a row must be the last one that is taken."""
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
        """Look at records behind the watermark: none of their changes may be older than the end of the scan.

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
        """Read all that the shard has: it has had no record since the scan began, and its last one must be known."""
        shard.reader = self._reader(name)

    def scanned(self) -> None:
        """Note that the scan is done: what is written from now on, it has not seen."""
        self._end_of_scan = service_time(self._dynamodb, self.table.name)

    def watermark(self, end: End) -> Watermark:
        """A watermark here and now, when all before it has been taken. Raises LedaError."""
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
            "run the command again in a few minutes",
        )

    def require_none_late(self) -> None:
        """Raise LateRecordError where the shards have got a record since the watermark that the scan may have seen."""
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
        """Begin to follow the shards that have come since; marks of an earlier try are forgotten."""
        listed = shards_with_parents(self._streams, self.stream)
        if gone := sorted(self.shards.keys() - listed.keys()):
            raise LedaError(
                f"{self.table.name}'s stream no longer has the shards {gone}, which it had when the scan began",
                "a scan of the table may take 24 hours at most: use more --segments, or a faster machine",
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


class MarkedEnd:
    """The watermark is where marker rows come out; they are written to the table until each open shard has shown one.

    Nobody can tell beforehand which shard a key goes to.
    """

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: SourceTable,
        attributes: Mapping[str, Any],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Markers get these attributes beside their key and WATERMARK."""
        self.seconds = seconds
        self._dynamodb = dynamodb
        self._table = table
        self._attributes = attributes
        self._clock = clock
        self._sleep = sleep
        self._reached: dict[str, int] = {}

    def find(self, tail: Tail) -> None:
        """Write markers and read on until each open shard has shown one. Raises LedaError if they do not come out."""
        wait(tail, self.seconds, self._sleep)
        token = uuid.uuid4().hex
        still_open = [name for name, shard in tail.shards.items() if shard.is_open]
        # Where earlier markers came out is known; the others are tried from the first.
        places = [self._reached[name] for name in still_open if name in self._reached]
        untried = iter(sorted(set(range(MAX_MARKERS)) - set(places)))
        while missing := [name for name in still_open if tail.shards[name].mark is None]:
            places = places or list(itertools.islice(untried, 2 * len(missing)))
            if not places:
                raise LedaError(
                    f"{MAX_MARKERS} markers in {self._table.name} did not reach its stream's shards {missing}",
                    "run the command again in a few minutes",
                )
            written = {place for place in places if self._write(place, token)}
            self._read_until_seen(tail, written, token)
            places = []

    def clean_up(self) -> None:
        """Delete the markers, also those of other runs.

        Their numbers may have gaps: a run may delete what another one, which slept, had before it and goes on from.
        """
        keys = map(self._table.marker_key, range(MAX_MARKERS))
        attributes = [*self._table.keys, WATERMARK]
        found = rows_by_key(self._dynamodb, self._table, keys, attributes, self._sleep)
        for row in found.values():
            try:
                self._dynamodb.delete_item(
                    TableName=self._table.name,
                    Key={name: row[name] for name in self._table.keys},
                    ConditionExpression="attribute_exists(#Watermark)",
                    ExpressionAttributeNames={"#Watermark": WATERMARK},
                )
            except ClientError as error:
                if not condition_failed(error):
                    raise

    def _write(self, place: int, token: str) -> bool:
        """Write a marker, unless somebody else has a row of that key."""
        key = self._table.marker_key(place)
        try:
            self._dynamodb.put_item(
                TableName=self._table.name,
                Item={**self._attributes, **key, WATERMARK: {"S": f"{token} {place}"}},
                ConditionExpression="attribute_not_exists(#key) OR attribute_exists(#Watermark)",
                ExpressionAttributeNames={"#key": next(iter(key)), "#Watermark": WATERMARK},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def _read_until_seen(self, tail: Tail, written: set[int], token: str) -> None:
        """Read until every marker that was written has come out, and every closed shard has ended."""
        unseen = set(written)
        deadline = self._clock() + PATIENCE_SECONDS
        while True:
            for name, shard in tail.readable():
                for page in pages(shard):
                    # A mapping that works on a backlog makes progress.
                    deadline = self._clock() + PATIENCE_SECONDS
                    unseen -= self._look(tail, name, page, token)
                if shard.is_open and shard.reader.is_at_end:
                    raise ShardsMovedError
            if not unseen and all(
                each.is_open or each.reader.is_at_end for each in tail.shards.values()
            ):
                return
            if self._clock() > deadline:
                raise LedaError(
                    f"{len(unseen)} of {len(written)} markers in {self._table.name} did not come out of its "
                    f"stream within {PATIENCE_SECONDS:.0f} s",
                    "run the command again; if it stays so, look at the stream in DynamoDB's console",
                )
            self._sleep(POLL_SECONDS)

    def _look(self, tail: Tail, name: str, page: Sequence[Record], token: str) -> set[int]:
        """Take what is before the shard's first marker; the numbers of this watermark's markers in the page."""
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


class WaitedEnd:
    """The watermark is where a shard ends some time after the scan, when what the scan has seen is in the stream."""

    def __init__(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self.seconds = seconds
        self._sleep = sleep

    def find(self, tail: Tail) -> None:
        """Wait, and then read each shard to its end."""
        wait(tail, self.seconds, self._sleep)
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
            self._sleep(POLL_SECONDS)
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
    """The pages that the shard has by now: of a closed one to its end, of an open one until a page is not full."""
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
            "enable its stream with `terraform apply`, and run the command again",
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
