"""How old totals are: since when there are changes of the source table that may not be in them.

Nobody asks Lambda, which does not tell where a mapping is. The rows that carry the checkpoints do:

1. Map. A shard's rows of ReduceTable say how far Map has come in it. The first record behind that place which adds
   something to a total waits for Map, since it was made.
2. Reduce. The totals' checkpoints say how far Reduce has come in each shard of ReduceTable's stream. The first record
   behind that place which names a total waits for Reduce: since its oldest change was made, or, under a path, since
   Map has written it (the pipeline's messages have times of their producers).

The age is that of the oldest one that waits. So every change which is older than the age is in the totals, but for the
batch that Map or Reduce is writing at that moment: where it has reached one lane or total, it counts as written. Where
nothing waits, the totals are those of now. At most MAX_PAGES pages of records are read in each shard; if none of them
waits and there are more, the age is that of the last one that was read. A change is in its stream within a second as a
rule, and until then nobody sees it wait.

A table's stream has few readers, and this is one for the moment of a command.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.engine import delta_rows
from leda.engine.audit.health import current_stream
from leda.engine.delta_rows import RESERVED, Delta, Lane, UnreadableDeltaError
from leda.engine.group_by.configuration import Configuration
from leda.engine.map import map_batch
from leda.engine.map.source_shards import Assignment
from leda.engine.reduce.epochs import EPOCH_DIGITS, IGNORED, position
from leda.engine.registry import Configurations, Registry, reduce_scope, source_scope
from leda.engine.shards import Shard
from leda.streams import stream_records
from leda.streams.stream_records import (
    LONGEST_SEQUENCE_NUMBER,
    SHORTEST_SEQUENCE_NUMBER,
    StreamRecord,
)
from leda_cli.operate.deployed.source_table import Tables
from leda_cli.operate.deployed.stream_shards import ShardReader
from leda_cli.operate.rebuilding.stored_totals import epoch_of, lanes_of
from leda_cli.operate.rebuilding.watermarks import in_order, shards_with_parents

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

MAX_PAGES = 5
# An iterator may need several calls to cross a part of a shard that has no records. So many empty pages in a row are
# taken for the end of an open shard.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
EMPTY_PAGES = 5
# Totals that are read to learn how far Reduce has come, beside those that Map has written last.
SAMPLED_TOTALS = 25

_LAST_SEQUENCE = 10**LONGEST_SEQUENCE_NUMBER - 1
_HIGHEST_EPOCH = 10**EPOCH_DIGITS - 1
_TRIMMED = "TrimmedDataAccessException"


@dataclass(frozen=True, slots=True)
class Age:
    """Seconds since when a change may be missing, at each of the two stages; None: nothing waits there."""

    of_map: float | None
    of_reduce: float | None

    @property
    def seconds(self) -> float:
        """The age of the totals: that of the oldest change that may be missing, 0 where none is."""
        return max(self.of_map or 0.0, self.of_reduce or 0.0)


@dataclass(eq=False)
class Ages:
    """Finds out the age of an aggregation's totals. Raises the client's error for what cannot be read.

    source_stream: the ARN of the source table's stream that Map reads.
    """

    dynamodb: DynamoDBClient
    streams: DynamoDBStreamsClient
    tables: Tables
    source_stream: str
    live: Configuration
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._registry = Registry(self.dynamodb, self.tables.registry_table)
        self._configurations = Configurations(self._registry)

    def age(self) -> Age:
        """The age of the totals now."""
        now = self.clock()
        nodes: set[str] = set()
        # Map first: what it has written recently says where Reduce must have come.
        since = [
            min(waiting, default=None)
            for waiting in (self._wait_for_map(nodes), self._wait_for_reduce(nodes))
        ]
        return Age(*[None if each is None else max(0.0, now - each) for each in since])

    # -- Map

    def _wait_for_map(self, nodes: set[str]) -> Iterator[float]:
        """Since when changes wait, in each shard; adds totals that Map has written last to `nodes`."""
        stream = self.source_stream
        met = {row["Name"]["S"]: row for row in self._registry.rows(source_scope(stream))}
        shards = shards_with_parents(self.streams, stream)
        for name in _frontier(shards, met):
            shard = Shard(stream, name)
            assignment = self._assignment(met.get(name))
            done = self._map_place(shard, assignment, nodes) if name in met else 0
            if done == _LAST_SEQUENCE:
                continue
            records, is_all = self._behind(shard, done, is_closed=shards[name][1] is not None)
            waiting = (each for each in records if _adds(each, assignment.configuration))
            if (first := next(waiting, None)) is not None:
                yield self._made(first)
            elif not is_all:
                yield self._made(records[-1])

    def _assignment(self, row: Mapping[str, Any] | None) -> Assignment:
        """How Map computes the shard's changes; one that it has not met yet gets the live configuration."""
        if row is None:
            return Assignment(self.live, 1)
        return Assignment(
            self._configurations.of(row["Version"]["S"]) or self.live,
            int(row["Lanes"]["N"]),
            int(row.get("Generation", {"N": "0"})["N"]),
        )

    def _map_place(self, shard: Shard, assignment: Assignment, nodes: set[str]) -> int:
        """The last sequence number of the shard that one of its rows covers."""
        found = 0
        for number in range(assignment.lanes):
            lane = Lane(assignment.configuration.version, assignment.lanes, number)
            key = {"Lane": {"S": lane.name}, "Source": {"S": assignment.source(shard)}}
            answer = self.dynamodb.get_item(
                TableName=self.tables.reduce_table, Key=key, ConsistentRead=True
            )
            if row := answer.get("Item"):
                # A row with half of a change has a fraction in its Sequence (leda.engine.map.map_batch).
                found = max(found, int(row["Sequence"]["S"].partition(".")[0]))
                nodes.update(_nodes(row.get("Totals", {}).get("M", {}))[:1])
        return found

    # -- Reduce

    def _wait_for_reduce(self, nodes: set[str]) -> Iterator[float]:
        """Since when rows of ReduceTable wait, in each shard of its stream."""
        stream = current_stream(self.dynamodb, self.tables.reduce_table)
        rows = self._registry.rows(reduce_scope(stream))
        epochs = {row["Name"]["S"]: int(row["Epoch"]["N"]) for row in rows}
        places = self._reduce_places(nodes)
        shards = shards_with_parents(self.streams, stream)
        for name in _frontier(shards, epochs):
            # Reduce draws a higher number for a shard that it has not met.
            epoch = epochs.get(name, _HIGHEST_EPOCH)
            if epoch == IGNORED:
                continue
            is_closed = shards[name][1] is not None
            records, is_all = self._behind(
                Shard(stream, name), places.get(epoch, 0), is_closed=is_closed
            )
            rows_of = [each for each in map(_delta, records) if each is not None]
            # They are applied in their order.
            first = bisect_left(rows_of, True, key=partial(self._is_waiting, epoch))
            if first < len(rows_of):
                yield self._since(*rows_of[first])
            elif not is_all:
                yield self._made(records[-1])

    def _reduce_places(self, nodes: set[str]) -> Mapping[int, int]:
        """How far some totals have come: by epoch, the highest sequence number in a checkpoint."""
        page = self.dynamodb.scan(
            TableName=self.tables.totals_table, Limit=SAMPLED_TOTALS, ConsistentRead=True
        )
        found: dict[int, int] = {}
        for row in [*page["Items"], *map(self._total, sorted(nodes))]:
            for name, value in row.items():
                if lanes_of(name) and (epoch := epoch_of(value)) is not None:
                    sequence = int(value["S"].partition(".")[2])
                    found[epoch] = max(found.get(epoch, 0), sequence)
        return found

    def _total(self, node: str) -> Mapping[str, Any]:
        key = {self.tables.totals_key: {"S": node}}
        answer = self.dynamodb.get_item(
            TableName=self.tables.totals_table, Key=key, ConsistentRead=True
        )
        return answer.get("Item", {})

    def _is_waiting(self, epoch: int, row: tuple[StreamRecord, Delta]) -> bool:
        """Whether the first total that the row of ReduceTable names lacks it."""
        record, delta = row
        stored = self._total(_nodes(delta.totals)[0]).get(delta.lane.applied, {}).get("S", "")
        return bool(stored < position(epoch, record.sequence))

    def _since(self, record: StreamRecord, delta: Delta) -> float:
        """When the oldest change in the row was made."""
        configuration = self._configurations.of(delta.lane.version) or self.live
        if configuration.time_attribute is None and delta.oldest is not None:
            return float(delta.oldest)
        return self._made(record)

    # -- both

    def _behind(
        self, shard: Shard, done: int, *, is_closed: bool
    ) -> tuple[Sequence[StreamRecord], bool]:
        """The records of the shard behind that sequence number, some pages at most; whether they are all."""
        after = str(done).zfill(SHORTEST_SEQUENCE_NUMBER) if done else None
        try:
            reader = ShardReader(self.streams, shard.stream, shard.id, after=after)
        except ClientError as error:
            if error.response["Error"]["Code"] != _TRIMMED:
                raise
            # The record of that number is gone, and all that is left lies behind it.
            reader = ShardReader(self.streams, shard.stream, shard.id)
        found: list[StreamRecord] = []
        pages = empty = 0
        while pages < MAX_PAGES and (is_closed or empty < EMPTY_PAGES):
            page = reader.read()
            records = (stream_records.read_one(_as_delivered(each)) for each in page)
            found += [each for each in records if each.sequence > done]
            if reader.is_at_end:
                return found, True
            pages, empty = (pages + 1, 0) if page else (pages, empty + 1)
        return found, pages < MAX_PAGES

    def _made(self, record: StreamRecord) -> float:
        return self.clock() if record.arrived is None else record.arrived.timestamp()


