"""The demo of examples/record-processor: a test event, every kind of payload, and a function of your own."""

from __future__ import annotations

import base64
import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aws_kinesis_agg.aggregator import RecordAggregator

from leda_cli.base.errors import LedaError
from leda_cli.base.output import cell, console, heading, info, step
from leda_cli.base.waiting import wait_for
from leda_cli.demos.applied_example import AppliedExample
from leda_cli.demos.examples import ExampleAws
from leda_cli.demos.function_log import FunctionLog
from leda_cli.operate.totals.screen import ACCENT, plain_table, print_table

ANSWER = {
    "message": "Successfully processed 1 records.",
    "quarantined": 0,
    "batchItemFailures": [],
}
PAYLOAD = "Hello, this is a test 123."
DECODED = "decoded payload"
SENSORS = ("roof", "cellar", "garden", "attic")
READINGS = 120


@dataclass(frozen=True)
class Processor(AppliedExample):
    """One of the example's processors: `records` or `readings`."""

    part: str

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs of the processor."""
        found: Mapping[str, Any] = self.aws.outputs[self.part]
        return found

    @cached_property
    def kinesis(self) -> Any:
        """The client, made at its first use."""
        return self.aws.client("kinesis")

    @cached_property
    def log(self) -> FunctionLog:
        """The function's log."""
        return FunctionLog(self.aws.client("logs"), self.outputs["function"]["log_group_name"])

    @property
    def function(self) -> str:
        """The function's name."""
        return str(self.outputs["function"]["name"])

    @property
    def stream(self) -> str:
        """The stream's name."""
        return str(self.outputs["stream"]["name"])

    def put(self, records: Sequence[tuple[str, bytes]]) -> list[str]:
        """Put records (partition key, data); returns their sequence numbers. Raises LedaError if one is refused."""
        answer = self.kinesis.put_records(
            StreamName=self.stream,
            Records=[{"PartitionKey": key, "Data": data} for key, data in records],
        )
        if answer["FailedRecordCount"]:
            raise LedaError(f"{self.stream} did not take every record.", "Run the demo again.")
        return [record["SequenceNumber"] for record in answer["Records"]]

    def logged(self, numbers: Sequence[str]) -> list[dict[str, Any]]:
        """The log lines of the records with these sequence numbers, each user record once, in order."""
        lines = {
            line["event_id"]: line
            for line in self.log.lines(DECODED)
            if line["sequence_number"] in numbers
        }
        return sorted(
            lines.values(), key=lambda line: (int(line["sequence_number"]), line["event_id"])
        )

    def quarantined_by_number(self) -> dict[str, dict[str, Any]]:
        """The records that the function has quarantined, by sequence number."""
        return {body["sequenceNumber"]: body for body in self.quarantined(self.function)}


def newest_readings(aws: ExampleAws) -> dict[str, tuple[str, str]]:
    """The table of readings: (measured, celsius) by sensor."""
    rows = aws.client("dynamodb").scan(
        TableName=aws.outputs["readings_table"]["name"], ConsistentRead=True
    )["Items"]
    return {row["sensor"]["S"]: (row["measured"]["N"], row["celsius"]["N"]) for row in rows}


def aggregated(messages: Sequence[tuple[str, bytes]]) -> bytes:
    """One Kinesis record of several messages (partition key, data), as the Kinesis Producer Library packs them."""
    aggregator = RecordAggregator()
    for key, data in messages:
        aggregator.add_user_record(key, data)
    return bytes(aggregator.clear_and_get().get_contents()[2])


def play(aws: ExampleAws) -> None:
    """Play the demo. Raises LedaError if a result is wrong."""
    records, readings = Processor(aws, "records"), Processor(aws, "readings")
    _test_event(records)
    _payloads(records)
    _readings(readings, random.Random())
    _farewell(records, readings)


def _test_event(records: Processor) -> None:
    heading("The test event of the Lambda blueprint kinesis-process-record-python")
    answer = records.invoke(records.function, records.aws.outputs["test_event"])
    info(f"{records.function} answers: {json.dumps(answer)}")
    wait_for(
        "the decoded payload in the log",
        lambda: any(line["payload"] == PAYLOAD for line in records.log.lines(DECODED)),
    )
    info(f"its log has: {PAYLOAD}")
    if answer != ANSWER:
        raise LedaError(f"The answer must be {json.dumps(ANSWER)}.", "That is a bug in LEDA.")


