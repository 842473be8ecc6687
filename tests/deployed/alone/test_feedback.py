"""examples/feedback: GROUP BY over a table of its own, with rows that come, change, vanish and cannot be counted."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.demos import refused_rows
from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from support.live_aws import wait_for
from support.local_command import leda

EXAMPLE = "feedback"

# What no other row of the table has: the day and the category.
ROW = {
    "date": {"S": "2031-08-01"},
    "created_at": {"N": "1943355900"},
    "source_platform": {"S": "web:mobile"},
    "region": {"S": "EMEA"},
    "urgency": {"S": "high"},
    "category": {"S": "of the tests"},
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
    return {
        identifier: (int(row["Count"]["N"]), Decimal(row["Sentiment"]["N"]))
        for identifier, row in rows(feedback).items()
        if row["Count"]["N"] != "0" and ("2031-" in identifier or "of the tests" in identifier)
    }


def test_its_demo_is_the_first_thing_that_is_done_with_it(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_a_plan_after_apply_is_empty(feedback: ExampleAws) -> None:
    assert feedback.terraform.plan_is_empty(), f"see {feedback.terraform.log}"


def test_rows_that_come_change_and_vanish_are_counted_exactly(feedback: ExampleAws) -> None:
    put(feedback, "changed")
    put(feedback, "kept", urgency=None, tags=None, sentiment_score={"N": "0.5"})
    put(feedback, "vanished")
    put(feedback, "changed", date={"S": "2031-08-02"}, urgency={"S": "low"}, tags={"SS": ["slow"]})
    feedback.client("dynamodb").delete_item(
        TableName=feedback.outputs["table"]["name"], Key={"id": {"S": "vanished"}}
    )

    low, high, both = Decimal("-0.75"), Decimal("0.5"), Decimal("-0.25")
    expected = {
        "daily:2031-08-01": (1, high),
        "daily:2031-08-02": (1, low),
        "source:web%3Amobile:2031-08-01": (1, high),
        "source:web%3Amobile:2031-08-02": (1, low),
        "tags:none:2031-08-01": (1, high),
        "tags:slow:2031-08-02": (1, low),
        "hourly:EMEA:2031-08-01T13": (2, both),
        "category:of the tests": (2, both),
        "category:of the tests:negative": (2, both),
    }
    wait_for("the totals", lambda: totals(feedback), expected.__eq__)


def test_a_total_says_what_it_is(feedback: ExampleAws) -> None:
    found = rows(feedback)
    web = found["source:web%3Amobile:2031-08-02"]
    assert web["Grouping"] == {"S": "source"}
    assert web["Keys"] == {
        "M": {"source_platform": {"S": "web:mobile"}, "date": {"S": "2031-08-02"}}
    }
    assert web["Parent"] == {"S": "source"}
    assert found["category:of the tests:negative"]["Parent"] == {"S": "category:of the tests"}
    assert found["category:of the tests"]["Parent"] == {"S": "category"}


def test_a_row_that_cannot_be_counted_is_quarantined_until_a_change_mends_it(
    feedback: ExampleAws,
) -> None:
    day = {"S": "2031-08-03"}
    put(feedback, "unsummed", date=day, sentiment_score={"S": "bad"})
    s3, bucket = feedback.client("s3"), feedback.outputs["quarantine_bucket"]["name"]

    def why() -> str:
        try:
            key = {"id": {"S": "unsummed"}}
            return refused_rows.reason(s3, bucket, "Feedback-MapLambda", key)
        except LedaError:
            return ""

    assert "sentiment_score" in wait_for("the quarantined row", why)
    assert "daily:2031-08-03" not in totals(feedback)

    put(feedback, "unsummed", date=day, sentiment_score={"N": "1"})
    wait_for(
        "the corrected row",
        lambda: totals(feedback).get("daily:2031-08-03"),
        lambda found: found == (1, Decimal(1)),
    )


def _report(feedback: ExampleAws, folder: Path, *arguments: str) -> dict[str, Any]:
    """What `leda` says of the totals, as JSON."""
    function = ("--map-function", feedback.outputs["functions"]["map"]["name"])
    done = leda(feedback.variables, folder, *arguments, *function, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_commands_read_and_verify_the_totals_with_their_age(
    feedback: ExampleAws, tmp_path: Path
) -> None:
    put(
        feedback, "for the commands", date={"S": "2031-08-05"}, tags={"L": [{"S": "a"}, {"S": "b"}]}
    )
    wait_for("the row's total", lambda: totals(feedback).get("daily:2031-08-05"))

    verified = _report(feedback, tmp_path, "verify", "--while-running")
    assert (verified["exact"], verified["dangers"], verified["notes"]) == (True, [], [])
    table = feedback.outputs["table"]["name"]
    stored = feedback.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    unsummed = [row for row in stored if "N" not in row.get("sentiment_score", {})]
    assert verified["unreadable"]["count"] == len(unsummed)

    key = ("--grouping", "daily", "--key", "date=2031-08-05", "--average", "Sentiment")
    found = _report(feedback, tmp_path, "totals", *key)
    assert found["age"]["seconds"] == 0
    assert found["totals"] == [
        {
            "identifier": "daily:2031-08-05",
            "grouping": "daily",
            "keys": {"date": "2031-08-05"},
            "measures": {"Count": "1", "Sentiment": "-0.75"},
            "averages": {"Sentiment": "-0.75"},
        }
    ]
    first = _report(
        feedback, tmp_path, "totals", "--grouping", "tags", "--top", "2", "--by", "Count"
    )
    # The demo's rows are in the table, too.
    counts = {
        name: int(row["Count"]["N"])
        for name, row in rows(feedback).items()
        if name.startswith("tags:") and row["Count"]["N"] != "0"
    }
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    assert [total["identifier"] for total in first["totals"]] == ordered[:2]


def deploy(feedback: ExampleAws, configuration: dict[str, Any]) -> dict[str, Any]:
    """Give MapLambda another configuration, as an apply does that changes `group_by`; the one that it had."""
    lambdas, name = feedback.client("lambda"), feedback.outputs["functions"]["map"]["name"]
    found = lambdas.get_function_configuration(FunctionName=name)
    variables: dict[str, str] = found["Environment"]["Variables"]
    former: dict[str, Any] = json.loads(variables["CONFIGURATION"])
    changed = {"Variables": {**variables, "CONFIGURATION": json.dumps(configuration or former)}}
    lambdas.update_function_configuration(FunctionName=name, Environment=changed)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
    return former


def test_another_configuration_is_live_after_the_backfill_and_the_way_back_is_the_same_command(
    feedback: ExampleAws, tmp_path: Path
) -> None:
    put(feedback, "under the former configuration", date={"S": "2031-08-07"})
    wait_for("a configuration that is live", lambda: totals(feedback).get("daily:2031-08-07"))
    former = deploy(feedback, {})
    groupings = {name: each for name, each in former["group_by"].items() if name != "hourly"}
    groupings["regions"] = {"keys": ["region as area"], "missing": {"region": "unknown"}}
    deploy(feedback, {**former, "group_by": groupings})
    day = {"S": "2031-08-06"}
    put(feedback, "before the backfill", date=day)
    wait_for(
        "a total under the former configuration",
        lambda: totals(feedback).get("daily:2031-08-06"),
    )
    assert not any(name.startswith("regions:") for name in rows(feedback))

    beforehand = _report(feedback, tmp_path, "backfill", "--dry-run")
    assert beforehand["groupings"]["regions"] > 0
    done = _report(feedback, tmp_path, "backfill")

    assert (done["outcome"], done["wrong_afterwards"]) == ("done", [])
    assert done["rows"] == beforehand["rows"]
    found = rows(feedback)
    emea = found["regions:EMEA"]
    assert emea["Keys"] == {"M": {"area": {"S": "EMEA"}}}
    gone = [row for name, row in found.items() if name.startswith("hourly:")]
    assert gone
    assert all(row["Count"] == {"N": "0"} and "Grouping" not in row for row in gone)

    put(feedback, "after the backfill", date=day)
    wait_for(
        "a total of the new grouping",
        lambda: int(rows(feedback)["regions:EMEA"]["Count"]["N"]),
        lambda count: count == int(emea["Count"]["N"]) + 1,
    )
    assert _report(feedback, tmp_path, "verify", "--while-running")["exact"]

    deploy(feedback, former)
    done = _report(feedback, tmp_path, "backfill", "--markers")
    assert (done["outcome"], done["wrong_afterwards"]) == ("done", [])
    verified = _report(feedback, tmp_path, "verify", "--while-running")
    assert (verified["exact"], verified["dangers"], verified["notes"]) == (True, [], [])
    table = feedback.outputs["table"]["name"]
    stored = feedback.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    assert not [row["id"] for row in stored if row["id"]["S"].startswith("leda-watermark")]
    # Nothing that a backfill writes is bad input to Reduce.
    bucket = feedback.outputs["quarantine_bucket"]["name"]
    listed = feedback.client("s3").list_objects_v2(Bucket=bucket, Prefix="Feedback-ReduceLambda/")
    assert "Contents" not in listed
