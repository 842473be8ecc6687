"""Fences: lines through a table's stream, drawn by writing marker rows and reading where they come out.

A shard's records are in the order of their writes. So a marker that is written, and read back from each open shard,
divides what was written before it from what is written after it ends. Markers are spread over the shards by their
keys, whose place nobody can tell beforehand, so they are written until each shard has shown one.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from leda import images
from leda.messages import Message
from leda_cli.errors import LedaError
from leda_cli.stream_shards import ShardReader, shards_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Item = dict[str, Any]

# The name that markers share, in their keys; the attribute tells them from a row of somebody else.
NAME = "leda-fence"
ATTRIBUTE = "Fence"

MAX_MARKERS = 2000
# A record is in its stream within a second, as a rule.
PATIENCE_SECONDS = 60.0
# A shard may be read five times a second.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
POLL_SECONDS = 0.25
# Tries of a line while shards are split or rolled over.
MAX_TRIES = 5
# ReduceTable's markers are deleted at the end; should that not happen, they go by themselves.
MARKER_SECONDS = 24 * 3600


class Markers(Protocol):
    """The marker rows of one table."""

    @property
    def key(self) -> str:
        """The attribute that a marker must not exist without, for conditions."""

    def row(self, place: int, token: str) -> Item:
        """The marker number `place`; `token` makes each writing of it a change."""

    def key_of(self, place: int) -> Item:
        """The key of marker number `place`."""

    def place_of(self, key: Item) -> int | None:
        """The number of the marker with that key; None: it is no marker's."""


class StateMarkers:
    """StateTable's markers are deleted trades: they add nothing to any total."""

    key = "id"

    def row(self, place: int, token: str) -> Item:
        """A row with every attribute that State writes."""
        message = Message(f"{NAME}-{place}", 0, None, None, None, None)
        values = dict(zip(images.ATTRIBUTES, images.values(message), strict=True))
        return {**self.key_of(place), **values, ATTRIBUTE: {"S": token}}

    def key_of(self, place: int) -> Item:
        """The trade's ID."""
        return {"id": {"S": f"{NAME}-{place}"}}

    def place_of(self, key: Item) -> int | None:
        """The number in the trade's ID."""
        name, _, number = str(key["id"]["S"]).rpartition("-")
        return int(number) if name == NAME and number.isdecimal() else None


class ReduceMarkers:
    """ReduceTable's markers are sums of nothing, each with a lane number of its own."""

    key = "Delta"

    def row(self, place: int, token: str) -> Item:
        """A delta row with every attribute that Reduce reads."""
        return {
            **self.key_of(place),
            "Totals": {"M": {}},
            "Records": {"N": "0"},
            "ExpiresAt": {"N": str(int(time.time()) + MARKER_SECONDS)},
            ATTRIBUTE: {"S": token},
        }

    def key_of(self, place: int) -> Item:
        """The lane's number, and a name that no delta of a lane has."""
        return {"Lane": {"N": str(place)}, "Delta": {"S": NAME}}

    def place_of(self, key: Item) -> int | None:
        """The lane's number, where the delta's name is a marker's."""
        return int(key["Lane"]["N"]) if key["Delta"]["S"] == NAME else None


@dataclass(frozen=True, slots=True)
class Line:
    """A line through a stream: the sequence numbers of `open` shards' markers, as received (GetShardIterator takes
    no other form), and of `closed` shards' ends.

    `strangers` are the keys of other records between the earlier line and this one.
    """

    open: Mapping[str, str]
    closed: Mapping[str, int]
    strangers: tuple[str, ...] = ()

    @property
    def ends(self) -> dict[str, int]:
        """Every shard's last sequence number before the line."""
        return {**self.closed, **{shard: int(mark) for shard, mark in self.open.items()}}

    def has_shards_of(self, other: Line) -> bool:
        """Whether no shard was closed or came between the two lines."""
        return self.open.keys() == other.open.keys()


class _ShardsMoved(Exception):
    """A shard was closed or came while a line was drawn."""


@dataclass(slots=True)
class _Reading:
    """One shard, read from before a line."""

    reader: ShardReader
    mark: str | None = None
    others: list[tuple[int, str]] = field(default_factory=list)


