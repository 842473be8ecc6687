"""Map's arithmetic: moves, deletes, unreadable rows, and cuts into rows and transactions."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda import deltas
from leda.deltas import MAX_NODES_OF_A_DELTA
from leda.schema import Schema
from leda.streams import StreamRecord
from leda.transactions import CHECKPOINT_ACTIONS, MAX_ACTIONS, MAX_EFFECTS, MAX_TRANSACTION_BYTES

SCHEMA = Schema()
Row = dict[str, Any]


def row(path: str, value: Any, timestamp: Any = None) -> Row:
    found: Row = {"Path": {"S": path}, "Value": {"N": str(value)}}
    return found if timestamp is None else found | {"Timestamp": {"N": str(timestamp)}}


DELETED: Row = {"Deleted": {"BOOL": True}, "Path": {"NULL": True}, "Value": {"NULL": True}}
UNREADABLE: Row = {"Path": {"S": "A:B"}, "Value": {"S": "what"}}


def change(
    old: Row | None, new: Row | None, sequence: int = 1, expired: bool = False
) -> StreamRecord:
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    return StreamRecord(sequence, str(sequence), name, old, new, expired, None, {})


def totals(*records: StreamRecord) -> dict[str, Decimal]:
    """Every node's change over all the records, however they are cut."""
    summed: dict[str, Decimal] = {}
    pending = list(records)
    while pending:
        folded = deltas.fold(pending, SCHEMA)
        assert folded.count > 0
        pending = pending[folded.count :]
        for part in folded.parts():
            for node, value in part.items():
                summed[node] = summed.get(node, Decimal(0)) + value
    return {node: value for node, value in summed.items() if value}


def test_a_new_row_adds_its_value_at_every_node() -> None:
    assert totals(change(None, row("A:B:C", "1.5"))) == {"A": 1.5, "A:B": 1.5, "A:B:C": 1.5}


def test_a_changed_value_adds_the_difference() -> None:
    assert totals(change(row("A:B", 5), row("A:B", 3))) == {"A": -2, "A:B": -2}


def test_a_move_takes_the_old_value_from_the_old_path_and_adds_the_new_at_the_new() -> None:
    found = totals(change(row("A:B", 5), row("A:C", 3)))

    assert found == {"A": -2, "A:B": -5, "A:C": 3}


def test_a_move_with_the_same_value_leaves_the_common_nodes_alone() -> None:
    assert totals(change(row("A:B", 5), row("A:C", 5))) == {"A:B": -5, "A:C": 5}


@pytest.mark.parametrize("gone", [None, DELETED])
def test_a_delete_takes_the_value_out(gone: Row | None) -> None:
    assert totals(change(row("A:B", 5), gone)) == {"A": -5, "A:B": -5}


def test_a_trade_that_comes_back_counts_again() -> None:
    assert totals(change(DELETED, row("A", 5))) == {"A": 5}


def test_a_deletion_of_a_trade_that_was_never_there_changes_nothing() -> None:
    assert totals(change(None, DELETED), change(DELETED, DELETED)) == {}


def test_a_row_that_time_to_live_removed_is_not_deleted() -> None:
    folded = deltas.fold([change(row("A", 5), None, expired=True)], SCHEMA)

    assert (folded.count, folded.leaves, folded.unreadable) == (1, {}, [])


def test_an_unreadable_row_counts_nothing_and_comes_back_when_it_is_mended() -> None:
    breaks = change(row("A:B", 5), UNREADABLE, 1)
    stays = change(UNREADABLE, UNREADABLE | {"x": {"S": "y"}}, 2)
    mends = change(UNREADABLE, row("A:B", 7), 3)

    assert totals(breaks) == {"A": -5, "A:B": -5}
    assert totals(breaks, stays) == {"A": -5, "A:B": -5}
    assert totals(breaks, stays, mends) == {"A": 2, "A:B": 2}


def test_an_unreadable_row_is_reported_when_it_is_written_and_not_when_it_goes() -> None:
    breaks, mends = change(None, UNREADABLE, 1), change(UNREADABLE, row("A", 1), 2)

    folded = deltas.fold([breaks, mends, change(UNREADABLE, None, 3)], SCHEMA)

    assert [(bad.record, bad.reason) for bad in folded.unreadable] == [
        (breaks, "the row has no Value (a number)")
    ]


PATHS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3).map(":".join)
ROWS = st.one_of(
    st.none(),
    st.just(DELETED),
    st.just(UNREADABLE),
    st.builds(row, PATHS, st.integers(-(10**12), 10**12).map(lambda n: Decimal(n).scaleb(-7))),
)


@given(st.lists(st.tuples(st.integers(0, 3), ROWS), max_size=30), st.data())
def test_the_sum_over_any_cut_is_the_sum_of_the_final_rows(
    writes: list[tuple[int, Row | None]], data: st.DataObject
) -> None:
    state: dict[int, Row | None] = {}
    records = []
    for sequence, (key, new) in enumerate(writes):
        records.append(change(state.get(key), new, sequence))
        state[key] = new
    expected: dict[str, Decimal] = {}
    for final in state.values():
        if final and "N" in final["Value"]:
            parts = final["Path"]["S"].split(":")
            for depth in range(len(parts)):
                node = ":".join(parts[: depth + 1])
                expected[node] = expected.get(node, Decimal(0)) + Decimal(final["Value"]["N"])
    cut = data.draw(st.integers(0, len(records)))

    pieces = [totals(*records[:cut]), totals(*records[cut:])]

    nodes = set(pieces[0]) | set(pieces[1])
    summed = {
        node: pieces[0].get(node, Decimal(0)) + pieces[1].get(node, Decimal(0)) for node in nodes
    }
    assert {node: value for node, value in summed.items() if value} == {
        node: value for node, value in expected.items() if value
    }


