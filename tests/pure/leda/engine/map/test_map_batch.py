"""Map's arithmetic: from records to changes, parts of a batch, and the sums of each lane."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.engine.delta_rows import lane_number
from leda.engine.group_by.configuration import Configuration, Contribution, bytes_of
from leda.engine.group_by.hierarchy import nodes
from leda.engine.map import map_batch
from leda.engine.map.map_batch import Change, by_lane, oldest_time, parts, read, split_beyond_limits
from leda.engine.map.source_shards import Assignment
from leda.engine.shards import padded
from leda.streams.stream_records import StreamRecord
from leda.values.limits import Limits
from leda.values.numbers import exact

CONFIGURATION = Configuration.from_json(
    '{"path": "Path", "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}}}'
)


def row(path: str, value: str) -> dict[str, Any]:
    return {"Path": {"S": path}, "Value": {"N": value}}


def record(sequence: int, old: Any, new: Any) -> StreamRecord:
    name = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
    return StreamRecord(sequence, f"e{sequence}", name, old, new, False, None, {"dynamodb": {}})


def changes(*records: StreamRecord) -> list[Change]:
    found, _ = read(records, CONFIGURATION)
    return split_beyond_limits(found, Limits())


def test_a_moved_trade_is_subtracted_at_its_old_path_and_added_at_the_new_one() -> None:
    (change,) = changes(record(7, row("A:B", "5"), row("A:C", "6")))

    assert change.end == padded(7)
    assert change.contributions == (
        Contribution(("A:B",), (-1, -5)),
        Contribution(("A:C",), (1, 6)),
    )
    assert by_lane([change], Assignment(CONFIGURATION, 1)) == {
        0: {"A": [0, 1], "A:B": [-1, -5], "A:C": [1, 6]}
    }


def test_a_value_beyond_the_limits_is_written_apart_in_two_halves() -> None:
    found = changes(
        record(1, None, row("A", "1")),
        record(2, row("A", "1E+20"), row("A", "1E-20")),
        record(3, None, row("A", "1")),
    )

    ends = [[change.end for change in part] for part in parts(found, Assignment(CONFIGURATION, 1))]
    assert ends == [[padded(1)], [padded(1) + ".1"], [padded(2)], [padded(3)]]
    assert [change.not_covered_by(padded(1)) for change in found] == [None, *found[1:]]


def test_a_change_divided_by_one_delivery_and_not_by_another_counts_once() -> None:
    """Each delivery decides again whether a change is divided."""
    change, *_ = read([record(2, row("A", "1E+20"), row("A", "1E-20"))], CONFIGURATION)[0]
    first, second = split_beyond_limits([change], Limits())

    assert change.not_covered_by(first.end) == change._replace(
        contributions=change.contributions[1:], is_second_half=True
    )
    assert (
        first.not_covered_by(change.end)
        is second.not_covered_by(change.end)
        is change.not_covered_by(second.end)
        is None
    )


@pytest.mark.parametrize("value", ["1E+12", "-1E+12", "0.000000000000000001", "123456789012.5E+1"])
def test_a_value_beyond_the_limits_is_found_among_others(value: str) -> None:
    plain = [record(number, None, row("A", f"{number}.25")) for number in range(1, 20)]
    found = changes(*plain, record(20, None, row("A", value)))

    assert [change.sequence for change in found if change.exceeds_limits] == [20]


@pytest.mark.parametrize(
    "value", ["999999999999.99", "-0.00000000000000001", "1.50000000000000000000"]
)
def test_a_value_within_the_limits_is_not_divided(value: str) -> None:
    (change,) = changes(record(1, row("A", value), row("A", value)))

    assert not change.exceeds_limits


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        ({"N": "1616413258.9"}, "1616413258.9"),
        ({"S": "noon"}, "1798761600.0"),
        (None, "1798761600.0"),
    ],
)
def test_the_lag_of_a_row_with_a_path_begins_at_its_own_time_or_at_the_change(
    timestamp: Any, time: str
) -> None:
    image = row("A", "1") | ({"Timestamp": timestamp} if timestamp else {})
    made = record(1, None, image)._replace(arrived=datetime(2027, 1, 1, tzinfo=UTC))

    (change,) = changes(made)

    assert change.time == time


def test_a_value_of_0_is_subtracted_as_0() -> None:
    (change,) = changes(record(1, row("A", "0.00"), row("A", "-0")))

    (_, amounts), (_, others) = change.contributions
    assert (str(amounts[1]), str(others[1])) == ("0", "0")


@pytest.mark.parametrize(("on_expiry", "subtracted"), [("keep", 0), ("subtract", 1)])
def test_an_expired_row_is_subtracted_unless_the_configuration_keeps_it(
    on_expiry: str, subtracted: int
) -> None:
    document = {**json.loads(CONFIGURATION.document), "on_expiry": on_expiry}
    expired = record(1, row("A", "5"), None)._replace(expired=True)

    found, _ = read([expired], Configuration.from_json(json.dumps(document)))

    assert len(found) == subtracted


@pytest.mark.parametrize(
    ("times", "oldest"),
    [
        ([], None),
        (["1616413258.9", "9", "10"], "9"),
        (["x", "1616413258.9", "2E+3"], "2E+3"),
        (["x"], None),
    ],
)
def test_the_oldest_time_is_the_lowest_readable_number(
    times: list[str], oldest: str | None
) -> None:
    assert oldest_time(times) == oldest


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(":".join)
ROWS = st.none() | st.tuples(PATHS, st.decimals(-1000, 1000, places=3).map(str)).map(
    lambda given_: row(*given_)
)


@given(
    st.lists(st.tuples(ROWS, ROWS), max_size=40),
    st.sampled_from([1, 2, 4, 7]),
    st.integers(60, 2000),
)
def test_the_sums_of_all_parts_and_lanes_equal_the_sum_of_the_changes(
    images: Sequence[tuple[Any, Any]], lanes: int, most: int
) -> None:
    found = changes(*(record(number, old, new) for number, (old, new) in enumerate(images)))
    assignment = Assignment(CONFIGURATION, lanes)
    expected: dict[str, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    totals: dict[str, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    with exact(), mock.patch.object(map_batch, "MAX_ROW_BYTES", most):
        for old, new in images:
            for image, sign in ((old, -1), (new, 1)):
                for node in nodes(image["Path"]["S"]) if image else ():
                    expected[node][0] += sign
                    expected[node][1] += sign * Decimal(image["Value"]["N"])
        cut = list(parts(found, assignment))
        for part in cut:
            for lane, sums in by_lane(part, assignment).items():
                assert len(part) == 1 or bytes_of(sums, 2) <= most
                for node, amounts in sums.items():
                    assert lane_number(node, lanes) == lane
                    totals[node] = [
                        one + more for one, more in zip(totals[node], amounts, strict=True)
                    ]

    assert [change for part in cut for change in part] == found
    assert totals == expected


@pytest.mark.parametrize(
    ("node", "lanes", "lane"), [("PV", 4, 2), ("PV:FXSpot", 4, 3), ("é", 7, 4)]
)
def test_the_lane_of_a_node_never_changes(node: str, lanes: int, lane: int) -> None:
    """The rows and checkpoints of a running pipeline depend on these hashes."""
    assert lane_number(node, lanes) == lane
