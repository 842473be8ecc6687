"""docs/from-a-hand-written-aggregator.md: the function on that page, and the wrong totals that the page predicts.

The numbers of the lines are those of the page's list.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from leda_cli.base.paths import ROOT
from support.pipeline import load
from support.tables import definition

PAGE = (ROOT / "docs" / "from-a-hand-written-aggregator.md").read_text()
TABLE = "HandWrittenTotals"
DAY = "2026-08-01"
ROW = {
    "date": DAY,
    "source_platform": "web",
    "category": "delivery",
    "sentiment_label": "bad",
    "sentiment_score": Decimal("-0.5"),
    "urgency": "high",
}
COUNTED_ONCE: dict[str, Decimal | int] = {
    "daily": 1,
    "source#web": 1,
    "category#delivery": 1,
    "pair#delivery#bad": 1,
    "urgent": 1,
    "sentiment_sum": Decimal("-0.5"),
    "sentiment_count": 1,
}
Record = dict[str, Any]


class Aggregator:
    """The page's function with a table of its own; `fails` holds the numbers of its requests that are refused."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.client = module.totals.meta.client
        self.fails: set[int] = set()
        self._requests = 0
        self.client.meta.events.register("before-parameter-build.dynamodb.UpdateItem", self._count)

    def _count(self, **_given: Any) -> None:
        self._requests += 1
        if self._requests in self.fails:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")

    def deliver(self, records: Sequence[Record], tries: int = 1) -> Sequence[Record]:
        """Deliver as Lambda does, again from the lowest reported record; returns the records left after `tries`."""
        for _ in range(tries):
            try:
                answer = self.module.lambda_handler({"Records": list(records)}, None)
            except BatchProcessingError:  # none has succeeded
                continue
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            numbers = [each["dynamodb"]["SequenceNumber"] for each in records]
            lowest = min((numbers.index(number) for number in failed), default=len(records))
            records = records[lowest:]
            if not records:
                break
        return records

    def totals(self) -> dict[tuple[str, str], Decimal]:
        rows = self.module.totals.scan(ConsistentRead=True)["Items"]
        return {(row["pk"], row["sk"]): row["total"] for row in rows}

    def of_the_day(self) -> dict[str, Decimal]:
        return {pk: total for (pk, sk), total in self.totals().items() if sk == DAY}


@pytest.fixture
def aggregator(
    dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Aggregator]:
    for name, value in {
        "AWS_ENDPOINT_URL": dynamodb_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TOTALS_TABLE": TABLE,
    }.items():
        monkeypatch.setenv(name, value)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "aggregator.py"
    file.write_text(code)
    aggregator = Aggregator(load(file))
    aggregator.client.create_table(**definition(TABLE, {"pk": "S", "sk": "S"}))
    yield aggregator
    aggregator.client.delete_table(TableName=TABLE)


def record(number: int = 1, event: str = "INSERT", /, **changed: Any) -> Record:
    """A record of the table's stream with ROW and these changes; None leaves an attribute out."""
    row = {name: value for name, value in {**ROW, **changed}.items() if value is not None}
    image = {name: TypeSerializer().serialize(value) for name, value in row.items()}
    return {
        "eventID": str(number),
        "eventName": event,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "NewImage" if event == "INSERT" else "OldImage": image,
            "SequenceNumber": str(number),
        },
    }


def test_without_failures_the_totals_are_right(aggregator: Aggregator) -> None:
    assert aggregator.deliver([record()]) == []
    assert aggregator.of_the_day() == COUNTED_ONCE


def test_line_1_the_sdks_retry_after_a_lost_answer_counts_twice(aggregator: Aggregator) -> None:
    lost: list[int] = []

    def lose_the_first_answer(request: Any, **_given: Any) -> None:
        if not lost:
            lost.append(URLLib3Session().send(request).status_code)
            raise ReadTimeoutError(endpoint_url=request.url)

    events = aggregator.client.meta.events
    events.register("before-send.dynamodb.UpdateItem", lose_the_first_answer)

    assert aggregator.deliver([record()]) == []

    assert lost == [200]
    assert aggregator.of_the_day() == {**COUNTED_ONCE, "daily": 2}


def test_line_1_a_repeated_delivery_counts_twice(aggregator: Aggregator) -> None:
    for _ in range(2):
        aggregator.deliver([record()])
    assert aggregator.of_the_day() == {name: total * 2 for name, total in COUNTED_ONCE.items()}


@pytest.mark.parametrize("event", ["MODIFY", "REMOVE"])
def test_line_2_a_changed_or_deleted_row_stays_counted(aggregator: Aggregator, event: str) -> None:
    aggregator.deliver([record(1), record(2, event)])
    assert aggregator.of_the_day() == COUNTED_ONCE


def test_line_3_a_row_without_a_date_counts_on_each_day_of_delivery(
    aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        day = 1

        @classmethod
        def now(cls, _zone: Any) -> datetime:
            return datetime(2026, 8, cls.day, tzinfo=UTC)

    monkeypatch.setattr(aggregator.module, "datetime", Clock)
    aggregator.deliver([record(date=None)])
    Clock.day = 2
    aggregator.deliver([record(date=None)])
    counted = aggregator.totals()
    assert counted["daily", "2026-08-01"] == counted["daily", "2026-08-02"] == 1


def test_line_4_a_record_that_fails_half_way_counts_twice_in_its_first_counters(
    aggregator: Aggregator,
) -> None:
    aggregator.fails = {4}
    assert aggregator.deliver([record()], tries=2) == []
    twice = dict.fromkeys(("daily", "source#web", "category#delivery"), 2)
    assert aggregator.of_the_day() == {**COUNTED_ONCE, **twice}


def test_line_5_two_pairs_with_the_separator_in_them_share_a_total(aggregator: Aggregator) -> None:
    one = record(1, category="a#b", sentiment_label="c")
    other = record(2, category="a", sentiment_label="b#c")
    aggregator.deliver([one, other])
    assert aggregator.of_the_day()["pair#a#b#c"] == 2


def test_line_6_the_average_ignores_scores_of_0(aggregator: Aggregator) -> None:
    aggregator.deliver([record(1), record(2, sentiment_score=0)])
    counted = aggregator.of_the_day()
    assert counted["sentiment_sum"] / counted["sentiment_count"] == Decimal("-0.5")
    assert counted["daily"] == 2


def test_line_7_records_that_succeeded_after_a_failed_one_count_twice(
    aggregator: Aggregator,
) -> None:
    aggregator.fails = {2 * len(COUNTED_ONCE) + 1}  # the third record's first request
    assert aggregator.deliver([record(number) for number in range(1, 11)], tries=2) == []
    assert aggregator.of_the_day()["daily"] == 10 + 7


def test_line_7_a_record_that_never_succeeds_is_lost_and_later_ones_count_at_each_retry(
    aggregator: Aggregator,
) -> None:
    good, bad = record(2), record(1, sentiment_score="warm")
    left = aggregator.deliver([bad, good], tries=4)
    assert [each["eventID"] for each in left] == ["1", "2"]
    counted = aggregator.of_the_day()
    assert counted["sentiment_count"] == 4  # of the good one
    assert counted["daily"] == 4 + 4
