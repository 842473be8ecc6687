"""The leaderboard of GameScoresByUser: the users with the highest scores, in an order that is the same for everyone.

A higher score comes first; among equal scores the Username decides, by its UTF-8 bytes, as DynamoDB orders strings. The
index can order by Score only: only DynamoDB knows a total after an addition, so no writer could compose a sort key from
it, and DynamoDB does not promise an order among equal scores. So all users with the score of the last place are read,
however many there are, and sorted here.

The index is eventually consistent, and scores may change while its pages are read: a board is nearly right while scores
change, and right once they do not.
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
    """Read the first `count` places, or fewer if fewer users have a record."""
    return places(_descending(client, table, index, max(PAGE_ROWS, count + 1)), count)


def places(descending: Iterable[Total], count: int) -> list[Place]:
    """The first `count` places of totals that come by descending score; reads on until the last place's ties end.

    A user without records has no place: without records there is no score, not even 0.
    """
    found: dict[str, Total] = {}
    lowest: Decimal | None = None
    for total in descending:
        if lowest is not None and len(found) >= count and total.score < lowest:
            break
        if total.records > 0:
            # A user whose score changed while pages were read may come twice; the later row is newer.
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
