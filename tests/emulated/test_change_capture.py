"""The function of change capture: a log line, a count and a notification for each change, whatever fails."""

import base64
import json
from typing import Any
from unittest import mock

import boto3
import pytest

from leda.capture.notifications import ROUNDS
from simulation.failures import client_error, timed_out
from support.lambda_events import event
from support.log_lines import recorded
from support.pipeline import Function, Pipeline
from support.users import Users

TOPIC = "arn:aws:sns:us-east-1:000000000000:changes"


class Topic:
    """Stands in for SNS: requires the limits of PublishBatch, and fails as the test says."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.calls = 0
        self.error: Exception | None = None
        self.refuses: dict[str, bool] = {}
        """Words that make the entry of a message fail, each with the entry's SenderFault."""

    def publish_batch(
        self, *, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]
    ) -> dict[str, Any]:
        self.calls += 1
        assert TopicArn == TOPIC
        assert 1 <= len(PublishBatchRequestEntries) <= 10
        assert len({entry["Id"] for entry in PublishBatchRequestEntries}) == len(
            PublishBatchRequestEntries
        )
        assert sum(len(json.dumps(entry)) for entry in PublishBatchRequestEntries) <= 2 * 262_144
        assert sum(len(entry["Message"]) for entry in PublishBatchRequestEntries) <= 262_144
        if self.error:
            raise self.error
        failed = []
        for entry in PublishBatchRequestEntries:
            fault = next((f for word, f in self.refuses.items() if word in entry["Message"]), None)
            if fault is None:
                self.accepted.append(entry)
            else:
                failed.append({"Id": entry["Id"], "Code": "Nope", "SenderFault": fault})
        return {"Successful": [], "Failed": failed}

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Message"]) for entry in self.accepted]


@pytest.fixture
def users(pipeline: Pipeline) -> Users:
    return Users(pipeline)


@pytest.fixture
def topic() -> Topic:
    return Topic()


def capture(users: Users, topic: Topic | None = None, **settings: str) -> Function:
    if topic:
        settings["TOPIC_ARN"] = TOPIC
    users.pipeline.settings |= settings
    real: Any = boto3.client

    def client(service: str, **arguments: Any) -> Any:
        return topic if service == "sns" else real(service, **arguments)

    with mock.patch("boto3.client", client):
        return users.pipeline.function("change_capture")


NO_FAILURES: dict[str, Any] = {"batchItemFailures": []}


def test_each_change_is_logged_with_its_values_and_its_place(users: Users) -> None:
    users.put("u1", email={"S": "a@example.org"})
    users.put("u1", email={"S": "b@example.org"}, plan={"S": "gold"})
    users.delete("u1")
    records = users.records()

    with recorded() as log:
        assert capture(users)(event(records)) == NO_FAILURES

    lines = log.of("change")
    assert [(line["event"], line["changed"]) for line in lines] == [
        ("create", {"email": {"new": "a@example.org"}}),
        (
            "update",
            {"email": {"old": "a@example.org", "new": "b@example.org"}, "plan": {"new": "gold"}},
        ),
        ("delete", {"email": {"old": "b@example.org"}, "plan": {"old": "gold"}}),
    ]
    for line, record in zip(lines, records, strict=True):
        assert line["table"] == users.table
        assert line["keys"] == {"user_id": "u1", "timestamp": 1}
        assert line["sequence_number"] == record["dynamodb"]["SequenceNumber"]
        assert line["event_id"] == record["eventID"]
        assert line["changed_at"].endswith("+00:00")


def test_redacted_values_are_in_no_log_line_notification_or_quarantined_object(
    users: Users, topic: Topic
) -> None:
    users.put("hunter-0", password={"S": "hunter-1"}, card={"M": {"password": {"S": "hunter-2"}}})
    users.put("hunter-0", password={"S": "hunter-3"})
    function = capture(users, topic, REDACTED_ATTRIBUTES='["password", "user_id"]')

    with recorded() as log:
        function(event(users.records()))
        topic.error = client_error("AuthorizationErrorException", 403)
        function(event(users.records()))

    kept = [
        base64.b64decode(each["data"]).decode() for each in users.pipeline.bucket.objects.values()
    ]
    assert len(log.of("change")) == 4
    assert len(topic.accepted) == len(kept) == 2
    everything = log.text + json.dumps(topic.accepted) + "".join(kept)
    assert "[redacted]" in everything
    assert "hunter" not in everything


