"""Vendor orders: at most one open for each part, however often a change is delivered.

A vendor order is numbered by its part's `restocks`, and that number goes up in the transaction that closes it: that
receives it, or cancels it. So the part's number names the only vendor order that can be open, and making that again
changes nothing (`open_action`).

A part that was deleted and made again may begin with a number that a closed vendor order has already. `restocking`
gives such a part the next number that is free (`renumbering`).
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.shop import rows
from leda.shop.rows import Row
from leda.shop.stock.parts import Part

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        ConditionCheckTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

OPEN, RECEIVED, CANCELLED = "Open", "Received", "Cancelled"
STATUSES = (OPEN, RECEIVED, CANCELLED)
CLOSED = frozenset({RECEIVED, CANCELLED})
IDENTIFIER = r"(?=.{3,80}\Z)(?P<product>[a-z0-9]+(-[a-z0-9]+)*)-(?P<number>0|[1-9][0-9]{0,14})"
_IDENTIFIER = re.compile(IDENTIFIER, re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A product's vendor order of that number."""

    product: str
    number: int

    @property
    def identifier(self) -> str:
        """`camo-tactical-vest-3`."""
        return f"{self.product}-{self.number}"

    @property
    def key(self) -> Row:
        """The key of its row."""
        return rows.vendor_order_key(self.product, self.number)


def named(identifier: str) -> Number | None:
    """The vendor order of that ID; None for a text that is not such an ID."""
    match = _IDENTIFIER.fullmatch(identifier)
    return Number(match["product"], int(match["number"])) if match else None


def index_key(status: str) -> str:
    """Where the index `orders` has the vendor orders of that status."""
    return f"VEND-{status}"


def open_action(
    table: str, which: Number, quantity: int, created: str
) -> "TransactWriteItemTypeDef":
    """The action after which the vendor order is there: it makes it, or leaves it as it is, open or received.

    No condition, which would cancel the transaction: each attribute is set if it is not there.
    """
    item = rows.item(
        which.key,
        rows.VENDOR_ORDER,
        {
            "vendorOrderId": which.identifier,
            "productId": which.product,
            "qty": quantity,
            "status": OPEN,
            "createdAt": created,
            "ordersKey": index_key(OPEN),
            "ordersSort": rows.sort_place(created, which.identifier),
        },
    )
    attributes = {name: value for name, value in item.items() if name not in which.key}
    return {
        "Update": {
            "TableName": table,
            "Key": which.key,
            "UpdateExpression": "SET "
            + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in attributes),
            "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
            "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
        }
    }


def is_open(row: Row | None) -> bool:
    """Whether there is such a vendor order, and it is still to come."""
    return row is not None and row["status"] == {"S": OPEN}


def renumbering(table: str, part: Part, number: int) -> "TransactWriteItemTypeDef":
    """The action that gives a part another number of restocks, if it still has the one that was read."""
    return {
        "Update": {
            "TableName": table,
            "Key": rows.part_key(part.product),
            "UpdateExpression": "SET #restocks = :number",
            "ConditionExpression": "#itemType = :part AND #restocks = :seen",
            "ExpressionAttributeNames": {"#itemType": "itemType", "#restocks": "restocks"},
            "ExpressionAttributeValues": {
                ":part": {"S": rows.PART},
                ":seen": {"N": str(part.restocks)},
                ":number": {"N": str(number)},
            },
        }
    }


def receipt(
    table: str, row: Row, part: Part, received: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """The actions that receive an open vendor order: it is closed, its units are in stock, the next number is free.

    part: as it was read; the transaction is cancelled if its number has changed since.
    """
    known = rows.values(row)
    which = named(known["vendorOrderId"])
    assert which is not None
    stock: UpdateTypeDef = {
        "TableName": table,
        "Key": rows.part_key(which.product),
        "UpdateExpression": "SET #qty = #qty + :quantity, #restocks = :next",
        "ConditionExpression": "#itemType = :part AND #restocks = :seen",
        "ExpressionAttributeNames": {f"#{name}": name for name in ("itemType", "qty", "restocks")},
        "ExpressionAttributeValues": {
            ":part": {"S": rows.PART},
            ":quantity": {"N": str(known["qty"])},
            ":seen": {"N": str(part.restocks)},
            ":next": {"N": str(_number_after(which, part))},
        },
    }
    return [_closing(table, row, RECEIVED, received, operator), {"Update": stock}]


def cancellation(
    table: str, row: Row, part: Part | None, cancelled: str, operator: str
) -> list["TransactWriteItemTypeDef"]:
    """The actions that cancel an open vendor order: it is closed, and if its part is there, the next number is free.

    part: as it was read, None where it was deleted; the transaction is cancelled if that has changed since.
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


def _number_after(closed: Number, part: Part) -> int:
    """The number of restocks that a part has when a vendor order is closed.

    The part has another number than its open vendor order only if it was made again since.
    """
    return max(part.restocks, closed.number + 1)


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
    return {
        "Update": {
            "TableName": table,
            "Key": rows.key(row["pk"]["S"], row["sk"]["S"]),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changed),
            "ConditionExpression": "#status = :open",
            "ExpressionAttributeNames": {f"#{name}": name for name in changed},
            "ExpressionAttributeValues": {
                ":open": {"S": OPEN},
                **{f":{name}": {"S": text} for name, text in changed.items()},
            },
        }
    }


def document(row: Row) -> dict[str, Any]:
    """A vendor order as operators see it."""
    known = rows.values(row)
    return {
        "vendorOrderId": known["vendorOrderId"],
        "productId": known["productId"],
        "qty": known["qty"],
        "status": known["status"],
        "createdAt": known["createdAt"],
        "receivedAt": known.get("receivedAt"),
        "receivedBy": known.get("receivedBy"),
        "cancelledAt": known.get("cancelledAt"),
        "cancelledBy": known.get("cancelledBy"),
    }
