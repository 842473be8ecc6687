"""Compares the totals with their source table: what they must be, and which of them are wrong.

A running aggregation is always a little behind, so one look at each table would take changes that are in flight for
errors. The audit looks at the totals first, then scans the source table, then looks at the totals again
and again for as long as a change needs to come through. The first look lacks what was in flight before the scan;
the last one has all that the scan has read. So a total that is right, and flows, is met at, or passes, the
scan's sum on its way from the first look to the last, whatever the lag was:

- a look equals the sum: the total is exact;
- the looks lie on both sides of the sum: the total is in flight, between the two;
- every look is on one side of it: the total is wrong, by the distance of the nearest look at least; by just that
  if the total never moved.

Each measure of a total is compared. A total without a row is one with 0 in every measure, and the other way round: a
row stays when nothing is left below it, because it holds the total's checkpoint. Rows whose names begin with ":" are
no totals.

The last case is not certain for a total that moves back and forth: a scan takes its time, and reads one row before a
change and another one after a later change, which adds up to what the total never was. What is lost stays lost,
and such a sum does not occur again; so a total is called wrong only after a second round has found it so, on the
same side. An aggregation that is further behind than the time allowed is found wrong: it is not as fresh as promised.

With `"on_expiry": "keep"` the source table no longer holds what was counted, so there is nothing to compare with.
"""

import decimal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.engine.configuration import Amount, Amounts, Configuration
from leda.engine.delta_rows import RESERVED
from leda.engine.hierarchy import SEPARATOR
from leda.engine.uncounted import Uncounted
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image
from leda.values.numbers import NotExactError, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef

# A scan of one segment is bound by the time of a request; eight at a time leave connections for the others.
SEGMENTS = 8
# Looks at the totals after the scan, while not every total is exact.
LOOKS = 6

# Rows written by hand may add up to more than the 38 digits of a DynamoDB Number. The audit says so and does not
# fail: values have at most 29 digits before and 28 after the point, so these are enough for any count of them.
WIDE = decimal.Context(prec=400, traps=[decimal.Inexact, decimal.InvalidOperation])
_NOTHING = Decimal(0)


# -- what the totals must be


@dataclass(slots=True)
class Expected:
    """The sum of rows of the source table at every node.

    totals: one amount a measure for each node that has rows below it.
    rows: how many rows were read.
    unreadable: how many of them are in no total because they cannot be read; `reasons` says how many for each reason,
    and `named` tells the first of them by key, and why they are.
    outside: how many are in no total because no grouping takes them, or because they are deleted or a marker.
    """

    totals: dict[str, Amounts] = field(default_factory=dict)
    rows: int = 0
    unreadable: int = 0
    named: list[str] = field(default_factory=list)
    reasons: Mapping[str, int] = field(default_factory=dict)
    outside: int = 0


@dataclass(slots=True)
class _Leaves:
    """A part of the source table, summed at the leaves; `keys` are the attributes of the table's key."""

    configuration: Configuration
    keys: Sequence[str]
    sums: dict[str, list[Amount]] = field(default_factory=dict)
    rows: int = 0
    outside: int = 0
    uncounted: Uncounted = field(default_factory=Uncounted)

    def take(self, rows: Iterable[Image]) -> None:
        """Add rows. An unreadable one adds nothing, as Map adds nothing for it."""
        with decimal.localcontext(WIDE):
            for row in rows:
                self.rows += 1
                try:
                    found = self.configuration.contribution(row)
                except UnreadableRowError as error:
                    self.uncounted.add(key_text(row, self.keys), str(error))
                    continue
                if found is None:
                    self.outside += 1
                    continue
                for leaf in found.leaves:
                    _add(self.sums, leaf, found.amounts)


def fold(rows: Iterable[Image], configuration: Configuration, keys: Sequence[str]) -> Expected:
    """What these rows of the source table (DynamoDB's JSON) add up to, exactly."""
    leaves = _Leaves(configuration, keys)
    leaves.take(rows)
    return _roll_up([leaves])


def _roll_up(parts: Iterable[_Leaves]) -> Expected:
    expected, uncounted = Expected(), Uncounted()
    sums: dict[str, list[Amount]] = {}
    with decimal.localcontext(WIDE):
        for part in parts:
            for leaf, amounts in part.sums.items():
                for node in part.configuration.nodes(leaf):
                    _add(sums, node, amounts)
            expected.rows += part.rows
            expected.outside += part.outside
            uncounted.merge(part.uncounted)
    expected.totals = {node: tuple(amounts) for node, amounts in sums.items()}
    expected.unreadable, expected.reasons = uncounted.count, uncounted.reasons
    expected.named = [f"{key}: {reason}" for key, reason in uncounted.first]
    return expected


