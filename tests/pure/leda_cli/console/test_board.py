"""The totals as the console's page shows them: as a tree or a list, searched and sorted."""

import json
from decimal import Decimal

from leda.engine.group_by.configuration import Configuration
from leda_cli.console.board import HISTORY_POINTS, MOST_HISTORIES, MOST_ROWS, Board, Query
from leda_cli.operate.totals.totals_reading import Total
from support.console import tree
from support.pipeline import CONFIGURATION

HIERARCHY = Configuration.from_json(CONFIGURATION)
GROUPED = Configuration.from_json(
    json.dumps(
        {
            "group_by": {
                "daily": {"keys": ["date"]},
                "tags": {"keys": ["tag", "date"], "rollup": True},
            },
            "measures": {"Count": {"op": "count"}, "Score": {"op": "sum", "field": "score"}},
        }
    )
)
TOTALS = {"A": "30", "A:x": "10.50", "A:y": "19.50", "B": "7", "B:x": "7", "B:x:1": "6.99"}


def names(board: Board, **query: object) -> list[str]:
    return [row["id"] for row in board.ask(Query(**query), 0.0)["rows"]]  # type: ignore[arg-type]


def full() -> Board:
    board = Board(HIERARCHY)
    board.take(tree(TOTALS), 100.0)
    return board


def test_a_tree_shows_the_children_of_open_nodes() -> None:
    board = full()
    assert board.has_tree
    assert names(board, is_tree=True) == ["A", "B"]
    assert names(board, is_tree=True, opened={"A"}) == ["A", "A:x", "A:y", "B"]
    assert names(board, is_tree=True, opened={"B", "B:x"}) == ["A", "B", "B:x", "B:x:1"]
    assert names(board, is_tree=True, opened={"A"}, measure="Value") == ["A", "A:y", "A:x", "B"]
    assert board.opened == ["A", "B", "B:x"]


def test_a_list_is_searched_sorted_and_paged() -> None:
    board = full()
    assert names(board) == sorted(TOTALS)
    assert names(board, text="X") == ["A:x", "B:x", "B:x:1"]
    assert names(board, measure="Value", top=2) == ["A", "A:y"]
    assert names(board, measure="nothing") == sorted(TOTALS)
    assert names(board, offset=4, limit=1) == ["B:x"]
    answer = board.ask(Query(offset=99), 0.0)
    assert (answer["count"], answer["rows"]) == (len(TOTALS), [])


def test_a_parent_is_compared_exactly_with_the_sum_of_its_children() -> None:
    board = full()
    rows = {row["id"]: row for row in board.ask(Query(), 0.0)["rows"]}
    assert rows["A"]["sum"] is False, "one trade, and two below it"
    assert rows["A:x"]["sum"] is None
    assert rows["B"]["sum"] is True
    assert rows["B:x"]["sum"] is False
    assert board.disagreeing == 2


def test_every_digit_of_an_amount_is_shown() -> None:
    board = Board(HIERARCHY)
    board.take(tree({"A": "12345678901234567890123456.1230"}), 1.0)
    assert board.ask(Query(), 1.0)["rows"][0]["amounts"] == [
        "1",
        "12,345,678,901,234,567,890,123,456.1230",
    ]


def test_a_row_has_the_seconds_since_its_last_change() -> None:
    board = full()
    assert board.ask(Query(), 100.0)["rows"][0]["changed"] is None, "nobody saw it change"
    board.take(tree({**TOTALS, "A": "31"}), 110.0)
    rows = {row["id"]: row["changed"] for row in board.ask(Query(), 112.5)["rows"]}
    assert (rows["A"], rows["B"]) == (2.5, None)


def test_only_a_change_raises_the_revision() -> None:
    board = full()
    assert board.take(tree(TOTALS), 101.0) == 0
    assert board.revision == 1
    assert (
        board.take(tree({"A": "30"}), 102.0) == len(TOTALS) - 1
    ), "totals that are gone have changed"
    assert board.revision == 2


def test_the_history_of_a_total_is_bounded() -> None:
    board = Board(HIERARCHY)
    for second in range(0, 24 * 3600, 5):
        board.take(tree({"A": str(second)}), float(second))
    (row,) = board.ask(Query(), 0.0)["rows"]
    assert len(row["history"]) == HISTORY_POINTS


def test_the_number_of_rows_in_an_answer_is_bounded() -> None:
    board = Board(HIERARCHY)
    board.take(tree({f"A{place:05}": "1" for place in range(10_000)}), 1.0)
    answer = board.ask(Query(offset=9_000, limit=10**9), 1.0)
    assert (answer["count"], len(answer["rows"])) == (10_000, MOST_ROWS)
    assert answer["rows"][0]["id"] == "A09000"


def test_no_history_is_kept_for_very_many_totals() -> None:
    board = Board(HIERARCHY)
    board.take(tree({f"A{place}": "1" for place in range(MOST_HISTORIES + 1)}), 10.0)
    assert board.ask(Query(), 10.0)["rows"][0]["history"] == []


def test_groupings_are_listed_and_filter_the_rows() -> None:
    board = Board(GROUPED)

    def total(identifier: str, grouping: str, **keys: str) -> Total:
        return Total(identifier, grouping, keys, {"Count": Decimal(1), "Score": Decimal(2)})

    board.take(
        [
            total("daily:2026-08-01", "daily", date="2026-08-01"),
            total("tags:a", "tags", tag="a"),
            total("tags:a:2026-08-01", "tags", tag="a", date="2026-08-01"),
        ],
        1.0,
    )
    assert board.groupings == ["daily", "tags"]
    assert names(board, grouping="daily") == ["daily:2026-08-01"]
    assert board.has_tree
    rows = board.ask(Query(grouping="tags", is_tree=True, opened={"tags:a"}), 1.0)["rows"]
    assert [(row["label"], row["depth"]) for row in rows] == [("a", 0), ("2026-08-01", 1)]
    assert board.drawn == "Score"
