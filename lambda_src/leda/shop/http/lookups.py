"""Reads that both the customers' routes and the operators' routes make."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from leda.aws.telemetry import logger
from leda.shop import reading
from leda.shop.http.exchange import Answer, Request
from leda.shop.orders import orders
from leda.shop.refusals import not_found
from leda.shop.rows import Row
from leda.shop.stock import parts
from leda.shop.stock.parts import Part
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def order_rows(client: "DynamoDBClient", table: str, request: Request) -> list[Row]:
    """Return the rows of the order whose ID is in the path; none where there is no such order."""
    identifier = request.path.get("id", "")
    return reading.order(client, table, identifier) if orders.is_identifier(identifier) else []


def order(client: "DynamoDBClient", table: str, request: Request) -> Answer:
    """Answer with the order whose ID is in the path. Raises RefusedError (NotFound)."""
    shown = orders.document(order_rows(client, table, request))
    if shown is None:
        raise not_found("order")
    return Answer(shown)


def readable_parts(rows: Iterable[Row]) -> list[Part]:
    """Return the parts in the rows. A row that cannot be read is logged and left out, and the others are shown."""
    found = []
    for row in rows:
        try:
            found.append(parts.read(row))
        except UnreadableRowError as error:
            logger.error("unreadable part", extra={"key": row["pk"], "reason": str(error)})
    return found
