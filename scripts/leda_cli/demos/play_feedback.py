"""The demo of examples/feedback: a table's counters, live, while its rows are inserted, changed and deleted.

Meanwhile the records of both streams are delivered again, in other batches and orders, in parallel to the mappings. In
the end every total of every grouping must be what one pass over the table gives.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.console import RenderableType

from leda.values.texts import number_of
from leda_cli.base.output import console, heading, info, step
from leda_cli.demos.bar_table import bar_table
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.grouped_table import (
    GroupedTable,
    Item,
    Measures,
    SpoilingWriter,
    season,
)
from leda_cli.demos.live_view import LiveView
from leda_cli.demos.redelivery import Redelivery
from leda_cli.operate.totals.screen import ACCENT, print_table

SECONDS = 20.0
DAYS = 7

SOURCES = ("web", "app_store", "survey", None)
"""A row without its source counts for the source `unknown`."""
REGIONS = ("AMER", "EMEA", "APAC")
CATEGORIES = ("delivery", "price", "product", "service")
TAGS = ("late", "driver", "refund", "praise", "app", "urn:agent:7")
"""The last tag contains the separator of identifiers."""


class Feedback(SpoilingWriter):
    """Writes feedback."""

    def __init__(self, table: GroupedTable, draw: random.Random, now: datetime) -> None:
        super().__init__(table, draw)
        self._now = now
        self._rows: dict[str, Item] = {}

    def once(self) -> None:
        """Make one write: insert a row (the most frequent), or change, rewrite or delete one."""
        kind = self._draw.choices(("new", "changed", "twice", "deleted"), (50, 25, 10, 15))[0]
        if not self._rows or kind == "new":
            kind, identifier = "new", f"{self._name}-{self.counts['new']}"
            self._put(self._row(identifier))
        elif kind == "changed":
            self._put(self._row(self._any()))
        elif kind == "twice":
            self._put(self._rows[self._any()])
        else:
            identifier = self._any()
            self._table.delete({"id": {"S": identifier}})
            del self._rows[identifier]
        self.counts[kind] += 1

    def write_one_that_cannot_be_counted(self) -> None:
        """Write a row whose score is a word."""
        self._table.put({**self._row(self.unreadable), "sentiment_score": {"S": "great"}})
        self.counts["unreadable"] += 1

    def mend_it(self) -> None:
        """Write the same row with a number."""
        self._put(self._row(self.unreadable))

    def _any(self) -> str:
        return self._draw.choice(list(self._rows))

    def _put(self, row: Item) -> None:
        self._table.put(row)
        self._rows[row["id"]["S"]] = row

    def _row(self, identifier: str) -> Item:
        draw = self._draw
        made = self._now - timedelta(seconds=draw.randrange(DAYS * 86_400))
        score = Decimal(draw.randint(-100, 100)) / 100
        row: dict[str, Any] = {
            "id": {"S": identifier},
            "date": {"S": day_of(made)},
            "created_at": {"N": str(int(made.timestamp()))},
            "region": {"S": draw.choice(REGIONS)},
            "urgency": {"S": "high" if score < Decimal("-0.6") else "low"},
            "category": {"S": draw.choice(CATEGORIES)},
            "sentiment_label": {"S": "negative" if score < 0 else "positive"},
            "sentiment_score": {"N": str(score)},
            # A tag that a row has twice counts once.
            "tags": {"L": [{"S": tag} for tag in draw.choices(TAGS, k=draw.randint(0, 3))]},
        }
        source = draw.choice(SOURCES)
        return row | ({"source_platform": {"S": source}} if source else {})


def day_of(moment: datetime) -> str:
    """The day in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def play(aws: ExampleAws) -> None:
    """Show the system at work. Raises LedaError when a total is not exact."""
    table, draw, now = GroupedTable(aws), random.Random(secrets.randbits(64)), datetime.now(UTC)
    feedback, outputs = Feedback(table, draw, now), aws.outputs
    redeliveries = [
        table.redelivery(read["stream_arn"], outputs["functions"][stage]["name"], draw)
        for stage, read in (("map", outputs["table"]), ("reduce", outputs["tables"]["reduce"]))
    ]
    # The last DAYS * 24 hours touch DAYS + 1 calendar days.
    days = [day_of(now - timedelta(days=number)) for number in range(DAYS, -1, -1)]
    _groupings(table)
    _season(table, feedback, redeliveries, days)
    _verdict(table, feedback, redeliveries, days)
    _farewell(table, days[-1])