def _frontier(
    shards: Mapping[str, tuple[str | None, int | None]], met: Container[str]
) -> list[str]:
    """The shards in which records may wait: a shard is read to its end before its child is begun."""
    done: set[str | None] = set()
    ordered = in_order(shards)
    for name in reversed(ordered):
        if name in met or name in done:
            done.add(shards[name][0])
    return [name for name in ordered if name not in done]


def _delta(record: StreamRecord) -> tuple[StreamRecord, Delta] | None:
    """The row of ReduceTable that the record tells, where it names a total."""
    if record.event_name == "REMOVE":
        return None
    try:
        delta = delta_rows.read(record.new)
    except UnreadableDeltaError:
        # It is for the quarantine.
        return None
    return (record, delta) if _nodes(delta.totals) else None


def _as_delivered(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of GetRecords as Lambda gives it to a function."""
    made = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    delivered = {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": made}}
    if identity := record.get("userIdentity"):
        delivered["userIdentity"] = {
            "type": identity["Type"],
            "principalId": identity["PrincipalId"],
        }
    return delivered


def _adds(record: StreamRecord, configuration: Configuration) -> bool:
    """Whether the change adds something to a total, and so moves a row of ReduceTable."""
    found, _ = map_batch.read([record], configuration)
    return bool(found)


def _nodes(totals: Iterable[str]) -> list[str]:
    return [node for node in totals if not node.startswith(RESERVED)]
