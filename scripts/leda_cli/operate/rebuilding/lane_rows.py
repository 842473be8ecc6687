"""Writes a rebuild's rows to ReduceTable, and reads which totals the records of ReduceTable's stream name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.aws.backoff import Backoff, GaveUpError, is_throttle
from leda.engine.delta_rows import CLOSED_BY, RESERVED, Lane, item, lane_number
from leda.engine.group_by.configuration import Amounts, bytes_of
from leda.engine.map import map_batch
from leda.engine.registry import condition_failed
from leda.engine.shards import padded
from leda.streams.stream_records import LONGEST_SEQUENCE_NUMBER
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.stream_shards import ShardReader
from leda_cli.operate.rebuilding.totals_file import TotalsFile
from leda_cli.operate.rebuilding.watermarks import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    in_order,
    shards_with_parents,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

SOURCE = "rebuild"

# The Sequence of a row that covers all that its shard can have.
END = padded(10**LONGEST_SEQUENCE_NUMBER - 1)

_BELOW = "attribute_not_exists(#Sequence) OR #Sequence < :own"
_NOT_BEYOND = "attribute_not_exists(#Sequence) OR #Sequence <= :own"

# A run has so many Sequences of its own: its number is in the digits before them.
_STEPS = 10**12


class LaneTakenError(Exception):
    """A run with a higher number has written to the lane, so this run must not write to it any more."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """All `count` lanes of a configuration's version."""

    version: str
    count: int

    @classmethod
    def parse(cls, name: str) -> Lanes:
        """The lanes with that name in the registry."""
        version, _, count = name.partition(".")
        return cls(version, int(count))

    @property
    def name(self) -> str:
        """The name in the registry."""
        return f"{self.version}.{self.count}"

    def each(self) -> list[Lane]:
        """The lanes, in order."""
        return [Lane(self.version, self.count, number) for number in range(self.count)]


