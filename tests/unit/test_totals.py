"""Reduce's arithmetic: what a delta row says, and how many fit a transaction."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda import totals
from leda.streams import StreamRecord
from leda.totals import UnreadableDelta, add_up, read


def row(sums: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Totals": {"M": {path: {"N": str(value)} for path, value in sums.items()}}, **more}


def delta(image: dict[str, Any] | None, sequence: int = 1, name: str = "INSERT") -> StreamRecord:
    return StreamRecord(sequence, str(sequence), name, None, image, False, None, {})


SUMS = st.dictionaries(
    st.integers(0, 300).map(str),
    st.integers(-(10**15), 10**15).map(lambda n: Decimal(n).scaleb(-8)),
    max_size=40,
)


@given(st.lists(SUMS, max_size=12))
def test_the_longest_prefix_that_fits_is_summed(deltas: list[dict[str, Decimal]]) -> None:
    records = [delta(row(sums), number) for number, sums in enumerate(deltas)]

    summed = add_up(records)

    taken = deltas[: summed.count]
    assert summed.totals == {
        path: sum(sums.get(path, Decimal(0)) for sums in taken)
        for path in {path for sums in taken for path in sums}
    }
    assert len(summed.totals) <= 98
    if summed.count < len(deltas):
        assert summed.count > 0
        assert len(set(summed.totals) | set(deltas[summed.count])) > 98
    assert summed.deltas == summed.count


def test_98_paths_fit_and_a_99th_waits_for_the_next_transaction() -> None:
    records = [delta(row({str(number): 1}), number) for number in range(100)]

    assert add_up(records).count == 98


def test_sums_that_need_39_digits_are_applied_one_after_the_other() -> None:
    # Valid each, and DynamoDB may even hold both sums; together they would be rounded.
    records = [delta(row({"A": "1E+30"}), 1), delta(row({"A": "1E-10"}), 2)]

    assert add_up(records).count == 1
    assert add_up(records[1:]).totals == {"A": Decimal("1E-10")}


@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
def test_only_new_rows_count(name: str) -> None:
    records = [delta(row({"A": 1}), 1, name), delta(row({"A": 2}), 2)]

    summed = add_up(records)

    assert (summed.count, summed.deltas, summed.totals) == (2, 1, {"A": Decimal(2)})
    assert summed.unreadable == []


UNREADABLE: dict[str, dict[str, Any] | None] = {
    "no image": None,
    "no Totals": {"Lane": {"N": "0"}},
    "Totals a string": {"Totals": {"S": "x"}},
    "Totals a list": {"Totals": {"L": []}},
    "a value that is a string": {"Totals": {"M": {"A": {"S": "1"}, "B": {"N": "1"}}}},
    "a value that is null": {"Totals": {"M": {"A": {"NULL": True}}}},
    "a value that is nothing": {"Totals": {"M": {"A": None}}},
    "a number that is none": row({"A": "x"}),
    "39 digits": row({"A": "1" * 39}),
    "an empty path": row({"": 1}),
    "a path too long for a key": row({"x" * 2049: 1}),
    "99 paths": row({str(number): 1 for number in range(99)}),
    "a time that is none": row({"A": 1}, OldestTimestamp={"N": "soon"}),
}


@pytest.mark.parametrize("image", UNREADABLE.values(), ids=UNREADABLE)
def test_a_row_that_map_did_not_write_is_put_aside_whole_and_the_others_count(
    image: dict[str, Any] | None,
) -> None:
    records = [delta(row({"A": 1}), 1), delta(image, 2), delta(row({"A": 2}), 3)]

    summed = add_up(records)

    assert (summed.count, summed.deltas, summed.totals) == (3, 2, {"A": Decimal(3)})
    ((record, reason),) = summed.unreadable
    assert record.sequence == 2
    assert reason
    with pytest.raises(UnreadableDelta):
        read(image)


def test_a_row_of_98_paths_and_of_none_can_be_read() -> None:
    assert len(read(row({str(number): 1 for number in range(98)}))[0]) == 98
    assert read(row({})) == ({}, None)


def test_the_oldest_time_of_all_rows_is_known() -> None:
    records = [
        delta(row({"A": 1}, OldestTimestamp={"N": "9"})),
        delta(row({"A": 1}, OldestTimestamp={"N": "7.5"})),
        delta(row({"A": 1})),
    ]

    assert add_up(records).oldest == Decimal("7.5")


def test_nothing_adds_up_to_nothing() -> None:
    assert add_up([]) == totals.Sum()
