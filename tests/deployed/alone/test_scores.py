"""examples/scores, applied by itself: the demo, and the documented names and keys.

The demo (scripts/leda_cli/demos/play_scores.py) invokes the function with the test event, delivers the stream again and
again beside the mapping, and compares every total and the leaderboard with one pass over the records.
"""

import json

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_scores import Scores
from support.scores import text_event

EXAMPLE = "scores"
FUNCTION = "AggregateScoresByUser"


@pytest.fixture(scope="module")
def scores(example: ExampleAws) -> Scores:
    return Scores(example)


def test_the_demo_succeeds_on_a_new_stack(
    example: ExampleAws, capsys: pytest.CaptureFixture[str]
) -> None:
    player(EXAMPLE)(example)
    shown = capsys.readouterr().out
    for times in ("once", "twice"):
        assert f"invoked {times}: Jane Doe has 100 points" in shown.replace("  ", " ")


def test_names_keys_and_test_event_are_as_documented(scores: Scores) -> None:
    assert scores.map_function == FUNCTION
    arn = str(scores.aws.outputs["tables"]["records"]["stream_arn"])
    assert json.loads(scores.aws.outputs["test_event"]) == text_event(arn)
    tables = {
        name: scores.dynamodb.describe_table(TableName=name)["Table"]
        for name in ("GameScoreRecords", "GameScoresByUser")
    }
    assert tables["GameScoreRecords"]["KeySchema"] == [
        {"AttributeName": "RecordID", "KeyType": "HASH"}
    ]
    assert tables["GameScoreRecords"]["StreamSpecification"]["StreamViewType"] == (
        "NEW_AND_OLD_IMAGES"
    )
    assert tables["GameScoresByUser"]["KeySchema"] == [
        {"AttributeName": "Username", "KeyType": "HASH"}
    ]
    (index,) = tables["GameScoresByUser"]["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["Parent", "Score"]
    alarms = scores.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=FUNCTION)
    assert {
        alarm["AlarmName"].removeprefix(f"{FUNCTION}-") for alarm in alarms["MetricAlarms"]
    } == {
        "errors",
        "throttles",
        "iterator-age",
        "discarded-dropped",
        "discarded-destination",
        "quarantined",
        "lane-gigabytes",
        "stood-still",
    }


def test_a_second_plan_is_empty(scores: Scores) -> None:
    assert scores.aws.terraform.plan_is_empty(), f"see {scores.aws.terraform.log}"
