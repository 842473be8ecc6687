"""Orders: the rows that one is made of, what is written when its status changes, and how it is shown.

An order is Created (not paid yet), then Paid, then Shipped. One that is not paid in time is Expired, and its units are
in stock again. Every row of an order has the status, so that a reader of one row, in a query or in the stream, knows
it.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop import rows, whole
from leda.shop.orders.order_request import OrderRequest
from leda.shop.rows import Row
from leda.shop.stock.parts import Part
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

CREATED, PAID, SHIPPED, EXPIRED = "Created", "Paid", "Shipped", "Expired"
STATUSES = (CREATED, PAID, SHIPPED, EXPIRED)
CLOSED = frozenset({SHIPPED, EXPIRED})
"""The statuses that are the last of an order."""
IDENTIFIER = r"[0-9a-f]{32}"
_IDENTIFIER = re.compile(IDENTIFIER, re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is about to be made: the request, and a part for each of its lines."""

    identifier: str
    created: str
    pay_by: str
    request: OrderRequest
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """In cents."""
        return sum(
            line.quantity * part.price
            for line, part in zip(self.request.lines, self.parts, strict=True)
        )

    def rows(self) -> list[Row]:
        """The token's row, the header, the customer's row, the lines."""
        request = self.request
        common: dict[str, str | int] = {
            "orderId": self.identifier,
            "status": CREATED,
            "createdAt": self.created,
        }
        totals: dict[str, str | int] = {"lines": len(request.lines), "totalCents": self.total}
        token = rows.item(
            rows.token_key(request.token),
            rows.TOKEN,
            {"orderId": self.identifier, "fingerprint": request.fingerprint},
        )
        header = rows.item(
            rows.order_key(self.identifier),
            rows.ORDER,
            {
                **common,
                **totals,
                "customerId": request.customer,
                "shippingOption": request.shipping,
                "payBy": self.pay_by,
                "ordersKey": index_key(CREATED),
                "ordersSort": rows.sort_place(self.created, self.identifier),
            },
        )
        of_customer = _customers_row(request.customer, {**common, **totals})
        lines = [
            rows.item(
                rows.key(rows.order_partition(self.identifier), line.product),
                rows.LINE,
                {
                    **common,
                    "productId": line.product,
                    "name": part.name,
                    "qty": line.quantity,
                    "priceCents": part.price,
                    "shippingOption": request.shipping,
                },
            )
            for line, part in zip(request.lines, self.parts, strict=True)
        ]
        return [token, header, of_customer, *lines]


def _customers_row(customer: str, listed: dict[str, str | int]) -> Row:
    """The row of an order in the list of a customer's orders; `listed` is what the list says of it."""
    place = rows.sort_place(str(listed["createdAt"]), str(listed["orderId"]))
    key = rows.key(rows.customer_partition(customer), place)
    return rows.item(key, rows.CUSTOMER_ORDER, listed)


def is_identifier(text: str) -> bool:
    """Whether an order could have that ID."""
    return _IDENTIFIER.fullmatch(text) is not None


def index_key(status: str) -> str:
    """Where the index `orders` has the orders of that status."""
    return f"CUST-{status}"


def header_of(order: Sequence[Row]) -> Row | None:
    """The header among an order's rows; None where there is no such order."""
    return next((row for row in order if rows.is_a(rows.ORDER, row)), None)


