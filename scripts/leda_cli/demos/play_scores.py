"""The demo of examples/scores: a live leaderboard while records are written, changed, moved and deleted.

Meanwhile the stream's records are delivered again, in other batches and orders, in parallel to the mapping. In the end
every total must be what one pass over GameScoreRecords gives.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from rich.console import RenderableType

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading, info, step
from leda_cli.demos.bar_table import first_places, ranking
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.grouped_table import GroupedTable, Item, SpoilingWriter, season
from leda_cli.demos.live_view import LiveView
from leda_cli.demos.redelivery import Redelivery
from leda_cli.operate.totals.screen import ACCENT, print_table
from leda_cli.operate.totals.totals_reading import Total

SEASON_SECONDS = 20.0
PLACES = 10
GROUPING = "users"

PLAYERS = (
    *("Ada", "Bela", "Chidi", "Dara", "Emre", "Femi", "Goro"),
    *("Hana", "Ines", "Juno", "Kofi", "Lena", "Mira", "Nils"),
)

TEST_EVENT_USER = "Jane Doe"


class Scores(GroupedTable):
    """The applied example: its tables, its function and the leaderboard."""

    KEY = "Username"

    @property
    def source(self) -> Mapping[str, Any]:
        """GameScoreRecords."""
        found: Mapping[str, Any] = self.outputs["tables"]["records"]
        return found

    @property
    def totals_table(self) -> str:
        """GameScoresByUser."""
        return str(self.outputs["tables"]["scores"]["name"])

    @property
    def map_function(self) -> str:
        """The name of AggregateScoresByUser, which is Map here."""
        return str(self.outputs["functions"]["aggregate"]["name"])

    def rows(self) -> Iterator[Item]:
        """Every record, and the test event's, which is in no table."""
        (made_up,) = json.loads(self.outputs["test_event"])["Records"]
        return chain(super().rows(), [made_up["dynamodb"]["NewImage"]])

    def board(self, count: int = PLACES) -> Sequence[Total]:
        """The leaderboard as it is now."""
        return self.reader.top(GROUPING, "Score", count).totals


class Season(SpoilingWriter):
    """Writes score records."""

    def __init__(self, scores: Scores, draw: random.Random) -> None:
        super().__init__(scores, draw)
        self._records: dict[str, tuple[str, int]] = {}

    def once(self) -> None:
        """Make one change: a new record (the most frequent), or one is changed, moved to another player or deleted."""
        draw, known = self._draw, list(self._records)
        kind = draw.choices(("new", "changed", "moved", "deleted"), (50, 25, 10, 15))[0]
        if not known or kind == "new":
            number = sum(self.counts[each] for each in ("new", "unreadable"))
            self._put(f"{self._name}-{number}", draw.choice(PLAYERS), self._points())
            kind = "new"
        elif kind == "changed":
            record = draw.choice(known)
            self._put(record, self._records[record][0], self._points())
        elif kind == "moved":
            self._put(draw.choice(known), draw.choice(PLAYERS), self._points())
        else:
            record = draw.choice(known)
            self._table.delete({"RecordID": {"S": record}})
            del self._records[record]
        self.counts[kind] += 1

    def write_one_that_cannot_be_counted(self) -> None:
        """Write a record whose Score is a word."""
        self._write(self.unreadable, PLAYERS[0], {"S": "many"})
        self.counts["unreadable"] += 1

    def draw_level(self, behind: Total, ahead: Total) -> None:
        """Give a player the points that are missing to another's score."""
        points = ahead.amounts["Score"] - behind.amounts["Score"]
        self._write(f"{self._name}-level", behind.identifier, {"N": str(points)})
        self.counts["new"] += 1

    def _points(self) -> int:
        return 5 * self._draw.randint(1, 20)

    def _put(self, record: str, username: str, points: int) -> None:
        self._write(record, username, {"N": str(points)})
        self._records[record] = username, points

    def _write(self, record: str, username: str, score: Mapping[str, str]) -> None:
        self._table.put({"RecordID": {"S": record}, "Username": {"S": username}, "Score": score})


