"""The demo of feedback: its writes and its table of days."""

import io
import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from leda_cli.demos import group_by_oracle
from leda_cli.demos.play_feedback import DAYS, SOURCES, TAGS, Feedback, daily, days_table
from support.grouped import Service, grouped_table, total

NOW = datetime(2026, 8, 9, 0, 0, 30, tzinfo=UTC)
CONFIGURATION = {
    "group_by": {"tags": {"keys": ["tags[]"]}, "daily": {"keys": ["date"]}},
    "measures": {"Count": {"op": "count"}, "Sentiment": {"op": "sum", "field": "sentiment_score"}},
}


@pytest.fixture
def service() -> Service:
    return Service(CONFIGURATION, ("id",))


@pytest.fixture
def feedback(service: Service) -> Feedback:
    return Feedback(grouped_table(service), random.Random(1), NOW)


def test_rows_are_added_changed_repeated_and_deleted(service: Service, feedback: Feedback) -> None:
    for _ in range(500):
        feedback.once()

    counts, rows = feedback.counts, list(service.rows.values())
    assert all(counts[kind] > 20 for kind in ("new", "changed", "twice", "deleted"))
    assert sum(counts.values()) == 500
    assert len(rows) == counts["new"] - counts["deleted"]
    sources = {row.get("source_platform", {"S": None})["S"] for row in rows}
    assert sources == set(SOURCES)
    assert {tag["S"] for row in rows for tag in row["tags"]["L"]} == set(TAGS)
    assert {row["urgency"]["S"] for row in rows} == {"high", "low"}
    for row in rows:
        made = datetime.fromtimestamp(int(row["created_at"]["N"]), UTC)
        assert 0 <= (NOW - made).total_seconds() <= DAYS * 86_400
        assert row["date"]["S"] == made.date().isoformat()
    # All but what is broken on purpose can be counted.
    assert all(group_by_oracle.can_be_counted(CONFIGURATION, row) for row in rows)


def test_the_row_that_cannot_be_counted_is_repaired(service: Service, feedback: Feedback) -> None:
    def unreadable() -> bool:
        row = service.rows[feedback.unreadable,]
        return not group_by_oracle.can_be_counted(CONFIGURATION, row)

    feedback.write_one_that_cannot_be_counted()
    assert unreadable()
    feedback.mend_it()
    assert not unreadable()


def test_the_days_show_their_counts_and_the_average_score(service: Service) -> None:
    totals = [
        total("daily:2026-08-01", Count=4, Sentiment="-1"),
        total("urgent:2026-08-01", Count=1, Sentiment="-0.9"),
        total("daily:2026-08-02", Count=1200, Sentiment="300"),
        total("daily:2026-08-03", Count=0, Sentiment="0"),
    ]
    service.restore("Totals", totals)
    days = [f"2026-08-0{number}" for number in range(1, 5)]

    found = daily(grouped_table(service), days)

    assert {day: urgent for day, (_, urgent) in found.items()} == {
        "2026-08-01": Decimal(1),
        "2026-08-02": Decimal(0),
    }
    output = io.StringIO()
    Console(file=output, width=100).print(days_table(found))
    assert [line.split("━")[0].split() for line in output.getvalue().splitlines()][1:] == [
        ["2026-08-01", "4", "1", "-0.250"],
        ["2026-08-02", "1,200", "0", "+0.250"],
    ]
