"""Change capture, applied by itself: the log, notifications, the replica; each while another one fails."""

import base64
import json
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_change_capture import Changes
from support import lambda_events
from support.live_aws import BareAws, wait_for
from support.live_function import with_variables

EXAMPLE = "change-capture"
CAPTURE, REPLICA = "dynamodb-stream-capture", "dynamodb-stream-capture-replica"
GOLD, FREE = {"plan": {"S": "gold"}}, {"plan": {"S": "free"}}


@pytest.fixture(scope="module")
def changes(example: ExampleAws) -> Changes:
    return Changes(example)


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return f"{str(request.node.name).removeprefix('test_')[:50]}-{secrets.token_hex(3)}"


def wait_for_log(changes: Changes, user: str, events: list[str]) -> list[dict[str, Any]]:
    return wait_for(
        f"the log of {user}",
        lambda: changes.changes(user),
        lambda lines: [line["event"] for line in lines] == events,
    )


def wait_for_replica(changes: Changes) -> None:
    wait_for(
        "the replica equal to the table",
        lambda: (changes.replica_items(), changes.items()),
        lambda both: both[0] == both[1],
    )


def records(changes: Changes, user: str) -> list[dict[str, Any]]:
    """The stream's records of a user, as Lambda delivers them."""
    streams = changes.aws.client("dynamodbstreams")
    arn = changes.aws.outputs["table"]["stream_arn"]
    found = lambda_events.dynamodb_records(streams, arn, {})
    return [
        record
        for shard in found.values()
        for record in shard
        if record["dynamodb"]["Keys"]["user_id"] == {"S": user}
    ]


def invoke(changes: Changes, part: str, batch: list[dict[str, Any]]) -> dict[str, Any]:
    answer = changes.lambdas.invoke(
        FunctionName=changes.function(part), Payload=json.dumps({"Records": batch})
    )
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    assert isinstance(body, dict)
    return body


def hear(changes: Changes, count: int) -> list[dict[str, Any]]:
    """The next notifications, so many."""
    heard: list[dict[str, Any]] = []

    def look() -> int:
        heard.extend(changes.inbox())
        return len(heard)

    wait_for(f"{count} notifications", look, count.__eq__)
    return heard


def quarantined(changes: Changes, part: str) -> dict[str, dict[str, Any]]:
    """What a function has quarantined, by event ID."""
    s3 = changes.aws.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=changes.bucket, Prefix=f"{changes.function(part)}/"
    )
    bodies = [
        json.loads(s3.get_object(Bucket=changes.bucket, Key=entry["Key"])["Body"].read())
        for page in pages
        for entry in page.get("Contents", [])
    ]
    return {body["eventID"]: body for body in bodies}