def key_text(row: Image, keys: Sequence[str]) -> str:
    """The row's key for a person to read; bytes, as clients return those of a binary key, as hexadecimal digits."""
    values = [value for name in keys for value in row.get(name, {}).values()]
    return ", ".join([value.hex() if isinstance(value, bytes) else str(value) for value in values])


def _add(sums: dict[str, list[Amount]], node: str, amounts: Sequence[Amount]) -> None:
    found = sums.get(node)
    if found is None:
        sums[node] = list(amounts)
        return
    for place, amount in enumerate(amounts):
        found[place] += amount


# -- reading the tables


def key_names(client: "DynamoDBClient", table: str) -> list[str]:
    """The attributes of the table's key, the partition key first. Raises the client's error."""
    schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
    # HASH is before RANGE.
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def read_source(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[str],
    configuration: Configuration,
    segments: int = SEGMENTS,
    advance: Callable[[int], object] = lambda _count: None,
) -> Expected:
    """What the source table adds up to, by a parallel scan.

    `keys` are the attributes of the table's key. `advance` hears of rows as they are read, one call at a time.
    """
    parts = [_Leaves(configuration, keys) for _ in range(segments)]
    takers = [part.take for part in parts]
    scan(client, table, attributes_of(keys, configuration), takers, advance)
    return _roll_up(parts)


def attributes_of(keys: Sequence[str], configuration: Configuration) -> list[str]:
    """The attributes of the source table that say what a row adds, and those of its key."""
    return list(dict.fromkeys([*keys, *configuration.attributes]))


def scan(
    client: "DynamoDBClient",
    table: str,
    attributes: Sequence[str],
    takers: Sequence[Callable[[list[dict[str, Any]]], None]],
    advance: Callable[[int], object] = lambda _count: None,
) -> None:
    """Scan the table in as many segments at a time as there are takers, each of which takes its segment's pages.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
    """
    one_at_a_time, failed = threading.Lock(), threading.Event()

    def read(segment: int) -> None:
        try:
            for rows in _pages(client, table, attributes, segment, len(takers)):
                takers[segment](rows)
                with one_at_a_time:
                    advance(len(rows))
                if failed.is_set():
                    break
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(len(takers)) as pool:
        try:
            list(pool.map(read, range(len(takers))))
        except BaseException:
            # Ctrl-C too: the other segments end with their page, not with the table.
            failed.set()
            raise


def read_totals(
    client: "DynamoDBClient", table: str, measures: Sequence[str], key: str
) -> dict[str, Amounts]:
    """The totals in a table with that key attribute, one amount a measure; one that is not a number counts as 0.

    Totals with 0 in every measure are left out: nothing is below them.
    """
    found: dict[str, Amounts] = {}
    for rows in _pages(client, table, [key, *measures]):
        for row in rows:
            amounts = tuple([amount_of(row.get(name)) or _NOTHING for name in measures])
            name = row[key]["S"]
            if any(amounts) and not name.startswith(RESERVED):
                found[name] = amounts
    return found


def rows_of_groupings(
    client: "DynamoDBClient", table: str, key: str, configuration: Configuration
) -> Counter[str]:
    """How many rows each grouping has in the totals table, those with nothing below them included.

    Rows of former groupings are counted under the names that these had.
    """
    found: Counter[str] = Counter()
    for rows in _pages(client, table, [key]):
        for row in rows:
            identifier = row[key]["S"]
            if not identifier.startswith(RESERVED):
                labels = configuration.labels(identifier)
                found[labels.grouping if labels else identifier.partition(SEPARATOR)[0]] += 1
    return found


def amount_of(value: Mapping[str, Any] | None) -> Decimal | None:
    """The number in an attribute (DynamoDB's JSON); None if it is missing or not a number."""
    try:
        return None if value is None else number(value["N"])
    except (KeyError, NotExactError):
        return None


def _pages(
    client: "DynamoDBClient",
    table: str,
    attributes: Sequence[str],
    segment: int = 0,
    segments: int = 1,
) -> Iterator[list[dict[str, Any]]]:
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    request: ScanInputTypeDef = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment,
        "TotalSegments": segments,
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
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
    """A measure of a total of which no look was the expected amount: the looks lie between `lowest` and `highest`."""

    identifier: str
    measure: str
    expected: Amount
    lowest: Amount
    highest: Amount

    @property
    def off(self) -> Decimal:
        """How far the nearest look is above the expected amount (below: negative); 0: it is in flight."""
        if self.lowest > self.expected:
            return WIDE.subtract(self.lowest, self.expected)
        if self.highest < self.expected:
            return WIDE.subtract(self.highest, self.expected)
        return _NOTHING

    @property
    def moved(self) -> bool:
        """Whether the looks differ: the total is then off by at least `off`, else by just that."""
        return self.lowest != self.highest


