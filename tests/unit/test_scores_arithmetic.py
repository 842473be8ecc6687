"""The arithmetic of scores: changes, moves, deletions, unreadable records, and cuts into transactions."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda import scores
from leda.lanes import Lane
from leda.limits import VALUES_A_TOTAL_CAN_HOLD_DIGITS
from leda.numbers import DIGITS
from leda.scores import MAX_DECIMAL_PLACES, MAX_INTEGER_DIGITS, UnreadableScore
from leda.scores_stage import ScoresStage
from leda.streams import StreamRecord
from leda.transactions import MAX_EFFECTS

Row = dict[str, Any]
UNREADABLE: Row = {"Username": {"S": "A"}, "Score": {"S": "many"}}


def row(username: str, points: Any) -> Row:
    return {"RecordID": {"S": "1"}, "Username": {"S": username}, "Score": {"N": str(points)}}


def change(
    old: Row | None, new: Row | None, sequence: int = 1, expired: bool = False
) -> StreamRecord:
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    return StreamRecord(sequence, str(sequence), name, old, new, expired, None, {})


def totals(*records: StreamRecord) -> dict[str, tuple[Any, int]]:
    """Every user's change over all the records, however they are cut."""
    summed: dict[str, tuple[Decimal, int]] = {}
    pending = list(records)
    while pending:
        folded = scores.fold(pending)
        assert folded.count > 0
        pending = pending[folded.count :]
        for username, each in folded.users.items():
            points, count = summed.get(username, (Decimal(0), 0))
            summed[username] = points + each.points, count + each.records
    return {username: total for username, total in summed.items() if any(total)}


def test_a_new_record_adds_its_score_and_counts_one() -> None:
    assert totals(change(None, row("A", "1.5"))) == {"A": (Decimal("1.5"), 1)}


def test_a_changed_score_adds_the_difference_and_counts_nothing() -> None:
    assert totals(change(row("A", 5), row("A", 3))) == {"A": (-2, 0)}


def test_a_record_that_goes_to_another_user_takes_its_score_along() -> None:
    assert totals(change(row("A", 5), row("B", 7))) == {"A": (-5, -1), "B": (7, 1)}


def test_a_deleted_record_takes_its_score_out() -> None:
    assert totals(change(row("A", 5), None)) == {"A": (-5, -1)}


def test_a_changed_nickname_changes_no_total_and_writes_nothing() -> None:
    stage = ScoresStage("Totals")
    renamed = change(row("A", 5), row("A", 5) | {"Nickname": {"S": "a"}})

    prefix = stage.plan(Lane("arn", "shard"), [renamed])

    assert (prefix.count, prefix.actions, prefix.rejected) == (1, [], [])


def test_a_score_of_nothing_is_a_record_all_the_same() -> None:
    assert totals(change(None, row("A", 0))) == {"A": (0, 1)}


def test_a_record_that_time_to_live_removed_still_counts() -> None:
    assert totals(change(row("A", 5), None, expired=True)) == {}


def test_an_unreadable_record_counts_nothing_and_comes_back_when_it_is_mended() -> None:
    breaks = change(row("A", 5), UNREADABLE, 1)
    stays = change(UNREADABLE, UNREADABLE | {"x": {"S": "y"}}, 2)
    mends = change(UNREADABLE, row("A", 7), 3)

    assert totals(breaks) == totals(breaks, stays) == {"A": (-5, -1)}
    assert totals(breaks, stays, mends) == {"A": (2, 0)}


def test_an_unreadable_record_is_reported_when_it_is_written_and_not_when_it_goes() -> None:
    breaks, mends = change(None, UNREADABLE, 1), change(UNREADABLE, row("A", 1), 2)

    folded = scores.fold([breaks, mends, change(UNREADABLE, None, 3)])

    assert folded.unreadable == [(breaks, "the record has no Score (a number)")]


BAD = {
    "no user": ({"Score": {"N": "1"}}, "no Username"),
    "an empty user": (row("", 1), "no Username"),
    "a user that is a number": ({"Username": {"N": "1"}, "Score": {"N": "1"}}, "no Username"),
    "a user that is no key": (row("ü" * 1025, 1), "more than 2048 bytes"),
    "no score": ({"Username": {"S": "A"}}, "no Score"),
    "a score in words": (UNREADABLE, "no Score"),
    "a digit too many": (row("A", "1" + "0" * 12), "more than 12 digits"),
    "a place too many": (row("A", "1E-18"), "more than 17 decimal places"),
}


@pytest.mark.parametrize(("image", "complaint"), BAD.values(), ids=BAD)
def test_what_cannot_be_counted_says_why(image: Row, complaint: str) -> None:
    with pytest.raises(UnreadableScore, match=complaint):
        scores.score(image)


