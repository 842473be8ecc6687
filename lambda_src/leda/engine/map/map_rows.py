"""Map: writes one row of ReduceTable for each lane and shard, with a checkpoint in the row.

For a batch of a shard's changes and each lane that they touch, one PutItem replaces the row by the sums of the changes,
with the last change as its Sequence, on condition that the row's Sequence is below the first change. If the row covers
some of the changes already, the condition fails and DynamoDB returns the row: Map drops the changes that the row
covers, sums the rest and tries again. Map reads no row beforehand, and correctness needs no memory of earlier
invocations.
A sum of 0 is written too, because the row's Sequence says how far Map has come.

"Map: one row for each lane and shard" in docs/exactly-once.md has the argument. It relies on atomic conditional writes
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
and on Lambda's order of the records of a shard
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

`leda backfill` gives a shard another assignment (a configuration and a number of lanes). It closes the rows of the
former assignment, so that no execution environment with the former assignment in its cache can write them. All later
changes go to rows of the new assignment.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.backoff import Backoff, is_throttle, is_unanswered
from leda.engine.delta_rows import CLOSED_BY, Lane, item
from leda.engine.group_by.configuration import bytes_of
from leda.engine.map import map_batch
from leda.engine.map.map_batch import Change, Sums
from leda.engine.map.source_shards import Assignment, SourceShards
from leda.engine.registry import condition_failed
from leda.engine.rejects import Reject
from leda.engine.shards import Shard, time_of_youngest
from leda.streams.stream_records import StreamRecord
from leda.values.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A larger row that is throttled is written again in halves, because the partition may never have enough write units.
SPLIT_BYTES = 20_000


@dataclass(slots=True)
class Outcome:
    """The outcome of a batch.

    rows: how many rows were put. duplicates: how many changes the rows covered already. rejected: the records that were
    quarantined. waiting: how many records came before the first `leda backfill`, which will count their changes.
    """

    rows: int = 0
    waiting: int = 0
    duplicates: int = 0
    rejected: list[Reject] = field(default_factory=list)
    lane_gigabytes: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """The metrics by name."""
        return {"Duplicates": self.duplicates, "Waiting": self.waiting}

    @property
    def summary(self) -> dict[str, int]:
        """The fields of the log line."""
        return {"rows": self.rows, "duplicates": self.duplicates, "waiting": self.waiting}


class MapRows:
    """Writes the sums of a table's changes to ReduceTable with `threads` requests at a time."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        limits: Limits,
        shards: SourceShards,
        retention_seconds: int,
        reject: Callable[[Shard, Reject], None],
        threads: int = 4,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._limits = limits
        self._shards = shards
        self._retention = retention_seconds
        self._reject = reject
        self._pool = ThreadPoolExecutor(threads)
        self._pause = pause or time.sleep

    def write(self, shard: Shard, records: Sequence[StreamRecord]) -> Outcome:
        """Add the changes (records of one shard, in their order) to the rows that do not cover them yet.

        Raises GaveUpError, BadCheckpointError, RowClosedError, RegistryError or the client's error. Rows that were put
        before the error stay, and their Sequence covers their changes at the next delivery.
        """
        if not records:
            return Outcome()
        created = time_of_youngest(records)
        try:
            return self._write(shard, records, created)
        except _RowClosedError:
            # A backfill has given the shard another assignment since this execution environment read it.
            self._shards.forget(shard)
            try:
                return self._write(shard, records, created)
            except _RowClosedError as error:
                raise RowClosedError(
                    f"{error}, and the registry still names the former assignment: `leda backfill` is at work, or has "
                    "been stopped; run it again"
                ) from error

    def _write(
        self, shard: Shard, records: Sequence[StreamRecord], created: float | None
    ) -> Outcome:
        outcome = Outcome()
        assignment = self._shards.of(shard, created)
        if assignment is None:
            # The backfill's sums include these changes: it scans the table after it has switched the mapping off.
            outcome.waiting = len(records)
            return outcome
        found, outcome.rejected = map_batch.read(records, assignment.configuration)
        expires = None if created is None else int(created) + self._retention
        source, writers = _Source(shard, assignment, expires), dict[int, _LaneWriter]()
        for part in map_batch.parts(map_batch.split_beyond_limits(found, self._limits), assignment):
            self._write_part(source, writers, part, outcome)
        if not writers and not self._shards.is_current(shard, assignment):
            # The records add nothing under this assignment, so no row was written that a backfill could have closed.
            raise _RowClosedError(f"a backfill has given {shard.id} another assignment")
        # In parallel, because a batch with only such records would otherwise take longer than the function's timeout.
        list(self._pool.map(partial(self._reject, shard), outcome.rejected))
        outcome.rows = sum(writer.rows for writer in writers.values())
        outcome.lane_gigabytes = max((each.gigabytes for each in writers.values()), default=0.0)
        return outcome

    def _write_part(
        self,
        source: "_Source",
        writers: dict[int, "_LaneWriter"],
        part: Sequence[Change],
        outcome: Outcome,
    ) -> None:
        lanes = map_batch.by_lane(part, source.assignment)
        for lane in lanes.keys() - writers.keys():
            writers[lane] = _LaneWriter(self._client, self._table, source, lane, self._pause)
        jobs = [writers[lane] for lane in lanes]
        if len(jobs) == 1:
            jobs[0].write(part, next(iter(lanes.values())))
        else:
            list(self._pool.map(_LaneWriter.write, jobs, [part] * len(jobs), lanes.values()))
        # A change counts as a duplicate when no lane lacks it.
        outcome.duplicates += min(job.covered for job in jobs)