def _payloads(records: Processor) -> None:
    heading("Every kind of payload")
    packed = aggregated([("bus-1", b"packed, first"), ("bus-2", b'{"packed": 2}')])
    put: list[tuple[str, bytes]] = [
        ("greeter", "Grüße aus Ulm".encode()),
        ("shop", b'{"order": 7, "amount": 19.90}'),
        ("camera", bytes(range(256))),
        ("bus", packed),
        ("odd", b'{"never": ends'),
    ]
    numbers = records.put(put)
    with step(f"waiting for the log of {len(put)} records"):
        wait_for("a line for each record", lambda: len(records.logged(numbers)) == len(put) + 1)
    lines = records.logged(numbers)
    table = plain_table("partition key", "arrived", "kind", "payload")
    for line in lines:
        payload = line["payload"]
        preview = payload if isinstance(payload, str) else json.dumps(payload)
        preview = preview if len(preview) <= 28 else f"{preview[:28]}…"
        arrived = line["arrived"][11:23]
        table.add_row(cell(line["partition_key"]), arrived, line["payload_kind"], cell(preview))
    print_table(console, table)
    kinds = [line["payload_kind"] for line in lines]
    if kinds != ["text", "json", "binary", "text", "json", "text"]:
        raise LedaError(f"The payloads were decoded as {kinds}.", "That is a bug in LEDA.")
    info("Two of them came in one record, as the Kinesis Producer Library packs them.")


def _readings(readings: Processor, draw: random.Random) -> None:
    heading("A function of your own: readings/process.py keeps each sensor's newest reading")
    run = secrets.token_hex(2)
    sent: list[tuple[str, int, float]] = []
    put: list[tuple[str, bytes]] = []
    bad = {
        "no JSON": b"hello?",
        "no number": b'{"sensor": "roof", "measured": 1, "celsius": "warm"}',
        "no weather": b'{"sensor": "roof", "measured": 1, "celsius": 451}',
    }
    for number in range(READINGS):
        sensor = f"{draw.choice(SENSORS)}-{run}"
        sent.append((sensor, 1_700_000_000 + number, draw.randint(-200, 350) / 10))
    # Late, and some of them twice.
    for sensor, measured, celsius in draw.sample(sent, len(sent)) + draw.sample(sent, 20):
        reading = {"sensor": sensor, "measured": measured, "celsius": celsius}
        put.append((sensor, json.dumps(reading).encode()))
    places = sorted(draw.sample(range(len(put)), len(bad)))
    for place, data in zip(places, bad.values(), strict=True):
        put.insert(place, ("unknown", data))
    numbers = readings.put(put)
    expected = {
        sensor: (str(measured), f"{celsius:g}")
        for sensor, measured, celsius in sorted(sent, key=lambda each: each[1])
    }

    def arrived() -> bool:
        found = newest_readings(readings.aws)
        return {sensor: found.get(sensor) for sensor in expected} == expected

    with step(
        f"{len(put)} records in random order, 20 of them sent twice, {len(bad)} of them invalid"
    ):
        wait_for("each sensor's newest reading in the table", arrived)
        wait_for(
            "the bad records in quarantine",
            lambda: len(readings.quarantined_by_number().keys() & set(numbers)) == len(bad),
        )
    table = plain_table("sensor", "measured", "celsius")
    for sensor, newest in sorted(expected.items()):
        table.add_row(cell(sensor), *map(cell, newest))
    print_table(console, table)
    aside = readings.quarantined_by_number()
    for kept in (aside[each] for each in numbers if each in aside):
        info(f"in quarantine: {base64.b64decode(kept['data']).decode()}")
        info(f"               {kept['reason']}")
    console.print(
        f"    [{ACCENT}]Nothing lost, nothing blocked:[/] {len(put) - len(bad)} readings processed, "
        f"{len(bad)} invalid records quarantined."
    )


def _farewell(records: Processor, readings: Processor) -> None:
    reading = '{"sensor": "roof", "measured": 1700000000, "celsius": 21.5}'
    # Version 2 of the AWS CLI reads an argument as base64, version 1 does not; both read a file as it is.
    put = "aws kinesis put-record --partition-key you --data fileb:///dev/stdin --stream-name"
    records.say_what_next(
        f"printf anything | {put} {records.stream}",
        f"{records.log.command} | grep '{DECODED}'",
        f"printf '{reading}' | {put} {readings.stream}",
        f"aws dynamodb scan --table-name {records.aws.outputs['readings_table']['name']}",
        f"aws s3 ls --recursive s3://{readings.bucket}/",
    )
    info("docs/record-processor.md says how to plug in a function of your own.")
