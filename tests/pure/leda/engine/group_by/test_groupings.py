"""All groupings of a configuration: the totals that a row counts in, and their labels."""

from decimal import Decimal
from typing import Any

import pytest

from leda.engine.group_by.configuration import MAX_IMAGE_BYTES
from leda.engine.group_by.total_labels import Labels
from leda.streams.changes import UnreadableRowError
from support.configurations import COUNT, configuration, leaves

FEEDBACK: dict[str, Any] = {
    "id": {"S": "f1"},
    "date": {"S": "2026-08-01"},
    "source_platform": {"S": "web"},
    "urgency": {"S": "high"},
    "score": {"N": "0.5"},
}


def test_a_row_counts_once_in_each_grouping_whose_condition_holds() -> None:
    feedback = configuration(
        {
            "daily": {"keys": ["date"]},
            "source": {"keys": ["source_platform", "date"]},
            "urgent": {"keys": ["date"], "where": {"urgency": ["high", "highest"]}},
            "calm": {"keys": ["date"], "where": {"urgency": ["low"]}},
        },
        {**COUNT, "Score": {"op": "sum", "field": "score"}},
    )

    found = feedback.contribution(FEEDBACK)

    assert found
    assert found.leaves == ("daily:2026-08-01", "source:web:2026-08-01", "urgent:2026-08-01")
    assert found.amounts == (1, Decimal("0.5"))


def test_a_row_in_no_grouping_needs_no_keys_and_no_numbers() -> None:
    orders = configuration(
        {"orders": {"keys": ["customer"], "where": {"type": ["order"]}}},
        {"Revenue": {"op": "sum", "field": "total"}},
    )

    assert orders.contribution({"type": {"S": "address"}}) is None
    with pytest.raises(UnreadableRowError, match="no total"):
        orders.contribution({"type": {"S": "order"}, "customer": {"S": "c"}})


def test_a_missing_number_gets_the_configured_value() -> None:
    sums = configuration(
        {"g": {"keys": ["k"]}}, {"V": {"op": "sum", "field": "detail.v", "missing": "-0.5"}}
    )
    image: dict[str, Any] = {"k": {"S": "a"}}

    for value, amount in (
        (None, "-0.5"),
        ({"M": {}}, "-0.5"),
        ({"M": {"v": {"NULL": True}}}, "-0.5"),
        ({"M": {"v": {"N": "3"}}}, "3"),
    ):
        found = sums.contribution(image if value is None else {**image, "detail": value})
        assert found
        assert found.amounts == (Decimal(amount),)
    with pytest.raises(UnreadableRowError, match=r"no detail\.v \(a number\)"):
        sums.contribution({**image, "detail": {"M": {"v": {"S": "3"}}}})


def test_with_rollup_there_is_a_total_at_each_level() -> None:
    desk = configuration({"desk": {"keys": ["a", "b", "c"], "rollup": True}})

    assert desk.nodes("desk:x:y:%") == ["desk:x", "desk:x:y", "desk:x:y:%"]
    assert configuration({"g": {"keys": ["a", "b"]}}).nodes("g:x:y") == ["g:x:y"]


def test_a_totals_labels_are_its_grouping_its_keys_and_its_parent() -> None:
    both = configuration(
        {
            "desk": {"keys": ["risk", "d.e as desk"], "rollup": True},
            "hourly": {"keys": ["region", "at:hour"]},
        }
    )

    assert both.labels("desk:FX") == Labels("desk", {"risk": "FX"}, "desk")
    assert both.labels("desk:FX:%3A") == Labels("desk", {"risk": "FX", "desk": ":"}, "desk:FX")
    assert both.labels("hourly:EU:1") == Labels("hourly", {"region": "EU", "at": "1"}, "hourly")
    for other in ("", "desk", "desk:a:b:c", "hourly:EU", "other:a", ":rebuild:1"):
        assert both.labels(other) is None


def test_a_marker_of_a_backfill_adds_nothing() -> None:
    marker = {"k": {"S": "a"}, "LedaWatermark": {"S": "token"}}
    assert leaves(["k"], marker) == ()


def test_a_row_in_more_totals_than_a_row_of_reducetable_can_hold_is_refused() -> None:
    few = {"k": {"SS": [f"{number:0100d}" for number in range(1000)]}}
    many = {"k": {"SS": [f"{number:0200d}" for number in range(1000)]}}

    assert len(leaves(["k[]"], few)) == 1000
    with pytest.raises(UnreadableRowError, match=f"1000 totals.*more than {MAX_IMAGE_BYTES} bytes"):
        leaves(["k[]"], many)


def test_a_scan_reads_all_attributes_that_the_groupings_use() -> None:
    found = configuration(
        {"g": {"keys": ["d.e", "t[]"], "where": {"w.x": ["1"]}}},
        {"S": {"op": "sum", "field": "n.o"}},
    )
    assert found.attributes == ["LedaWatermark", "d", "n", "t", "w"]