class Fence:
    """Draws lines through the stream of one table."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        table: str,
        markers: Markers,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._streams = streams
        self._table = table
        self._markers = markers
        self._clock = clock
        self._sleep = sleep
        self._arn = ""
        self._reached: dict[str, int] = {}
        self._top = -1

    @property
    def stream(self) -> str:
        """The ARN of the table's stream. Raises LedaError where it has none."""
        if not self._arn:
            table = self._dynamodb.describe_table(TableName=self._table)["Table"]
            self._arn = table.get("LatestStreamArn", "")
        if not self._arn:
            raise LedaError(
                f"{self._table} has no stream, so no function follows it",
                "switch its stream on with `terraform apply`, and run `leda rebuild` again",
            )
        return self._arn

    def draw(self, after: Line | None = None) -> Line:
        """Draw a line; with `after`, tell what else was written since that line.

        Raises LedaError if the markers do not come out of the stream.
        """
        for _ in range(MAX_TRIES):
            try:
                return self._draw(after)
            except _ShardsMoved:
                continue
        raise LedaError(
            f"the shards of {self._table}'s stream changed at each of {MAX_TRIES} tries",
            "run `leda rebuild` again in a few minutes",
        )

    def remove_markers(self) -> None:
        """Delete the markers, those of earlier runs too: their numbers have no gap, and go from the highest."""
        # Deleted from below, an interrupted removal would leave some that the next one does not find.
        while self._exists(self._top + 1):
            self._top += 1
        for place in range(self._top, -1, -1):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=self._markers.key_of(place),
                    ConditionExpression="attribute_exists(#Fence)",
                    ExpressionAttributeNames={"#Fence": ATTRIBUTE},
                )
            except ClientError as error:
                if not _condition_failed(error):
                    raise
        self._top = -1

    def _exists(self, place: int) -> bool:
        key = self._markers.key_of(place)
        return "Item" in self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )

    def _draw(self, after: Line | None) -> Line:
        ends = self._shards()
        still_open = [shard for shard, end in ends.items() if end is None]
        known = after.open if after else {}
        readings = {shard: _Reading(self._reader(shard, known.get(shard))) for shard in still_open}
        token = uuid.uuid4().hex
        # Where earlier markers came out is known; the others are tried from the first.
        places = [self._reached[shard] for shard in still_open if shard in self._reached]
        untried = iter(sorted(set(range(MAX_MARKERS)) - set(places)))
        while missing := [shard for shard, reading in readings.items() if reading.mark is None]:
            places = places or list(itertools.islice(untried, 2 * len(missing)))
            if not places:
                raise LedaError(
                    f"{MAX_MARKERS} markers in {self._table} did not reach its stream's shards {missing}",
                    "run `leda rebuild` again in a few minutes",
                )
            written = {place for place in places if self._write(place, token)}
            self._read_until_seen(readings, written, token)
            places = []
        if self._shards() != ends:
            raise _ShardsMoved
        strangers = [
            key
            for reading in readings.values()
            for sequence, key in reading.others
            if reading.mark and sequence < int(reading.mark)
        ]
        return Line(
            {shard: reading.mark for shard, reading in readings.items() if reading.mark},
            {shard: end for shard, end in ends.items() if end is not None},
            tuple(strangers),
        )

    def _shards(self) -> dict[str, int | None]:
        """The stream's shards with their last sequence numbers; None for an open one."""
        found: dict[str, int | None] = {}
        for shard in shards_of(self._streams, self.stream):
            end = shard["SequenceNumberRange"].get("EndingSequenceNumber")
            found[shard["ShardId"]] = None if end is None else int(end)
        return found

    def _reader(self, shard: str, after: str | None) -> ShardReader:
        """From behind the earlier line, or else from now on."""
        return ShardReader(self._streams, self.stream, shard, after=after, from_now=True)

    def _write(self, place: int, token: str) -> bool:
        """Write a marker, unless somebody else has a row of that key."""
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=self._markers.row(place, token),
                ConditionExpression="attribute_not_exists(#key) OR attribute_exists(#Fence)",
                ExpressionAttributeNames={"#key": self._markers.key, "#Fence": ATTRIBUTE},
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return False
        self._top = max(self._top, place)
        return True

    def _read_until_seen(
        self, readings: Mapping[str, _Reading], written: set[int], token: str
    ) -> None:
        """Read all shards until every marker that was written has come out of one."""
        unseen = set(written)
        deadline = self._clock() + PATIENCE_SECONDS
        while True:
            for shard, reading in readings.items():
                for key, sequence, its_token in self._next(reading):
                    place = self._markers.place_of(key)
                    if place is None:
                        reading.others.append((int(sequence), _shown(key)))
                    elif its_token == token:
                        reading.mark = sequence
                        self._reached[shard] = place
                        unseen.discard(place)
            if not unseen:
                return
            if self._clock() > deadline:
                raise LedaError(
                    f"{len(unseen)} of {len(written)} markers in {self._table} did not come out of its "
                    f"stream within {PATIENCE_SECONDS:.0f} s",
                    "run `leda rebuild` again; if it stays so, look at the stream in DynamoDB's console",
                )
            self._sleep(POLL_SECONDS)

    def _next(self, reading: _Reading) -> list[tuple[Item, str, str | None]]:
        """The next records of a shard, all that are there: key, sequence number, token of a marker."""
        found = []
        for record in reading.reader.read_all():
            change = record["dynamodb"]
            token = change.get("NewImage", {}).get(ATTRIBUTE, {}).get("S")
            found.append((dict(change["Keys"]), change["SequenceNumber"], token))
        if reading.reader.is_at_end:
            raise _ShardsMoved
        return found


def _condition_failed(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def _shown(key: Item) -> str:
    return ", ".join(str(next(iter(value.values()))) for value in key.values())
