"""Vendor orders: at most one is open for each part, however often Lambda delivers a change.

A vendor order has the number that its part's `restocks` had when it was made. The transaction that receives or cancels
the vendor order raises `restocks`. So only the vendor order with the number in `restocks` can be open, and to make it
again changes nothing (`open_action`).

A part that was deleted and made again may begin with the number of a closed vendor order. `restocking` gives such a
part the next free number (`renumbering`).
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop import rows
from leda.shop.rows import Row
from leda.shop.stock.parts import Part

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, TransactWriteItemTypeDef

OPEN, RECEIVED, CANCELLED = "Open", "Received", "Cancelled"
STATUSES = (OPEN, RECEIVED, CANCELLED)
CLOSED = frozenset({RECEIVED, CANCELLED})
IDENTIFIER = r"(?=.{3,80}\Z)(?P<product>[a-z0-9]+(-[a-z0-9]+)*)-(?P<number>0|[1-9][0-9]{0,14})"
_IDENTIFIER = re.compile(IDENTIFIER, re.ASCII)


@dataclass(frozen=True, slots=True)
class VendorOrderName:
    """The name of a vendor order: its product, and its number among the product's vendor orders."""

    product: str
    number: int

    @property
    def identifier(self) -> str:
        """`camo-tactical-vest-3`."""
        return f"{self.product}-{self.number}"

    @property
    def key(self) -> Row:
        """The key of the vendor order's row."""
        return rows.vendor_order_key(self.product, self.number)


def named(identifier: str) -> VendorOrderName | None:
    """Return the name in a vendor order's ID; None for a text that is not such an ID."""
    match = _IDENTIFIER.fullmatch(identifier)
    return VendorOrderName(match["product"], int(match["number"])) if match else None


def current(part: Part) -> VendorOrderName:
    """Return the name of the only vendor order of the part that can be open."""
    return VendorOrderName(part.product, part.restocks)


def index_key(status: str) -> str:
    """Return the partition key of the vendor orders of that status in the index `orders`."""
    return f"VEND-{status}"


def open_action(
    table: str, which: VendorOrderName, quantity: int, created: str
) -> "TransactWriteItemTypeDef":
    """Return the action that makes the vendor order; where there is one, open or closed, it stays as it is.

    A condition would cancel the transaction, so each attribute is set if it does not exist.
    """
    attributes: dict[str, str | int] = {
        "itemType": rows.VENDOR_ORDER,
        "vendorOrderId": which.identifier,
        "productId": which.product,
        "qty": quantity,
        "status": OPEN,
        "createdAt": created,
        "ordersKey": index_key(OPEN),
        "ordersSort": rows.sort_place(created, which.identifier),
    }
    parts = (f"#{name} = if_not_exists(#{name}, :{name})" for name in attributes)
    return rows.update(table, which.key, "SET " + ", ".join(parts), None, **attributes)


def is_open(row: Row | None) -> bool:
    """Return whether there is such a vendor order, and it is neither received nor cancelled."""
    return row is not None and row["status"] == {"S": OPEN}


def renumbering(table: str, part: Part, number: int) -> "TransactWriteItemTypeDef":
    """Return the action that sets the part's `restocks` to `number`, if it is still the one that was read."""
    return _restocks(table, part, "SET #restocks = :number", number=number)


def receipt(
    table: str, row: Row, part: Part, received: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that receive the open vendor order in `row`, and add its units to the stock.

    They raise the part's `restocks`, and fail if that has changed since `part` was read.
    """
    known = rows.values(row)
    which = named(known["vendorOrderId"])
    assert which is not None
    stock = _restocks(
        table,
        part,
        "SET #qty = #qty + :quantity, #restocks = :number",
        quantity=known["qty"],
        number=_number_after(which, part),
    )
    return [_closing(table, row, RECEIVED, received, operator), stock]


def cancellation(
    table: str, row: Row, part: Part | None, cancelled: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """Return the actions that cancel the open vendor order in `row`.

    They raise the part's `restocks`, and fail if that has changed since `part` was read. If the part was deleted
    (None), they fail if it has been made again since.
    """
    which = named(row["vendorOrderId"]["S"])
    assert which is not None
    close = _closing(table, row, CANCELLED, cancelled, operator)
    if part is not None:
        return [close, renumbering(table, part, _number_after(which, part))]
    still_gone: ConditionCheckTypeDef = {
        "TableName": table,
        "Key": rows.part_key(which.product),
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
    }
    return [close, {"ConditionCheck": still_gone}]


def _number_after(closed: VendorOrderName, part: Part) -> int:
    """Return the part's `restocks` after the vendor order is closed.

    It differs from the number of the open vendor order only if the part was deleted and made again since.
    """
    return max(part.restocks, closed.number + 1)


def _restocks(table: str, part: Part, expression: str, **given: int) -> "TransactWriteItemTypeDef":
    """Return the action that updates the part, if its `restocks` is still the one that was read."""
    return rows.update(
        table,
        rows.part_key(part.product),
        expression,
        "#itemType = :part AND #restocks = :seen",
        part=rows.PART,
        seen=part.restocks,
        **given,
    )


def _closing(
    table: str, row: Row, status: str, closed: str, operator: str
) -> "TransactWriteItemTypeDef":
    known = rows.values(row)
    word = status.lower()
    changed = {
        "status": status,
        "ordersKey": index_key(status),
        "ordersSort": rows.sort_place(closed, known["vendorOrderId"]),
        f"{word}At": closed,
        f"{word}By": operator,
    }
    key = rows.key(row["pk"]["S"], row["sk"]["S"])
    return rows.update(table, key, rows.setting(changed), "#status = :open", open=OPEN, **changed)


def document(row: Row) -> dict[str, Any]:
    """Return the JSON that shows the vendor order to an operator."""
    known = rows.values(row)
    always = ("vendorOrderId", "productId", "qty", "status", "createdAt")
    closed = ("receivedAt", "receivedBy", "cancelledAt", "cancelledBy")
    return {name: known[name] for name in always} | {name: known.get(name) for name in closed}
