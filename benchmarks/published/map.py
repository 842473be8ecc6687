"""The published design's Map: a batch's sums in one row, put under the batch's hash on condition that it is new."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

dynamodb: Any = boto3.client("dynamodb")
table = os.environ["REDUCE_TABLE"]

LEVELS = ("RiskType", "TradeDesk", "Region")


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Put the sums of the batch's changes, unless a batch of that hash has been put."""
    records = event["Records"]
    if records:
        put(hashlib.sha256(str(records).encode()).hexdigest(), aggregate(records))
    return {"batchItemFailures": []}


def aggregate(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The sum of new - old at every node: at the leaves first, then each level into the one above."""
    sums: dict[str, float] = {}
    for record in records:
        change = record["dynamodb"]
        if "NewImage" not in change:
            continue
        _add(sums, change["NewImage"], 1)
        if "OldImage" in change:
            _add(sums, change["OldImage"], -1)
    for depth in range(len(LEVELS) - 1, 0, -1):
        for node in [node for node in sums if node.count(":") == depth]:
            parent = node.rpartition(":")[0]
            sums[parent] = sums.get(parent, 0.0) + sums[node]
    return sums


def _add(sums: dict[str, float], image: Mapping[str, Any], sign: int) -> None:
    names = json.loads(image["Hierarchy"]["S"])
    leaf = ":".join(names[level] for level in LEVELS)
    sums[leaf] = sums.get(leaf, 0.0) + sign * float(image["Value"]["N"])


def put(name: str, sums: Mapping[str, float]) -> None:
    """Put the batch's row, once."""
    try:
        dynamodb.put_item(
            TableName=table,
            Item={"MessageId": {"S": name}, "Message": {"S": json.dumps(sums, sort_keys=True)}},
            ConditionExpression="attribute_not_exists(MessageId)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
