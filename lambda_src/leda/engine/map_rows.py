"""Map: replaces one row of ReduceTable for each lane and shard; the row is its own checkpoint.

For a batch of a shard's changes and each lane that they touch, one PutItem replaces the row by the sums of the changes,
with the last change as its Sequence, on condition that the row's Sequence is below the first change. A row that covers
some of the changes fails the condition and comes back: Map drops what it covers, sums again and tries again. Map reads
nothing beforehand, and needs nothing that an execution environment remembers from one invocation to the next.

A sum of 0 is written too: the row says how far Map has come.

`leda backfill` gives a shard another assignment (a configuration and a number of lanes): it closes the rows of the
former one, so that no execution environment that remembers it can write them, and the changes from then on go to rows
of the new one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.backoff import Backoff, is_throttle, is_unanswered
from leda.engine.configuration import Amount, Configuration, Contribution, bytes_of
from leda.engine.delta_rows import CLOSED_BY, Lane, item, lane_number
from leda.engine.hierarchy import SEPARATOR
from leda.engine.registry import Assignment, SourceShards, condition_failed
from leda.engine.rejects import Reject
from leda.engine.shards import Shard, created, padded
from leda.streams import changes
from leda.streams.stream_records import StreamRecord, content
from leda.values.limits import Limits
from leda.values.numbers import NotExactError, exact, limited, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A put of a larger row would take more than a third of the 1,000 write units that a partition has in a second, and an
# item has at most 400 KB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
MAX_ROW_BYTES = 350_000

# What was throttled is asked for in halves while it is larger than this: the partition may not have so much at once.
SPLIT_BYTES = 20_000

# A change whose old or new value is beyond the limits is written in two halves (`_halves`). The Sequence of a
# row with the first half alone is between the number of the change before and the change's own.
_FIRST_HALF = ".1"


class Change(NamedTuple):
    """What one record, or a half of it, adds; `at` is the text of the message's time, where the row has one."""

    sequence: int
    contributions: tuple[Contribution, ...]
    at: str | None
    is_outsize: bool = False
    is_first_half: bool = False
    is_second_half: bool = False

    @property
    def begin(self) -> str:
        """A row whose Sequence is below it has nothing of the change."""
        if self.is_second_half:
            return self.end
        return padded(self.sequence - 1) + _FIRST_HALF

    @property
    def end(self) -> str:
        """The Sequence of a row with all of the change."""
        return self.begin if self.is_first_half else padded(self.sequence)

    def beyond(self, stored: str) -> "Change | None":
        """What a row with the Sequence `stored` lacks of the change."""
        if stored >= self.end:
            return None
        if stored < self.begin:
            return self
        # A delivery under other limits has cut the change, and has not come to its second half.
        return self._replace(contributions=self.contributions[1:], is_second_half=True)


Sums = dict[str, list[Amount]]


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    Rows that were put, changes that were covered already, records that were rejected, and records that were left for
    `leda backfill`.
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
        """Add the changes (records of one shard, in their order) to the rows that do not have them yet.

        Raises GaveUpError, BadCheckpointError or the client's error; rows that were put by then stay, and the next
        delivery finds itself covered by them.
        """
        if not records:
            return Outcome()
        made = created(records)
        try:
            return self._write(shard, records, made)
        except _RowClosedError:
            # Another environment's backfill was faster than this one's memory of the shard.
            self._shards.forget(shard)
            try:
                return self._write(shard, records, made)
            except _RowClosedError as error:
                raise RowClosedError(
                    f"{error}, and the registry still names the former assignment: `leda backfill` is at work, or has "
                    "been stopped; run it again"
                ) from error

    def _write(self, shard: Shard, records: Sequence[StreamRecord], made: float | None) -> Outcome:
        outcome = Outcome()
        assignment = self._shards.of(shard, made)
        if assignment is None:
            # The backfill's sums have these changes: it reads the table after it has switched the mapping off.
            outcome.waiting = len(records)
            return outcome
        found, outcome.rejected = read(records, assignment.configuration)
        expires = None if made is None else int(made) + self._retention
        source, writers = _Source(shard, assignment, expires), dict[int, _LaneWriter]()
        for part in parts(outsize_apart(found, self._limits), assignment):
            self._write_part(source, writers, part, outcome)
        if not writers and not self._shards.is_current(shard, assignment):
            # No row could tell: under the former assignment the records count for nothing.
            raise _RowClosedError(f"a backfill has assigned {shard.id} anew")
        # One after the other, a batch of nothing else would outlast the function.
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
        lanes = by_lane(part, source.assignment)
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

    A row that came back may cover later parts too; no request is made for those. So a delivery after one that was ended
    by the function's timeout goes on where that one ended, however many parts there are.
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
        """Put the row, as often as it takes; `sums` are the part's at the lane's nodes.

        Then `covered` is the number of the part's changes that the row had before.
        """
        self.covered = 0
        todo = [part]
        if self._stored:
            todo = self._beyond(todo)
            if todo != [part]:
                sums = {}
        while todo:
            if not sums:
                sums = by_lane(todo[0], self._source.assignment).get(self._number, {})
            if not sums:
                todo.pop(0)
                continue
            try:
                answer = self._put(todo[0], sums)
            except ClientError as error:
                if condition_failed(error):
                    self._stored = self._sequence(error)
                    todo = self._beyond(todo)
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
                # It may have been written: then the condition fails, and the row that comes back covers the part.
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
        oldest = oldest_time([change.at for change in part if change.at is not None])
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
        """The Sequence of the row that has failed the condition."""
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

    def _beyond(self, todo: Sequence[Sequence[Change]]) -> list[Sequence[Change]]:
        """What the row, as far as is known of it, does not cover."""
        left = [[rest for change in part if (rest := change.beyond(self._stored))] for part in todo]
        self.covered += sum(map(len, todo)) - sum(map(len, left))
        return [part for part in left if part]

    def _halved(self, part: Sequence[Change], sums: Sums) -> list[Sequence[Change]]:
        if len(part) == 1 or bytes_of(sums, len(self._measures)) < SPLIT_BYTES:
            return [part]
        middle = len(part) // 2
        return [part[:middle], part[middle:]]


