"""The published design's Reduce: a batch's rows, added in one transaction whose token is the batch's hash."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

dynamodb: Any = boto3.client("dynamodb")
table = os.environ["AGGREGATE_TABLE"]

# A client token has at most 36 characters.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TOKEN_CHARACTERS = 36


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add the batch's sums to the totals, unless DynamoDB remembers the batch's hash."""
    records = event["Records"]
    if sums := aggregate(records):
        token = hashlib.sha256(str(records).encode()).hexdigest()[:TOKEN_CHARACTERS]
        dynamodb.transact_write_items(
            TransactItems=[addition(path, value) for path, value in sums.items()],
            ClientRequestToken=token,
        )
    return {"batchItemFailures": []}


def aggregate(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The sum of the batch's new rows by node."""
    sums: dict[str, float] = {}
    for record in records:
        if "NewImage" in record["dynamodb"]:
            message = json.loads(record["dynamodb"]["NewImage"]["Message"]["S"])
            for path, value in message.items():
                sums[path] = sums.get(path, 0.0) + value
    return sums


def addition(path: str, value: float) -> dict[str, Any]:
    """The transaction's action that adds the value to a total."""
    return {
        "Update": {
            "TableName": table,
            "Key": {"Identifier": {"S": path}},
            "UpdateExpression": "ADD #Value :value",
            "ExpressionAttributeNames": {"#Value": "Value"},
            "ExpressionAttributeValues": {":value": {"N": str(value)}},
        }
    }
