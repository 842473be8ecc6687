"""Reads that several routes make. All reads are consistent: a caller sees what it has just written."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from leda.shop import rows
from leda.shop.refusals import busy
from leda.shop.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Place = TypeVar("Place", bound=Hashable)

# A batch answers at most 16 MB, which a hundred rows of the shop are far below; a throttled table answers less.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_READS = 5


def order(client: "DynamoDBClient", table: str, identifier: str) -> list[Row]:
    """The rows of an order, header and lines; none where there is no such order. They are far below a page's 1 MB."""
    found: Any = client.query(
        TableName=table,
        KeyConditionExpression="#pk = :pk",
        ExpressionAttributeNames={"#pk": "pk"},
        ExpressionAttributeValues={":pk": {"S": rows.order_partition(identifier)}},
        ConsistentRead=True,
    )
    read: list[Row] = found["Items"]
    return read


def batch(client: "DynamoDBClient", table: str, keys: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """The rows of up to 100 keys, by (pk, sk); a key without a row is not there. Raises RefusedError (Busy)."""
    return batch_by(client, table, keys, place)


def batch_by(
    client: "DynamoDBClient", table: str, keys: Sequence[Row], place: Callable[[Row], Place]
) -> dict[Place, Row]:
    """The same of a table with other keys: `place` says under what a row is found."""
    found: dict[Place, Row] = {}
    left: Any = {table: {"Keys": list(keys), "ConsistentRead": True}} if keys else {}
    for _ in range(MAX_READS):
        if not left:
            return found
        answer: Any = client.batch_get_item(RequestItems=left)
        for row in answer["Responses"].get(table, ()):
            found[place(row)] = row
        left = answer.get("UnprocessedKeys")
    if left:
        raise busy()
    return found


def place(row: Row) -> tuple[str, str]:
    """The key of a row of UnifiedTable, or a key, as `batch` answers it."""
    return row["pk"]["S"], row["sk"]["S"]
