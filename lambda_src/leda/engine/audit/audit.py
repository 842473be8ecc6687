"""Compares the totals with their source table, and finds the wrong ones while both change.

A running aggregation always has a lag, so a comparison of one read of each table would report changes in flight as
errors. The audit reads the totals first, then scans the source table, then reads the totals repeatedly for as long as a
change may take to reach them. Each read of the totals is a "look". The first look lacks the changes that were in flight
before the scan, and the last look has all changes that the scan has read. So the value of a correct total equals or
passes the scan's sum between the first and the last look, with any lag:

- If a look equals the sum, the total is exact.
- If looks are on both sides of the sum, the total is in flight.
- If all looks are on one side of the sum, the total is wrong, at least by the distance of the nearest look, and exactly
  by that distance if all looks are equal.

Each measure of a total is compared. A missing total counts as 0 in every measure, because a row with 0 may stay for its
checkpoint. Rows whose names begin with ":" are not totals.

The last case is not certain for a total that increases and decreases: a scan takes some time, and may read one row
before a change and another row after a later change, so its sum may be one that the total never had. A lost change is
missing in the next round too, but such a sum does not occur again. So a total is reported as wrong only if a second
round finds it wrong on the same side. If the lag is longer than the time allowed, totals are reported as wrong.

With `"on_expiry": "keep"` the source table no longer has all rows that were counted, so it cannot be compared.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from leda.engine.audit.brackets import Bracket, brackets
from leda.engine.audit.source_sum import Expected, read_source
from leda.engine.audit.totals_table import read_totals
from leda.engine.group_by.configuration import Amounts, Configuration
from leda.values.joined import joined

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The most looks after the scan, while not every total is exact.
LOOKS = 6


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit: the number of totals that were compared, and those that are wrong or in flight."""

    expected: Expected
    totals: int
    wrong: list[Bracket]
    in_flight: list[Bracket]


@dataclass(frozen=True, slots=True)
class Tables:
    """The functions that read the two sides of the comparison, and the names of the measures."""

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
    """Return the two sides of an aggregation, without totals that have expired.

    source: the source table's name, and the attributes of its key.
    totals: the totals table's name, and its key attribute.
    """
    at = clock()

    def kept(found: Iterable[tuple[str, Amounts]]) -> dict[str, Amounts]:
        return {
            identifier: amounts
            for identifier, amounts in found
            if not configuration.has_expired(identifier, at)
        }

    def expected() -> Expected:
        found = read_source(client, *source, configuration, advance=advance)
        return replace(found, totals=kept(found.totals.items()))

    table, key = totals
    return Tables(
        configuration.names,
        expected,
        lambda: kept(read_totals(client, table, configuration.names, key)),
    )


def audit(
    tables: Tables,
    freshness: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Audit:
    """Audit an aggregation that may be running, in which a change reaches its totals within `freshness` seconds.

    Ends as soon as every total is exact, and at the latest after two rounds of a scan and `freshness` seconds.
    """
    first = _round(tables, freshness, clock, sleep)
    if not first.wrong:
        return first
    second = _round(tables, freshness, clock, sleep)
    sides = {(row.identifier, row.measure): row.off > 0 for row in first.wrong}
    wrong: list[Bracket] = []
    in_flight = list(second.in_flight)
    for row in second.wrong:
        is_same_side = sides.get((row.identifier, row.measure)) is (row.off > 0)
        (wrong if is_same_side else in_flight).append(row)
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
        # A total that was exact in one look counts as exact. Earlier looks keep only the totals without a result.
        looks.append(look if len(looks) == 1 else _only(look, wanted))
        open_rows = brackets(tables.measures, wanted, looks)
        if is_last or not open_rows:
            break
        names = {row.identifier for row in open_rows}
        nothing = (Decimal(0),) * len(tables.measures)
        wanted = {name: expected.totals.get(name, nothing) for name in names}
        looks = [_only(each, wanted) for each in looks]
        sleep(max(0.0, min(freshness / LOOKS, end - clock())))
    return Audit(
        expected,
        sum(1 for _ in joined(expected.totals, look)),
        [row for row in open_rows if row.off],
        [row for row in open_rows if not row.off],
    )


def _only(look: Mapping[str, Amounts], wanted: Mapping[str, Amounts]) -> Mapping[str, Amounts]:
    return {name: look[name] for name in wanted if name in look}