def play(aws: ExampleAws) -> None:
    """Show the system at work. Raises LedaError when a total is not exact."""
    scores, draw = Scores(aws), random.Random()
    writer = Season(scores, draw)
    redelivery = scores.redelivery(scores.source["stream_arn"], scores.map_function, draw)
    _test_event(scores)
    _season(scores, writer, redelivery)
    _verdict(scores, writer, redelivery)
    _farewell(scores)


def _test_event(scores: Scores) -> None:
    heading("The same event, delivered twice")
    event = scores.outputs["test_event"]
    scores.invoke(scores.map_function, event)
    with step("waiting until the totals of earlier records are there"):
        scores.settle(hold=0.5)
    first = scores.totals()[TEST_EVENT_USER]
    scores.invoke(scores.map_function, event)
    with step("checking that the second delivery adds nothing"):
        scores.settle()
    second = scores.totals()[TEST_EVENT_USER]
    info(f"invoked once:  {TEST_EVENT_USER} has {first['Score']:f} points")
    info(f"invoked twice: {TEST_EVENT_USER} has {second['Score']:f} points")
    if first != second:
        raise LedaError("An event that came twice was counted twice.", "That is a bug in LEDA.")


def _season(scores: Scores, writer: Season, redelivery: Redelivery) -> None:
    heading(
        f"{len(PLAYERS)} players, {SEASON_SECONDS:.0f} seconds, every record delivered again and again"
    )
    info("Records are written, changed, moved to another player and deleted. Beside the mapping, a")
    info("second delivery repeats the stream: in other batches, and in any order.")

    def show(view: LiveView, status: str) -> None:
        first = scores.board()
        view.show(board_table(first), status, first_places(first, "Score"))

    def settle(look: Callable[[], None]) -> None:
        scores.settle(look, hold=0)
        ahead, behind = scores.board(2)
        writer.draw_level(behind, ahead)
        scores.settle(look)

    season(writer, [redelivery], SEASON_SECONDS, show, settle)


def board_table(first: Sequence[Total]) -> RenderableType:
    """The leaderboard; equal scores share a rank."""
    return ranking(first, ["Score", "Records"], "player", ["score", "records"])


def _verdict(scores: Scores, writer: Season, redelivery: Redelivery) -> None:
    heading("Verdict")
    with step("delivering the whole stream once more, and comparing once more"):
        redelivery.everything()
        scores.settle()
    board = scores.board()
    print_table(console, board_table(board))
    counted = (each for each in scores.expected().items() if each[1]["Records"])
    ordered = sorted(counted, key=lambda each: (-each[1]["Score"], each[0].encode()))
    if [(each.identifier, each.amounts) for each in board] != ordered[:PLACES]:
        raise LedaError("The leaderboard is not the order of the totals.", "That is a bug in LEDA.")
    info("Two are level on purpose: equals share a rank, and among them the name decides.")
    done = writer.counts
    info(
        f"{number_of(done['new'], 'record')} written, {done['changed']:,} changed, {done['moved']:,} moved to "
        f"another player, {done['deleted']:,} deleted; {number_of(redelivery.records, 'record')} delivered again"
    )
    why = scores.refusal(scores.map_function, {"RecordID": {"S": writer.unreadable}})
    info(f"1 record could not be read and is in s3://{scores.bucket}: {why}")
    console.print(
        f"    [{ACCENT}]Exact:[/] every score and every number of records is what one plain pass over "
        f"{scores.table} gives."
    )


def _farewell(scores: Scores) -> None:
    item = '{"RecordID": {"S": "1"}, "Username": {"S": "You"}, "Score": {"N": "9000"}}'
    find = f"--map-function {scores.map_function}"
    scores.say_what_next(
        f"aws dynamodb put-item --table-name {scores.table} --item '{item}'",
        f".venv/bin/leda totals {find} --grouping {GROUPING} --top 3 --by Score",
    )
    info("docs/scores.md says why the totals are exact and how the leaderboard is read.")
