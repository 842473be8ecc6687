"""The events of mappings with a tumbling window, and of a mapping without one.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from leda_cli.demos.function_log import FunctionLog
from support.live_aws import BareAws, wait_for
from support.tables import definition

WINDOW_SECONDS = 2
RECORDS = 5
ROLE = "arn:aws:iam::000000000000:role/windows"
# Logs each event with the number of its records instead of the records, and counts the window's records.
CODE = """
import json

def handler(event, context):
    records = len(event["Records"])
    print(json.dumps({**event, "Records": records}))
    return {"state": {"count": event.get("state", {}).get("count", 0) + records}}
"""


@dataclass(frozen=True)
class Probe:
    """A stream, a function that writes a record to it, and the Lambda function that reads it."""

    aws: BareAws
    stream_arn: str
    function: str
    put: Callable[[int], object]

    def events(self) -> list[dict[str, Any]]:
        """The events that the function got, oldest first."""
        return FunctionLog(self.aws.logs, f"/aws/lambda/{self.function}").all()


@pytest.fixture(scope="module")
def functions(bare: BareAws) -> Iterator[Callable[[str, str, int], None]]:
    """Makes a Lambda function (name) with a mapping on a stream (ARN) and a window of so many seconds; 0: no window."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("probe.py", CODE)
    made: list[tuple[str, str]] = []

    def make(name: str, stream_arn: str, window: int) -> None:
        bare.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
        bare.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=ROLE,
            Handler="probe.handler",
            Code={"ZipFile": package.getvalue()},
        )
        mapping = bare.functions.create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=stream_arn,
            StartingPosition="TRIM_HORIZON",
            **({"TumblingWindowInSeconds": window} if window else {}),
        )
        made.append((name, mapping["UUID"]))

    yield make
    for name, mapping in made:
        bare.functions.delete_event_source_mapping(UUID=mapping)
        bare.functions.delete_function(FunctionName=name)
        bare.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")


@pytest.fixture(scope="module")
def kinesis_stream(bare: BareAws) -> Iterator[str]:
    """The ARN of a Kinesis stream with one shard."""
    name = "windows"
    bare.kinesis.create_stream(StreamName=name, ShardCount=1)

    def describe() -> dict[str, Any]:
        answer = bare.kinesis.describe_stream_summary(StreamName=name)
        found: dict[str, Any] = answer["StreamDescriptionSummary"]
        return found

    wait_for("the stream", describe, lambda found: found["StreamStatus"] == "ACTIVE")
    yield describe()["StreamARN"]
    bare.kinesis.delete_stream(StreamName=name)


@pytest.fixture(scope="module")
def table_stream(bare: BareAws) -> Iterator[str]:
    """The ARN of the stream of a table."""
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    made = bare.dynamodb.create_table(
        **definition("windows", {"id": "S"}, StreamSpecification=stream)
    )
    yield made["TableDescription"]["LatestStreamArn"]
    bare.dynamodb.delete_table(TableName="windows")


@pytest.fixture(params=["kinesis", "dynamodb"])
def probe(
    request: pytest.FixtureRequest,
    bare: BareAws,
    functions: Callable[[str, str, int], None],
    kinesis_stream: str,
    table_stream: str,
) -> Probe:
    """A Lambda function that reads a stream of either kind with a window."""
    function = f"windows-of-{request.param}"
    stream = kinesis_stream if request.param == "kinesis" else table_stream
    functions(function, stream, WINDOW_SECONDS)

    def put(number: int) -> object:
        if request.param == "kinesis":
            return bare.kinesis.put_record(StreamARN=stream, Data=b"{}", PartitionKey=str(number))
        return bare.dynamodb.put_item(TableName="windows", Item={"id": {"S": str(number)}})

    return Probe(bare, stream, function, put)


def shard_of(probe: Probe) -> str:
    """The ID of the stream's only shard."""
    if ":kinesis:" in probe.stream_arn:
        shards = probe.aws.kinesis.list_shards(StreamARN=probe.stream_arn)["Shards"]
    else:
        description = probe.aws.streams.describe_stream(StreamArn=probe.stream_arn)
        shards = description["StreamDescription"]["Shards"]
    (shard,) = shards
    return str(shard["ShardId"])


def test_events_of_a_tumbling_window_name_the_shard_and_the_window_and_carry_the_state(
    probe: Probe,
) -> None:
    for number in range(RECORDS):
        probe.put(number)

    def counted(events: list[dict[str, Any]]) -> int:
        return sum(each["state"]["count"] for each in events if each["isFinalInvokeForWindow"])

    events = wait_for("windows that ended", probe.events, lambda seen: counted(seen) >= RECORDS)

    assert counted(events) == RECORDS
    assert {each["shardId"] for each in events} == {shard_of(probe)}
    assert {each["eventSourceARN"] for each in events} == {probe.stream_arn}
    assert {each["isWindowTerminatedEarly"] for each in events} == {False}
    assert [each["Records"] == 0 for each in events] == [
        each["isFinalInvokeForWindow"] for each in events
    ]
    state: dict[str, int] = {}
    for event in events:
        start, end = (datetime.fromisoformat(event["window"][name]) for name in ("start", "end"))
        assert (end - start).total_seconds() == WINDOW_SECONDS
        assert event["state"] == state
        state = {"count": state.get("count", 0) + event["Records"]}
        if event["isFinalInvokeForWindow"]:
            state = {}


def test_events_of_a_mapping_without_a_window_have_records_alone(
    bare: BareAws, functions: Callable[[str, str, int], None], kinesis_stream: str
) -> None:
    functions("no-window", kinesis_stream, 0)
    bare.kinesis.put_record(StreamARN=kinesis_stream, Data=b"{}", PartitionKey="1")

    log = FunctionLog(bare.logs, "/aws/lambda/no-window")
    events = wait_for("an event", log.all)

    assert {tuple(event) for event in events} == {("Records",)}
