"""The demo of examples/favourites: the first backfill of a table that is written to, and then its top ten, live.

Ten thousand favourites exist before anything counts them. `leda backfill` sums them while people write, and from then
on each favourite that is added or removed changes the totals. In the end every total must be what one pass over the
table gives.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from rich.console import RenderableType

from leda.values.texts import number_of
from leda_cli.base.batches import batched
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import Operation
from leda_cli.base.output import console, heading, info, step
from leda_cli.demos.bar_table import first_places, ranking
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.grouped_table import (
    LOOK_SECONDS,
    GroupedTable,
    Item,
    Writer,
    raise_what_failed,
)
from leda_cli.demos.live_view import LiveView
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.rebuild_command import run, work_of
from leda_cli.operate.totals.screen import ACCENT, print_table
from leda_cli.operate.totals.totals_reading import Total

ROWS = 10_000
USERS = 2_500
LIVE_SECONDS = 15.0
WAIT_SECONDS = 15.0
"""How long the check after the backfill waits for a change to reach its total."""
PLACES = 10
GROUPING, MEASURE = "restaurant", "Favourites"
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
MOST_WRITES = 25
THREADS = 4

RESTAURANTS = tuple(
    f"{first}-{second}"
    for second, first in product(
        ("wok", "lion", "kitchen", "olive", "tandoor", "garden", "noodle", "grill"),
        ("golden", "lucky", "old", "red", "little"),
    )
)

Favourite = tuple[str, str]
"""A user and a restaurant."""


class People(Writer):
    """Make restaurants their favourites and change their minds."""

    PAUSE_SECONDS = 0.02

    def __init__(self, favourites: GroupedTable, draw: random.Random) -> None:
        super().__init__(favourites, draw)
        self._known: list[Favourite] = []

    def draw(self) -> Favourite:
        """A random user, and a random restaurant; the first restaurants are liked the most."""
        place = min(int(self._draw.expovariate(0.12)), len(RESTAURANTS) - 1)
        return f"user-{self._draw.randrange(USERS)}", RESTAURANTS[place]

    def once(self) -> None:
        """Add a favourite, or remove one that was added during the demo."""
        if self._known and self._draw.random() < 0.3:
            gone = self._known.pop(self._draw.randrange(len(self._known)))
            self._table.delete(key(gone))
            self.counts["gone"] += 1
        else:
            self._known.append(self.draw())
            self._table.put(row(self._known[-1]))
            self.counts["come"] += 1


def key(favourite: Favourite) -> Item:
    """The key of a favourite's row."""
    user, restaurant = favourite
    return {"user_id": {"S": user}, "restaurant_id": {"S": restaurant}}


def row(favourite: Favourite) -> Item:
    """A favourite's row."""
    return {**key(favourite), "created_at": {"N": str(int(time.time()))}}


def play(aws: ExampleAws) -> None:
    """Show the system at work. Raises LedaError when a total is not exact."""
    favourites, draw = GroupedTable(aws), random.Random(secrets.randbits(64))
    people = People(favourites, draw)
    _fill(favourites, people)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(people.run, stop)
        try:
            _backfill(favourites, people)
            _live(favourites, people, writing)
        finally:
            stop.set()
        writing.result()
    _verdict(favourites, people)
    _farewell(favourites)


def _fill(favourites: GroupedTable, people: People) -> None:
    heading(f"A table with {ROWS:,} favourites")
    there = sum(1 for _ in favourites.rows())
    missing: set[Favourite] = set()
    while len(missing) < ROWS - there:
        missing.add(people.draw())
    if missing:
        with step(f"writing {len(missing):,} favourites"), ThreadPoolExecutor(THREADS) as pool:
            list(
                pool.map(
                    lambda some: _write(favourites, some), batched(sorted(missing), MOST_WRITES)
                )
            )
    there = sum(1 for _ in favourites.rows())
    info(
        f"{favourites.table} has {there:,} rows of {USERS:,} users and {len(RESTAURANTS)} restaurants"
    )
    info(f"{favourites.totals_table} has {number_of(len(favourites.totals()), 'total')}")


def _write(favourites: GroupedTable, some: Sequence[Favourite]) -> None:
    left: Any = {favourites.table: [{"PutRequest": {"Item": row(each)}} for each in some]}
    while left:
        left = favourites.dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]


def _backfill(favourites: GroupedTable, people: People) -> None:
    """Run the first backfill while people write."""
    heading("leda backfill, while people go on")
    account = Account(favourites.aws.variables)
    aggregation = Aggregation.of_function(account, favourites.map_function)
    operation, before = Operation(as_json=False), people.counts.total()
    run(work_of(aggregation, operation, is_backfill=True), aggregation, operation, WAIT_SECONDS)
    info(f"{number_of(people.counts.total() - before, 'favourite')} came or went meanwhile")


def top(favourites: GroupedTable) -> Sequence[Total]:
    """The restaurants with the most favourites; equal ones are ordered by name."""
    return favourites.reader.top(GROUPING, MEASURE, PLACES).totals


def _live(favourites: GroupedTable, people: People, writing: Any) -> None:
    heading(f"The top {PLACES}, for {LIVE_SECONDS:.0f} seconds")
    began = time.monotonic()
    with LiveView(console) as view:
        while (seconds := time.monotonic() - began) < LIVE_SECONDS:
            raise_what_failed(writing)
            first = top(favourites)
            status = (
                f"{seconds:4.1f} s: {number_of(people.counts['come'], 'favourite')} came, "
                f"{people.counts['gone']:,} went"
            )
            view.show(board(first), status, first_places(first, MEASURE))
            time.sleep(LOOK_SECONDS)


def board(first: Sequence[Total]) -> RenderableType:
    """A table with a line for each restaurant; equal ones share a rank."""
    return ranking(first, [MEASURE], "restaurant", ["favourites"])


def _verdict(favourites: GroupedTable, people: People) -> None:
    heading("Verdict")
    with step("waiting until the last change is counted, and comparing"):
        favourites.settle()
        figures = favourites.require_exact()
    first = top(favourites)
    print_table(console, board(first))
    counted = Counter(each["restaurant_id"]["S"] for each in favourites.rows())
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0].encode()))
    found = [(each.keys["restaurant_id"], int(each.amounts[MEASURE])) for each in first]
    if found != ordered[:PLACES]:
        raise LedaError("The top ten are not the order of the totals.", "That is a bug in LEDA.")
    came, went = people.counts["come"], people.counts["gone"]
    info(f"{number_of(came, 'favourite')} came and {went:,} went since the first computation began")
    console.print(
        f"    [{ACCENT}]Exact:[/] all {figures:,} totals are what one plain pass over {favourites.table} gives."
    )


def _farewell(favourites: GroupedTable) -> None:
    item = json.dumps(row(("you", RESTAURANTS[0])))
    find = f"--map-function {favourites.map_function}"
    favourites.say_what_next(
        f"aws dynamodb put-item --table-name {favourites.table} --item '{item}'",
        f".venv/bin/leda totals {find} --grouping {GROUPING} --top {PLACES} --by {MEASURE}",
        f".venv/bin/leda verify {find}",
        f".venv/bin/leda backfill {find} --dry-run",
    )
    info("modules/aggregation/README.md says what else can be grouped and summed.")
