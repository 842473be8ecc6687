"""The audit: what the totals must be by StateTable, and which rows of AggregateTable are not that.

A pipeline that is running is always a little behind, so one look at each table would take what is under way
for an error. The audit looks at AggregateTable first, then scans StateTable, then looks at AggregateTable again
and again for as long as a change needs to come through. The first look lacks what was under way before the scan;
the last one has all that the scan has read. So a total that is right, and flows, is met at, or passes, the
scan's sum on its way from the first look to the last, whatever the lag was:

- a look equals the sum: the row is exact;
- the looks lie on both sides of the sum: the row is in flight, between the two;
- every look is on one side of it: the row is wrong, by the distance of the nearest look at least; by just that
  if the row never moved.

The last is not certain for a row that moves back and forth: a scan takes its time, and reads one trade before a
change and another one after a later change, which adds up to what the total never was. What is lost stays lost,
and such a sum does not come again; so a row is called wrong only after a second round has found it so, on the
same side. A pipeline that is further behind than the time allowed is found wrong: it is not as fresh as promised.
"""

import decimal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda import images
from leda.hierarchy import nodes
from leda.numbers import NotExact, number
from leda.streams import Image

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A scan of one segment is bound by the time of a request; eight at a time leave connections for the others.
SEGMENTS = 8
# Looks at AggregateTable after the scan, while not every row is exact.
LOOKS = 6
# Of the rows that cannot be read, so many are named.
NAMED = 10

# Rows written by hand may add up to more than the 38 digits of a DynamoDB Number. The audit says so and does not
# fail: values have at most 29 digits before and 28 after the point, so these are enough for any count of them.
_WIDE = decimal.Context(prec=400, traps=[decimal.Inexact, decimal.InvalidOperation])
_NOTHING = Decimal(0)


# -- what the totals must be


@dataclass(slots=True)
class Expected:
    """The sum of rows of StateTable at every node: `rows` were read, `unreadable` of them count as nothing.

    `totals` leaves out what adds up to 0. `named` tells the first unreadable rows, and why they are.
    """

    totals: dict[str, Decimal] = field(default_factory=dict)
    rows: int = 0
    unreadable: int = 0
    named: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Leaves:
    """A part of StateTable, summed at the leaves."""

    sums: dict[str, Decimal] = field(default_factory=dict)
    rows: int = 0
    unreadable: list[str] = field(default_factory=list)
    unreadable_count: int = 0

    def take(self, rows: Iterable[Image]) -> int:
        """Add rows; how many there were. An unreadable one adds nothing, as Map adds nothing for it."""
        count = 0
        with decimal.localcontext(_WIDE):
            for row in rows:
                count += 1
                try:
                    found = images.contribution(row)
                except images.UnreadableImage as error:
                    self.unreadable_count += 1
                    if len(self.unreadable) < NAMED:
                        self.unreadable.append(f"{row.get('id', {}).get('S')}: {error}")
                    continue
                if found:
                    self.sums[found.path] = self.sums.get(found.path, _NOTHING) + found.value
        self.rows += count
        return count


def fold(rows: Iterable[Image]) -> Expected:
    """What these rows of StateTable (DynamoDB's JSON) add up to, exactly."""
    leaves = _Leaves()
    leaves.take(rows)
    return _roll_up([leaves])


def _roll_up(parts: Iterable[_Leaves]) -> Expected:
    expected = Expected()
    sums: dict[str, Decimal] = {}
    with decimal.localcontext(_WIDE):
        for part in parts:
            for path, value in part.sums.items():
                for node in nodes(path):
                    sums[node] = sums.get(node, _NOTHING) + value
            expected.rows += part.rows
            expected.unreadable += part.unreadable_count
            expected.named += part.unreadable
    expected.totals = {node: total for node, total in sums.items() if total}
    expected.named = expected.named[:NAMED]
    return expected


# -- reading the tables


def read_state(
    client: "DynamoDBClient",
    table: str,
    segments: int = SEGMENTS,
    advance: Callable[[int], object] = lambda _count: None,
) -> Expected:
    """What StateTable adds up to, by a parallel scan; `advance` hears of rows as they are read, one call at a time.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
    """
    one_at_a_time, failed = threading.Lock(), threading.Event()

    def read(segment: int) -> _Leaves:
        leaves = _Leaves()
        try:
            for rows in _pages(
                client, table, ("id", "Path", "Value", "Deleted"), segment, segments
            ):
                count = leaves.take(rows)
                with one_at_a_time:
                    advance(count)
                if failed.is_set():
                    break
        except BaseException:
            failed.set()
            raise
        return leaves

    with ThreadPoolExecutor(segments) as pool:
        try:
            return _roll_up(pool.map(read, range(segments)))
        except BaseException:
            # Ctrl-C too: the other segments end with their page, not with the table.
            failed.set()
            raise