def test_the_longest_user_and_the_largest_and_finest_scores_are_read() -> None:
    for points in ("999999999999.99999999999999999", "-999999999999", "1E-17", "0", "5.50"):
        found = scores.score(row("ü" * 1024, points))
        assert found
        assert found.points == Decimal(points)


def test_a_total_over_a_billion_records_fits_a_number() -> None:
    assert MAX_INTEGER_DIGITS + VALUES_A_TOTAL_CAN_HOLD_DIGITS + MAX_DECIMAL_PLACES == DIGITS


ROWS = st.one_of(
    st.none(),
    st.just(UNREADABLE),
    st.builds(
        row,
        st.sampled_from("ABCD"),
        st.integers(-(10**12), 10**12).map(lambda n: Decimal(n).scaleb(-7)),
    ),
)


@given(st.lists(st.tuples(st.integers(0, 5), ROWS), max_size=40), st.data())
def test_the_sum_over_any_cut_is_the_sum_of_the_final_records(
    writes: list[tuple[int, Row | None]], data: st.DataObject
) -> None:
    state: dict[int, Row | None] = {}
    records = []
    for sequence, (key, new) in enumerate(writes):
        records.append(change(state.get(key), new, sequence))
        state[key] = new
    expected: dict[str, tuple[Decimal, int]] = {}
    for final in state.values():
        if final and "N" in final["Score"]:
            points, count = expected.get(final["Username"]["S"], (Decimal(0), 0))
            expected[final["Username"]["S"]] = points + Decimal(final["Score"]["N"]), count + 1
    cut = data.draw(st.integers(0, len(records)))

    first, second = totals(*records[:cut]), totals(*records[cut:])

    summed = dict(first)
    for username, (points, count) in second.items():
        before = summed.get(username, (Decimal(0), 0))
        summed[username] = before[0] + points, before[1] + count
    assert {username: total for username, total in summed.items() if any(total)} == expected


@pytest.mark.parametrize("users", [1, 97, 98, 99, 1000])
def test_any_number_of_users_is_cut_into_prefixes_that_fit_a_transaction(users: int) -> None:
    records = [change(None, row(f"user {number}", 1), number) for number in range(users)]
    stage, lane = ScoresStage("Totals"), Lane("arn", "shard")

    pending, seen = records, []
    while pending:
        prefix = stage.plan(lane, pending)
        assert 0 < len(prefix.actions) <= MAX_EFFECTS
        seen += [action["Update"]["Key"]["Username"]["S"] for action in prefix.actions]
        pending = pending[prefix.count :]

    assert seen == [f"user {number}" for number in range(users)]


def test_many_records_of_few_users_take_one_transaction_with_an_action_a_user() -> None:
    records = [change(None, row(f"user {number % 98}", 1), number) for number in range(10_000)]

    prefix = ScoresStage("Totals").plan(Lane("arn", "shard"), records)

    assert (prefix.count, len(prefix.actions)) == (10_000, 98)


def test_a_move_that_needs_one_user_too_many_waits_for_the_next_transaction() -> None:
    records = [change(None, row(f"user {number}", 1), number) for number in range(97)]
    records.append(change(row("user x", 1), row("user y", 1), 97))

    assert scores.fold(records).count == 97
    assert scores.fold(records[97:]).count == 1


def test_an_unreadable_record_that_no_longer_fits_is_reported_with_its_own_prefix() -> None:
    records = [change(None, row(f"user {number}", 1), number) for number in range(98)]
    records.append(change(row("user x", 1), UNREADABLE, 98))

    first = scores.fold(records)

    assert (first.count, first.unreadable) == (98, [])
    assert len(scores.fold(records[98:]).unreadable) == 1


def test_ten_thousand_of_the_largest_scores_are_summed_exactly() -> None:
    largest = "999999999999.99999999999999999"
    records = [change(None, row("A", largest), number) for number in range(10_000)]

    expected = scores.Change(Decimal("9999999999999999.9999999999999"), 10_000)
    assert scores.fold(records).users == {"A": expected}


def test_a_users_total_is_written_by_one_addition_that_also_puts_it_on_the_board() -> None:
    prefix = ScoresStage("Totals").plan(Lane("arn", "shard"), [change(None, row("Jane Doe", 100))])

    (action,) = prefix.actions
    assert action["Update"] == {
        "TableName": "Totals",
        "Key": {"Username": {"S": "Jane Doe"}},
        "UpdateExpression": "SET #Board = :board ADD #Score :points, #Records :records",
        "ExpressionAttributeNames": {"#Board": "Board", "#Score": "Score", "#Records": "Records"},
        "ExpressionAttributeValues": {
            ":board": {"S": "all"},
            ":points": {"N": "100"},
            ":records": {"N": "1"},
        },
    }