def _groupings(table: GroupedTable) -> None:
    heading("What is counted")
    for name, grouping in table.configuration["group_by"].items():
        where = "".join(
            f" WHERE {path} IN ({', '.join(texts)})"
            for path, texts in grouping.get("where", {}).items()
        )
        rollup = ", and a total at each level" if grouping.get("rollup") else ""
        info(f"{name:<10} GROUP BY {', '.join(grouping['keys'])}{where}{rollup}")


def _season(
    table: GroupedTable,
    feedback: Feedback,
    redeliveries: Sequence[Redelivery],
    days: Sequence[str],
) -> None:
    heading(f"The daily counters, for {SECONDS:.0f} seconds")
    info("Feedback is written, changed, written twice and deleted. Beside both mappings, second")
    info("deliveries repeat the streams' records: in other batches, in any order.")

    def show(view: LiveView, status: str) -> None:
        found = daily(table, days)
        count = sum((measures["Count"] for measures, _ in found.values()), Decimal())
        view.show(
            days_table(found),
            status,
            f"{number_of(int(count), 'row')} counted in {number_of(len(found), 'day')}",
        )

    season(feedback, redeliveries, SECONDS, show, table.settle)


def daily(table: GroupedTable, days: Sequence[str]) -> dict[str, tuple[Measures, Decimal]]:
    """For each day with feedback: its measures, and the number of urgent rows."""
    found = table.some_totals([f"{name}:{day}" for name in ("daily", "urgent") for day in days])
    nothing = {"Count": Decimal(0)}
    return {
        day: (found[f"daily:{day}"], found.get(f"urgent:{day}", nothing)["Count"])
        for day in days
        if found.get(f"daily:{day}", nothing)["Count"]
    }


def days_table(found: Mapping[str, tuple[Measures, Decimal]]) -> RenderableType:
    """A table with a line for each day; `sentiment` is the sum divided by the count."""
    return bar_table(
        ["date", "feedback", "urgent", "sentiment"],
        [
            (
                (
                    day,
                    f"{measures['Count']:,f}",
                    f"{urgent:,f}",
                    f"{measures['Sentiment'] / measures['Count']:+.3f}",
                ),
                float(measures["Count"]),
            )
            for day, (measures, urgent) in found.items()
        ],
        "date",
        10,
    )


def _verdict(
    table: GroupedTable,
    feedback: Feedback,
    redeliveries: Sequence[Redelivery],
    days: Sequence[str],
) -> None:
    heading("Verdict")
    with step("delivering both streams once more, and comparing once more"):
        for each in redeliveries:
            each.everything()
        table.require_exact()
    why = table.refusal(table.map_function, {"id": {"S": feedback.unreadable}})
    info(f"1 row could not be counted and is in s3://{table.bucket}: {why}")
    feedback.mend_it()
    with step("correcting the row; its change alone makes it count"):
        table.settle(hold=0.5)
        figures = table.require_exact()
    print_table(console, days_table(daily(table, days)))
    done = feedback.counts
    repeated = number_of(sum(each.records for each in redeliveries), "record")
    info(
        f"{number_of(done['new'], 'row')} written, {done['changed']:,} changed, {done['twice']:,} written again as "
        f"they were, {done['deleted']:,} deleted; {repeated} delivered again"
    )
    console.print(
        f"    [{ACCENT}]Exact:[/] all {figures:,} figures of {len(table.configuration['group_by'])} groupings are what "
        f"one plain pass over {table.table} gives."
    )


def _farewell(table: GroupedTable, today: str) -> None:
    row = {"id": {"S": "1"}, "date": {"S": today}, "created_at": {"N": str(int(time.time()))}}
    item = json.dumps({**row, "sentiment_score": {"N": "0.9"}})
    find = f"--map-function {table.map_function}"
    table.say_what_next(
        f"aws dynamodb put-item --table-name {table.table} --item '{item}'",
        f".venv/bin/leda totals {find} --grouping daily --average Sentiment",
        f".venv/bin/leda totals {find} --grouping tags --key tags=urn:agent:7 --key date={today}",
        f".venv/bin/leda verify {find}",
    )
    info("examples/feedback/main.tf has the groupings;")
    info("docs/from-a-hand-written-aggregator.md says what they replace.")
