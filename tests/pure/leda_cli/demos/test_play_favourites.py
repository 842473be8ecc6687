"""The demo of favourites: its writes and its list of the top ten."""

import io
import random
from decimal import Decimal

import pytest
from rich.console import Console

from leda_cli.demos import play_favourites
from leda_cli.demos.play_favourites import RESTAURANTS, People, board
from leda_cli.operate.totals.totals_reading import Total
from support.grouped import Service, grouped_table

CONFIGURATION = {
    "group_by": {"restaurant": {"keys": ["restaurant_id"]}},
    "measures": {"Favourites": {"op": "count"}},
}


@pytest.fixture
def service() -> Service:
    return Service(CONFIGURATION, ("user_id", "restaurant_id"))


def test_favourites_are_added_and_removed(service: Service) -> None:
    people = People(grouped_table(service), random.Random(1))
    for _ in range(300):
        people.once()
    counts = people.counts
    assert sum(counts.values()) == 300
    assert counts["gone"] > 50
    assert len(service.rows) <= counts["come"] - counts["gone"]


@pytest.mark.parametrize("there", [0, 30, 200])
def test_the_table_is_filled_to_its_size_despite_unprocessed_rows(
    service: Service, there: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play_favourites, "ROWS", 100)
    table = grouped_table(service)
    for number in range(there):
        table.put(play_favourites.row((f"early-{number}", RESTAURANTS[0])))
    play_favourites._fill(table, People(table, random.Random(1)))
    assert len(service.rows) == max(100, there)


def test_equal_restaurants_share_a_rank() -> None:
    first = [
        Total(
            f"restaurant:{name}", "restaurant", {"restaurant_id": name}, {"Favourites": Decimal(n)}
        )
        for name, n in (("golden-wok", 1200), ("lucky-lion", 7), ("old-lion", 7), ("a\x1b[b", 1))
    ]
    output = io.StringIO()
    Console(file=output, width=100).print(board(first))
    assert [line.split("━")[0].split() for line in output.getvalue().splitlines()][1:] == [
        ["1", "golden-wok", "1,200"],
        ["2", "lucky-lion", "7"],
        ["2", "old-lion", "7"],
        ["4", "a\\x1b[b", "1"],
    ]


def test_an_empty_board_can_be_drawn() -> None:
    output = io.StringIO()
    Console(file=output, width=100).print(board([]))
    assert output.getvalue().strip() == "nobody has one yet"
