"""Watermarks: places in a table's stream, found by writing marker rows and reading where they come out.

A shard's records are in order. So a marker that is read back from each open shard divides the stream into what is
before the watermark and what is after it. Markers are spread over the shards by their keys, and nobody can tell
beforehand which shard a key goes to, so they are written until each shard has shown one.

Between a low and a high watermark somebody may scan the table, while others write to it: a row that has records between
the two is as its last record says, and every other row is as the scan has read it (Netflix's DBLog works so,
https://arxiv.org/abs/2010.12597).
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda import images
from leda.engine.health import current_stream
from leda.engine.registry import condition_failed
from leda.messages import Message
from leda_cli.errors import LedaError
from leda_cli.stream_shards import ShardReader, shards_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Item = dict[str, Any]

# Markers are deleted trades: they add nothing to any total. The attribute tells them from somebody else's rows.
KEY = "id"
PREFIX = "leda-watermark"
ATTRIBUTE = "Watermark"

MAX_MARKERS = 2000
# Seconds without a record after which a marker is given up. A record is in its stream within a second, as a rule.
PATIENCE_SECONDS = 60.0
# A shard may be read five times a second.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
POLL_SECONDS = 0.25
# Tries of a watermark while shards are split or closed.
MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class Watermark:
    """A place in a stream.

    open: the sequence number of a marker in each open shard, as received, since GetShardIterator takes no other form.
    closed: the last sequence number of each closed shard.
    images: what the last record between the low watermark and this one has left of each row, by `key_of`; None for a
    row that is gone.
    created: when the youngest marker was written, by the service's clock, in epoch seconds.
    """

    open: Mapping[str, str]
    closed: Mapping[str, int]
    images: Mapping[str, Item | None]
    created: float

    @property
    def ends(self) -> dict[str, int]:
        """The last sequence number before the watermark in each shard."""
        return {**self.closed, **{shard: int(mark) for shard, mark in self.open.items()}}


def key_of(row: Mapping[str, Any]) -> str:
    """The key of a row, as a string."""
    return json.dumps(row[KEY], sort_keys=True)


class _ShardsMovedError(Exception):
    """A shard was closed, or a new one came, while a watermark was looked for."""


@dataclass(slots=True)
class _Reading:
    """An open shard, or one that was closed since the low watermark; what is before and after its last marker."""

    reader: ShardReader
    is_open: bool
    mark: str | None = None
    created: float = 0.0
    before: dict[str, Item | None] = field(default_factory=dict)
    after: dict[str, Item | None] = field(default_factory=dict)


class Watermarks:
    """Finds watermarks in a table's stream; keeps the named attributes of the rows that were written meanwhile."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        table: str,
        attributes: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._streams = streams
        self._table = table
        self._attributes = attributes
        self._clock = clock
        self._sleep = sleep
        self._arn = ""
        self._reached: dict[str, int] = {}
        self._top = -1

    @property
    def stream(self) -> str:
        """The ARN of the table's stream. Raises LedaError where it has no stream."""
        if not self._arn:
            self._arn = stream_of(self._dynamodb, self._table)
        return self._arn

    def low(self) -> Watermark:
        """A watermark here and now. Raises LedaError if the markers do not come out of the stream."""
        return self._try(None)

    def high(self, low: Watermark) -> Watermark:
        """Another watermark, with what was written since `low`. Raises LedaError like `low`."""
        return self._try(low)

    def remove_markers(self) -> None:
        """Delete the markers, also those of earlier runs: their numbers have no gap, and go from the highest."""
        # Deleted from below, an interrupted removal would leave some that the next one does not find.
        while self._exists(self._top + 1):
            self._top += 1
        for place in range(self._top, -1, -1):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_key(place),
                    ConditionExpression="attribute_exists(#Watermark)",
                    ExpressionAttributeNames={"#Watermark": ATTRIBUTE},
                )
            except ClientError as error:
                if not condition_failed(error):
                    raise
        self._top = -1

    def _try(self, low: Watermark | None) -> Watermark:
        for _ in range(MAX_TRIES):
            try:
                return self._find(low)
            except _ShardsMovedError:
                continue
        raise LedaError(
            f"the shards of {self._table}'s stream changed at each of {MAX_TRIES} tries",
            "run `leda rebuild` again in a few minutes",
        )

    def _exists(self, place: int) -> bool:
        row = self._dynamodb.get_item(TableName=self._table, Key=_key(place), ConsistentRead=True)
        return "Item" in row

    def _find(self, low: Watermark | None) -> Watermark:
        shards = shards_with_parents(self._streams, self.stream)
        readings = self._readings(shards, low)
        still_open = [shard for shard, reading in readings.items() if reading.is_open]
        token = uuid.uuid4().hex
        # Where earlier markers came out is known; the others are tried from the first.
        places = [self._reached[shard] for shard in still_open if shard in self._reached]
        untried = iter(sorted(set(range(MAX_MARKERS)) - set(places)))
        while missing := [shard for shard in still_open if readings[shard].mark is None]:
            places = places or list(itertools.islice(untried, 2 * len(missing)))
            if not places:
                raise LedaError(
                    f"{MAX_MARKERS} markers in {self._table} did not reach its stream's shards {missing}",
                    "run `leda rebuild` again in a few minutes",
                )
            written = {place for place in places if self._write(place, token)}
            self._read_until_seen(readings, written, token)
            places = []
        if shards_with_parents(self._streams, self.stream) != shards:
            raise _ShardsMovedError
        images_: dict[str, Item | None] = {}
        # Parents come before their children, so that the last record of a row is the last one here.
        for reading in readings.values():
            images_ |= reading.before
        return Watermark(
            {shard: reading.mark for shard, reading in readings.items() if reading.mark},
            {shard: end for shard, (_, end) in shards.items() if end is not None},
            images_,
            max(reading.created for reading in readings.values()),
        )

    def _readings(
        self, shards: Mapping[str, tuple[str | None, int | None]], low: Watermark | None
    ) -> dict[str, _Reading]:
        """The shards that have, or may get, records since the low watermark, each after its parent."""
        if low is not None and (gone := low.open.keys() - shards.keys()):
            raise LedaError(
                f"{self._table}'s stream no longer has the shards {sorted(gone)} of the low watermark",
                "a scan of the table may take 24 hours at most: scan it with more segments, or from a faster machine",
            )
        found: dict[str, _Reading] = {}
        for shard in in_order(shards):
            is_open = shards[shard][1] is None
            if low is None:
                if is_open:
                    reader = ShardReader(self._streams, self.stream, shard, from_now=True)
                    found[shard] = _Reading(reader, True)
            elif shard not in low.closed:
                # A shard that the low watermark does not know has come after it.
                reader = ShardReader(self._streams, self.stream, shard, after=low.open.get(shard))
                found[shard] = _Reading(reader, is_open)
        return found

    def _write(self, place: int, token: str) -> bool:
        """Write a marker, unless somebody else has a row of that key."""
        message = Message(f"{PREFIX}-{place}", 0, None, None, None, None)
        values = dict(zip(images.ATTRIBUTES, images.values(message), strict=True))
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={**_key(place), **values, ATTRIBUTE: {"S": token}},
                ConditionExpression="attribute_not_exists(#key) OR attribute_exists(#Watermark)",
                ExpressionAttributeNames={"#key": KEY, "#Watermark": ATTRIBUTE},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        self._top = max(self._top, place)
        return True

    def _read_until_seen(
        self, readings: Mapping[str, _Reading], written: set[int], token: str
    ) -> None:
        """Read until every marker that was written has come out, and every closed shard has ended."""
        unseen = set(written)
        deadline = self._clock() + PATIENCE_SECONDS
        while True:
            for shard, reading in readings.items():
                for record in _next(reading):
                    # Whoever works on a backlog makes progress.
                    deadline = self._clock() + PATIENCE_SECONDS
                    place = self._take(reading, record, token)
                    if place is not None:
                        self._reached[shard] = place
                        unseen.discard(place)
            if not unseen and all(
                each.is_open or each.reader.is_at_end for each in readings.values()
            ):
                return
            if self._clock() > deadline:
                raise LedaError(
                    f"{len(unseen)} of {len(written)} markers in {self._table} did not come out of its "
                    f"stream within {PATIENCE_SECONDS:.0f} s",
                    "run `leda rebuild` again; if it stays so, look at the stream in DynamoDB's console",
                )
            self._sleep(POLL_SECONDS)

    def _take(self, reading: _Reading, record: Mapping[str, Any], token: str) -> int | None:
        """Keep what the record leaves of its row; the marker's number where the record is one of this watermark."""
        change = record["dynamodb"]
        image = change.get("NewImage")
        if image is not None and image.get(ATTRIBUTE) == {"S": token}:
            reading.mark = change["SequenceNumber"]
            reading.created = change["ApproximateCreationDateTime"].timestamp()
            reading.before |= reading.after
            reading.after = {}
            return int(change["Keys"][KEY]["S"].rpartition("-")[2])
        kept = image and {name: image[name] for name in self._attributes if name in image}
        rows = reading.before if reading.mark is None else reading.after
        rows[key_of(change["Keys"])] = kept
        return None


def _next(reading: _Reading) -> Iterable[Mapping[str, Any]]:
    """The records that the shard has by now."""
    yield from reading.reader.read_all()
    if reading.is_open and reading.reader.is_at_end:
        raise _ShardsMovedError


def _key(place: int) -> Item:
    return {KEY: {"S": f"{PREFIX}-{place}"}}


# -- streams


def stream_of(dynamodb: DynamoDBClient, table: str) -> str:
    """The ARN of the table's stream. Raises LedaError where it has no stream."""
    arn = current_stream(dynamodb, table)
    if not arn:
        raise LedaError(
            f"{table} has no stream, so no function follows it",
            "enable its stream with `terraform apply`, and run `leda rebuild` again",
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


def in_order(shards: Mapping[str, tuple[str | None, int | None]]) -> list[str]:
    """The shards, each after its parent."""

    def depth(shard: str) -> int:
        parent = shards[shard][0]
        return 0 if parent is None or parent not in shards else depth(parent) + 1

    return sorted(shards, key=depth)
