"""Rows of StateTable by their ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from leda_cli.base.errors import LedaError
from leda_cli.operate.quarantined import in_groups

if TYPE_CHECKING:
    from leda_cli.operate.stack import Stack

MAX_KEYS = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
MAX_TRIES = 10
LONGEST_PAUSE_SECONDS = 5.0

Image = dict[str, Any]


def state_rows(
    stack: Stack,
    ids: Iterable[str],
    attributes: Iterable[str],
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Image]:
    """These attributes of the rows with these ids, in DynamoDB's JSON, as they are now; ids without a row are left out.

    `attributes` include the id.
    """
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    found: dict[str, Image] = {}
    for some in in_groups(sorted(set(ids)), MAX_KEYS):
        left: list[Image] = [{"id": {"S": each}} for each in some]
        for attempt in range(MAX_TRIES):
            if attempt:
                pause(min(LONGEST_PAUSE_SECONDS, 0.1 * 2**attempt))
            answer = stack.dynamodb.batch_get_item(
                RequestItems={
                    stack.state_table: {
                        "Keys": left,
                        "ConsistentRead": True,
                        "ProjectionExpression": ", ".join(names),
                        "ExpressionAttributeNames": names,
                    }
                }
            )
            found |= {row["id"]["S"]: row for row in answer["Responses"][stack.state_table]}
            unread = answer["UnprocessedKeys"].get(stack.state_table)
            left = list(unread["Keys"]) if unread else []
            if not left:
                break
        else:
            raise LedaError(
                f"{stack.state_table} does not give {len(left)} rows: it is throttled",
                "run this again when its load is lower",
            )
    return found
