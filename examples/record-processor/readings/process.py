"""Keeps each sensor's newest reading, whatever is delivered twice or late.

A record is {"sensor": "roof", "measured": 1700000000, "celsius": 21.5}. The row of a sensor is written on condition
that it is older, so that processing a record again changes nothing.
"""

import os
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

from leda.records import Record, Unprocessable

TABLE = os.environ["READINGS_TABLE"]
dynamodb = boto3.client("dynamodb")


def process(record: Record) -> None:
    """Store the reading. Raises Unprocessable for a record that is none."""
    reading = record.json()
    if not isinstance(reading, dict):
        raise Unprocessable("not a JSON object")
    sensor = reading.get("sensor")
    if not isinstance(sensor, str) or not sensor:
        raise Unprocessable("sensor is missing or not a string")
    measured, celsius = _number(reading, "measured"), _number(reading, "celsius")
    if not -90 <= celsius <= 60:
        raise Unprocessable(f"celsius is {celsius}: no weather is like that")
    try:
        dynamodb.put_item(
            TableName=TABLE,
            Item={
                "sensor": {"S": sensor},
                "measured": {"N": str(measured)},
                "celsius": {"N": str(celsius)},
            },
            ConditionExpression="attribute_not_exists(measured) OR measured < :measured",
            ExpressionAttributeValues={":measured": {"N": str(measured)}},
        )
    except ClientError as error:
        # Any other error: the record is delivered again, and what follows it too.
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _number(reading: dict[str, Any], name: str) -> Decimal:
    value = reading.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unprocessable(f"{name} is missing or not a number")
    return Decimal(value)