def payment(
    table: str, order: Sequence[Row], paid: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """The actions that mark an order of these rows as paid, while it is Created."""
    return _moved(table, order, PAID, header={"paidAt": paid, "paidBy": operator})


def shipment(
    table: str, order: Sequence[Row], shipped: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """The actions that ship an order of these rows, while it has the status that they say."""
    header = {"shippedBy": operator, "ordersSort": _place(order, shipped)}
    return _moved(table, order, SHIPPED, header=header, everywhere={"shippedAt": shipped})


def expiry(
    table: str, order: Sequence[Row], expired: str, parts: Collection[str]
) -> list["TransactWriteItemTypeDef"]:
    """The actions that close an order of these rows that was not paid, while it is Created.

    The units of the products in `parts` are in stock again; the others are not sold any more.
    """
    header = {"expiredAt": expired, "ordersSort": _place(order, expired)}
    returns: list[TransactWriteItemTypeDef] = [
        {
            "Update": {
                "TableName": table,
                "Key": rows.part_key(product),
                "UpdateExpression": "SET #qty = #qty + :quantity",
                "ConditionExpression": "#itemType = :part",
                "ExpressionAttributeNames": {"#qty": "qty", "#itemType": "itemType"},
                "ExpressionAttributeValues": {
                    ":quantity": {"N": str(quantity)},
                    ":part": {"S": rows.PART},
                },
            }
        }
        for product, quantity in _quantities(order).items()
        if product in parts
    ]
    return _moved(table, order, EXPIRED, header=header) + returns


def _quantities(order: Sequence[Row]) -> dict[str, int]:
    """The quantity of each product in the order's lines; a line that cannot be read is left out."""
    found: dict[str, int] = {}
    for row in order:
        if not rows.is_a(rows.LINE, row):
            continue
        # fnUpdateInventory has quarantined the broken one, and an alarm has told of it.
        with suppress(UnreadableRowError):
            found[row["sk"]["S"]] = whole.attribute(row, "qty", least=1)
    return found


def _moved(
    table: str,
    order: Sequence[Row],
    status: str,
    header: dict[str, str],
    everywhere: dict[str, str] | None = None,
) -> list["TransactWriteItemTypeDef"]:
    """The actions that give an order another status, all of it or nothing.

    header: further attributes of the header; everywhere: of the header and the lines.
    """
    known = rows.values(next(row for row in order if rows.is_a(rows.ORDER, row)))
    listed = {name: known[name] for name in ("orderId", "createdAt", "lines", "totalCents")}
    of_customer = _customers_row(known["customerId"], {**listed, "status": status})
    changed = {"status": status, **(everywhere or {})}
    of_header = {**changed, **header, "ordersKey": index_key(status)}
    lines = [rows.key(row["pk"]["S"], row["sk"]["S"]) for row in order if rows.is_a(rows.LINE, row)]
    return [
        # The header's condition stands for the whole order: each change is made once.
        _set(table, rows.order_key(known["orderId"]), of_header, known["status"]),
        _written_whole(table, of_customer),
        *(_set(table, line, changed) for line in lines),
        *([_one_unpaid_less(table, known["customerId"])] if known["status"] == CREATED else []),
    ]


def one_unpaid_more(table: str, customer: str, most: int) -> "TransactWriteItemTypeDef":
    """The action that counts one more unpaid order of a customer, who has fewer than `most`."""
    return {
        "Update": {
            "TableName": table,
            "Key": rows.unpaid_key(customer),
            "UpdateExpression": "SET #itemType = :unpaid ADD #orders :one",
            "ConditionExpression": "attribute_not_exists(#orders) OR #orders < :most",
            "ExpressionAttributeNames": {"#itemType": "itemType", "#orders": "orders"},
            "ExpressionAttributeValues": {
                ":unpaid": {"S": rows.UNPAID},
                ":one": {"N": "1"},
                ":most": {"N": str(most)},
            },
        }
    }


def _one_unpaid_less(table: str, customer: str) -> "TransactWriteItemTypeDef":
    return {
        "Update": {
            "TableName": table,
            "Key": rows.unpaid_key(customer),
            "UpdateExpression": "SET #itemType = :unpaid ADD #orders :one",
            "ExpressionAttributeNames": {"#itemType": "itemType", "#orders": "orders"},
            "ExpressionAttributeValues": {":unpaid": {"S": rows.UNPAID}, ":one": {"N": "-1"}},
        }
    }


def _place(order: Sequence[Row], closed: str) -> str:
    """Where a closed order stands among others."""
    known = rows.values(next(row for row in order if rows.is_a(rows.ORDER, row)))
    return rows.sort_place(closed, known["orderId"])


def _written_whole(table: str, row: Row) -> "TransactWriteItemTypeDef":
    """The action that writes all attributes of a row, also where somebody has deleted it.

    A row of a customer's list says nothing that the order's header does not: it must not hold the order up.
    """
    attributes = {name: value for name, value in row.items() if name not in ("pk", "sk")}
    return {
        "Update": {
            "TableName": table,
            "Key": rows.key(row["pk"]["S"], row["sk"]["S"]),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
            "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
        }
    }


def _set(
    table: str, key: Row, attributes: dict[str, str], before: str | None = None
) -> "TransactWriteItemTypeDef":
    """Set attributes of a row if it is there, and has the status `before` where one is given."""
    condition = "attribute_exists(#pk)" + (" AND #status = :before" if before else "")
    given = {**attributes, **({"before": before} if before else {})}
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in ("pk", *attributes)},
            "ExpressionAttributeValues": {f":{name}": {"S": text} for name, text in given.items()},
        }
    }


def document(order: Sequence[Row]) -> dict[str, Any] | None:
    """An order's rows as it is shown; None where there is no header.

    Its lines are sorted by product, as a query has them: an order is the same bytes in every answer. It does
    not tell whose it is: an order may be shown to others, and the customer's ID opens all of the customer's orders.
    """
    header = header_of(order)
    if header is None:
        return None
    known = rows.values(header)
    lines = [rows.values(row) for row in order if rows.is_a(rows.LINE, row)]
    return {
        "orderId": known["orderId"],
        "status": known["status"],
        "shippingOption": known["shippingOption"],
        "totalCents": known["totalCents"],
        "createdAt": known["createdAt"],
        "payBy": known.get("payBy"),
        "shippedAt": known.get("shippedAt"),
        "lines": [
            {name: line[name] for name in ("productId", "name", "qty", "priceCents")}
            for line in sorted(lines, key=lambda line: str(line["productId"]))
        ],
    }


def summary(row: Row, *more: str) -> dict[str, Any]:
    """An order in a list: of a header, or of a customer's row; `more` names further attributes."""
    known = rows.values(row)
    names = ("orderId", "status", "lines", "totalCents", "createdAt", *more)
    return {name: known[name] for name in names}