class _RowClosedError(Exception):
    """The row belongs to an assignment that the shard has no more; the text says which row."""


class RowClosedError(RuntimeError):
    """A backfill has closed the shard's rows and has not assigned it anew yet; the next delivery may find that done."""


class BadCheckpointError(RuntimeError):
    """A row of ReduceTable with a checkpoint that LEDA did not write; the text says which row, and how to mend it."""


def _gigabytes(answer: Any) -> float:
    """The upper estimate of the lane's size.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
    """
    sizes = answer.get("ItemCollectionMetrics", {}).get("SizeEstimateRangeGB") or [0.0]
    return float(sizes[-1])


def read(
    records: Iterable[StreamRecord], configuration: Configuration
) -> tuple[list[Change], list[Reject]]:
    """What the records add, those that add nothing left out; and those whose new image cannot be read."""
    found: list[Change] = []
    rejected: list[Reject] = []
    for record in records:
        old, new, reasons = changes.read(
            record, configuration.contribution, keeps_expired=configuration.keeps_expired
        )
        if reasons:
            rejected += [Reject(record, reason) for reason in reasons]
        given: tuple[Contribution, ...]
        if old is not None:
            given = (old.negated(),) if new is None else (old.negated(), new)
        elif new is not None:
            given = (new,)
        else:
            continue
        found.append(Change(record.sequence, given, _time_of(record, configuration)))
    return found, rejected


def _time_of(record: StreamRecord, configuration: Configuration) -> str | None:
    """The text of the time from which the totals' lag is counted, in epoch seconds.

    A message says when it was made. Of the rows of other tables it is known when they were changed.
    """
    if configuration.time_attribute is None:
        return None if record.arrived is None else str(record.arrived.timestamp())
    return None if record.new is None else content(record.new, configuration.time_attribute, "N")


def outsize_apart(found: list[Change], limits: Limits) -> list[Change]:
    """The changes, with each that has a value beyond the limits (see `_halves`) cut in two."""
    amounts = [
        amount
        for change in found
        for each in change.contributions
        for amount in each.amounts
        if isinstance(amount, Decimal)
    ]
    if _are_limited(amounts, limits):
        return found
    return [part for change in found for part in _halves(change, limits)]


def _are_limited(amounts: Sequence[Decimal], limits: Limits) -> bool:
    """Whether all are within the limits; False where only a look at each would tell."""
    if not amounts:
        return True
    try:
        with exact():
            # A sum has as many decimal places as the number with the most.
            exponent = sum(amounts, Decimal(0)).as_tuple().exponent
    except NotExactError:
        return False
    digits = max(min(amounts).adjusted(), max(amounts).adjusted())
    return (
        isinstance(exponent, int)
        and -exponent <= limits.max_decimal_places
        and digits < limits.max_integer_digits
    )


