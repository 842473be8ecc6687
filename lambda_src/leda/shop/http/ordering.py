"""POST /orders: one transaction, made once for a client's token, at the parts' prices, never for more than is there.

The transaction holds the token's row, the order's rows, and of each part
    qty = qty - quantity, if it is a part, has the price that the order has, and qty >= quantity.
It is committed as a whole or not at all, so no order is half written and no unit is sold twice. A repeated
request meets the token's row and is answered with the order that it names.

An order begins unpaid: a customer may have only so many unpaid orders, and one that is not paid in time expires
(`expiring`).
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
from leda.shop.settling import Step, settle
from leda.shop.stock import parts
from leda.shop.stock.parts import Part
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class Made:
    """The ID of the token's order, and its rows where this call has made them."""

    order: str
    rows: list[Row] | None


class Ordering:
    """Makes orders in one table."""

    def __init__(
        self, client: "DynamoDBClient", table: str, pay_within: timedelta, most_unpaid: int
    ) -> None:
        """`pay_within`: how long an order waits for its payment; `most_unpaid`: how many of a customer may wait."""
        self._client = client
        self._table = table
        self._pay_within = pay_within
        self._most_unpaid = most_unpaid

    def create(self, request: Request) -> Answer:
        """The route POST /orders."""
        asked = order_request.read(request.json())
        # Unguessable: anybody who knows it sees the order.
        identifier = uuid4().hex
        made = settle(self._client, lambda: self._attempt(asked, identifier))
        order = made.rows or reading.order(self._client, self._table, made.order)
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
            # After a lost answer the order is met as one that is there already.
            HTTPStatus.CREATED if made.order == identifier else HTTPStatus.OK,
            {"location": f"/orders/{made.order}"},
        )

    def _attempt(self, asked: OrderRequest, identifier: str) -> Step[Made]:
        token_key, unpaid_key = rows.token_key(asked.token), rows.unpaid_key(asked.customer)
        part_keys = [rows.part_key(line.product) for line in asked.lines]
        found = reading.batch(self._client, self._table, [token_key, unpaid_key, *part_keys])
        token = found.get(reading.place(token_key))
        if token:
            if token["fingerprint"]["S"] != asked.fingerprint:
                raise RefusedError(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "ClientTokenReused",
                    "The client token belongs to another order.",
                    "clientToken",
                )
            return Step(Made(token["orderId"]["S"], None))
        taken = [
            _taken(line, found.get((line.product, line.product)), f"lines[{place}]")
            for place, line in enumerate(asked.lines)
        ]
        unpaid = rows.values(found.get(reading.place(unpaid_key), {})).get("orders", 0)
        if unpaid >= self._most_unpaid:
            raise RefusedError(
                HTTPStatus.CONFLICT,
                "TooManyUnpaid",
                f"{unpaid} of your orders are not paid yet. Pay one of them first, or wait until one expires.",
                "customerId",
            )
        order = Order(identifier, times.now(), times.after(self._pay_within), asked, taken)
        written = order.rows()
        return Step(Made(identifier, written[1:]), self._actions(written, order))

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
        takes: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": rows.part_key(line.product),
                    "UpdateExpression": "SET #qty = #qty - :quantity",
                    "ConditionExpression": "#itemType = :part AND #priceCents = :price AND #qty >= :quantity",
                    "ExpressionAttributeNames": {
                        "#itemType": "itemType",
                        "#priceCents": "priceCents",
                        "#qty": "qty",
                    },
                    "ExpressionAttributeValues": {
                        ":part": {"S": rows.PART},
                        ":price": {"N": str(part.price)},
                        ":quantity": {"N": str(line.quantity)},
                    },
                }
            }
            for line, part in zip(order.request.lines, order.parts, strict=True)
        ]
        return [
            *puts,
            *takes,
            orders.one_unpaid_more(self._table, order.request.customer, self._most_unpaid),
        ]


def _taken(line: Line, row: Row | None, field: str) -> Part:
    """The part of a line, if there is enough of it. Raises RefusedError."""
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
