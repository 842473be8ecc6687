"""The demo of examples/scores: a live leaderboard while records are written, changed, moved and deleted.

Meanwhile the stream's records are delivered again, in other batches and orders, in parallel to the mapping. In the end
every total must be what one pass over GameScoreRecords gives.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading, info, step
from leda_cli.demos import leaderboard, refused_rows, score_oracle
from leda_cli.demos.board_view import board_table, first_places
from leda_cli.demos.examples import AppliedExample, ExampleAws
from leda_cli.demos.grouped_table import raise_what_failed
from leda_cli.demos.leaderboard import Total
from leda_cli.demos.live_view import LiveView
from leda_cli.demos.redelivery import Redelivery
from leda_cli.demos.settling import settle_figures
from leda_cli.demos.what_next import say_what_next
from leda_cli.operate.totals.comparison import HOLD_SECONDS
from leda_cli.operate.totals.screen import ACCENT, print_table

SEASON_SECONDS = 20.0
PAUSE_SECONDS = 0.01
LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 20.0
PLACES = 10

PLAYERS = (
    *("Ada", "Bela", "Chidi", "Dara", "Emre", "Femi", "Goro"),
    *("Hana", "Ines", "Juno", "Kofi", "Lena", "Mira", "Nils"),
)

TEST_EVENT_USER = "Jane Doe"


@dataclass(frozen=True)
class Scores(AppliedExample):
    """The applied example: its tables, its function and the calls that the demo makes."""

    @property
    def function(self) -> str:
        """The function's name."""
        return str(self.aws.outputs["functions"]["aggregate"]["name"])

    def table(self, part: str) -> str:
        """A table's name: records or scores."""
        return str(self.aws.outputs["tables"][part]["name"])

    def board(self, count: int = PLACES) -> list[leaderboard.Place]:
        """The leaderboard as it is now."""
        index = self.aws.outputs["tables"]["scores"]["index_name"]
        return leaderboard.read(self.dynamodb, self.table("scores"), index, count)

    def invoke(self, event: str) -> None:
        """Invoke the function. Raises LedaError when it fails."""
        answer = self.lambdas.invoke(FunctionName=self.function, Payload=event)
        if "FunctionError" in answer:
            raise LedaError(
                f"{self.function} failed: {answer['Payload'].read().decode(errors='replace')[:500]}",
                f"read its log: /aws/lambda/{self.function}",
            )

    def totals(self) -> dict[str, Total]:
        """Every row of GameScoresByUser."""
        return {
            row["Username"]["S"]: Total(
                row["Username"]["S"], Decimal(row["Score"]["N"]), int(row["Records"]["N"])
            )
            for row in self.scan(self.table("scores"))
        }

    def expected_totals(self) -> dict[str, Total]:
        """What the totals must be: the sum of all records, and of the test event's record, which is in no table."""
        (made_up,) = json.loads(self.aws.outputs["test_event"])["Records"]
        return score_oracle.fold(
            [*self.scan(self.table("records")), made_up["dynamodb"]["NewImage"]]
        )

    def expected(self) -> dict[str, Decimal]:
        """The expected totals in the form that `comparison.compare` takes."""
        return score_oracle.figures(self.expected_totals().values())

    def found(self) -> dict[str, Decimal]:
        """The stored totals in the same form."""
        return score_oracle.figures(self.totals().values())


