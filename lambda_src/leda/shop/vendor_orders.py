"""Vendor orders: at most one open a part, whatever is delivered how often.

A vendor order is numbered by its part's `restocks` at the time when the part ran low, and that number goes up in the
transaction that receives it. So there is nothing to check before one is made: the part's number names the only vendor
order that can be open, and making that again changes nothing (`open_action`).
"""

import re
from dataclasses import dataclass
from typing import Any

from leda.shop import rows
from leda.shop.rows import Row

OPEN, RECEIVED = "Open", "Received"
STATUSES = (OPEN, RECEIVED)
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
    """The vendor order of that ID; None for a text that is none."""
    match = _IDENTIFIER.fullmatch(identifier)
    return Number(match["product"], int(match["number"])) if match else None


def index_key(status: str) -> str:
    """Where the index `orders` has the vendor orders of that status."""
    return f"VEND-{status}"


def open_action(table: str, which: Number, pieces: int, created: str) -> dict[str, Any]:
    """The action after which the vendor order is there: it makes it, or leaves it as it is, open or received.

    No condition, which would cancel the transaction: each attribute is set if it is not there.
    """
    item = rows.item(
        which.key,
        rows.VENDOR_ORDER,
        {
            "vendorOrderId": which.identifier,
            "productId": which.product,
            "qty": pieces,
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


def receipt(table: str, row: Row, received: str, operator: str) -> list[dict[str, Any]]:
    """The actions that receive an open vendor order: it is closed, its pieces are in stock, the next number is free."""
    known = rows.values(row)
    which = named(known["vendorOrderId"])
    assert which is not None
    close = {
        "TableName": table,
        "Key": which.key,
        "UpdateExpression": "SET #status = :received, #ordersKey = :ordersKey, #receivedAt = :at, #receivedBy = :by",
        "ConditionExpression": "#status = :open",
        "ExpressionAttributeNames": {
            f"#{name}": name for name in ("status", "ordersKey", "receivedAt", "receivedBy")
        },
        "ExpressionAttributeValues": {
            ":open": {"S": OPEN},
            ":received": {"S": RECEIVED},
            ":ordersKey": {"S": index_key(RECEIVED)},
            ":at": {"S": received},
            ":by": {"S": operator},
        },
    }
    stock = {
        "TableName": table,
        "Key": rows.part_key(which.product),
        "UpdateExpression": "SET #qty = #qty + :pieces, #restocks = :next",
        "ConditionExpression": "#itemType = :part AND #restocks = :number",
        "ExpressionAttributeNames": {f"#{name}": name for name in ("itemType", "qty", "restocks")},
        "ExpressionAttributeValues": {
            ":part": {"S": rows.PART},
            ":pieces": {"N": str(known["qty"])},
            ":number": {"N": str(which.number)},
            ":next": {"N": str(which.number + 1)},
        },
    }
    return [{"Update": close}, {"Update": stock}]


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
    }
