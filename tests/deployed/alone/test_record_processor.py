"""The record processor, applied by itself: what it logs, and a user's function that fails in each way."""

import base64
import json
import secrets
from typing import Any

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_record_processor import (
    ANSWER,
    DECODED,
    PAYLOAD,
    Processor,
    aggregated,
    newest_readings,
)
from support.live_aws import BareAws, wait_for
from support.live_function import with_variables

EXAMPLE = "record-processor"


@pytest.fixture(scope="module")
def records(example: ExampleAws) -> Processor:
    return Processor(example, "records")


@pytest.fixture(scope="module")
def readings(example: ExampleAws) -> Processor:
    return Processor(example, "readings")


@pytest.fixture
def sensor(request: pytest.FixtureRequest) -> str:
    return f"{str(request.node.name).removeprefix('test_')[:50]}-{secrets.token_hex(3)}"


def reading(sensor: str, measured: object, celsius: object = 20) -> tuple[str, bytes]:
    fields = {"sensor": sensor, "measured": measured, "celsius": celsius}
    return sensor, json.dumps(fields).encode()


def wait_for_reading(readings: Processor, sensor: str, measured: int) -> None:
    wait_for(
        f"the newest reading of {sensor}",
        lambda: newest_readings(readings.aws).get(sensor, ("", ""))[0],
        str(measured).__eq__,
    )


def test_its_demo_is_the_first_thing_that_is_done_with_it(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_names_are_the_texts(records: Processor, readings: Processor) -> None:
    assert records.function == "ProcessKinesisRecords"
    assert readings.function == "Readings-ProcessKinesisRecords"
    assert records.stream == "Records"


def test_a_plan_after_apply_is_empty(example: ExampleAws) -> None:
    assert example.terraform.plan_is_empty(), f"see {example.terraform.log}"


def test_the_blueprints_test_event_gives_its_result_through_a_plain_invoke(
    records: Processor,
) -> None:
    assert records.invoke(records.aws.outputs["test_event"]) == ANSWER

    line = wait_for(
        "the decoded payload in the log",
        lambda: next((x for x in records.log.lines(DECODED) if x["payload"] == PAYLOAD), None),
    )
    assert line is not None
    assert line["partition_key"] == "partitionKey-03"
    assert line["sequence_number"] == "49545115243490985018280067714973144582180062593244200961"
    assert line["arrived"] == "2015-04-09T00:00:00+00:00"


def test_every_kind_of_record_is_logged_with_where_it_came_from(records: Processor) -> None:
    packed = aggregated([("k1", b"first"), ("k2", b'{"n": 12345678901234567890}')])
    numbers = records.put(
        [("t", "Grüße".encode()), ("j", b"[1.5]"), ("b", b"\x00\xff"), ("p", packed), ("e", b"")]
    )

    lines = wait_for("six lines", lambda: records.logged(numbers), lambda lines: len(lines) == 6)

    assert [(x["partition_key"], x["payload_kind"], x["payload"]) for x in lines] == [
        ("t", "text", "Grüße"),
        ("j", "json", [1.5]),
        ("b", "binary", "AP8="),
        ("k1", "text", "first"),
        ("k2", "json", {"n": "12345678901234567890"}),
        ("e", "text", ""),
    ]
    assert [x["sequence_number"] for x in lines] == [numbers[place] for place in (0, 1, 2, 3, 3, 4)]
    assert all(x["arrived"] for x in lines)


BAD = {
    "text": b"hello",
    "bytes": b"\x00\xff",
    "a list": b"[1]",
    "no sensor": b'{"measured": 1, "celsius": 1}',
    "no number": b'{"sensor": "s", "measured": "1", "celsius": 1}',
    "nothing": b"",
}


def test_bad_records_are_quarantined_whole_and_block_nothing(
    readings: Processor, sensor: str
) -> None:
    put = [reading(sensor, 1)]
    for number, data in enumerate(BAD.values()):
        put += [(sensor, data), reading(sensor, 2 + number)]
    numbers = readings.put(put)

    wait_for_reading(readings, sensor, 1 + len(BAD))
    kept = wait_for(
        "the bad records in quarantine",
        lambda: {n: body for n, body in readings.quarantined().items() if n in numbers},
        lambda found: len(found) == len(BAD),
    )
    assert [base64.b64decode(kept[n]["data"]) for n in numbers if n in kept] == list(BAD.values())
    assert all(body["reason"] and body["arrived"] for body in kept.values())


def test_while_the_functions_table_is_away_records_wait_and_none_is_lost(
    readings: Processor, sensor: str
) -> None:
    lambdas = readings.aws.client("lambda")
    with with_variables(lambdas, readings.function, READINGS_TABLE="Away"):
        numbers = readings.put([(sensor, b"bad"), reading(sensor, 1), reading(sensor, 2)])
        wait_for(
            "the failure in the log",
            lambda: [
                line["sequence_number"]
                for line in readings.log.lines("not processed")
                if line["sequence_number"] in numbers
            ],
        )
        # Bad records before it are quarantined; Lambda retries from the one that failed.
        wait_for("the bad record in quarantine", lambda: numbers[0] in readings.quarantined())
        assert sensor not in newest_readings(readings.aws)
    wait_for_reading(readings, sensor, 2)
    failed = [
        line["sequence_number"]
        for line in readings.log.lines("not processed")
        if line["sequence_number"] in numbers
    ]
    assert set(failed) == {numbers[1]}, "what follows a record that fails must wait for it"


def test_killed_functions_lose_no_record(alone: BareAws, readings: Processor, sensor: str) -> None:
    for number in range(10):
        readings.put([reading(sensor, 10 * number + place) for place in range(10)])
        alone.aws.kill_functions(readings.function)
    wait_for_reading(readings, sensor, 99)


def test_a_record_that_always_fails_is_given_up_alone_and_what_follows_goes_on(
    readings: Processor, sensor: str
) -> None:
    """DynamoDB takes no number as large as this one's time, and the function does not know that."""
    lambdas: Any = readings.aws.client("lambda")
    uuid = readings.aws.outputs["readings"]["function"]["mapping_uuid"]

    # One retry instead of a week of them. This is the last test of the stack: nothing is set back.
    lambdas.update_event_source_mapping(UUID=uuid, MaximumRetryAttempts=1)
    wait_for(
        "the mapping at rest",
        lambda: lambdas.get_event_source_mapping(UUID=uuid)["State"],
        "Enabled".__eq__,
    )
    put = [reading(sensor, 1), (sensor, reading(sensor, 0)[1].replace(b": 0,", b": 1e200,"))]
    numbers = readings.put([*put, reading(sensor, 2)])
    wait_for_reading(readings, sensor, 2)

    s3 = readings.aws.client("s3")

    def given_up() -> list[tuple[str, str]]:
        """The first and the last number of each batch that was given up and has one of these records."""
        listed = s3.list_objects_v2(Bucket=readings.bucket, Prefix="aws/lambda/")
        infos = [
            json.loads(s3.get_object(Bucket=readings.bucket, Key=entry["Key"])["Body"].read())
            for entry in listed.get("Contents", [])
        ]
        ranges = [
            (info["startSequenceNumber"], info["endSequenceNumber"])
            for info in (each["KinesisBatchInfo"] for each in infos)
        ]
        return [each for each in ranges if int(each[1]) >= int(numbers[0])]

    assert wait_for("the failure destination", given_up) == [(numbers[1], numbers[1])]
