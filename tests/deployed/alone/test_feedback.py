"""examples/feedback, applied by itself: the demo, the commands, and a backfill of other groupings.

The demo (scripts/leda_cli/demos/play_feedback.py) writes, changes and deletes rows while both streams are delivered
again, and compares every total of every grouping with one pass over the table.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from support.live_aws import wait_for
from support.local_command import leda

EXAMPLE = "feedback"

# The demo writes no row of this category.
ROW = {
    "created_at": {"N": "1943355900"},
    "region": {"S": "EMEA"},
    "category": {"S": "of the tests"},
    "sentiment_label": {"S": "negative"},
    "sentiment_score": {"N": "-0.75"},
    "tags": {"L": [{"S": "late"}, {"S": "driver"}]},
}


@pytest.fixture(scope="module")
def feedback(example: ExampleAws) -> ExampleAws:
    return example


def put(feedback: ExampleAws, row: str, date: str) -> None:
    """Write a row of that date, and wait for the date's total."""
    feedback.client("dynamodb").put_item(
        TableName=feedback.outputs["table"]["name"],
        Item={"id": {"S": row}, "date": {"S": date}, **ROW},
    )
    wait_for(f"the total of {date}", lambda: totals(feedback).get(f"daily:{date}"))


def source_rows(feedback: ExampleAws) -> list[dict[str, Any]]:
    """The rows of the source table."""
    table = feedback.outputs["table"]["name"]
    found: list[dict[str, Any]] = feedback.client("dynamodb").scan(
        TableName=table, ConsistentRead=True
    )["Items"]
    return found


def totals(feedback: ExampleAws) -> dict[str, dict[str, Any]]:
    """The rows of the totals table, by identifier."""
    table = feedback.outputs["totals_table"]["name"]
    found = feedback.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return {row["Identifier"]["S"]: row for row in found}


def report(feedback: ExampleAws, folder: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that a `leda` command prints."""
    function = ("--map-function", feedback.outputs["functions"]["map"]["name"])
    done = leda(feedback.variables, folder, *arguments, *function, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def assert_exact(feedback: ExampleAws, folder: Path) -> None:
    """`leda verify` finds no difference and has nothing to warn of."""
    verified = report(feedback, folder, "verify", "--while-running")
    assert (verified["exact"], verified["dangers"], verified["notes"]) == (True, [], [])


def test_the_demo_succeeds_on_a_new_stack(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_a_second_plan_is_empty(feedback: ExampleAws) -> None:
    assert feedback.terraform.plan_is_empty(), f"see {feedback.terraform.log}"


def test_verify_and_totals_read_the_stack(feedback: ExampleAws, tmp_path: Path) -> None:
    put(feedback, "for the commands", "2031-08-05")

    assert_exact(feedback, tmp_path)

    key = ("--grouping", "daily", "--key", "date=2031-08-05", "--average", "Sentiment")
    found = report(feedback, tmp_path, "totals", *key)
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
    first = report(
        feedback, tmp_path, "totals", "--grouping", "tags", "--top", "2", "--by", "Count"
    )
    # The demo's rows are in the table, too.
    counts = {
        name: int(row["Count"]["N"])
        for name, row in totals(feedback).items()
        if name.startswith("tags:") and row["Count"]["N"] != "0"
    }
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    assert [total["identifier"] for total in first["totals"]] == ordered[:2]


def map_variables(feedback: ExampleAws) -> dict[str, str]:
    """The environment variables of MapLambda."""
    name = feedback.outputs["functions"]["map"]["name"]
    found = feedback.client("lambda").get_function_configuration(FunctionName=name)
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables


def deploy(feedback: ExampleAws, configuration: dict[str, Any]) -> None:
    """Give MapLambda another configuration, as an apply with another `group_by` does."""
    lambdas, name = feedback.client("lambda"), feedback.outputs["functions"]["map"]["name"]
    variables = map_variables(feedback) | {"CONFIGURATION": json.dumps(configuration)}
    lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_backfill_makes_other_groupings_live_and_brings_the_former_ones_back(
    feedback: ExampleAws, tmp_path: Path
) -> None:
    former = json.loads(map_variables(feedback)["CONFIGURATION"])
    groupings = {name: each for name, each in former["group_by"].items() if name != "hourly"}
    groupings["regions"] = {"keys": ["region as area"], "missing": {"region": "unknown"}}
    deploy(feedback, {**former, "group_by": groupings})
    put(feedback, "before the backfill", "2031-08-06")
    assert not any(name.startswith("regions:") for name in totals(feedback))

    forecast = report(feedback, tmp_path, "backfill", "--dry-run")
    assert forecast["groupings"]["regions"] > 0
    done = report(feedback, tmp_path, "backfill")

    assert (done["outcome"], done["wrong_afterwards"]) == ("done", [])
    assert done["rows"] == forecast["rows"]
    found = totals(feedback)
    emea = found["regions:EMEA"]
    assert emea["Keys"] == {"M": {"area": {"S": "EMEA"}}}
    hourly = [row for name, row in found.items() if name.startswith("hourly:")]
    assert hourly
    assert all(row["Count"] == {"N": "0"} and "Grouping" not in row for row in hourly)

    put(feedback, "after the backfill", "2031-08-07")
    wait_for(
        "a total of the new grouping",
        lambda: int(totals(feedback)["regions:EMEA"]["Count"]["N"]),
        lambda count: count == int(emea["Count"]["N"]) + 1,
    )
    assert_exact(feedback, tmp_path)

    deploy(feedback, former)
    done = report(feedback, tmp_path, "backfill", "--markers")
    assert (done["outcome"], done["wrong_afterwards"]) == ("done", [])
    assert_exact(feedback, tmp_path)
    ids = [row["id"]["S"] for row in source_rows(feedback)]
    assert not [each for each in ids if each.startswith("leda-watermark")]
    # Reduce must not quarantine anything that a backfill writes.
    bucket = feedback.outputs["quarantine_bucket"]["name"]
    listed = feedback.client("s3").list_objects_v2(Bucket=bucket, Prefix="Feedback-ReduceLambda/")
    assert "Contents" not in listed
