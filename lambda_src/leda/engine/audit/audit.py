"""Compares the totals with their source table: what they must be, and which of them are wrong.

A running aggregation is always a little behind, so one look at each table would take changes that are in flight for
errors. The audit reads the totals first, then scans the source table, then reads the totals repeatedly for as long as
a change may take to reach them. Each reading of the totals is a "look". The first look lacks what was in flight before
the scan; the last one has all that the scan has read. So a total that is right equals or passes the scan's sum on its
way from the first look to the last, whatever the lag was:

- a look equals the sum: the total is exact;
- the looks lie on both sides of the sum: the total is in flight, between the two;
- every look is on one side of it: the total is wrong, by the distance of the nearest look at least; by just that
  if the total never moved.

Each measure of a total is compared. A total without a row is one with 0 in every measure, and the other way round: a
row stays when nothing is left below it, because it holds the total's checkpoint. Rows whose names begin with ":" are
not totals.

The last case is not certain for a total that moves back and forth: a scan takes its time, and reads one row before a
change and another one after a later change, which adds up to what the total never was. What is lost stays lost,
and such a sum does not occur again; so a total is called wrong only after a second round has found it so, on the
same side. An aggregation that is further behind than the time allowed is found wrong: it is not as fresh as promised.

With `"on_expiry": "keep"` the source table no longer holds what was counted, so there is nothing to compare with.
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

# Looks at the totals after the scan, while not every total is exact.
LOOKS = 6


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
    """Audit an aggregation that may be running; a total comes through within `freshness` seconds.

    Ends as soon as every total is exact; at the latest, after two rounds of a scan and `freshness` seconds.
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
        # A total that was exact once stays so. Of the looks that are over, only what is still open is kept.
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
