"""The customers' routes that read: products with their stock, an order, a customer's orders."""

from typing import TYPE_CHECKING, Any

from leda.shop import rows
from leda.shop.http import lookups
from leda.shop.http.exchange import Answer, Request
from leda.shop.orders import listings, orders
from leda.shop.orders.order_request import SECRET
from leda.shop.paging import page
from leda.shop.refusals import invalid, not_found
from leda.shop.stock import parts
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Storefront:
    """Reads one UnifiedTable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def products(self, request: Request) -> Answer:
        """GET /products: a page of the parts. The stock may be a moment old, because it comes from an index."""
        found = page(self._client, self._table, listings.parts(), request.query)
        products = [part.document() for part in lookups.readable_parts(found.rows)]
        return Answer({"products": products, "nextCursor": found.cursor})

    def product(self, request: Request) -> Answer:
        """GET /products/{id}: a part, by a consistent read."""
        product = request.path.get("id", "")
        if not parts.PRODUCT.fullmatch(product):
            raise not_found("product")
        answer: Any = self._client.get_item(
            TableName=self._table, Key=rows.part_key(product), ConsistentRead=True
        )
        try:
            return Answer(parts.read(answer.get("Item", {})).document())
        except UnreadableRowError as error:
            raise not_found("product") from error

    def order(self, request: Request) -> Answer:
        """GET /orders/{id}: an order with its lines."""
        return lookups.order(self._client, self._table, request)

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
