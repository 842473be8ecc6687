"""The published design's Map: one delta row a batch, under the batch's hash."""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from leda.aws import clients
from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.hierarchy import nodes
from leda.values.numbers import exact
from simulation.published import batch_hash

dynamodb: Any = clients.sdk("dynamodb")
table = os.environ["REDUCE_TABLE"]
values = Configuration.from_json(
    '{"path": "Path", "measures": {"Value": {"op": "sum", "field": "Value"}}}'
)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Put the sum of the batch's changes, unless a batch with the same hash has been put."""
    records = event["Records"]
    if records:
        put(batch_hash(records), aggregate(records))
    return {"state": event.get("state") or {}}


def aggregate(records: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """The sum of new - old at every node of the hierarchy."""
    sums: dict[str, Decimal] = {}
    # Outside of exact(), even the minus sign rounds to 28 digits.
    with exact():
        for record in records:
            change = record["dynamodb"]
            for image, sign in (("OldImage", -1), ("NewImage", 1)):
                if found := values.contribution(change.get(image)):
                    for node in nodes(found.leaves[0]):
                        sums[node] = sums.get(node, Decimal(0)) + sign * Decimal(found.amounts[0])
    return sums


def put(name: str, sums: Mapping[str, Decimal]) -> None:
    """Put the delta row, once."""
    row = {
        "Lane": {"N": "0"},
        "Delta": {"S": name},
        "Totals": {"M": {path: {"N": str(value)} for path, value in sums.items()}},
    }
    try:
        dynamodb.put_item(
            TableName=table,
            Item=row,
            ConditionExpression="attribute_not_exists(#Delta)",
            ExpressionAttributeNames={"#Delta": "Delta"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
