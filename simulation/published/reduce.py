"""The published design's Reduce: a batch's delta rows in one transaction, whose token is the batch's hash."""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from leda.aws import clients
from leda.values.numbers import exact, number
from simulation.published import batch_hash

dynamodb: Any = clients.sdk("dynamodb")
table = os.environ["AGGREGATE_TABLE"]


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add the batch's delta rows to the totals, unless DynamoDB remembers the batch's hash."""
    records = event["Records"]
    if sums := aggregate(records):
        dynamodb.transact_write_items(
            TransactItems=[addition(path, value) for path, value in sums.items()],
            ClientRequestToken=batch_hash(records),
        )
    return {"state": event.get("state") or {}}


def aggregate(records: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """The sum of the batch's new delta rows by path."""
    sums: dict[str, Decimal] = {}
    with exact():
        for record in records:
            if record["eventName"] == "INSERT":
                for path, value in record["dynamodb"]["NewImage"]["Totals"]["M"].items():
                    sums[path] = sums.get(path, Decimal(0)) + number(value["N"])
    return sums


def addition(path: str, value: Decimal) -> dict[str, Any]:
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
