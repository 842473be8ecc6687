"""The demo of scores: its writes, its leaderboard, and an error for a wrong total."""

import io
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from leda_cli.base.errors import LedaError
from leda_cli.demos import play_scores, score_oracle
from leda_cli.demos.board_view import board_table, first_places
from leda_cli.demos.leaderboard import Place, Total
from leda_cli.demos.play_scores import PLAYERS, Scores, Season
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB

TEST_EVENT = json.dumps(
    {"Records": [{"dynamodb": {"NewImage": {"Username": {"S": "Jane"}, "Score": {"N": "100"}}}}]}
)


class Aws:
    """An applied example."""

    def __init__(self, table: StreamedDynamoDB) -> None:
        tables = {"records": {"name": "Records"}, "scores": {"name": "Totals"}}
        self.outputs = {"tables": tables, "test_event": TEST_EVENT}
        self._table = table

    def client(self, _service: str) -> Any:
        return self._table


@pytest.fixture
def table() -> StreamedDynamoDB:
    return StreamedDynamoDB({"Records": ("RecordID",), "Totals": ("Username",)})


def records(table: StreamedDynamoDB) -> dict[str, Any]:
    """The score records by their IDs."""
    rows = table.scan(TableName="Records", ConsistentRead=True)["Items"]
    return {row["RecordID"]["S"]: row for row in rows}


@pytest.fixture
def scores(table: StreamedDynamoDB) -> Scores:
    aws: Any = Aws(table)
    return Scores(aws)


def test_records_are_added_changed_moved_and_deleted(
    table: StreamedDynamoDB, scores: Scores
) -> None:
    season = Season(scores, random.Random(1))
    for _ in range(400):
        season.once()
    season.write_one_that_cannot_be_read()

    counts = season.counts
    assert all(counts[kind] > 20 for kind in ("new", "changed", "moved", "deleted"))
    assert sum(counts.values()) == 401
    assert len(records(table)) == counts["new"] + 1 - counts["deleted"]
    assert {row["Username"]["S"] for row in records(table).values()} == set(PLAYERS)
    assert "N" not in records(table)[season.unreadable]["Score"]


def test_drawing_level_makes_two_totals_equal(table: StreamedDynamoDB, scores: Scores) -> None:
    season = Season(scores, random.Random(1))
    for _ in range(50):
        season.once()
    ahead, behind = sorted(
        score_oracle.fold(records(table).values()).values(), key=lambda total: -total.score
    )[:2]

    season.draw_level(behind, ahead)

    after = score_oracle.fold(records(table).values())
    assert after[behind.username].score == after[ahead.username].score == ahead.score


def test_the_expected_totals_include_every_record_and_the_test_event(
    table: StreamedDynamoDB, scores: Scores
) -> None:
    table.put_item(
        TableName="Records",
        Item={"RecordID": {"S": "1"}, "Username": {"S": "Ada"}, "Score": {"N": "5"}},
    )

    assert scores.expected() == {"Ada": 5, "Ada (records)": 1, "Jane": 100, "Jane (records)": 1}


@pytest.mark.parametrize("wrong", [("Score", "101"), ("Records", "2")])
def test_a_figure_that_stays_wrong_is_an_error(
    table: StreamedDynamoDB, scores: Scores, wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play_scores, "PATIENCE_SECONDS", 0)
    row = {"Username": {"S": "Jane"}, "Score": {"N": "100"}, "Records": {"N": "1"}}
    table.restore("Totals", [row])
    play_scores._settle(scores, lambda: None, hold=0)

    table.restore("Totals", [row | {wrong[0]: {"N": wrong[1]}}])
    with pytest.raises(LedaError, match="1 of 2 figures"):
        play_scores._settle(scores, lambda: None, hold=0)


PLACES = [
    Place(1, Total("Ada", Decimal("1234.5"), 3)),
    Place(2, Total("Bela", Decimal(7), 1)),
    Place(2, Total("Cem", Decimal(7), 1)),
    Place(4, Total("Dara", Decimal(-20), 2)),
]


def lines(console: Console) -> list[list[str]]:
    assert isinstance(console.file, io.StringIO)
    return [line.split("━")[0].split() for line in console.file.getvalue().splitlines()]


def test_the_board_shows_rank_player_score_and_records() -> None:
    console = Console(file=io.StringIO(), width=100)

    console.print(board_table(PLACES))

    assert lines(console)[1:] == [
        ["1", "Ada", "1,234.5", "3"],
        ["2", "Bela", "7", "1"],
        ["2", "Cem", "7", "1"],
        ["4", "Dara", "-20", "2"],
    ]


@pytest.mark.parametrize("places", [[], PLACES[3:]])
def test_an_empty_board_and_one_without_positive_scores_can_be_drawn(places: list[Place]) -> None:
    console = Console(file=io.StringIO(), width=100)

    console.print(board_table(places))

    assert lines(console)


def test_the_first_three_places_are_one_line() -> None:
    assert first_places(PLACES) == "Ada 1234.5, Bela 7, Cem 7"