class Season:
    """Writes score records; `counts` has the number of records by what was done with them."""

    def __init__(self, scores: Scores, draw: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._scores = scores
        self._draw = draw
        self._name = secrets.token_hex(3)
        self._records: dict[str, tuple[str, int]] = {}

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop."""
        while not stop.wait(PAUSE_SECONDS):
            self.once()

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
            self._scores.dynamodb.delete_item(
                TableName=self._scores.table("records"), Key={"RecordID": {"S": record}}
            )
            del self._records[record]
        self.counts[kind] += 1

    @property
    def unreadable(self) -> str:
        """The key of the record that cannot be read."""
        return f"{self._name}-unreadable"

    def write_one_that_cannot_be_read(self) -> None:
        """Write a record whose Score is a word."""
        item = {"Username": {"S": PLAYERS[0]}, "Score": {"S": "many"}}
        self._scores.dynamodb.put_item(
            TableName=self._scores.table("records"),
            Item={"RecordID": {"S": self.unreadable}, **item},
        )
        self.counts["unreadable"] += 1

    def draw_level(self, behind: Total, ahead: Total) -> None:
        """Give a player the points that are missing to another's score."""
        points = ahead.score - behind.score
        item = {"Username": {"S": behind.username}, "Score": {"N": str(points)}}
        self._scores.dynamodb.put_item(
            TableName=self._scores.table("records"),
            Item={"RecordID": {"S": f"{self._name}-level"}, **item},
        )
        self.counts["new"] += 1

    def _points(self) -> int:
        return 5 * self._draw.randint(1, 20)

    def _put(self, record: str, username: str, points: int) -> None:
        item = {"Username": {"S": username}, "Score": {"N": str(points)}}
        self._scores.dynamodb.put_item(
            TableName=self._scores.table("records"), Item={"RecordID": {"S": record}, **item}
        )
        self._records[record] = username, points


def play(aws: ExampleAws) -> None:
    """Show the system at work. Raises LedaError when a total is not exact."""
    scores, draw = Scores(aws), random.Random()
    season = Season(scores, draw)
    redelivery = Redelivery(
        aws.client("dynamodbstreams"),
        scores.lambdas,
        aws.outputs["tables"]["records"]["stream_arn"],
        scores.function,
        draw,
    )
    _test_event(scores)
    _season(scores, season, redelivery)
    _verdict(scores, season, redelivery)
    _farewell(scores)


def _test_event(scores: Scores) -> None:
    heading("The same event, delivered twice")
    event = scores.aws.outputs["test_event"]
    scores.invoke(event)
    with step("waiting until the totals of earlier records are there"):
        _settle(scores, lambda: None, hold=0.5)
    first = scores.totals()[TEST_EVENT_USER]
    scores.invoke(event)
    with step("checking that the second delivery adds nothing"):
        _settle(scores, lambda: None)
    second = scores.totals()[TEST_EVENT_USER]
    info(f"invoked once:  {TEST_EVENT_USER} has {first.score:f} points")
    info(f"invoked twice: {TEST_EVENT_USER} has {second.score:f} points")
    if first != second:
        raise LedaError("An event that came twice was counted twice.", "That is a bug in LEDA.")


def _season(scores: Scores, season: Season, redelivery: Redelivery) -> None:
    heading(
        f"{len(PLAYERS)} players, {SEASON_SECONDS:.0f} seconds, every record delivered again and again"
    )
    info("Records are written, changed, moved to another player and deleted. Beside the mapping, a")
    info("second delivery repeats the stream: in other batches, and in any order.")
    stop_writing, stop_delivering = threading.Event(), threading.Event()
    began = time.monotonic()

    with ThreadPoolExecutor(2) as pool, LiveView(console) as view:

        def look() -> None:
            raise_what_failed(writing, delivering)
            seconds, changes = time.monotonic() - began, sum(season.counts.values())
            status = (
                f"{seconds:4.1f} s: {changes:,} changes written, "
                f"{redelivery.records:,} records delivered again in {redelivery.deliveries:,} invocations"
            )
            places = scores.board()
            view.show(board_table(places), status, first_places(places))

        writing = pool.submit(season.run, stop_writing)
        delivering = pool.submit(redelivery.run, stop_delivering)
        try:
            while (now := time.monotonic() - began) < SEASON_SECONDS:
                if now > SEASON_SECONDS / 2 and not season.counts["unreadable"]:
                    season.write_one_that_cannot_be_read()
                look()
                time.sleep(LOOK_SECONDS)
            stop_writing.set()
            writing.result()
            _settle(scores, look, hold=0)
            board = scores.board(2)
            season.draw_level(board[1].total, board[0].total)
            _settle(scores, look)
        finally:
            stop_writing.set()
            stop_delivering.set()
    delivering.result()


def _verdict(scores: Scores, season: Season, redelivery: Redelivery) -> None:
    heading("Verdict")
    with step("delivering the whole stream once more, and comparing once more"):
        redelivery.everything()
        _settle(scores, lambda: None)
    board = scores.board()
    ordered = sorted(
        scores.expected_totals().values(), key=lambda each: (-each.score, each.username)
    )
    print_table(console, board_table(board))
    if [place.total for place in board] != ordered[:PLACES]:
        raise LedaError("The leaderboard is not the order of the totals.", "That is a bug in LEDA.")
    info("Two are level on purpose: equals share a rank, and among them the name decides.")
    done = season.counts
    info(
        f"{done['new']:,} records written, {done['changed']:,} changed, {done['moved']:,} moved to "
        f"another player, {done['deleted']:,} deleted; {redelivery.records:,} records delivered again"
    )
    bucket, unreadable = scores.aws.outputs["quarantine_bucket"]["name"], season.unreadable
    s3 = scores.aws.client("s3")
    why = refused_rows.reason(s3, bucket, scores.function, {"RecordID": {"S": unreadable}})
    info(f"1 record could not be read and is in s3://{bucket}: {why}")
    console.print(
        f"    [{ACCENT}]Exact:[/] every score and every number of records is what one plain pass over "
        f"{scores.table('records')} gives."
    )


def _settle(scores: Scores, look: Callable[[], None], hold: float = HOLD_SECONDS) -> None:
    """Wait until every total is exact and stays so for `hold` seconds. Raises LedaError if that does not happen."""

    def read() -> dict[str, Decimal]:
        look()
        return scores.found()

    settle_figures(
        scores.expected(),
        read,
        "what one plain pass over the records gives",
        hold=hold,
        patience=PATIENCE_SECONDS,
        every=LOOK_SECONDS,
    )


def _farewell(scores: Scores) -> None:
    records, totals = scores.table("records"), scores.table("scores")
    item = '{"RecordID": {"S": "1"}, "Username": {"S": "You"}, "Score": {"N": "9000"}}'
    index = scores.aws.outputs["tables"]["scores"]["index_name"]
    say_what_next(
        scores.aws.endpoint,
        "the example",
        (
            f"aws dynamodb put-item --table-name {records} --item '{item}'",
            f"aws dynamodb query --table-name {totals} --index-name {index} --no-scan-index-forward "
            "--max-items 3 --key-condition-expression 'Parent = :p' "
            """--expression-attribute-values '{":p": {"S": "users"}}'""",
            f"make demo EXAMPLE={scores.aws.name}",
        ),
    )
    info("docs/scores.md says why the totals are exact and how the leaderboard is read.")
