"""The demo of scores: its writes, its leaderboard, and its totals."""

import io
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from leda_cli.demos.bar_table import first_places
from leda_cli.demos.play_scores import PLAYERS, Scores, Season, board_table
from leda_cli.operate.totals.totals_reading import Total
from support.grouped import Aws, Service
from support.scores import CONFIGURATION

TEST_EVENT = json.dumps(
    {"Records": [{"dynamodb": {"NewImage": {"Username": {"S": "Jane"}, "Score": {"N": "100"}}}}]}
)


@pytest.fixture
def service() -> Service:
    return Service(CONFIGURATION, ("RecordID",), "Username")


@pytest.fixture
def scores(service: Service) -> Scores:
    aws: Any = Aws(service)
    aws.outputs = {
        "tables": {"records": {"name": "Source"}, "scores": {"name": "Totals"}},
        "functions": {"aggregate": {"name": "Map"}},
        "test_event": TEST_EVENT,
    }
    return Scores(aws)


def test_records_are_added_changed_moved_and_deleted(service: Service, scores: Scores) -> None:
    season = Season(scores, random.Random(1))
    for _ in range(400):
        season.once()
    season.write_one_that_cannot_be_counted()

    counts = season.counts
    assert all(counts[kind] > 20 for kind in ("new", "changed", "moved", "deleted"))
    assert sum(counts.values()) == 401
    assert len(service.rows) == counts["new"] + 1 - counts["deleted"]
    assert {row["Username"]["S"] for row in service.rows.values()} == set(PLAYERS)
    assert "N" not in service.rows[season.unreadable,]["Score"]


def user(name: str, score: object, records: int = 1) -> Total:
    amounts = {"Score": Decimal(str(score)), "Records": Decimal(records)}
    return Total(name, "users", {"Username": name}, amounts)


def test_drawing_level_makes_two_totals_equal(scores: Scores) -> None:
    season = Season(scores, random.Random(1))
    for _ in range(50):
        season.once()
    totals = {name: amounts["Score"] for name, amounts in scores.expected().items()}
    ahead, behind = sorted(totals, key=lambda name: -totals[name])[:2]

    season.draw_level(user(behind, totals[behind]), user(ahead, totals[ahead]))

    assert scores.expected()[behind]["Score"] == totals[ahead]


def test_the_expected_totals_include_every_record_and_the_test_event(scores: Scores) -> None:
    scores.put({"RecordID": {"S": "1"}, "Username": {"S": "Ada"}, "Score": {"N": "5"}})

    assert scores.expected() == {
        "Ada": {"Score": 5, "Records": 1},
        "Jane": {"Score": 100, "Records": 1},
    }


def test_exact_totals_settle(service: Service, scores: Scores) -> None:
    row = {"Username": {"S": "Jane"}, "Score": {"N": "100"}, "Records": {"N": "1"}}
    service.restore("Totals", [row])

    scores.settle(hold=0)

    assert scores.totals() == {"Jane": {"Score": 100, "Records": 1}}


PLACES = [user("Ada", "1234.5", 3), user("Bela", 7), user("Cem", 7), user("Dara", -20, 2)]


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
def test_an_empty_board_and_one_without_positive_scores_can_be_drawn(places: list[Total]) -> None:
    console = Console(file=io.StringIO(), width=100)

    console.print(board_table(places))

    assert lines(console)


def test_the_first_three_places_are_one_line() -> None:
    assert first_places(PLACES, "Score") == "Ada 1234.5, Bela 7, Cem 7"
