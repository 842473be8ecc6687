"""POST /orders: makes an order once for each client token, at the parts' prices, from units that are in stock.

One transaction puts the client token's row and the order's rows, and takes the quantity of each line out of its part's
stock, on condition that the part still has the order's price and enough stock. DynamoDB commits all of it or nothing,
so no order is half written and no unit is sold twice. A repeated request finds the client token's row, and is answered
with the order that the row names.

A new order is unpaid. A customer may have a limited number of unpaid orders, and an order that is not paid in time
expires (`expiring`).
"""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from leda.shop import reading, rows, times
from leda.shop.http.exchange import Answer, Request
from leda.shop.orders import order_request, orders
from leda.shop.orders.order_request import Line, OrderRequest
from leda.shop.orders.orders import Order
from leda.shop.refusals import RefusedError
from leda.shop.rows import Row
from leda.shop.stock import parts
from leda.shop.stock.parts import Part
from leda.shop.write_loop import Decision, decide_and_write
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """The ID of the client token's order, and the order's rows if this request has written them."""

    identifier: str
    rows: list[Row] | None = None


class Ordering:
    """Makes orders in one UnifiedTable."""

    def __init__(
        self, client: "DynamoDBClient", table: str, pay_within: timedelta, most_unpaid: int
    ) -> None:
        """Take the time after which an unpaid order expires, and the most unpaid orders that a customer may have."""
        self._client = client
        self._table = table
        self._pay_within = pay_within
        self._most_unpaid = most_unpaid

    def create(self, request: Request) -> Answer:
        """POST /orders."""
        asked = order_request.read(request.json())
        # The ID must be unguessable, because whoever knows it can read the order.
        identifier = uuid4().hex
        found = decide_and_write(self._client, lambda: self._attempt(asked, identifier))
        order = found.rows or reading.order(self._client, self._table, found.identifier)
        shown = orders.document(order)
        if shown is None:
            raise RefusedError(
                HTTPStatus.GONE,
                "OrderGone",
                "The order was made and has been deleted since. A new one needs a new client token.",
                "clientToken",
            )
        return Answer(
            shown,
            # If the answer to the transaction was lost, an attempt has found the order of this same request.
            HTTPStatus.CREATED if found.identifier == identifier else HTTPStatus.OK,
            {"location": f"/orders/{found.identifier}"},
        )

    def _attempt(self, asked: OrderRequest, identifier: str) -> Decision[TokenOrder]:
        token_key, unpaid_key = rows.token_key(asked.token), rows.unpaid_key(asked.customer)
        part_keys = [rows.part_key(line.product) for line in asked.lines]
        found = reading.batch(self._client, self._table, [token_key, unpaid_key, *part_keys])
        token = found.get(reading.pk_and_sk(token_key))
        if token:
            if token["fingerprint"]["S"] != asked.fingerprint:
                raise RefusedError(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "ClientTokenReused",
                    "The client token belongs to another order.",
                    "clientToken",
                )
            return Decision(TokenOrder(token["orderId"]["S"]))
        in_stock = [
            _part_in_stock(line, found.get((line.product, line.product)), f"lines[{place}]")
            for place, line in enumerate(asked.lines)
        ]
        unpaid = rows.values(found.get(reading.pk_and_sk(unpaid_key), {})).get("orders", 0)
        if unpaid >= self._most_unpaid:
            raise RefusedError(
                HTTPStatus.CONFLICT,
                "TooManyUnpaid",
                f"{unpaid} of your orders are not paid yet. Pay one of them first, or wait until one expires.",
                "customerId",
            )
        order = Order(identifier, times.now(), times.after(self._pay_within), asked, in_stock)
        written = order.rows()
        return Decision(TokenOrder(identifier, written[1:]), self._actions(written, order))

    def _actions(self, written: list[Row], order: Order) -> list["TransactWriteItemTypeDef"]:
        puts: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": row,
                    "ConditionExpression": "attribute_not_exists(#pk)",
                    "ExpressionAttributeNames": {"#pk": "pk"},
                }
            }
            for row in written
        ]
        takes = [
            rows.update(
                self._table,
                rows.part_key(line.product),
                "SET #qty = #qty - :quantity",
                "#itemType = :part AND #priceCents = :price AND #qty >= :quantity",
                part=rows.PART,
                price=part.price,
                quantity=line.quantity,
            )
            for line, part in zip(order.request.lines, order.parts, strict=True)
        ]
        return [
            *puts,
            *takes,
            orders.one_unpaid_more(self._table, order.request.customer, self._most_unpaid),
        ]


def _part_in_stock(line: Line, row: Row | None, field: str) -> Part:
    """Return the part of a line if it is in stock. Raises RefusedError."""
    try:
        part = parts.read(row or {})
    except UnreadableRowError as error:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "UnknownProduct",
            "There is no such product.",
            f"{field}.productId",
        ) from error
    if part.stock < line.quantity:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "OutOfStock",
            f"{part.name}: {part.stock or 'none'} left.",
            f"{field}.qty",
        )
    return part