@given(st.lists(st.builds(change, ROWS, ROWS), max_size=20))
def test_a_node_changes_by_what_its_children_change_by_and_by_its_own_leaf(
    records: list[StreamRecord],
) -> None:
    folded = deltas.fold(records, SCHEMA)
    merged = {node: value for part in folded.parts() for node, value in part.items()}

    for node, value in merged.items():
        children = [
            other
            for path, other in merged.items()
            if path.startswith(node + ":") and ":" not in path[len(node) + 1 :]
        ]
        assert value == folded.leaves.get(node, Decimal(0)) + sum(children)


def test_all_effects_and_the_checkpoints_actions_fit_one_transaction() -> None:
    assert MAX_NODES_OF_A_DELTA + CHECKPOINT_ACTIONS == MAX_ACTIONS == 100


@pytest.mark.parametrize("leaves", [0, 1, 97, 98, 99, 500])
def test_rows_have_at_most_98_nodes_and_every_node_once(leaves: int) -> None:
    records = [change(None, row(f"A:{leaf:04d}", 1), leaf) for leaf in range(leaves)]

    folded = deltas.fold(records, SCHEMA)
    parts = folded.parts()

    assert folded.count == leaves
    assert all(0 < len(part) <= 98 for part in parts)
    nodes = [node for part in parts for node in part]
    assert len(nodes) == len(set(nodes)) == (leaves + 1 if leaves else 0)
    assert len(parts) == -(-len(nodes) // 98)


def test_more_nodes_than_a_transaction_of_full_rows_are_cut() -> None:
    most = 98 * 98
    records = [change(None, row(f"{leaf:05d}", 1), leaf) for leaf in range(most + 5)]

    folded = deltas.fold(records, SCHEMA)

    assert folded.count == most
    assert [len(part) for part in folded.parts()] == [98] * 98
    assert len(folded.parts()) <= MAX_EFFECTS
    assert deltas.fold(records[most:], SCHEMA).count == 5


def test_known_nodes_take_no_more_room() -> None:
    records = [change(None, row(f"{leaf % 9604:05d}", 1), leaf) for leaf in range(9604 + 50)]

    assert deltas.fold(records, SCHEMA).count == 9604 + 50


def test_a_transaction_of_long_paths_is_cut_by_its_bytes() -> None:
    path = "x" * 2000
    records = [change(None, row(f"{leaf:05d}{path}", 1), leaf) for leaf in range(3000)]

    folded = deltas.fold(records, SCHEMA)

    parts = folded.parts()
    # A key of a map, and a number of at most 21 bytes, with one more for each.
    sizes = [sum(len(node) + 23 for node in part) for part in parts]
    assert sum(sizes) <= MAX_TRANSACTION_BYTES < 4 * 1024**2
    assert max(sizes) < 400 * 1024
    assert 1000 < folded.count < 3000


def test_a_record_alone_always_fits() -> None:
    levels = "a:" * 1000 + "b"

    folded = deltas.fold([change(row(levels, 1), row("c" + levels, 2))], SCHEMA)

    assert folded.count == 1
    assert len(folded.parts()) <= MAX_EFFECTS


def test_an_unreadable_record_that_no_longer_fits_is_reported_with_its_own_prefix() -> None:
    records = [change(None, row(f"{leaf:05d}", 1), leaf) for leaf in range(9605)]
    records.append(change(None, UNREADABLE, 9605))

    first = deltas.fold(records, SCHEMA)

    assert (first.count, first.unreadable) == (9604, [])
    assert len(deltas.fold(records[first.count :], SCHEMA).unreadable) == 1


def test_no_records_make_no_rows() -> None:
    folded = deltas.fold([], SCHEMA)

    assert (folded.count, folded.parts()) == (0, [])


def test_the_oldest_and_newest_times_are_those_of_the_new_rows() -> None:
    records = [
        change(row("A", 1, timestamp=1), row("A", 2, timestamp=50), 1),
        change(None, row("A", 2), 2),
        change(None, row("A", 2, timestamp="7.25"), 3),
        change(row("A", 2, timestamp=99), None, 4),
    ]

    folded = deltas.fold(records, SCHEMA)

    assert (folded.oldest, folded.newest) == (Decimal("7.25"), Decimal(50))


def test_ten_thousand_of_the_largest_values_are_summed_exactly() -> None:
    largest = "999999999999.99999999999999999"
    records = [change(None, row("A", largest), n) for n in range(10_000)]

    folded = deltas.fold(records, SCHEMA)

    assert folded.count == 10_000
    assert folded.parts() == [{"A": Decimal("9999999999999999.9999999999999")}]


def test_an_outsize_value_has_a_delta_row_of_its_own() -> None:
    """Reduce may be refused it: no total may have the digits. Nothing else may be refused with it."""
    mended = change(row("A:B", "1E+28"), row("A:B", "0.25"), 2)
    folded = deltas.fold([change(None, row("A:B", "1E+28")), mended], SCHEMA)

    assert folded.parts() == [
        {"A": Decimal("0.25"), "A:B": Decimal("0.25")},
        {"A": Decimal("1E+28"), "A:B": Decimal("1E+28")},
        {"A": Decimal("-1E+28"), "A:B": Decimal("-1E+28")},
    ]


def test_outsize_values_are_cut_into_transactions_too() -> None:
    records = [change(None, row("A:B", "1E+28"), number) for number in range(MAX_EFFECTS + 5)]
    folded = deltas.fold(records, SCHEMA)

    assert (folded.count, len(folded.parts())) == (MAX_EFFECTS, MAX_EFFECTS)
    assert totals(*records) == {"A": Decimal("103E+28"), "A:B": Decimal("103E+28")}