@dataclass(frozen=True, slots=True)
class _Source:
    shard: Shard
    assignment: Assignment
    expires: int | None

    @property
    def name(self) -> str:
        """The sort key of the shard's rows."""
        return self.assignment.source(self.shard)


class _LaneWriter:
    """Writes one lane's row for the parts of a batch, one after the other.

    If a failed condition has returned a row that covers later parts too, no request is made for them. So the delivery
    after a timeout continues where the earlier delivery ended, however many parts there are.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        source: _Source,
        lane: int,
        pause: Callable[[float], None],
    ) -> None:
        self._client = client
        self._table = table
        self._source = source
        configuration = source.assignment.configuration
        self._measures = configuration.names
        self._number = lane
        self._lane = Lane(configuration.version, source.assignment.lanes, lane)
        self._backoff = Backoff(f"lane {self._lane.name} of {table} for {source.shard.id}", pause)
        self._stored = ""
        self.rows = 0
        self.covered = 0
        self.gigabytes = 0.0

    def write(self, part: Sequence[Change], sums: Sums) -> None:
        """Put the row until it covers all of the part; `sums` are the part's sums at the lane's nodes.

        Sets `covered` to the number of the part's changes that the row covered before.
        """
        self.covered = 0
        todo = [part]
        if self._stored:
            todo = self._not_covered(todo)
            if todo != [part]:
                sums = {}
        while todo:
            if not sums:
                sums = map_batch.by_lane(todo[0], self._source.assignment).get(self._number, {})
            if not sums:
                todo.pop(0)
                continue
            try:
                answer = self._put(todo[0], sums)
            except ClientError as error:
                if condition_failed(error):
                    self._stored = self._sequence(error)
                    todo = self._not_covered(todo)
                    self._backoff.succeeded()
                    sums = {}
                    continue
                if is_throttle(error):
                    todo[:1] = self._halved(todo[0], sums)
                    sums = {}
                elif not is_unanswered(error):
                    raise
                self._backoff.failed(error)
            except (HTTPClientError, NoConnection) as error:
                # The row may have been written. Then the next condition fails, and the returned row covers the part.
                self._backoff.failed(error)
            else:
                self.rows += 1
                self.gigabytes = max(self.gigabytes, _gigabytes(answer))
                self._backoff.succeeded()
                todo.pop(0)
                sums = {}

    def _put(self, part: Sequence[Change], sums: Sums) -> Any:
        source = self._source
        row = item(self._lane, source.name, part[-1].end, self._measures, sums, len(part))
        oldest = map_batch.oldest_time([change.time for change in part if change.time is not None])
        if oldest is not None:
            row["OldestTimestamp"] = {"N": oldest}
        if source.expires is not None:
            row["ExpiresAt"] = {"N": str(source.expires)}
        return self._client.put_item(
            TableName=self._table,
            Item=row,
            ConditionExpression="attribute_not_exists(#Sequence) OR #Sequence < :first",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":first": {"S": part[0].begin}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ReturnItemCollectionMetrics="SIZE",
        )

    def _sequence(self, error: ClientError) -> str:
        """Return the Sequence of the row that has failed the condition."""
        row: Any = error.response.get("Item", {})
        stored = row.get("Sequence", {}).get("S")
        if not isinstance(stored, str):
            raise BadCheckpointError(
                f"{self._table}'s row {self._lane.name}, {self._source.name} has no Sequence (a string of "
                "digits), so somebody has written it by hand: delete the row and run `leda rebuild`"
            ) from error
        if CLOSED_BY in row:
            raise _RowClosedError(
                f"{self._table}'s row {self._lane.name}, {self._source.name} was closed by a backfill"
            )
        return stored

    def _not_covered(self, todo: Sequence[Sequence[Change]]) -> list[Sequence[Change]]:
        """Return the changes that the row's last known checkpoint does not cover."""
        left = [
            [rest for change in part if (rest := change.not_covered_by(self._stored))]
            for part in todo
        ]
        self.covered += sum(map(len, todo)) - sum(map(len, left))
        return [part for part in left if part]

    def _halved(self, part: Sequence[Change], sums: Sums) -> list[Sequence[Change]]:
        if len(part) == 1 or bytes_of(sums, len(self._measures)) < SPLIT_BYTES:
            return [part]
        middle = len(part) // 2
        return [part[:middle], part[middle:]]


class _RowClosedError(Exception):
    """The row belongs to a former assignment of the shard; the text says which row."""


class RowClosedError(RuntimeError):
    """A backfill has closed the shard's rows, and has not stored the new assignment yet. A retry may find it."""


class BadCheckpointError(RuntimeError):
    """A row of ReduceTable has a checkpoint that LEDA did not write; the text names the row and the correction."""


def _gigabytes(answer: Any) -> float:
    """Return the upper estimate of the lane's size.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
    """
    sizes = answer.get("ItemCollectionMetrics", {}).get("SizeEstimateRangeGB") or [0.0]
    return float(sizes[-1])
