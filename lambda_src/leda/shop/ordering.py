"""POST /orders: one transaction, made once for a client's token, at the parts' prices, never for more than is there.

The transaction holds the token's row, the order's rows, and of each part
    qty = qty - pieces, if it is a part, has the price that the order has, and qty >= pieces.
It is committed as a whole or not at all, so no order is half written and no piece is sold twice. Whoever sends the
same request again meets the token's row and is answered with the order that it names.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from leda.changes import UnreadableRow
from leda.shop import order_request, orders, parts, reading, rows, times
from leda.shop.exchange import Answer, Request
from leda.shop.order_request import Line, OrderRequest
from leda.shop.orders import Order
from leda.shop.parts import Part
from leda.shop.refusals import Refused
from leda.shop.rows import Row
from leda.shop.settling import Step, settle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Made:
    """The ID of the token's order, and its rows where this call has made them."""

    order: str
    rows: list[Row] | None


class Ordering:
    """Makes orders in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, request: Request) -> Answer:
        """The route POST /orders."""
        asked = order_request.read(request.json())
        # Unguessable: whoever knows it sees the order.
        identifier = uuid4().hex
        made = settle(self._client, lambda: self._attempt(asked, identifier))
        order = made.rows or reading.order(self._client, self._table, made.order)
        return Answer(
            orders.document(order),
            # After a lost answer the order is met as one that is there already.
            HTTPStatus.CREATED if made.order == identifier else HTTPStatus.OK,
            {"location": f"/orders/{made.order}"},
        )

    def _attempt(self, asked: OrderRequest, identifier: str) -> Step[Made]:
        keys = [rows.token_key(asked.token), *(rows.part_key(line.product) for line in asked.lines)]
        found = reading.batch(self._client, self._table, keys)
        token = found.get(reading.place(keys[0]))
        if token:
            if token["fingerprint"]["S"] != asked.fingerprint:
                raise Refused(
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
        order = Order(identifier, times.now(), asked, taken)
        written = order.rows()
        return Step(Made(identifier, written[1:]), self._actions(written, order))

    def _actions(self, written: list[Row], order: Order) -> list[dict[str, Any]]:
        puts = [
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
            {
                "Update": {
                    "TableName": self._table,
                    "Key": rows.part_key(line.product),
                    "UpdateExpression": "SET #qty = #qty - :pieces",
                    "ConditionExpression": "#itemType = :part AND #priceCents = :price AND #qty >= :pieces",
                    "ExpressionAttributeNames": {
                        "#itemType": "itemType",
                        "#priceCents": "priceCents",
                        "#qty": "qty",
                    },
                    "ExpressionAttributeValues": {
                        ":part": {"S": rows.PART},
                        ":price": {"N": str(part.price)},
                        ":pieces": {"N": str(line.pieces)},
                    },
                }
            }
            for line, part in zip(order.request.lines, order.parts, strict=True)
        ]
        return puts + takes


def _taken(line: Line, row: Row | None, field: str) -> Part:
    """The part of a line, if there is enough of it. Raises Refused."""
    try:
        part = parts.read(row or {})
    except UnreadableRow as error:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "UnknownProduct",
            "There is no such product.",
            f"{field}.productId",
        ) from error
    if part.stock < line.pieces:
        raise Refused(
            HTTPStatus.CONFLICT,
            "OutOfStock",
            f"There are {part.stock} left." if part.stock else "There are none left.",
            f"{field}.qty",
        )
    return part
