"""Consistent reads of the shop's tables: a caller sees what it has just written."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from leda.shop import rows
from leda.shop.refusals import busy
from leda.shop.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

K = TypeVar("K", bound=Hashable)

# BatchGetItem returns at most 16 MB, and 100 rows of the shop are far smaller. From a throttled table it returns fewer.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_READS = 5


def order(client: "DynamoDBClient", table: str, identifier: str) -> list[Row]:
    """Return an order's rows, header and lines; none where there is no such order.

    They are far smaller than the 1 MB of a query's page.
    """
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
    """Return the existing rows of up to 100 keys of UnifiedTable, by (pk, sk). Raises RefusedError (Busy)."""
    return batch_by(client, table, keys, pk_and_sk)


def batch_by(
    client: "DynamoDBClient", table: str, keys: Sequence[Row], key_of: Callable[[Row], K]
) -> dict[K, Row]:
    """Return the existing rows of up to 100 keys of any table, by what `key_of` returns for them.

    Raises RefusedError (Busy).
    """
    found: dict[K, Row] = {}
    left: Any = {table: {"Keys": list(keys), "ConsistentRead": True}} if keys else {}
    for _ in range(MAX_READS):
        if not left:
            return found
        answer: Any = client.batch_get_item(RequestItems=left)
        for row in answer["Responses"].get(table, ()):
            found[key_of(row)] = row
        left = answer.get("UnprocessedKeys")
    if left:
        raise busy()
    return found


def pk_and_sk(row: Row) -> tuple[str, str]:
    """Return pk and sk of a row, or of a key, of UnifiedTable."""
    return row["pk"]["S"], row["sk"]["S"]
