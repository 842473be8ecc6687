"""Scores by user, applied by itself: the text's event, the mapping, repeated deliveries, the leaderboard."""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_scores import Scores
from leda_cli.demos.redelivery import Redelivery
from leda_cli.operate.totals.comparison import compare, difference_lines
from support.live_aws import BareAws, wait_for
from support.scores import text_event

EXAMPLE = "scores"
FUNCTION = "AggregateScoresByUser"


@pytest.fixture(scope="module")
def scores(example: ExampleAws) -> Scores:
    return Scores(example)


def put(scores: Scores, record: str, username: str, score: Any) -> None:
    item = {"RecordID": {"S": record}, "Username": {"S": username}, "Nickname": {"S": "x"}}
    item["Score"] = score if isinstance(score, dict) else {"N": str(score)}
    scores.dynamodb.put_item(TableName=scores.table("records"), Item=item)


def delete(scores: Scores, record: str) -> None:
    scores.dynamodb.delete_item(TableName=scores.table("records"), Key={"RecordID": {"S": record}})


def total(scores: Scores, username: str) -> tuple[Any, int] | None:
    found = scores.totals().get(username)
    return None if found is None else (found.score, found.records)


def wait_for_total(scores: Scores, username: str, score: Any, records: int) -> None:
    wait_for(
        f"the total of {username}",
        lambda: total(scores, username),
        lambda found: found == (score, records),
    )


def settle(scores: Scores) -> None:
    """Wait until every total is exact."""
    wait_for(
        "exact totals",
        lambda: list(difference_lines(compare(scores.expected(), scores.found()))),
        lambda wrong: not wrong,
    )


def arn(aws: ExampleAws) -> str:
    return str(aws.outputs["tables"]["records"]["stream_arn"])


def test_its_demo_is_the_first_thing_that_is_done_with_it(
    example: ExampleAws, capsys: pytest.CaptureFixture[str]
) -> None:
    player(EXAMPLE)(example)
    shown = capsys.readouterr().out
    for times in ("once", "twice"):
        assert f"invoked {times}: Jane Doe has 100 points" in shown.replace("  ", " ")


def test_the_test_event_is_the_texts_and_adds_nothing_when_it_comes_again(scores: Scores) -> None:
    event = scores.aws.outputs["test_event"]
    assert json.loads(event) == text_event(arn(scores.aws))
    scores.invoke(event)
    assert total(scores, "Jane Doe") == (100, 1)


def test_names_and_shapes_are_the_texts(scores: Scores) -> None:
    assert scores.function == FUNCTION
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


def test_a_plan_after_apply_is_empty(scores: Scores) -> None:
    assert scores.aws.terraform.plan_is_empty(), f"see {scores.aws.terraform.log}"


def test_records_that_are_written_changed_moved_and_deleted_reach_their_totals(
    scores: Scores,
) -> None:
    put(scores, "1", "John", 20)
    wait_for_total(scores, "John", 20, 1)
    put(scores, "1", "John", "25.5")
    put(scores, "2", "Jane Doe", 7)
    wait_for_total(scores, "John", 25.5, 1)
    wait_for_total(scores, "Jane Doe", 107, 2)
    put(scores, "1", "Jane Doe", 3)
    wait_for_total(scores, "Jane Doe", 110, 3)
    delete(scores, "2")
    wait_for_total(scores, "Jane Doe", 103, 2)
    assert total(scores, "John") == (0, 0)
    settle(scores)


def test_a_record_that_cannot_be_read_is_kept_aside_and_blocks_nothing(
    alone: BareAws, scores: Scores
) -> None:
    bucket = scores.aws.outputs["quarantine_bucket"]["name"]

    def kept() -> list[str]:
        listed = alone.s3.list_objects_v2(Bucket=bucket, Prefix=f"{FUNCTION}/")
        bodies = [
            alone.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            for entry in listed.get("Contents", [])
        ]
        return [json.loads(body)["reason"] for body in bodies]

    before = kept()
    put(scores, "bad", "John", {"S": "many"})
    put(scores, "good", "John", 1)
    wait_for_total(scores, "John", 1, 1)
    assert kept() == [*before, "the row has no Score (a number)"]
    put(scores, "bad", "John", 10)
    wait_for_total(scores, "John", 11, 2)
    assert len(kept()) == len(before) + 1


def test_hundreds_of_users_under_repeated_deliveries_and_killed_functions_stay_exact(
    alone: BareAws, scores: Scores
) -> None:
    draw = random.Random(1)
    redelivery = Redelivery(
        alone.streams, scores.aws.client("lambda"), arn(scores.aws), FUNCTION, draw
    )
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        delivering = pool.submit(redelivery.run, stop)
        try:
            for turn in range(3):
                requests = [
                    {
                        "PutRequest": {
                            "Item": {
                                "RecordID": {"S": f"r{number}"},
                                "Username": {"S": f"user {draw.randrange(400)}"},
                                "Score": {"N": f"{draw.randrange(10**6)}.{turn}"},
                            }
                        }
                    }
                    for number in draw.sample(range(600), 400)
                ]
                for start in range(0, len(requests), 25):
                    scores.dynamodb.batch_write_item(
                        RequestItems={scores.table("records"): requests[start : start + 25]}
                    )
                for number in draw.sample(range(600), 20):
                    delete(scores, f"r{number}")
                if turn == 1:
                    alone.aws.kill_functions(FUNCTION)
            settle(scores)
        finally:
            stop.set()
        delivering.result()
    assert redelivery.records > 1000
    redelivery.everything()
    settle(scores)


def test_what_was_written_while_the_mapping_was_off_is_counted_when_it_is_on(
    alone: BareAws, scores: Scores
) -> None:
    uuid = scores.aws.outputs["functions"]["aggregate"]["mapping_uuid"]

    def switch(on: bool) -> None:
        alone.functions.update_event_source_mapping(UUID=uuid, Enabled=on)
        wanted = "Enabled" if on else "Disabled"
        wait_for(
            f"the mapping {wanted}",
            lambda: alone.functions.get_event_source_mapping(UUID=uuid)["State"],
            wanted.__eq__,
        )

    switch(on=False)
    for number in range(50):
        put(scores, f"off{number}", f"user {number}", 1)
    switch(on=True)
    settle(scores)


def test_the_leaderboard_has_the_highest_totals_and_a_fixed_order_among_equals(
    scores: Scores,
) -> None:
    for name in ("Zoe", "Bob", "Ann", "Dee"):
        put(scores, f"top {name}", name, 10**9)
    put(scores, "first", "Eve", 10**9 + 1)
    settle(scores)
    ordered = sorted(
        scores.expected_totals().values(), key=lambda each: (-each.score, each.username)
    )

    for count in (1, 3, 4, 10, 200):
        assert [place.total for place in scores.board(count)] == ordered[:count]
    assert [(place.rank, place.total.username) for place in scores.board(5)] == [
        (1, "Eve"),
        (2, "Ann"),
        (2, "Bob"),
        (2, "Dee"),
        (2, "Zoe"),
    ]
