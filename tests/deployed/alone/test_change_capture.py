"""examples/change-capture, applied by itself: the demo; the log, the notifications and the replica during outages.

The demo (scripts/leda_cli/demos/play_change_capture.py) checks the log, redaction, which changes are published, and the
counts by kind. What the functions do with each record is tested over DynamoDB Local (tests/emulated).
"""

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


def quarantined(changes: Changes, part: str) -> dict[str, dict[str, Any]]:
    """What a function has quarantined, by event ID."""
    bodies = changes.quarantined(changes.function(part))
    return {body["eventID"]: body for body in bodies}


def test_the_demo_succeeds_on_a_new_stack(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_names_and_keys_are_as_documented(changes: Changes) -> None:
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


def test_a_second_plan_is_empty(changes: Changes) -> None:
    assert changes.aws.terraform.plan_is_empty(), f"see {changes.aws.terraform.log}"


def test_log_and_replica_go_on_while_the_topic_is_missing_and_the_notification_can_be_sent_later(
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

    # The quarantined object holds the call, so that an operator can repeat it.
    request = json.loads(base64.b64decode(kept["data"]))
    assert kept["reason"].startswith("not published: ")
    assert request.pop("TopicArn") == gone
    changes.aws.client("sns").publish(TopicArn=changes.aws.outputs["topic_arn"], **request)
    (received,) = wait_for("the notification", changes.inbox)
    assert json.loads(received["Message"])["event_id"] == lines[1]["event_id"]


def change_items(changes: Changes, prefix: str, seed: int, count: int = 120) -> None:
    """Write and delete a few items in random order."""
    rng = random.Random(seed)
    for number in range(count):
        user, timestamp = f"{prefix}-{rng.randrange(6)}", rng.randrange(3)
        if rng.random() < 0.3:
            changes.delete(user, timestamp)
        else:
            changes.put(user, {"value": {"N": str(number)}}, timestamp)


def test_the_replica_equals_the_table_after_killed_functions_and_repeated_deliveries(
    alone: BareAws, changes: Changes, user: str
) -> None:
    redelivery = changes.replica_redelivery(random.Random(7))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(change_items, changes, user, 7)
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


def test_the_log_goes_on_while_the_replica_is_missing_and_the_replica_catches_up(
    changes: Changes, user: str
) -> None:
    with with_variables(changes.lambdas, REPLICA, REPLICA_TABLE="Away"):
        changes.put(user, FREE)
        changes.put(user, GOLD)
        wait_for_log(changes, user, ["create", "update"])
        assert (user, "1") not in changes.replica_items()
    wait_for_replica(changes)
    assert changes.replica_items()[user, "1"]["plan"] == {"S": "gold"}
