"""Rows of a table by their keys, many at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from leda_cli.base.errors import LedaError
from leda_cli.operate.quarantined import in_groups

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
MAX_TRIES = 10
LONGEST_PAUSE_SECONDS = 5.0

Image = dict[str, Any]


def rows_by_key(
    client: DynamoDBClient,
    table: str,
    key: str,
    texts: Iterable[str],
    attributes: Iterable[str],
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Image]:
    """These attributes of the rows with these texts as their key, in DynamoDB's JSON, as they are now.

    Keys without a row are left out. `attributes` include the key. Raises LedaError where the table is throttled.
    """
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    found: dict[str, Image] = {}
    for some in in_groups(sorted(set(texts)), MAX_KEYS):
        left: list[Image] = [{key: {"S": each}} for each in some]
        for attempt in range(MAX_TRIES):
            if attempt:
                pause(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempt))
            answer = client.batch_get_item(
                RequestItems={
                    table: {
                        "Keys": left,
                        "ConsistentRead": True,
                        "ProjectionExpression": ", ".join(names),
                        "ExpressionAttributeNames": names,
                    }
                }
            )
            found |= {row[key]["S"]: row for row in answer["Responses"][table]}
            unread = answer["UnprocessedKeys"].get(table)
            left = list(unread["Keys"]) if unread else []
            if not left:
                break
        else:
            raise LedaError(
                f"{table} does not give {len(left)} rows: it is throttled",
                "run this again when its load is lower",
            )
    return found
