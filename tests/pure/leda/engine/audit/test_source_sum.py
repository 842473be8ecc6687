"""The totals that the rows of the source table add up to."""

import json
import threading
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine.audit.source_sum import Expected, read_source
from leda.engine.audit.source_sum import fold as fold_by_key
from leda.engine.audit.uncounted import MAX_REASONS, OTHER_REASONS, Uncounted
from leda.engine.group_by.configuration import Configuration
from support.scanned_table import Table

Row = dict[str, Any]

CONFIGURATION = Configuration.from_json(
    json.dumps(
        {
            "path": "Path",
            "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}},
        }
    )
)


def fold(rows: list[Row], configuration: Configuration) -> Expected:
    return fold_by_key(rows, configuration, ["id"])


def row(name: str, path: str | None, value: str | None, **more: Any) -> Row:
    made: Row = {"id": {"S": name}, "Deleted": {"BOOL": path is None}, **more}
    made["Path"] = {"NULL": True} if path is None else {"S": path}
    made["Value"] = {"NULL": True} if value is None else {"N": value}
    return made


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


def test_unreadable_rows_add_nothing_and_are_counted_and_named() -> None:
    broken = [row(f"t{number}", "PV", None) for number in range(30)]
    found = fold([row("good", "PV", "5"), *broken, row("odd", "PV::x", "1")], CONFIGURATION)
    assert found.totals == {"PV": (1, Decimal(5))}
    assert (found.rows, found.unreadable) == (32, 31)
    assert found.reasons == {"the row has no Value (a number)": 30, "Path has an empty level": 1}
    names = sorted(["odd", *(f"t{number}" for number in range(30))])
    assert [text.partition(":")[0] for text in found.named] == names[:10]


def test_a_marker_of_a_rebuild_is_no_row() -> None:
    marker = row("leda-watermark-0", None, None, LedaWatermark={"S": "token 0"})
    found = fold([marker, row("good", "PV", "5")], CONFIGURATION)
    assert (found.rows, found.outside) == (1, 0)


def test_the_named_rows_do_not_depend_on_the_order_of_reading() -> None:
    broken = [row(f"t{number}", "PV", None) for number in range(30)]
    assert fold(broken, CONFIGURATION) == fold(broken[::-1], CONFIGURATION)


def test_rows_in_no_grouping_are_counted_apart_from_unreadable_rows() -> None:
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


def test_reasons_beyond_the_maximum_are_counted_together() -> None:
    kept, more = Uncounted(), Uncounted()
    for number in range(MAX_REASONS):
        kept.add(f"k{number}", f"reason {number}")
        more.add(f"m{number}", f"another {number}")
    kept.merge(more)
    assert kept.count == 2 * MAX_REASONS
    assert kept.reasons[OTHER_REASONS] == MAX_REASONS
    assert sum(kept.reasons.values()) == kept.count


def test_a_sum_with_more_digits_than_a_dynamodb_number_is_exact() -> None:
    found = fold([row("a", "PV", "1E+28"), row("b", "PV", "1E-28")], CONFIGURATION)
    assert Fraction(found.totals["PV"][1]) == Fraction(10**28) + Fraction(1, 10**28)


@pytest.mark.parametrize("segments", [1, 3, 8])
def test_a_parallel_scan_reads_every_row_once_with_consistent_reads(segments: int) -> None:
    rows = [row(f"t{n}", f"PV:{n % 4}", f"{n}.5") for n in range(25)]
    table: Any = Table(rows)
    counts: list[int] = []
    found = read_source(table, "StateTable", ["id"], CONFIGURATION, segments, counts.append)
    assert found == fold(rows, CONFIGURATION)
    assert sum(counts) == len(rows)
    assert all(request["ConsistentRead"] for request in table.requests)
    assert {request["Segment"] for request in table.requests} == set(range(segments))


def test_a_failing_segment_ends_the_other_segments() -> None:
    table: Any = Table([row(f"t{n}", "PV", "1") for n in range(4000)])
    failed = threading.Event()

    def fail(segment: int) -> None:
        if segment == 1:
            failed.set()
            raise RuntimeError("throttled")
        failed.wait(10)
        time.sleep(0.001)

    table.fail = fail
    with pytest.raises(RuntimeError, match="throttled"):
        read_source(table, "StateTable", ["id"], CONFIGURATION, 2)
    # A segment has a thousand pages; it ends soon after the other has failed.
    assert len(table.requests) < 500