def _halves(change: Change, limits: Limits) -> list[Change]:
    """A change with a value beyond the limits (written by hand, or under wider limits than today's), cut.

    The limits are what makes sums fit the 38 digits of a number. So each value has a row of its own: should a total
    have no digits for it, nothing else is refused with it. The old and the new value may have no common sum either.

    The next delivery of the change may find other limits, and cut it or not: its Sequence is the same in the end.
    """
    amounts = [amount for each in change.contributions for amount in each.amounts]
    if all(_is_limited(amount, limits) for amount in amounts if isinstance(amount, Decimal)):
        return [change]
    outsize = change._replace(is_outsize=True)
    if len(change.contributions) == 1:
        return [outsize]
    old, new = change.contributions
    return [
        outsize._replace(contributions=(old,), is_first_half=True),
        outsize._replace(contributions=(new,), is_second_half=True),
    ]


def _is_limited(amount: Decimal, limits: Limits) -> bool:
    try:
        limited(amount, limits.max_integer_digits, limits.max_decimal_places)
    except NotExactError:
        return False
    return True


def oldest_time(times: Sequence[str]) -> str | None:
    """The lowest of the numbers; None where none is one. No total depends on it: of equal floats it is either."""
    try:
        return str(number(min(times, key=float))) if times else None
    except (ValueError, NotExactError):
        # Only a row that somebody has made up has a number that none is.
        found = [time_ for time_ in times if _is_number(time_)]
        return min(found, key=float, default=None)


def _is_number(text: str) -> bool:
    try:
        number(text)
    except NotExactError:
        return False
    return True


def parts(found: Sequence[Change], assignment: Assignment) -> Iterator[Sequence[Change]]:
    """Cut a batch where a lane's row would be too large; an outsize change is a part of its own."""
    measures = len(assignment.configuration.measures)
    leaves = {leaf for change in found for each in change.contributions for leaf in each.leaves}
    # A leaf has as many nodes as levels, at most.
    bound = sum([(leaf.count(SEPARATOR) + 1) * bytes_of([leaf], measures) for leaf in leaves])
    if bound <= MAX_ROW_BYTES and not any(change.is_outsize for change in found):
        if found:
            yield found
        return
    part: list[Change] = []
    sizes = _Sizes(assignment)
    for change in found:
        if part and (
            change.is_outsize or part[-1].is_outsize or sizes.with_change(change) > MAX_ROW_BYTES
        ):
            yield part
            part, sizes = [], _Sizes(assignment)
        sizes.add(change)
        part.append(change)
    if part:
        yield part


class _Sizes:
    """The sizes in bytes that the lanes' rows would have."""

    def __init__(self, assignment: Assignment) -> None:
        self._configuration = assignment.configuration
        self._lanes = assignment.lanes
        self._measures = len(assignment.configuration.measures)
        self._nodes: set[str] = set()
        self._sizes = [0] * assignment.lanes

    def with_change(self, change: Change) -> int:
        """The largest row's size with the change in it."""
        sizes = list(self._sizes)
        for node in self._new(change):
            sizes[lane_number(node, self._lanes)] += bytes_of([node], self._measures)
        return max(sizes)

    def add(self, change: Change) -> None:
        """Count the change's nodes."""
        for node in self._new(change):
            self._sizes[lane_number(node, self._lanes)] += bytes_of([node], self._measures)
            self._nodes.add(node)

    def _new(self, change: Change) -> set[str]:
        found: set[str] = set()
        for each in change.contributions:
            for leaf in each.leaves:
                if leaf not in self._nodes:
                    found.update(self._configuration.nodes(leaf))
        return found - self._nodes


def by_lane(part: Sequence[Change], assignment: Assignment) -> dict[int, Sums]:
    """The sums at the nodes of each lane that the changes touch."""
    with exact():
        leaves = _sums(
            (leaf, each.amounts)
            for change in part
            for each in change.contributions
            for leaf in each.leaves
        )
        nodes = assignment.configuration.nodes
        totals = _sums((node, amounts) for leaf, amounts in leaves.items() for node in nodes(leaf))
    if assignment.lanes == 1:
        return {0: totals} if totals else {}
    found: dict[int, Sums] = {}
    for node, sums in totals.items():
        found.setdefault(lane_number(node, assignment.lanes), {})[node] = sums
    return found


def _sums(entries: Iterable[tuple[str, Sequence[Amount]]]) -> Sums:
    """The sum of the amounts at each node, measure by measure; `sum` adds in C."""
    found: dict[str, list[Sequence[Amount]]] = {}
    for node, amounts in entries:
        known = found.get(node)
        if known is None:
            found[node] = [amounts]
        else:
            known.append(amounts)
    return {
        node: (
            list(given[0])
            if len(given) == 1
            else [sum(column) for column in zip(*given, strict=True)]
        )
        for node, given in found.items()
    }