def test_changes_are_counted_by_kind_and_table(
    users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    for user in ("u1", "u2"):
        users.put(user)
    users.delete("u1")
    records = users.records()
    records[2]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    function = capture(users, COUNT_CHANGES="1")
    capsys.readouterr()

    function(event(records))

    counts = {}
    for line in capsys.readouterr().out.splitlines():
        found = json.loads(line)
        if "Changes" in found:
            assert found["table"] == users.table
            counts[found["event"]] = found["Changes"]
            (directive,) = found["_aws"]["CloudWatchMetrics"]
            assert {"function_name", "table", "event"} <= set(directive["Dimensions"][0])
    assert counts == {"create": [2.0], "expire": [1.0]}


def test_by_default_nothing_is_counted_by_kind_and_nothing_is_published(
    users: Users, topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    users.put("u1")
    function = capture(users)
    capsys.readouterr()
    function(event(users.records()))

    assert '"Changes"' not in capsys.readouterr().out
    assert topic.calls == 0


# -- notifications


def test_only_changes_that_match_a_pattern_are_published(users: Users, topic: Topic) -> None:
    users.put("u1", plan={"S": "free"}, balance={"N": "5"})
    users.put("u1", plan={"S": "gold"}, balance={"N": "5"})
    users.put("u1", plan={"S": "gold"}, balance={"N": "-0.5"})
    users.delete("u1")
    patterns = [
        {"event": ["update"], "changed": {"plan": {"new": ["gold"]}}},
        {"changed": {"balance": {"new": [{"numeric": ["<", 0]}]}}},
    ]

    capture(users, topic, NOTIFY_PATTERNS=json.dumps(patterns))(event(users.records()))

    assert [message["changed"] for message in topic.messages()] == [
        {"plan": {"old": "free", "new": "gold"}},
        {"balance": {"old": 5, "new": -0.5}},
    ]


def test_a_notification_has_attributes_to_filter_by_and_a_stable_deduplication_id(
    users: Users, topic: Topic
) -> None:
    users.put("u1")
    (record,) = users.records()
    function = capture(users, topic)
    function(event([record]))
    function(event([record]))

    first, again = topic.accepted
    assert first["MessageAttributes"] == again["MessageAttributes"]
    values = {name: value["StringValue"] for name, value in first["MessageAttributes"].items()}
    assert values == {
        "event": "create",
        "table": users.table,
        "deduplication_id": record["eventID"],
    }
    assert first["Subject"] == f"create in {users.table}"


def test_a_pattern_may_match_a_redacted_value(users: Users, topic: Topic) -> None:
    users.put("u1", password={"S": "old"})
    users.put("u1", password={"S": "new"})
    patterns = [{"changed": {"password": {"new": ["new"]}}}]
    capture(users, topic, NOTIFY_PATTERNS=json.dumps(patterns), REDACTED_ATTRIBUTES='["password"]')(
        event(users.records())
    )

    (message,) = topic.messages()
    assert message["changed"] == {"password": {"old": "[redacted]", "new": "[redacted]"}}


@pytest.mark.parametrize(
    "error",
    [
        client_error("NotFoundException", 404),
        client_error("AuthorizationErrorException", 403),
        client_error("ThrottledException", 429),
        client_error("InternalErrorException", 500),
        timed_out(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_notifications_are_quarantined_while_the_topic_fails(
    users: Users, topic: Topic, error: Exception
) -> None:
    for number in range(25):
        users.put(f"u{number}")
    topic.error = error
    function = capture(users, topic)

    with recorded() as log:
        assert function(event(users.records())) == NO_FAILURES

    assert len(log.of("change")) == 25
    assert topic.calls == 1
    kept = users.pipeline.bucket.objects
    assert len(kept) == 25
    assert all(each["reason"].startswith("not published: ") for each in kept.values())
    # The object holds the input of `aws sns publish --cli-input-json`.
    again = json.loads(base64.b64decode(next(iter(kept.values()))["data"]))
    assert again.keys() == {"TopicArn", "Subject", "Message", "MessageAttributes"}
    topic.error = None
    topic.publish_batch(
        TopicArn=again.pop("TopicArn"), PublishBatchRequestEntries=[{"Id": "0", **again}]
    )
    assert topic.messages()[0]["event"] == "create"


def test_entries_that_sns_refuses_are_retried_and_then_quarantined(
    users: Users, topic: Topic
) -> None:
    for number in range(5):
        users.put(f"u{number}", word={"S": f"word-{number}"})
    topic.refuses = {"word-1": True, "word-3": False}

    assert capture(users, topic)(event(users.records())) == NO_FAILURES

    assert topic.calls == ROUNDS
    assert {message["keys"]["user_id"] for message in topic.messages()} == {"u0", "u2", "u4"}
    assert users.pipeline.bucket.reasons == ["not published: Nope: "] * 2


def test_large_changes_are_published_within_the_limits_of_sns(users: Users, topic: Topic) -> None:
    for number in range(12):
        users.put(f"u{number}", text={"S": "x" * 90_000})
    users.put("huge", text={"S": "x" * 300_000}, small={"S": "y"})

    assert capture(users, topic)(event(users.records())) == NO_FAILURES

    assert len(topic.accepted) == 13
    assert topic.messages()[-1]["changed"] == {"small": {"new": "y"}}
    assert topic.messages()[-1]["left_out"] == {"attributes": 1, "names": ["text"]}


# -- what cannot be read


def broken(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    change = {**record["dynamodb"], **changes}
    return {**record, "dynamodb": {k: v for k, v in change.items() if v is not ...}}


def test_an_unreadable_record_is_quarantined_whole_and_the_others_are_logged(users: Users) -> None:
    for user in ("before", "bad", "after"):
        users.put(user)
    records = users.records()
    records[1] = broken(records[1], NewImage=...)

    with recorded() as log:
        assert capture(users)(event(records)) == NO_FAILURES

    assert [line["keys"]["user_id"] for line in log.of("change")] == ["before", "after"]
    (kept,) = users.pipeline.bucket.objects.values()
    assert "NEW_AND_OLD_IMAGES" in kept["reason"]
    assert kept["sequenceNumber"] == records[1]["dynamodb"]["SequenceNumber"]
    assert json.loads(base64.b64decode(kept["data"])) == records[1]


def test_an_unreadable_record_is_reported_as_failed_while_the_bucket_refuses_it(
    users: Users,
) -> None:
    users.put("u1")
    users.put("u2")
    records = [broken(record, NewImage=...) for record in users.records()]
    users.pipeline.bucket.error = client_error("SlowDown", 503)
    function = capture(users)

    answer = function(event(records))

    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
    users.pipeline.bucket.error = None
    assert function(event(records)) == NO_FAILURES
    assert len(users.pipeline.bucket.objects) == 2


def test_a_record_without_a_sequence_number_fails_the_batch_while_the_bucket_refuses_it(
    users: Users,
) -> None:
    users.put("u1")
    nameless = broken(users.records()[0], SequenceNumber=...)
    users.pipeline.bucket.error = client_error("SlowDown", 503)
    function = capture(users)

    with pytest.raises(RuntimeError, match="without a sequence number"):
        function(event([nameless]))
    users.pipeline.bucket.error = None
    assert function(event([nameless])) == NO_FAILURES
    assert len(users.pipeline.bucket.objects) == 1


def test_an_error_that_is_not_the_clients_fails_the_batch(users: Users, topic: Topic) -> None:
    """A bug in the code must not be taken for a topic that fails."""
    users.put("u1")
    topic.error = KeyError("a bug")
    with pytest.raises(KeyError, match="a bug"):
        capture(users, topic)(event(users.records()))