def brackets(
    measures: Sequence[str],
    expected: Mapping[str, Amounts],
    looks: Sequence[Mapping[str, Amounts]],
) -> list[Bracket]:
    """The measures that no look showed as expected, ordered by total. A missing total has 0 in every measure."""
    nothing = (_NOTHING,) * len(measures)
    found = []
    for row in sorted({*expected, *(row for look in looks for row in look)}):
        wanted = expected.get(row, nothing)
        seen = [look.get(row, nothing) for look in looks]
        if wanted in seen:
            continue
        for place, measure in enumerate(measures):
            amounts = [amounts[place] for amounts in seen]
            if wanted[place] not in amounts:
                found.append(Bracket(row, measure, wanted[place], min(amounts), max(amounts)))
    return found


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of a running aggregation found: `totals` were compared; those without a bracket are exact."""

    expected: Expected
    totals: int
    wrong: list[Bracket]
    in_flight: list[Bracket]


@dataclass(frozen=True, slots=True)
class Tables:
    """The two sides of the comparison: how to read them, and the names of the measures."""

    measures: Sequence[str]
    expected: Callable[[], Expected]
    found: Callable[[], Mapping[str, Amounts]]


def tables_of(
    client: "DynamoDBClient",
    source: tuple[str, Sequence[str]],
    totals: tuple[str, str],
    configuration: Configuration,
    advance: Callable[[int], object] = lambda _count: None,
    clock: Callable[[], float] = time.time,
) -> Tables:
    """The two sides of an aggregation without the totals that have expired by now.

    source: the source table's name, and the attributes of its key.
    totals: the totals table's name, and its key attribute.
    """
    at = clock()

    def kept(found: Mapping[str, Amounts]) -> dict[str, Amounts]:
        return {
            identifier: amounts
            for identifier, amounts in found.items()
            if not has_expired(configuration, identifier, at)
        }

    def expected() -> Expected:
        found = read_source(client, *source, configuration, advance=advance)
        return replace(found, totals=kept(found.totals))

    table, key = totals
    return Tables(
        configuration.names,
        expected,
        lambda: kept(read_totals(client, table, configuration.names, key)),
    )


def has_expired(configuration: Configuration, identifier: str, at: float) -> bool:
    """Whether the total has expired at that time (epoch seconds), by its grouping's `retention_days`.

    Time to live removes its row some time later, and no source row brings it back.
    """
    labels = configuration.labels(identifier)
    return labels is not None and labels.expires is not None and labels.expires <= at


def audit(
    tables: Tables,
    freshness: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Audit:
    """Audit an aggregation that may be running; a total comes through within `freshness` seconds.

    Ends as soon as every total is exact; at the latest, after two rounds of a scan and `freshness` seconds.
    """
    first = _round(tables, freshness, clock, sleep)
    if not first.wrong:
        return first
    second = _round(tables, freshness, clock, sleep)
    sides = {(row.identifier, row.measure): row.off > 0 for row in first.wrong}
    wrong = [
        row for row in second.wrong if sides.get((row.identifier, row.measure)) is (row.off > 0)
    ]
    in_flight = [*second.in_flight, *(row for row in second.wrong if row not in wrong)]
    return Audit(second.expected, second.totals, wrong, in_flight)


def _round(
    tables: Tables,
    freshness: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Audit:
    looks = [tables.found()]
    expected = tables.expected()
    wanted: Mapping[str, Amounts] = expected.totals
    end = clock() + freshness
    while True:
        is_last = clock() >= end
        look = tables.found()
        totals = len({*expected.totals, *look})
        # A total that was exact once stays so. Of the looks that are over, only what is still open is kept.
        looks.append(look if len(looks) == 1 else _only(look, wanted))
        open_rows = brackets(tables.measures, wanted, looks)
        if is_last or not open_rows:
            break
        names = {row.identifier for row in open_rows}
        nothing = (_NOTHING,) * len(tables.measures)
        wanted = {name: expected.totals.get(name, nothing) for name in names}
        looks = [_only(each, wanted) for each in looks]
        sleep(max(0.0, min(freshness / LOOKS, end - clock())))
    return Audit(
        expected,
        totals,
        [row for row in open_rows if row.off],
        [row for row in open_rows if not row.off],
    )


def _only(look: Mapping[str, Amounts], wanted: Mapping[str, Amounts]) -> Mapping[str, Amounts]:
    return {name: look[name] for name in wanted if name in look}
