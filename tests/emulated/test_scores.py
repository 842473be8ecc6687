"""Scores by user over DynamoDB Local: the documented test event, changes, bad records, and the leaderboard."""

import json

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.operate.totals import totals_reading
from leda_cli.operate.totals.totals_reading import TotalsReader
from support.scores import (
    CONFIGURATION,
    INDEX,
    RECORDS,
    TOTALS,
    ScoreTables,
    record,
    text_event,
)


@pytest.fixture
def tables(dynamodb_endpoint: str) -> ScoreTables:
    return ScoreTables(dynamodb_endpoint)


def test_the_test_event_counts_once_however_often_it_is_invoked(tables: ScoreTables) -> None:
    for _ in range(3):
        tables.aggregate(text_event(tables.stream_arn(RECORDS)))
        tables.reduce()

        (row,) = tables.rows(TOTALS)
        (checkpoint,) = [name for name in row if name.startswith("Applied")]
        del row[checkpoint]
        assert row == {
            "Username": {"S": "Jane Doe"},
            "Score": {"N": "100"},
            "Records": {"N": "1"},
            "Grouping": {"S": "users"},
            "Keys": {"M": {"Username": {"S": "Jane Doe"}}},
            "Parent": {"S": "users"},
        }


def test_totals_follow_records_that_are_added_changed_moved_and_deleted(
    tables: ScoreTables,
) -> None:
    tables.put("1", record("John", 20))
    tables.put("2", record("Jane", 100))
    tables.put("3", record("Jane", "0.5"))
    assert tables.run() == {"John": (20, 1), "Jane": (100.5, 2)}
    tables.put("1", record("John", 25))
    tables.put("3", record("John", 1))
    tables.delete("2")
    assert tables.run() == {"John": (26, 2)}
    tables.delete("1")
    tables.delete("3")
    assert tables.run() == {}


def board(tables: ScoreTables, count: int) -> list[str]:
    configuration = Configuration.from_json(json.dumps(CONFIGURATION))
    reader = TotalsReader(tables.dynamodb, tables.prefix + TOTALS, "Username", configuration)
    found = reader.top("users", "Score", count)
    assert found.source == f"the index {INDEX}"
    return [total.identifier for total in found.totals]


def test_the_leaderboard_is_read_from_the_index_page_by_page(
    tables: ScoreTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_reading, "_TOP_PAGE_ROWS", 1)
    for number in range(20):
        tables.put(f"a{number}", record(f"user {number:02d}", 50))
    tables.put("top", record("Zoe", "50.1"))
    tables.put("low", record("Amy", "49.9"))
    tables.put("gone", record("Max", 99))
    tables.run()
    tables.delete("gone")
    tables.run()

    assert len(tables.rows(TOTALS)) == 23
    assert board(tables, 3) == ["Zoe", "user 00", "user 01"]
    assert board(tables, 30) == ["Zoe", *(f"user {n:02d}" for n in range(20)), "Amy"]


def test_the_leaderboard_without_scores_is_empty(tables: ScoreTables) -> None:
    assert board(tables, 3) == []