def read_rows(client: "DynamoDBClient", table: str) -> dict[str, Mapping[str, Any]]:
    """AggregateTable as it is: each row's Value in DynamoDB's JSON ({} where it has none)."""
    return {
        row["Identifier"]["S"]: row.get("Value", {})
        for rows in _pages(client, table, ("Identifier", "Value"))
        for row in rows
    }


def read_totals(client: "DynamoDBClient", table: str) -> dict[str, Decimal]:
    """AggregateTable's totals; a row without a number has none, which counts as 0."""
    return {
        name: total
        for name, value in read_rows(client, table).items()
        if (total := total_of(value)) is not None
    }


def total_of(value: Mapping[str, Any]) -> Decimal | None:
    """The number in a row's Value (DynamoDB's JSON); None where there is none."""
    try:
        return number(value["N"])
    except (KeyError, NotExact):
        return None


def _pages(
    client: "DynamoDBClient",
    table: str,
    attributes: Sequence[str],
    segment: int = 0,
    segments: int = 1,
) -> Iterator[list[dict[str, Any]]]:
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment,
        "TotalSegments": segments,
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }
    while True:
        page = client.scan(**request)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


# -- comparing


@dataclass(frozen=True, slots=True)
class Bracket:
    """A row of which no look was the expected total: the looks lie between `lowest` and `highest`."""

    identifier: str
    expected: Decimal
    lowest: Decimal
    highest: Decimal

    @property
    def off(self) -> Decimal:
        """How far the nearest look is above the expected total (below: negative); 0: the row is in flight."""
        if self.lowest > self.expected:
            return _WIDE.subtract(self.lowest, self.expected)
        if self.highest < self.expected:
            return _WIDE.subtract(self.highest, self.expected)
        return _NOTHING

    @property
    def moved(self) -> bool:
        """Whether the looks differ: the row is then off by at least `off`, else by just that."""
        return self.lowest != self.highest


def brackets(
    expected: Mapping[str, Decimal], looks: Sequence[Mapping[str, Decimal]]
) -> list[Bracket]:
    """The rows that were not as expected in any of the looks, in order. A row with 0 counts as missing."""
    found = []
    for row in sorted({*expected, *(row for look in looks for row in look)}):
        wanted = expected.get(row, _NOTHING)
        seen = [look.get(row, _NOTHING) for look in looks]
        if wanted not in seen:
            found.append(Bracket(row, wanted, min(seen), max(seen)))
    return found


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of a running pipeline found: `totals` were compared; the rest of them are exact."""

    expected: Expected
    totals: int
    wrong: list[Bracket]
    in_flight: list[Bracket]


def audit(
    read_expected: Callable[[], Expected],
    read_found: Callable[[], Mapping[str, Decimal]],
    freshness: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Audit:
    """Audit a pipeline that may be running; a total comes through within `freshness` seconds.

    Ends as soon as every row is exact; at the latest, after two rounds of a scan and `freshness` seconds.
    """
    first = _round(read_expected, read_found, freshness, clock, sleep)
    if not first.wrong:
        return first
    second = _round(read_expected, read_found, freshness, clock, sleep)
    sides = {row.identifier: row.off > 0 for row in first.wrong}
    wrong = [row for row in second.wrong if sides.get(row.identifier) is (row.off > 0)]
    in_flight = [*second.in_flight, *(row for row in second.wrong if row not in wrong)]
    return Audit(second.expected, second.totals, wrong, in_flight)


def _round(
    read_expected: Callable[[], Expected],
    read_found: Callable[[], Mapping[str, Decimal]],
    freshness: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Audit:
    looks = [read_found()]
    expected = read_expected()
    end = clock() + freshness
    while True:
        is_last = clock() >= end
        looks.append(read_found())
        open_rows = brackets(expected.totals, looks)
        if is_last or not open_rows:
            break
        sleep(max(0.0, min(freshness / LOOKS, end - clock())))
    return Audit(
        expected,
        len({*expected.totals, *looks[-1]}),
        [row for row in open_rows if row.off],
        [row for row in open_rows if not row.off],
    )
