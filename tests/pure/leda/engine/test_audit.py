"""The audit: what rows of StateTable add up to, and which totals of a running pipeline are wrong."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine import audit as module
from leda.engine.audit import (
    Bracket,
    Expected,
    Tables,
    audit,
    brackets,
    key_text,
    read_source,
    read_totals,
    rows_of_groupings,
    tables_of,
)
from leda.engine.audit import fold as fold_by_key
from leda.engine.configuration import Configuration
from leda.engine.uncounted import MAX_REASONS, OTHER_REASONS, Uncounted

Row = dict[str, Any]

CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "path": "Path",
            "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}},
        }
    )
)
VALUE = ("Value",)


def fold(rows: list[Row], configuration: Configuration) -> Expected:
    return fold_by_key(rows, configuration, ["id"])


def row(name: str, path: str | None, value: str | None, **more: Any) -> Row:
    made: Row = {"id": {"S": name}, "Deleted": {"BOOL": path is None}, **more}
    made["Path"] = {"NULL": True} if path is None else {"S": path}
    made["Value"] = {"NULL": True} if value is None else {"N": value}
    return made


# -- the sum over StateTable

NUMBERS = st.decimals(-(10**12), 10**12, places=17).map(lambda value: format(value, "f"))
PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(":".join)
ROWS = st.lists(
    st.one_of(
        st.builds(lambda path, value: row("x", path, value), PATHS, NUMBERS),
        st.just(row("x", None, None)),
    ),
    max_size=20,
)


@given(ROWS)
def test_every_node_has_the_exact_count_and_sum_of_the_rows_below_it(rows: list[Row]) -> None:
    sums: dict[str, tuple[int, Fraction]] = {}
    for each in rows:
        if "S" in each["Path"]:
            levels = each["Path"]["S"].split(":")
            for depth in range(1, len(levels) + 1):
                node = ":".join(levels[:depth])
                count, value = sums.get(node, (0, Fraction(0)))
                sums[node] = count + 1, value + Fraction(each["Value"]["N"])
    found = fold(rows, CONFIGURATION)
    assert {node: (count, Fraction(value)) for node, (count, value) in found.totals.items()} == sums
    assert (found.rows, found.unreadable) == (len(rows), 0)


def test_rows_that_cannot_be_read_add_nothing_and_are_counted_and_named() -> None:
    broken = [row(f"t{number}", "PV", None) for number in range(30)]
    found = fold([row("good", "PV", "5"), *broken, row("odd", "PV::x", "1")], CONFIGURATION)
    assert found.totals == {"PV": (1, Decimal(5))}
    assert (found.rows, found.unreadable) == (32, 31)
    assert found.reasons == {"the row has no Value (a number)": 30, "Path has an empty level": 1}
    names = sorted(["odd", *(f"t{number}" for number in range(30))])
    assert [text.partition(":")[0] for text in found.named] == names[:10]


def test_the_same_rows_are_named_in_whatever_order_they_are_read() -> None:
    broken = [row(f"t{number}", "PV", None) for number in range(30)]
    assert fold(broken, CONFIGURATION) == fold(broken[::-1], CONFIGURATION)


def test_rows_that_no_grouping_takes_are_counted_apart_from_those_that_cannot_be_read() -> None:
    document = {
        "group_by": {"urgent": {"keys": ["date"], "where": {"urgency": ["high"]}}},
        "measures": {"Count": {"op": "count"}},
    }
    rows: list[Row] = [
        {"id": {"S": "a"}, "date": {"S": "d"}, "urgency": {"S": "high"}},
        {"id": {"S": "b"}, "date": {"S": "d"}, "urgency": {"S": "low"}},
        {"id": {"S": "c"}, "urgency": {"S": "high"}},
    ]
    found = fold(rows, Configuration.from_json(json.dumps(document)))
    assert found.totals == {"urgent:d": (1,)}
    assert (found.rows, found.outside, found.unreadable) == (3, 1, 1)
    assert found.named == ["c: the row has no date"]


def test_more_reasons_than_are_kept_apart_are_counted_as_one() -> None:
    kept, more = Uncounted(), Uncounted()
    for number in range(MAX_REASONS):
        kept.add(f"k{number}", f"reason {number}")
        more.add(f"m{number}", f"another {number}")
    kept.merge(more)
    assert kept.count == 2 * MAX_REASONS
    assert kept.reasons[OTHER_REASONS] == MAX_REASONS
    assert sum(kept.reasons.values()) == kept.count


def test_a_key_is_shown_with_all_its_attributes_and_bytes_as_digits() -> None:
    stored: Row = {"a": {"B": b"\x01\xff"}, "b": {"N": "7"}, "c": {"S": "x"}}
    assert key_text(stored, ["a", "b"]) == "01ff, 7"


def test_a_sum_of_more_digits_than_a_number_of_dynamodb_is_exact_all_the_same() -> None:
    found = fold([row("a", "PV", "1E+28"), row("b", "PV", "1E-28")], CONFIGURATION)
    assert Fraction(found.totals["PV"][1]) == Fraction(10**28) + Fraction(1, 10**28)


def test_a_row_counts_as_the_configuration_says_and_not_otherwise() -> None:
    document = {"path": "Region", "measures": {"Pieces": {"op": "sum", "field": "Quantity"}}}
    stored = row("a", "PV", "5", Region={"S": "EMEA:Ulm"}, Quantity={"N": "3"})
    found = fold([stored], Configuration.from_json(json.dumps(document)))
    assert found.totals == {"EMEA": (Decimal(3),), "EMEA:Ulm": (Decimal(3),)}


class Table:
    """Pages of a table: a scan's segment reads every so-manieth row, two a page."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.requests: list[dict[str, Any]] = []
        self.fail: Callable[[int], None] = lambda _segment: None

    def scan(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        segment, segments = request["Segment"], request["TotalSegments"]
        self.fail(segment)
        mine = list(self.rows[segment::segments])
        start = request.get("ExclusiveStartKey", 0)
        page: dict[str, Any] = {"Items": mine[start : start + 2]}
        return page | ({"LastEvaluatedKey": start + 2} if start + 2 < len(mine) else {})


@pytest.mark.parametrize("segments", [1, 3, 8])
def test_a_parallel_scan_reads_every_row_once_and_consistently(segments: int) -> None:
    rows = [row(f"t{n}", f"PV:{n % 4}", f"{n}.5") for n in range(25)]
    table: Any = Table(rows)
    counts: list[int] = []
    found = read_source(table, "StateTable", ["id"], CONFIGURATION, segments, counts.append)
    assert found == fold(rows, CONFIGURATION)
    assert sum(counts) == len(rows)
    assert all(request["ConsistentRead"] for request in table.requests)
    assert {request["Segment"] for request in table.requests} == set(range(segments))


def test_a_segment_that_fails_ends_the_others() -> None:
    table: Any = Table([row(f"t{n}", "PV", "1") for n in range(4000)])
    failed = threading.Event()

    def fail(segment: int) -> None:
        if segment == 1:
            failed.set()
            raise RuntimeError("throttled")
        failed.wait(10)

    table.fail = fail
    with pytest.raises(RuntimeError, match="throttled"):
        read_source(table, "StateTable", ["id"], CONFIGURATION, 2)
    # A segment has a thousand pages; it ends soon after the other has failed.
    assert len(table.requests) < 500


def test_only_what_has_a_number_is_a_total_and_reserved_rows_are_no_totals() -> None:
    table: Any = Table(
        [
            {"Identifier": {"S": "a"}, "Value": {"N": "1.50"}, "Count": {"N": "2"}},
            {"Identifier": {"S": "b"}, "Value": {"S": "x"}, "Count": {"N": "1"}},
            {"Identifier": {"S": "c"}},
            {"Identifier": {"S": "d"}, "Value": {"N": "0"}, "Count": {"N": "0"}},
            {"Identifier": {"S": "e"}, "Value": {"N": "7"}, "Count": {"N": "0"}},
            {"Identifier": {"S": ":rebuild:1:2:a.1.0"}, "Value": {"N": "7"}, "Count": {"N": "1"}},
        ]
    )
    assert read_totals(table, "AggregateTable", CONFIGURATION.names, "Identifier") == {
        "a": (2, Decimal("1.5")),
        "b": (1, 0),
        "e": (0, 7),
    }


def test_rows_are_counted_by_grouping_those_with_nothing_below_them_included() -> None:
    measures = {"Count": {"op": "count"}}
    rows: list[Row] = [
        {"User": {"S": name}, "Count": {"N": count}}
        for name, count in [("daily:a", "1"), ("daily:b", "0"), ("tags:a:b", "3"), (":x", "1")]
    ]
    table: Any = Table(rows)

    def counted(**more: Any) -> Mapping[str, int]:
        document = json.dumps(
            {"group_by": {"daily": {"keys": ["a"]}}, "measures": measures, **more}
        )
        return rows_of_groupings(table, "Totals", "User", Configuration.from_json(document))

    assert counted() == {"daily": 2, "tags": 1}
    assert counted(identifiers="plain") == {"daily": 3}


def test_totals_that_have_expired_are_compared_no_more_on_either_side() -> None:
    document = {
        "group_by": {
            "daily": {"keys": ["at:day"], "retention_days": 2},
            "users": {"keys": ["user"]},
        },
        "measures": {"Count": {"op": "count"}},
    }
    configuration = Configuration.from_json(json.dumps(document))
    rows: list[Row] = [
        {"id": {"S": day}, "at": {"S": day}, "user": {"S": "ann"}}
        for day in ("2026-08-01", "2026-08-02")
    ]
    stored: list[Row] = [
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


# -- brackets

AMOUNTS = st.integers(-5, 5).map(Decimal)
TOTALS = st.dictionaries(st.sampled_from("abcd"), st.tuples(AMOUNTS), max_size=4)
PAIRS = st.dictionaries(st.sampled_from("abcd"), st.tuples(AMOUNTS, AMOUNTS), max_size=4)


@given(TOTALS, st.lists(TOTALS, min_size=1, max_size=4))
def test_a_row_is_off_by_the_distance_of_the_nearest_look_or_in_flight_or_exact(
    expected: dict[str, tuple[Decimal]], looks: list[dict[str, tuple[Decimal]]]
) -> None:
    found = {each.identifier: each for each in brackets(VALUE, expected, looks)}
    nothing = (Decimal(0),)
    for name in "abcd":
        seen = [look.get(name, nothing)[0] - expected.get(name, nothing)[0] for look in looks]
        if 0 in seen:
            assert name not in found
        elif min(seen) < 0 < max(seen):
            assert found[name].off == 0
        else:
            assert found[name].off == min(seen, key=abs)
            assert found[name].moved is (len(set(seen)) > 1)


@given(PAIRS, st.lists(PAIRS, min_size=1, max_size=4))
def test_each_measure_is_compared_as_if_it_were_the_only_one(
    expected: dict[str, tuple[Decimal, ...]], looks: list[dict[str, tuple[Decimal, ...]]]
) -> None:
    def only(totals: Mapping[str, tuple[Decimal, ...]], place: int) -> dict[str, tuple[Decimal]]:
        return {name: (amounts[place],) for name, amounts in totals.items()}

    alone = [
        bracket
        for place, measure in enumerate(("Count", "Value"))
        for bracket in brackets(
            (measure,), only(expected, place), [only(look, place) for look in looks]
        )
    ]
    together = brackets(("Count", "Value"), expected, looks)
    assert together == sorted(alone, key=lambda bracket: (bracket.identifier, bracket.measure))


def test_what_differs_is_in_order_and_a_total_of_0_is_no_total() -> None:
    expected = {"b": (Decimal(1),), "z": (Decimal(0),)}
    assert brackets(VALUE, expected, [{"a": (Decimal(2),), "y": (Decimal(0),)}]) == [
        Bracket("a", "Value", Decimal(0), Decimal(2), Decimal(2)),
        Bracket("b", "Value", Decimal(1), Decimal(0), Decimal(0)),
    ]


# -- the audit of a pipeline


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


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

    def audit(self, freshness: float = 30) -> module.Audit:
        return audit(self.tables, freshness, self.clock, self.clock.sleep)


def test_a_quiet_pipeline_is_found_exact_at_once() -> None:
    running = Running(lambda _now: {"a": 5, "b": -1})
    found = running.audit()
    assert (found.totals, found.wrong, found.in_flight) == (2, [], [])
    assert running.clock() == 1010


def test_the_audit_waits_for_what_is_under_way_and_no_longer() -> None:
    running = Running(lambda now: {"a": 5 if now < 1003 else 6}, lag=15)
    assert running.audit().wrong == []
    assert running.scans == 1
    assert 1018 <= running.clock() <= 1025


@pytest.mark.parametrize("lag", [0, 3, 29])
@pytest.mark.parametrize("slope", [7, -7])
def test_a_flowing_pipeline_is_in_flight_or_exact_whatever_its_lag(lag: float, slope: int) -> None:
    found = Running(lambda now: {"a": int(now * slope), "b": 4}, lag).audit()
    assert found.wrong == []
    assert found.totals == 2


def test_a_flowing_total_that_is_wrong_is_wrong_by_the_nearer_end_at_least() -> None:
    running = Running(lambda now: {"a": int(now) * 7}, lag=3)
    running.off = {"a": -1000}
    (wrong,) = running.audit().wrong
    assert wrong.moved
    assert -1000 <= wrong.off < 0
    assert running.scans == 2


def test_a_total_that_does_not_move_is_wrong_by_just_its_difference() -> None:
    running = Running(lambda _now: {"a": 5, "b": 7})
    running.off = {"a": 2, "c": -1}
    found = running.audit()
    assert [(each.identifier, each.off, each.moved) for each in found.wrong] == [
        ("a", Decimal(2), False),
        ("c", Decimal(-1), False),
    ]
    assert running.clock() >= 1000 + 2 * (10 + 30)


@given(PAIRS, st.lists(PAIRS, min_size=9, max_size=9))
def test_an_audit_finds_what_a_comparison_of_all_its_looks_finds(
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


def test_a_sum_that_never_was_is_not_called_wrong_when_the_next_round_does_not_find_it() -> None:
    running = Running(lambda _now: {"a": 5})
    read = running.expected

    def torn() -> Expected:
        found = read()
        if running.scans == 1:
            # One trade read before it changed, another after it changed back.
            found.totals["a"] = (found.totals["a"][0] + 10,)
        return found

    running.expected = torn  # type: ignore[method-assign]
    found = running.audit()
    assert (found.wrong, found.in_flight) == ([], [])
    assert running.scans == 2


def test_a_row_that_is_off_to_the_other_side_the_second_time_is_in_flight() -> None:
    running = Running(lambda _now: {"a": 5})
    read = running.expected

    def torn() -> Expected:
        found = read()
        found.totals["a"] = (found.totals["a"][0] + (10 if running.scans == 1 else -10),)
        return found

    running.expected = torn  # type: ignore[method-assign]
    found = running.audit()
    assert found.wrong == []
    assert [each.identifier for each in found.in_flight] == ["a"]


def test_the_last_look_is_as_late_as_a_change_may_be() -> None:
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