@dataclass(eq=False)
class LaneRows:
    """Puts rows on Map's condition: a row's Sequence only rises."""

    client: DynamoDBClient
    table: str
    measures: Sequence[str]
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._nothing: Amounts = (0,) * len(self.measures)
        self._run = self._step = 0

    def begin(self, run: int) -> None:
        """Write as the rebuild of this number: of two, the one with the lower number can write nothing more."""
        self._run = run

    def move(self, lane: Lane, source: str, sequence: str, expires: int) -> str:
        """Move Map's row to that Sequence without adding anything; the Sequence that the row has then."""
        return self._put(lane, source, sequence, {}, {"ExpiresAt": {"N": str(expires)}})

    def close(self, lane: Lane, source: str, limit: str, version: str, expires: int) -> str:
        """Close a row of an assignment that the shard has no more; the Sequence that it had, or has.

        A row beyond `limit` stays as it is: Map has counted in it what the rebuild has not summed. A closed row is
        beyond every change, for good, and names the `version` that the shard has got.
        """
        stored = self._put(
            lane,
            source,
            END,
            {},
            {CLOSED_BY: {"S": version}, "ExpiresAt": {"N": str(expires)}},
            limit,
        )
        return limit if stored == END else stored

    def row(self, lane: Lane, source: str) -> Mapping[str, Any] | None:
        """The row, None where there is none."""
        key = {"Lane": {"S": lane.name}, "Source": {"S": source}}
        answer = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def markers(self, lanes: Iterable[Lanes]) -> dict[Lane, str]:
        """New names of reserved nodes, one for each lane."""
        self._step += 1
        prefix = f"{_PREFIX}{self._run}:{self._step}:"
        return {lane: prefix + lane.name for each in lanes for lane in each.each()}

    def mark(self, markers: Mapping[Lane, str]) -> None:
        """Write the markers. Raises LaneTakenError."""
        for lane, node in markers.items():
            self._put_own(lane, {node: self._nothing})

    def correct(self, lanes: Lanes, amounts: Iterable[tuple[str, Amounts]]) -> None:
        """Add the amounts to the totals. Raises LaneTakenError."""
        parts: dict[int, dict[str, Amounts]] = {}
        sizes = [0] * lanes.count
        each = lanes.each()
        for node, added in amounts:
            number = lane_number(node, lanes.count)
            size = bytes_of([node], len(self.measures))
            if number in parts and sizes[number] + size > map_batch.MAX_ROW_BYTES:
                self._put_own(each[number], parts.pop(number))
                sizes[number] = 0
            parts.setdefault(number, {})[node] = added
            sizes[number] += size
        for number, part in parts.items():
            self._put_own(each[number], part)

    def touch(self, lanes: Lanes, nodes: Iterable[str]) -> None:
        """Add 0 to the totals, which gives each a checkpoint of now. Raises LaneTakenError."""
        self.correct(lanes, ((node, self._nothing) for node in nodes))

    def _put_own(self, lane: Lane, totals: Mapping[str, Amounts]) -> None:
        self._step += 1
        own = padded(self._run * _STEPS + self._step)
        if self._put(lane, SOURCE, own, totals, {}) != own:
            raise LaneTakenError

    def _put(
        self,
        lane: Lane,
        source: str,
        sequence: str,
        totals: Mapping[str, Amounts],
        more: Mapping[str, Any],
        limit: str | None = None,
    ) -> str:
        """Put the row if the one that is there is below `sequence`, or not beyond `limit` where one is given."""
        row = item(lane, source, sequence, self.measures, totals, 0)
        backoff = Backoff(f"lane {lane.name} of {self.table}", self.sleep)
        while True:
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item={**row, **more},
                    ConditionExpression=_BELOW if limit is None else _NOT_BEYOND,
                    ExpressionAttributeNames={"#Sequence": "Sequence"},
                    ExpressionAttributeValues={":own": {"S": limit or sequence}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
                return sequence
            except ClientError as error:
                if is_throttle(error):
                    try:
                        backoff.failed(error)
                    except GaveUpError as end:
                        raise LedaError(
                            str(end), f"run {this_command()} again when {self.table} is less busy"
                        ) from error
                    continue
                if not condition_failed(error):
                    raise
                found: Any = error.response
                stored = found["Item"]["Sequence"].get("S")
                if not isinstance(stored, str):
                    raise LedaError(
                        f"{self.table}'s row {lane.name}, {source} has no Sequence (a string of digits), so somebody "
                        "has written it by hand",
                        f"delete the row, and run {this_command()} again",
                    ) from error
                return stored


_PREFIX = f"{RESERVED}{SOURCE}:"


def run_of(node: str) -> int | None:
    """The number of the rebuild that has written the marker with that name; None: it is no marker's name."""
    if not node.startswith(_PREFIX):
        return None
    return int(node.removeprefix(_PREFIX).partition(":")[0])


@dataclass(eq=False)
class NamedNodes:
    """The nodes of all rows that ReduceTable's streams still hold.

    A total that somebody has deleted has lost its checkpoint with it. Should a row that names it be delivered again, it
    would be counted; so a rebuild gives each of these totals a checkpoint, although nothing is below them. The table's
    earlier streams may still be delivered, too.
    """

    streams: DynamoDBStreamsClient
    stream: str
    older: Iterable[str]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._found = TotalsFile[tuple[()]]()
        self._markers: set[str] = set()
        self._records = 0

    def read(self) -> int:
        """Read on, to the end or nearly so; how many records there were."""
        before = self._records
        for stream in (*self.older, self.stream):
            self._found.put((node, ()) for node in self._nodes(stream))
        return self._records - before

    def _nodes(self, stream: str) -> Iterator[str]:
        """The nodes that new records of the stream name; markers are noted here."""
        for shard in in_order(shards := shards_with_parents(self.streams, stream)):
            if (stream, shard) not in self._readers:
                self._readers[stream, shard] = ShardReader(self.streams, stream, shard)
            reader = self._readers[stream, shard]
            for record in _all(reader, is_closed=shards[shard][1] is not None):
                self._records += 1
                totals = record["dynamodb"].get("NewImage", {}).get("Totals", {})
                for node in totals.get("M", {}):
                    if node.startswith(RESERVED):
                        self._markers.add(node)
                    else:
                        yield node

    def up_to(self, markers: Iterable[str]) -> Iterable[str]:
        """All nodes of the rows before the markers. Raises LedaError if the markers do not come."""
        wanted = set(markers)
        deadline = self.clock() + PATIENCE_SECONDS
        while not wanted <= self._markers:
            if self.read():
                deadline = self.clock() + PATIENCE_SECONDS
            elif self.clock() > deadline:
                raise LedaError(
                    f"the stream {self.stream} did not show the marker rows, although Reduce has applied them",
                    f"run {this_command()} again; if the error stays, look at the stream in DynamoDB's console",
                )
            else:
                self.sleep(POLL_SECONDS)
        return self._found


def _all(reader: ShardReader, *, is_closed: bool) -> Iterator[Mapping[str, Any]]:
    """The records that the shard has by now; of a closed one, an empty page is not the end."""
    yield from reader.read_all()
    while is_closed and not reader.is_at_end:
        yield from reader.read_all()