def test_its_demo_is_the_first_thing_that_is_done_with_it(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_names_and_shapes_are_the_texts(changes: Changes) -> None:
    table = changes.dynamodb.describe_table(TableName="Users")["Table"]
    assert table["KeySchema"] == [
        {"AttributeName": "user_id", "KeyType": "HASH"},
        {"AttributeName": "timestamp", "KeyType": "RANGE"},
    ]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert {part: changes.function(part) for part in ("capture", "replica")} == {
        "capture": CAPTURE,
        "replica": REPLICA,
    }
    for part in ("capture", "replica"):
        uuid = changes.aws.outputs["functions"][part]["mapping_uuid"]
        mapping = changes.lambdas.get_event_source_mapping(UUID=uuid)
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["EventSourceArn"] == table["LatestStreamArn"]


def test_a_plan_after_apply_is_empty(changes: Changes) -> None:
    assert changes.aws.terraform.plan_is_empty(), f"see {changes.aws.terraform.log}"


def test_what_happened_to_a_user_is_in_the_log(changes: Changes, user: str) -> None:
    changes.put(user, {**FREE, "score": {"N": "0.5"}})
    changes.put(user, {**GOLD, "score": {"N": "12345678901234567890.5"}})
    changes.delete(user)

    created, updated, deleted = wait_for_log(changes, user, ["create", "update", "delete"])

    assert created["table"] == "Users"
    assert created["keys"] == {"user_id": user, "timestamp": 1}
    assert created["changed"] == {"plan": {"new": "free"}, "score": {"new": 0.5}}
    assert updated["changed"] == {
        "plan": {"old": "free", "new": "gold"},
        "score": {"old": 0.5, "new": "12345678901234567890.5"},
    }
    assert deleted["changed"]["plan"] == {"old": "gold"}
    assert [line["sequence_number"] for line in (created, updated, deleted)] == [
        record["dynamodb"]["SequenceNumber"] for record in records(changes, user)
    ]


def test_a_change_that_is_delivered_again_is_one_change(changes: Changes, user: str) -> None:
    changes.put(user, FREE)
    wait_for_log(changes, user, ["create"])

    assert invoke(changes, "capture", records(changes, user)) == {"batchItemFailures": []}

    lines = wait_for(
        "the line of the second delivery",
        lambda: [x for x in changes.log.lines("change") if x["keys"].get("user_id") == user],
        lambda lines: len(lines) == 2,
    )
    assert lines[0]["event_id"] == lines[1]["event_id"]
    assert len(changes.changes(user)) == 1


def test_redacted_values_are_nowhere_in_the_log_or_the_notifications(
    changes: Changes, user: str
) -> None:
    changes.inbox()
    secret = "correct-horse-7319"
    changes.put(user, {"password_hash": {"S": "x"}})
    changes.put(user, {"password_hash": {"S": secret}})
    changes.put(user, {"note": {"M": {"password_hash": {"S": secret}}}})
    changes.delete(user)
    lines = wait_for_log(changes, user, ["create", "update", "update", "delete"])
    heard = hear(changes, 3)

    assert lines[1]["changed"] == {"password_hash": {"old": "[redacted]", "new": "[redacted]"}}
    assert lines[3]["changed"] == {"note": {"old": {"password_hash": "[redacted]"}}}
    assert secret not in json.dumps([changes.log.all(), heard])


def test_only_changes_that_match_a_pattern_are_published_with_a_name_for_each(
    changes: Changes, user: str
) -> None:
    changes.inbox()
    changes.put(user, {**FREE, "balance": {"N": "5"}})
    changes.put(user, {**GOLD, "balance": {"N": "5"}})
    changes.put(user, {**GOLD, "balance": {"N": "4"}})
    changes.put(user, {**GOLD, "balance": {"N": "-4"}})
    wait_for_log(changes, user, ["create", "update", "update", "update"])
    invoke(changes, "capture", records(changes, user))
    heard = hear(changes, 4)

    told = {
        each["MessageAttributes"]["deduplication_id"]["Value"]: json.loads(each["Message"])
        for each in heard
    }
    assert sorted(
        (message["changed"] for message in told.values()), key=lambda changed: sorted(changed)
    ) == [{"balance": {"old": 4, "new": -4}}, {"plan": {"old": "free", "new": "gold"}}]
    assert {each["MessageAttributes"]["event"]["Value"] for each in heard} == {"update"}


def test_a_topic_that_is_gone_holds_neither_the_log_nor_the_replica_up(
    changes: Changes, user: str
) -> None:
    gone = changes.aws.outputs["topic_arn"] + "-gone"
    with with_variables(changes.lambdas, CAPTURE, TOPIC_ARN=gone):
        changes.put(user, FREE)
        changes.put(user, GOLD)
        lines = wait_for_log(changes, user, ["create", "update"])
        wait_for_replica(changes)
        kept = wait_for(
            "the notification in quarantine",
            lambda: quarantined(changes, "capture").get(lines[1]["event_id"], {}),
        )
    changes.inbox()

    # The way back: the quarantined object is the call itself.
    request = json.loads(base64.b64decode(kept["data"]))
    assert kept["reason"].startswith("not published: ")
    assert request.pop("TopicArn") == gone
    changes.aws.client("sns").publish(TopicArn=changes.aws.outputs["topic_arn"], **request)
    (heard,) = wait_for("the notification", changes.inbox)
    assert json.loads(heard["Message"])["event_id"] == lines[1]["event_id"]


def test_a_record_that_tells_no_change_is_quarantined_whole_and_blocks_nothing(
    changes: Changes, user: str
) -> None:
    changes.put(user, FREE)
    wait_for_log(changes, user, ["create"])
    (good,) = records(changes, user)
    broken = {
        **good,
        "eventID": f"broken-{user}",
        "dynamodb": {name: x for name, x in good["dynamodb"].items() if name != "NewImage"},
    }
    for part in ("capture", "replica"):
        assert invoke(changes, part, [broken, good]) == {"batchItemFailures": []}
        kept = quarantined(changes, part)[f"broken-{user}"]
        assert "NEW_AND_OLD_IMAGES" in kept["reason"]
        assert json.loads(base64.b64decode(kept["data"])) == broken


def test_the_counts_by_kind_are_metrics_in_the_log(changes: Changes, user: str) -> None:
    changes.put(user, FREE)
    wait_for_log(changes, user, ["create"])
    lines = wait_for("counts", lambda: [line for line in changes.log.all() if "Changes" in line])
    (directive,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "LEDA"
    assert {"function_name", "table", "event"} <= set(directive["Dimensions"][0])
    assert lines[0]["table"] == "Users"


# -- the replica


def life(changes: Changes, prefix: str, seed: int, count: int = 120) -> None:
    rng = random.Random(seed)
    for number in range(count):
        user, timestamp = f"{prefix}-{rng.randrange(6)}", rng.randrange(3)
        if rng.random() < 0.3:
            changes.delete(user, timestamp)
        else:
            changes.put(user, {"value": {"N": str(number)}}, timestamp)


def test_the_replica_is_the_table_while_functions_are_killed_and_records_come_again(
    alone: BareAws, changes: Changes, user: str
) -> None:
    redelivery = changes.redelivery("replica", random.Random(7))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(life, changes, user, 7)
        while not writing.done():
            redelivery.once()
            alone.aws.kill_functions(REPLICA)
        writing.result()
    redelivery.once()
    wait_for_replica(changes)

    before = changes.rows()
    redelivery.everything()
    assert changes.rows() == before
    assert changes.tombstones()
    assert redelivery.records > 100


def test_a_replica_that_is_away_holds_the_log_up_for_nothing_and_catches_up(
    changes: Changes, user: str
) -> None:
    with with_variables(changes.lambdas, REPLICA, REPLICA_TABLE="Away"):
        changes.put(user, FREE)
        changes.put(user, GOLD)
        wait_for_log(changes, user, ["create", "update"])
        assert (user, "1") not in changes.replica_items()
    wait_for_replica(changes)
    assert changes.replica_items()[user, "1"]["plan"] == {"S": "gold"}
