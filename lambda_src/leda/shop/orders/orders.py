"""Orders: the rows of an order, the actions that change its status, and the JSON that shows it.

An order is Created (not paid yet), then Paid, then Shipped. An order that is not paid in time is Expired, and its units
are in stock again. Every row of an order has the status, so a reader of one row, in a query or in the stream, needs no
other row for it.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop import attributes, rows
from leda.shop.orders.order_request import OrderRequest
from leda.shop.rows import Row
from leda.shop.stock.parts import Part
from leda.streams.changes import UnreadableRowError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

CREATED, PAID, SHIPPED, EXPIRED = "Created", "Paid", "Shipped", "Expired"
STATUSES = (CREATED, PAID, SHIPPED, EXPIRED)
CLOSED = frozenset({SHIPPED, EXPIRED})
"""The statuses that do not change any more."""
IDENTIFIER = r"[0-9a-f]{32}"
_IDENTIFIER = re.compile(IDENTIFIER, re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is about to be made: the request, and the part of each of its lines."""

    identifier: str
    created: str
    pay_by: str
    request: OrderRequest
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """The price of all lines, in cents."""
        return sum(
            line.quantity * part.price
            for line, part in zip(self.request.lines, self.parts, strict=True)
        )

    def rows(self) -> list[Row]:
        """Return the token's row, the header, the row in the customer's list, and the lines."""
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
        listed = rows.item(
            _listed_key(request.customer, self.created, self.identifier),
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
                    "qty": line.quantity,
                    "priceCents": part.price,
                    "shippingOption": request.shipping,
                },
            )
            for line, part in zip(request.lines, self.parts, strict=True)
        ]
        return [token, header, listed, *lines]


def _listed_key(customer: str, created: str, identifier: str) -> Row:
    """Return the key of an order's row in the list of a customer's orders."""
    return rows.key(rows.customer_partition(customer), rows.sort_place(created, identifier))


def is_identifier(text: str) -> bool:
    """Return whether an order could have that ID."""
    return _IDENTIFIER.fullmatch(text) is not None


def index_key(status: str) -> str:
    """Return the partition key of the orders of that status in the index `orders`."""
    return f"CUST-{status}"


def header_of(order: Sequence[Row]) -> Row | None:
    """Return the header among an order's rows; None where there is no such order."""
    return next((row for row in order if rows.is_a(rows.ORDER, row)), None)


def payment(
    table: str, order: Sequence[Row], paid: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that change the order of these rows from Created to Paid."""
    return _change_status(table, order, PAID, paid, header={"paidAt": paid, "paidBy": operator})


def shipment(
    table: str, order: Sequence[Row], shipped: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that ship the order of these rows, if it still has their status."""
    return _change_status(
        table, order, SHIPPED, shipped, header={"shippedBy": operator}, lines={"shippedAt": shipped}
    )


def expiry(
    table: str, order: Sequence[Row], expired: str, parts: Collection[str]
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that change the order of these rows from Created to Expired.

    They return the units of the products in `parts` to the stock. The shop does not sell the other products any more.
    """
    returns = [
        rows.update(
            table,
            rows.part_key(product),
            "SET #qty = #qty + :quantity",
            "#itemType = :part",
            quantity=quantity,
            part=rows.PART,
        )
        for product, quantity in _quantities(order).items()
        if product in parts
    ]
    return _change_status(table, order, EXPIRED, expired, header={"expiredAt": expired}) + returns


def _quantities(order: Sequence[Row]) -> dict[str, int]:
    """Return the quantity of each product in the order's lines, without lines that cannot be read."""
    found: dict[str, int] = {}
    for row in order:
        if not rows.is_a(rows.LINE, row):
            continue
        # fnUpdateInventory has quarantined such a line already, which sets off an alarm.
        with suppress(UnreadableRowError):
            found[row["sk"]["S"]] = attributes.whole_number(row, "qty", least=1)
    return found


def _change_status(
    table: str,
    order: Sequence[Row],
    status: str,
    moment: str,
    header: dict[str, str],
    lines: dict[str, str] | None = None,
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that give an order another status at `moment`.

    `header` has further attributes of the header, `lines` further attributes of the header and of each line.
    """
    known = rows.values(next(row for row in order if rows.is_a(rows.ORDER, row)))
    identifier, customer, before = known["orderId"], known["customerId"], known["status"]
    of_lines = {"status": status, **(lines or {})}
    of_header = {**of_lines, **header, "ordersKey": index_key(status)}
    if status in CLOSED:
        of_header["ordersSort"] = rows.sort_place(moment, identifier)
    listed = {name: known[name] for name in ("orderId", "createdAt", "lines", "totalCents")}
    listed |= {"itemType": rows.CUSTOMER_ORDER, "status": status}
    actions = [
        # The header's condition makes each change happen once: without it, no other action is committed either.
        rows.update(
            table,
            rows.order_key(identifier),
            rows.setting(of_header),
            "attribute_exists(#pk) AND #status = :before",
            before=before,
            **of_header,
        ),
        # All attributes and no condition: the row says nothing that the header does not say, so an order can be paid
        # and shipped even if somebody has deleted the row.
        rows.update(
            table,
            _listed_key(customer, known["createdAt"], identifier),
            rows.setting(listed),
            None,
            **listed,
        ),
    ]
    actions += [
        rows.update(
            table,
            rows.key(row["pk"]["S"], row["sk"]["S"]),
            rows.setting(of_lines),
            "attribute_exists(#pk)",
            **of_lines,
        )
        for row in order
        if rows.is_a(rows.LINE, row)
    ]
    if before == CREATED:
        actions.append(_count_unpaid(table, customer, -1, None))
    return actions


def one_unpaid_more(table: str, customer: str, most: int) -> "TransactWriteItemTypeDef":
    """Return the action that counts one more unpaid order of a customer who has fewer than `most`."""
    few = "attribute_not_exists(#orders) OR #orders < :most"
    return _count_unpaid(table, customer, 1, few, most=most)


def _count_unpaid(
    table: str, customer: str, more: int, condition: str | None, **given: int
) -> "TransactWriteItemTypeDef":
    return rows.update(
        table,
        rows.unpaid_key(customer),
        "SET #itemType = :unpaid ADD #orders :more",
        condition,
        unpaid=rows.UNPAID,
        more=more,
        **given,
    )


def document(order: Sequence[Row]) -> dict[str, Any] | None:
    """Return the JSON that shows the order of these rows; None where they have no header.

    Lines are sorted by product, as a query returns them, so every answer about an order has the same bytes. The
    customer's ID is left out, because the link to an order may be passed on, and the ID gives access to all of the
    customer's orders.
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
    """Return the JSON of an order in a list, from its header or its row in the customer's list.

    `more` names further attributes of that row.
    """
    known = rows.values(row)
    names = ("orderId", "status", "lines", "totalCents", "createdAt", *more)
    return {name: known[name] for name in names}
