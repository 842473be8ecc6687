"""The order and the length of the leaderboard, and the sums of the demo's oracle."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda_cli.demos import leaderboard, score_oracle
from leda_cli.demos.leaderboard import Total


def total(username: str, score: int | str, records: int = 1) -> Total:
    return Total(username, Decimal(score), records)


def board(rows: list[Total], count: int) -> list[tuple[int, str]]:
    return [(place.rank, place.total.username) for place in leaderboard.places(iter(rows), count)]


def test_equal_scores_share_a_rank_and_are_ordered_by_name() -> None:
    rows = [total("Zoe", 9), total("Ann", 7), total("Bob", 7), total("Cem", 5)]

    assert board(rows, 10) == [(1, "Zoe"), (2, "Ann"), (2, "Bob"), (4, "Cem")]


@given(st.permutations(["Ann", "Bob", "Cem", "Dee", "Eve"]), st.integers(1, 6))
def test_names_decide_among_equal_scores_at_the_last_place(names: list[str], count: int) -> None:
    rows = [total("Zoe", 9), *(total(name, 7) for name in names), total("Fay", 6)]

    expected = [(1, "Zoe"), *((2, name) for name in ("Ann", "Bob", "Cem", "Dee", "Eve"))]
    assert board(rows, count) == expected[:count]


def test_names_are_ordered_as_dynamodb_orders_strings() -> None:
    names = ["b", "B", "ä", "\U0001f600", "ﬁ", "10", "9"]

    found = [name for _, name in board([total(name, 1) for name in names], 10)]

    assert found == ["10", "9", "B", "b", "ä", "ﬁ", "\U0001f600"]


def test_reading_stops_after_the_scores_equal_to_the_last_place() -> None:
    read: list[str] = []

    def rows() -> Iterator[Total]:
        for number in range(100):
            each = total(f"user {number:02d}", 100 - number // 10)
            read.append(each.username)
            yield each

    found = leaderboard.places(rows(), 15)

    assert [place.total.username for place in found] == [f"user {n:02d}" for n in range(15)]
    assert len(read) == 21  # ten with 100, ten with 99, and the one who ends the ties


@pytest.mark.parametrize("score", [0, 5, -3])
def test_a_user_without_records_has_no_place(score: int) -> None:
    rows = [total("Ann", 5), total("Gone", score, records=0), total("Nil", 0), total("Low", -7)]
    rows.sort(key=lambda row: -row.score)

    assert board(rows, 10) == [(1, "Ann"), (2, "Nil"), (3, "Low")]
    assert board(rows, 1) == [(1, "Ann")]


def test_a_user_whose_score_changes_between_two_pages_has_one_place() -> None:
    rows = [total("Ann", 9), total("Bob", 8), total("Cem", 7), total("Ann", 6), total("Dee", 5)]

    assert board(rows, 4) == [(1, "Bob"), (2, "Cem"), (3, "Ann"), (4, "Dee")]


def test_the_oracles_sums_are_exact() -> None:
    rows = [
        {"Username": {"S": "A"}, "Score": {"N": "999999999999.99999999999999999"}},
        {"Username": {"S": "A"}, "Score": {"N": "1E-17"}},
        {"Username": {"S": "B"}, "Score": {"N": "0"}},
        {"Username": {"S": "B"}, "Score": {"S": "many"}},
        {"Score": {"N": "7"}},
    ]

    found = score_oracle.fold(rows)

    assert found == {"A": total("A", "1E+12", 2), "B": total("B", 0, 1)}
    assert score_oracle.figures(found.values()) == {
        "A": Decimal("1E+12"),
        "A (records)": 2,
        "B": 0,
        "B (records)": 1,
    }
