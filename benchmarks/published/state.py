"""The published design's State: a conditional UpdateItem a message, one after the other."""

import base64
import json
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

dynamodb: Any = boto3.client("dynamodb")
table = os.environ["STATE_TABLE"]

UPDATE = (
    "SET #Value = :Value, #Version = :Version, #Hierarchy = :Hierarchy, #Timestamp = :Timestamp"
)
CONDITION = "attribute_not_exists(#id) OR #Version < :Version"
NAMES = {f"#{name}": name for name in ("id", "Value", "Version", "Hierarchy", "Timestamp")}


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the batch's messages; any failure brings the whole batch again."""
    for record in event["Records"]:
        store(json.loads(base64.b64decode(record["kinesis"]["data"])))
    return {"batchItemFailures": []}


def store(message: Mapping[str, Any]) -> None:
    """Write the message unless its version or a newer one is there."""
    try:
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": message["TradeID"]}},
            UpdateExpression=UPDATE,
            ConditionExpression=CONDITION,
            ExpressionAttributeNames=NAMES,
            ExpressionAttributeValues={
                ":Value": {"N": str(Decimal(str(message["Value"])))},
                ":Version": {"N": str(message["Version"])},
                ":Hierarchy": {"S": json.dumps(message["Hierarchy"], sort_keys=True)},
                ":Timestamp": {"N": str(Decimal(str(message["Timestamp"])))},
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
