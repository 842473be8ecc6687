"""Reads rows of a table, many at a time, and writes rows on a condition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.engine.registry import condition_failed
from leda.values.texts import number_of
from leda_cli.base.batches import batched
from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.source_table import SourceTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
MAX_TRIES = 10
LONGEST_PAUSE_SECONDS = 5.0

Image = dict[str, Any]


def is_written(call: Callable[..., object], **request: Any) -> bool:
    """Make the conditional write; return whether its condition held. Raises the client's other errors."""
    try:
        call(**request)
    except ClientError as error:
        if not condition_failed(error):
            raise
        return False
    return True


def every_row(client: DynamoDBClient, table: str) -> Iterator[Image]:
    """Every row of the table, in DynamoDB's JSON, read consistently."""
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while True:
        page = client.scan(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def rows_by_text(
    client: DynamoDBClient, table: str, key: str, texts: Iterable[str], attributes: Iterable[str]
) -> dict[str, Image]:
    """`rows_by_key` of a table whose key is one string, by that string."""
    keys = ({key: {"S": text}} for text in texts)
    return rows_by_key(client, SourceTable(table, {key: "S"}), keys, attributes)


def rows_by_key(
    client: DynamoDBClient,
    table: SourceTable,
    keys: Iterable[Image],
    attributes: Iterable[str],
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Image]:
    """These attributes of the rows with these keys, in DynamoDB's JSON, as they are now, by SourceTable.key_of.

    Keys without a row are left out. `attributes` include the key. Raises LedaError where the table is throttled.
    """
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    by_text = {table.key_of(key): key for key in keys}
    found: dict[str, Image] = {}
    for some in batched(sorted(by_text), MAX_KEYS):
        left: list[Image] = [by_text[text] for text in some]
        for attempt in range(MAX_TRIES):
            if attempt:
                pause(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempt))
            answer = client.batch_get_item(
                RequestItems={
                    table.name: {
                        "Keys": left,
                        "ConsistentRead": True,
                        "ProjectionExpression": ", ".join(names),
                        "ExpressionAttributeNames": names,
                    }
                }
            )
            found |= {table.key_of(row): row for row in answer["Responses"][table.name]}
            unread = answer["UnprocessedKeys"].get(table.name)
            left = list(unread["Keys"]) if unread else []
            if not left:
                break
        else:
            raise LedaError(
                f"{table.name} is throttled: {number_of(len(left), 'row')} could not be read in {MAX_TRIES} tries",
                f"run {this_command()} again when the table is less busy",
            )
    return found
