"""What customers read: products with their stock, an order, a customer's orders."""

from typing import TYPE_CHECKING, Any

from leda.aws.telemetry import logger
from leda.shop import reading, rows
from leda.shop.http.exchange import Answer, Request
from leda.shop.orders import listings, orders
from leda.shop.orders.order_request import PRODUCT, SECRET
from leda.shop.paging import page
from leda.shop.refusals import invalid, not_found
from leda.shop.stock import parts
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Storefront:
    """Reads one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def products(self, request: Request) -> Answer:
        """GET /products: a page of the parts; the stock of this list may be a moment old (it is an index)."""
        found = page(self._client, self._table, listings.parts(), request.query)
        products = []
        for row in found.rows:
            try:
                products.append(parts.read(row).document())
            except UnreadableRowError as error:
                # One row that somebody broke must not take the others out of the shop.
                logger.error("unreadable part", extra={"key": row["pk"], "reason": str(error)})
        return Answer({"products": products, "nextCursor": found.cursor})

    def product(self, request: Request) -> Answer:
        """GET /products/{id}: a part as it is now."""
        product = request.path.get("id", "")
        if not PRODUCT.fullmatch(product):
            raise not_found("product")
        answer: Any = self._client.get_item(
            TableName=self._table, Key=rows.part_key(product), ConsistentRead=True
        )
        try:
            return Answer(parts.read(answer.get("Item", {})).document())
        except UnreadableRowError as error:
            raise not_found("product") from error

    def order(self, request: Request) -> Answer:
        """GET /orders/{id}."""
        identifier = request.path.get("id", "")
        found = (
            reading.order(self._client, self._table, identifier)
            if orders.is_identifier(identifier)
            else []
        )
        shown = orders.document(found)
        if shown is None:
            raise not_found("order")
        return Answer(shown)

    def orders_of_customer(self, request: Request) -> Answer:
        """GET /customers/{id}/orders: a page, the newest first."""
        customer = request.path.get("id", "")
        if not SECRET.fullmatch(customer):
            raise invalid(
                "id", "A customer's ID is 16 to 64 letters, digits, hyphens or underscores."
            )
        found = page(self._client, self._table, listings.orders_of(customer), request.query)
        return Answer(
            {"orders": [orders.summary(row) for row in found.rows], "nextCursor": found.cursor}
        )
