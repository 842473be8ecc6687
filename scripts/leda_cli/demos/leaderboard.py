"""The leaderboard of GameScoresByUser: the users with the highest scores, in an order that is the same for everyone.

A higher score comes first; among equal scores the Username decides, by its UTF-8 bytes, as DynamoDB orders strings. The
index orders by Score alone: what an addition makes of a total is known to DynamoDB only, so no sort key can be put
together from it, and the index's order among equals is nobody's promise. So all who tie with the last place are read,
and the order among equals is made here. That costs a read of each user who has the last place's score, however many
there are.

The index follows the table within moments (it is read eventually consistent), and users move while pages are read: a
board is close to the truth while scores change, and equal to it once they rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOARD = "users"
"""The partition key of every row of the index: the grouping's name (modules/score-aggregation)."""
PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Total:
    """A row of GameScoresByUser: `records` is how many score records add up to `score`."""

    username: str
    score: Decimal
    records: int


@dataclass(frozen=True, slots=True)
class Place:
    """A user's place: `rank` is one more than the number of users with a higher score, so equals share it."""

    rank: int
    total: Total


def read(client: DynamoDBClient, table: str, index: str, count: int) -> list[Place]:
    """The first `count` places; fewer where there are fewer users with a record."""
    return places(_descending(client, table, index, max(PAGE_ROWS, count + 1)), count)


def places(descending: Iterable[Total], count: int) -> list[Place]:
    """The first `count` places of totals that come by falling score, read no further than the last place's ties.

    A user without records has no place: a 0 is the sum of records, and their absence is no score.
    """
    found: dict[str, Total] = {}
    lowest: Decimal | None = None
    for total in descending:
        if lowest is not None and len(found) >= count and total.score < lowest:
            break
        if total.records > 0:
            # A user who moved while pages were read comes twice: the later row is the newer one.
            found[total.username] = total
            if len(found) <= count:
                lowest = total.score
    ordered = sorted(found.values(), key=lambda total: (-total.score, total.username.encode()))
    return [
        Place(1 + sum(other.score > total.score for other in ordered), total)
        for total in ordered[:count]
    ]


def _descending(client: DynamoDBClient, table: str, index: str, rows: int) -> Iterator[Total]:
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName=index,
        KeyConditionExpression="#Parent = :board",
        ExpressionAttributeNames={"#Parent": "Parent"},
        ExpressionAttributeValues={":board": {"S": BOARD}},
        ScanIndexForward=False,
        PaginationConfig={"PageSize": rows},
    )
    for page in pages:
        for row in page["Items"]:
            yield Total(row["Username"]["S"], Decimal(row["Score"]["N"]), int(row["Records"]["N"]))
