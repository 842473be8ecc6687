"""examples/record-processor, applied by itself: the demo, and a user's function that fails.

The demo (scripts/leda_cli/demos/play_record_processor.py) invokes the blueprint's test event, and puts every kind of
payload and records that are quarantined. What the function does with each record is tested in
tests/emulated/test_process_records.py.
"""

import json
import secrets
from typing import Any

import pytest

from leda_cli.demos.example import player
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.play_record_processor import Processor, newest_readings
from support.live_aws import BareAws, wait_for
from support.live_function import with_variables

EXAMPLE = "record-processor"


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


def test_the_demo_succeeds_on_a_new_stack(example: ExampleAws) -> None:
    player(EXAMPLE)(example)


def test_names_are_as_documented(example: ExampleAws, readings: Processor) -> None:
    records = Processor(example, "records")
    assert records.function == "ProcessKinesisRecords"
    assert readings.function == "Readings-ProcessKinesisRecords"
    assert records.stream == "Records"


def test_a_second_plan_is_empty(example: ExampleAws) -> None:
    assert example.terraform.plan_is_empty(), f"see {example.terraform.log}"


def test_records_wait_in_order_while_the_table_is_missing_and_none_is_lost(
    readings: Processor, sensor: str
) -> None:
    def failed() -> set[str]:
        logged = {line["sequence_number"] for line in readings.log.lines("not processed")}
        return logged & set(numbers)

    lambdas = readings.aws.client("lambda")
    with with_variables(lambdas, readings.function, READINGS_TABLE="Missing"):
        numbers = readings.put([(sensor, b"bad"), reading(sensor, 1), reading(sensor, 2)])
        wait_for("the failure in the log", failed)
        # The bad record before the failed one is quarantined; Lambda retries from the failed one.
        wait_for(
            "the bad record in quarantine", lambda: numbers[0] in readings.quarantined_by_number()
        )
        assert sensor not in newest_readings(readings.aws)
    wait_for_reading(readings, sensor, 2)
    assert failed() == {numbers[1]}, "records after a failed one must wait for it"


def test_killed_functions_lose_no_record(alone: BareAws, readings: Processor, sensor: str) -> None:
    for number in range(10):
        readings.put([reading(sensor, 10 * number + place) for place in range(10)])
        alone.aws.kill_functions(readings.function)
    wait_for_reading(readings, sensor, 99)


def test_a_record_that_always_fails_goes_alone_to_the_failure_destination(
    readings: Processor, sensor: str
) -> None:
    """DynamoDB refuses the reading's time, 1e200, and the example's function does not check for that."""
    lambdas: Any = readings.aws.client("lambda")
    uuid = readings.aws.outputs["readings"]["function"]["mapping_uuid"]

    # One retry instead of a week of them. This is the file's last test, so nothing is restored.
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

    def discarded() -> list[tuple[str, str]]:
        """The first and the last sequence number of each discarded batch with one of these records."""
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

    assert wait_for("the failure destination", discarded) == [(numbers[1], numbers[1])]
