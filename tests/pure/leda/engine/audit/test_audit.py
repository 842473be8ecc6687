"""Which totals of a running pipeline are wrong."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine.audit.audit import Audit, Tables, audit, tables_of
from leda.engine.audit.brackets import brackets
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from support.clock import Clock
from support.scanned_table import Table

VALUE = ("Value",)
AMOUNTS = st.integers(-5, 5).map(Decimal)
PAIRS = st.dictionaries(st.sampled_from("abcd"), st.tuples(AMOUNTS, AMOUNTS), max_size=4)


class Running:
    """A pipeline with a lag: `true(t)` is what StateTable adds up to, its totals follow `lag` seconds later."""

    def __init__(
        self, true: Callable[[float], Mapping[str, int]], lag: float = 3, scan_seconds: float = 10
    ) -> None:
        self.true, self.lag, self.scan_seconds = true, lag, scan_seconds
        self.clock = Clock()
        self.scans = 0
        self.off: Mapping[str, int] = {}

    def expected(self) -> Expected:
        self.scans += 1
        self.clock.sleep(self.scan_seconds / 2)
        totals = {name: (Decimal(value),) for name, value in self.true(self.clock()).items()}
        self.clock.sleep(self.scan_seconds / 2)
        return Expected({**totals}, rows=1)

    def found(self) -> dict[str, tuple[Decimal]]:
        late = self.true(self.clock() - self.lag)
        rows = {*late, *self.off}
        return {name: (Decimal(late.get(name, 0) + self.off.get(name, 0)),) for name in rows}

    @property
    def tables(self) -> Tables:
        return Tables(VALUE, lambda: self.expected(), lambda: self.found())

    def audit(self, freshness: float = 30) -> Audit:
        return audit(self.tables, freshness, self.clock, self.clock.sleep)


def test_without_changes_the_audit_ends_after_one_scan() -> None:
    running = Running(lambda _now: {"a": 5, "b": -1})
    found = running.audit()
    assert (found.totals, found.wrong, found.in_flight) == (2, [], [])
    assert running.clock() == 1010


def test_the_audit_ends_as_soon_as_pending_changes_are_in_the_totals() -> None:
    running = Running(lambda now: {"a": 5 if now < 1003 else 6}, lag=15)
    assert running.audit().wrong == []
    assert running.scans == 1
    assert 1018 <= running.clock() <= 1025


@pytest.mark.parametrize("lag", [0, 3, 29])
@pytest.mark.parametrize("slope", [7, -7])
def test_correct_totals_are_never_reported_as_wrong_while_changes_arrive(
    lag: float, slope: int
) -> None:
    found = Running(lambda now: {"a": int(now * slope), "b": 4}, lag).audit()
    assert found.wrong == []
    assert found.totals == 2


def test_a_wrong_total_is_reported_while_changes_arrive() -> None:
    running = Running(lambda now: {"a": int(now) * 7}, lag=3)
    running.off = {"a": -1000}
    (wrong,) = running.audit().wrong
    assert wrong.moved
    assert -1000 <= wrong.off < 0
    assert running.scans == 2


def test_a_wrong_total_that_does_not_change_is_reported_with_its_exact_difference() -> None:
    running = Running(lambda _now: {"a": 5, "b": 7})
    running.off = {"a": 2, "c": -1}
    found = running.audit()
    assert [(each.identifier, each.off, each.moved) for each in found.wrong] == [
        ("a", Decimal(2), False),
        ("c", Decimal(-1), False),
    ]
    assert running.clock() >= 1000 + 2 * (10 + 30)


@given(PAIRS, st.lists(PAIRS, min_size=9, max_size=9))
def test_the_audit_reports_what_a_comparison_of_all_its_reads_reports(
    expected: dict[str, tuple[Decimal, ...]], looks: list[dict[str, tuple[Decimal, ...]]]
) -> None:
    clock = Clock()
    seen: list[dict[str, tuple[Decimal, ...]]] = []

    def found() -> dict[str, tuple[Decimal, ...]]:
        # The second round begins again with the first look.
        look = looks[len(seen) % 8]
        seen.append(look)
        return look

    tables = Tables(("Count", "Value"), lambda: Expected({**expected}), found)
    result = audit(tables, 30, clock, clock.sleep)
    last = seen[8:] or seen
    compared = brackets(("Count", "Value"), expected, last)
    assert sorted([*result.wrong, *result.in_flight], key=repr) == sorted(compared, key=repr)


def test_a_difference_that_the_second_scan_does_not_find_is_not_reported() -> None:
    running = Running(lambda _now: {"a": 5})
    read = running.expected

    def torn() -> Expected:
        found = read()
        if running.scans == 1:
            # One trade read before it changed, another after it changed back.
            found.totals = {"a": (found.totals["a"][0] + 10,)}
        return found

    running.expected = torn  # type: ignore[method-assign]
    found = running.audit()
    assert (found.wrong, found.in_flight) == ([], [])
    assert running.scans == 2


def test_a_difference_that_changes_its_sign_in_the_second_scan_is_in_flight() -> None:
    running = Running(lambda _now: {"a": 5})
    read = running.expected

    def torn() -> Expected:
        found = read()
        found.totals = {"a": (found.totals["a"][0] + (10 if running.scans == 1 else -10),)}
        return found

    running.expected = torn  # type: ignore[method-assign]
    found = running.audit()
    assert found.wrong == []
    assert [each.identifier for each in found.in_flight] == ["a"]


def test_the_last_read_is_later_than_the_oldest_change_may_be() -> None:
    looks: list[float] = []
    running = Running(lambda _now: {"a": 5})
    running.off = {"a": 1}

    def found() -> dict[str, tuple[Decimal]]:
        looks.append(running.clock())
        return Running.found(running)

    running.found = found  # type: ignore[method-assign]
    running.audit()
    first = [look for look in looks if look < 1041]
    assert first[0] == 1000
    assert first[1] == 1010
    assert first[-1] >= 1040


def test_expired_totals_are_not_compared() -> None:
    document = {
        "group_by": {
            "daily": {"keys": ["at:day"], "retention_days": 2},
            "users": {"keys": ["user"]},
        },
        "measures": {"Count": {"op": "count"}},
    }
    configuration = Configuration.from_json(json.dumps(document))
    rows: list[dict[str, Any]] = [
        {"id": {"S": day}, "at": {"S": day}, "user": {"S": "ann"}}
        for day in ("2026-08-01", "2026-08-02")
    ]
    stored: list[dict[str, Any]] = [
        {"Identifier": {"S": name}, "Count": {"N": "1"}}
        for name in ("daily:2026-07-01", "daily:2026-08-01", "daily:2026-08-02")
    ]

    class Both(Table):
        def scan(self, **request: Any) -> dict[str, Any]:
            self.rows = rows if request["TableName"] == "Feedback" else stored
            return super().scan(**request)

    client: Any = Both([])
    # Two days after the first of August has ended.
    now = datetime(2026, 8, 4, tzinfo=UTC).timestamp()
    tables = tables_of(
        client, ("Feedback", ["id"]), ("Totals", "Identifier"), configuration, clock=lambda: now
    )
    assert tables.expected().totals == {"daily:2026-08-02": (1,), "users:ann": (2,)}
    assert tables.expected().rows == 2
    assert tables.found() == {"daily:2026-08-02": (1,)}
