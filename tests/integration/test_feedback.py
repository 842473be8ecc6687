"""examples/feedback: GROUP BY over a table of its own, with rows that come, change, vanish and cannot be counted."""

from decimal import Decimal
from typing import Any

import pytest

from leda_cli import refused_rows
from leda_cli.errors import LedaError
from leda_cli.example import player
from leda_cli.examples import ExampleAws
from support.live_aws import wait_for

EXAMPLE = "feedback"

ROW = {
    "date": {"S": "2001-08-01"},
    "created_at": {"N": "996671100"},
    "source_platform": {"S": "web:mobile"},
    "region": {"S": "EMEA"},
    "urgency": {"S": "high"},
    "category": {"S": "lateness"},
    "sentiment_label": {"S": "negative"},
    "sentiment_score": {"N": "-0.75"},
    "tags": {"L": [{"S": "late"}, {"S": "driver"}, {"S": "late"}]},
}


@pytest.fixture(scope="module")
def feedback(example: ExampleAws) -> ExampleAws:
    return example


def put(feedback: ExampleAws, row: str, **changed: Any) -> None:
    given = {**ROW, **changed}
    feedback.client("dynamodb").put_item(
        TableName=feedback.outputs["table"]["name"],
        Item={"id": {"S": row}, **{name: value for name, value in given.items() if value}},
    )


def rows(feedback: ExampleAws) -> dict[str, dict[str, Any]]:
    table = feedback.outputs["totals_table"]["name"]
    found = feedback.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return {row["Identifier"]["S"]: row for row in found}


def totals(feedback: ExampleAws) -> dict[str, tuple[int, Decimal]]:
    """Those of these tests' rows: the demo has no row of that year or category."""
    return {
        identifier: (int(row["Count"]["N"]), Decimal(row["Sentiment"]["N"]))
        for identifier, row in rows(feedback).items()
        if row["Count"]["N"] != "0" and ("2001-" in identifier or "lateness" in identifier)
    }


def test_its_demo_is_the_first_thing_that_is_done_with_it(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_a_plan_after_apply_is_empty(feedback: ExampleAws) -> None:
    assert feedback.terraform.plan_is_empty(), f"see {feedback.terraform.log}"


def test_rows_that_come_change_and_vanish_are_counted_exactly(feedback: ExampleAws) -> None:
    put(feedback, "changed")
    put(feedback, "kept", urgency=None, tags=None, sentiment_score={"N": "0.5"})
    put(feedback, "vanished")
    put(feedback, "changed", date={"S": "2001-08-02"}, urgency={"S": "low"}, tags={"SS": ["slow"]})
    feedback.client("dynamodb").delete_item(
        TableName=feedback.outputs["table"]["name"], Key={"id": {"S": "vanished"}}
    )

    low, high, both = Decimal("-0.75"), Decimal("0.5"), Decimal("-0.25")
    expected = {
        "daily:2001-08-01": (1, high),
        "daily:2001-08-02": (1, low),
        "source:web%3Amobile:2001-08-01": (1, high),
        "source:web%3Amobile:2001-08-02": (1, low),
        "tags:none:2001-08-01": (1, high),
        "tags:slow:2001-08-02": (1, low),
        "hourly:EMEA:2001-08-01T13": (2, both),
        "category:lateness": (2, both),
        "category:lateness:negative": (2, both),
    }
    wait_for("the totals", lambda: totals(feedback), expected.__eq__)


def test_a_total_says_what_it_is(feedback: ExampleAws) -> None:
    found = wait_for("totals", lambda: rows(feedback))
    web = found["source:web%3Amobile:2001-08-02"]
    assert web["Grouping"] == {"S": "source"}
    assert web["Keys"] == {
        "M": {"source_platform": {"S": "web:mobile"}, "date": {"S": "2001-08-02"}}
    }
    assert web["Parent"] == {"S": "source"}
    assert found["category:lateness:negative"]["Parent"] == {"S": "category:lateness"}
    assert found["category:lateness"]["Parent"] == {"S": "category"}


def test_a_row_that_cannot_be_counted_is_quarantined_until_a_change_mends_it(
    feedback: ExampleAws,
) -> None:
    day = {"S": "2001-08-03"}
    put(feedback, "unsummed", date=day, sentiment_score={"S": "bad"})
    s3, bucket = feedback.client("s3"), feedback.outputs["quarantine_bucket"]["name"]

    def why() -> str:
        try:
            return refused_rows.reason(s3, bucket, "Feedback-MapLambda", {"id": {"S": "unsummed"}})
        except LedaError:
            return ""

    assert "sentiment_score" in wait_for("the quarantined row", why)
    assert "daily:2001-08-03" not in totals(feedback)

    put(feedback, "unsummed", date=day, sentiment_score={"N": "1"})
    wait_for("the mended row", lambda: totals(feedback).get("daily:2001-08-03"), (1, 1).__eq__)
