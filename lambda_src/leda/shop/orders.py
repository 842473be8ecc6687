"""Orders: the rows that one is made of, what is written when it is shipped, and how it is shown.

An order is Created, then Shipped. Every row of it has the status, so that whoever reads one row, in a query or in the
stream, knows it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leda.shop import rows
from leda.shop.order_request import OrderRequest
from leda.shop.parts import Part
from leda.shop.rows import Row

CREATED, SHIPPED = "Created", "Shipped"
STATUSES = (CREATED, SHIPPED)
IDENTIFIER = r"[0-9a-f]{32}"
_IDENTIFIER = re.compile(IDENTIFIER, re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is about to be made: the request, and a part for each of its lines."""

    identifier: str
    created: str
    request: OrderRequest
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """In cents."""
        return sum(
            line.pieces * part.price
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
        place = rows.sort_place(self.created, self.identifier)
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
                "ordersKey": index_key(CREATED),
                "ordersSort": place,
            },
        )
        of_customer = rows.item(
            rows.key(rows.customer_partition(request.customer), place),
            rows.CUSTOMER_ORDER,
            {**common, **totals},
        )
        lines = [
            rows.item(
                rows.key(rows.order_partition(self.identifier), line.product),
                rows.LINE,
                {
                    **common,
                    "productId": line.product,
                    "name": part.name,
                    "qty": line.pieces,
                    "priceCents": part.price,
                    "shippingOption": request.shipping,
                },
            )
            for line, part in zip(request.lines, self.parts, strict=True)
        ]
        return [token, header, of_customer, *lines]


def is_identifier(text: str) -> bool:
    """Whether an order could have that ID."""
    return _IDENTIFIER.fullmatch(text) is not None


def index_key(status: str) -> str:
    """Where the index `orders` has the orders of that status."""
    return f"CUST-{status}"


def shipment(table: str, order: Sequence[Row], shipped: str, operator: str) -> list[dict[str, Any]]:
    """The actions that ship an order of these rows, while it is Created. All of it is shipped, or nothing."""
    header = next(row for row in order if rows.is_a(rows.ORDER, row))
    known = rows.values(header)
    of_customer = rows.key(
        rows.customer_partition(known["customerId"]),
        rows.sort_place(known["createdAt"], known["orderId"]),
    )
    lines = [rows.key(row["pk"]["S"], row["sk"]["S"]) for row in order if row is not header]
    changed = {"status": SHIPPED, "shippedAt": shipped}
    shipped_by = {"shippedBy": operator, "ordersKey": index_key(SHIPPED)}
    return [
        # The header's condition stands for the whole order: it is shipped once.
        _set(table, rows.order_key(known["orderId"]), {**changed, **shipped_by}, CREATED),
        _set(table, of_customer, {"status": SHIPPED}),
        *(_set(table, line, changed) for line in lines),
    ]


def _set(
    table: str, key: Row, attributes: dict[str, str], before: str | None = None
) -> dict[str, Any]:
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
    """An order's rows as its customer sees it; None where there is no header."""
    header = next((row for row in order if rows.is_a(rows.ORDER, row)), None)
    if header is None:
        return None
    known = rows.values(header)
    lines = [rows.values(row) for row in order if rows.is_a(rows.LINE, row)]
    return {
        "orderId": known["orderId"],
        "customerId": known["customerId"],
        "status": known["status"],
        "shippingOption": known["shippingOption"],
        "totalCents": known["totalCents"],
        "createdAt": known["createdAt"],
        "shippedAt": known.get("shippedAt"),
        "lines": [
            {name: line[name] for name in ("productId", "name", "qty", "priceCents")}
            for line in lines
        ],
    }


def summary(row: Row, *more: str) -> dict[str, Any]:
    """An order in a list: of a header, or of a customer's row; `more` names further attributes."""
    known = rows.values(row)
    names = ("orderId", "status", "lines", "totalCents", "createdAt", *more)
    return {name: known[name] for name in names}
