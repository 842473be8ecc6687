"""Makes the data lake's lines: a flat JSON object for each change of a part, an order, a line or a vendor order.

    {"sequence_number": "0000...", "event_id": "c4ca...", "event": "create", "changed_at": "2026-11-21 15:10:00.000",
     "item_type": "orderLine", "pk": "CUST-ORDER-...", "sk": "camo-tactical-vest", "order_ref": "5d41...",
     "product_id": "camo-tactical-vest", "qty": 2, "price_cents": 4999, "status": "Created", ...}

Times are in UTC. The lake may hold a line twice, with the same sequence number.

A reader of the lake must not get access to the shop. Whoever has a customer's ID or an order's ID can read the orders,
so no line has such an ID. `order_ref` is the same in all lines of an order. The order's ID cannot be computed from it,
because it is a SHA-256 of the ID, which has 122 random bits.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from leda.shop import attributes, rows, times
from leda.shop.stream.delivery import MAX_RECORD_BYTES
from leda.streams.changes import UnreadableRowError
from leda.streams.item_changes import ItemChange, UnreadableChangeError, read
from leda.streams.stream_records import LONGEST_SEQUENCE_NUMBER, Image, Unreadable, content
from leda.values.texts import utf8_bytes

KINDS = frozenset({rows.PART, rows.ORDER, rows.LINE, rows.VENDOR_ORDER})

# The columns of a row's attributes. The values of _IDENTIFIERS never change, so a deleted row's line has them too.
_IDENTIFIERS = {"vendorOrderId": "vendor_order_id", "productId": "product_id"}
_TEXTS = {"name": "name", "status": "status", "shippingOption": "shipping_option"}
_NUMBERS = {
    "qty": "qty",
    "priceCents": "price_cents",
    "totalCents": "total_cents",
    "lines": "lines",
}
_TIMES = {"createdAt": "created_at", "shippedAt": "shipped_at", "receivedAt": "received_at"}


def kind_of(raw: Any) -> str | None:
    """Return the itemType in a stream record's new image, or else its old image; None if it has none."""
    image = _image(raw)
    return None if image is None else content(image, "itemType", "S")


def is_wanted(raw: Any) -> bool:
    """Return whether the record makes a line, or has no image, so that `line` raises the reason for the quarantine."""
    return _image(raw) is None or kind_of(raw) in KINDS


def _image(raw: Any) -> Image | None:
    """Return the record's new image, or else its old image; None if it has neither."""
    change = raw.get("dynamodb") if isinstance(raw, Mapping) else None
    if not isinstance(change, Mapping):
        return None
    image = change.get("NewImage") or change.get("OldImage")
    return image if isinstance(image, Mapping) else None


def lines(records: Iterable[Any]) -> tuple[list[bytes], list[Unreadable]]:
    """Return the lines of the stream records, and the records that cannot be read; other rows' records are left out."""
    found, unreadable = [], []
    for raw in filter(is_wanted, records):
        try:
            found.append(line(raw))
        except UnreadableChangeError as error:
            unreadable.append(Unreadable(raw, str(error)))
    return found, unreadable


def line(raw: Any) -> bytes:
    """Return the line of a stream record, with its newline. Raises UnreadableChangeError."""
    change = read(raw)
    text = json.dumps(_columns(change), separators=(",", ":"), ensure_ascii=False)
    if utf8_bytes(text) is None:
        raise UnreadableChangeError("a text of the row is not valid Unicode (a lone surrogate)")
    found = text.encode() + b"\n"
    if len(found) > MAX_RECORD_BYTES:
        raise UnreadableChangeError(f"the line has more than {MAX_RECORD_BYTES} bytes")
    return found


def _columns(change: ItemChange) -> dict[str, Any]:
    record = change.record
    old, new = record.old or {}, record.new or {}
    image = new or old
    columns: dict[str, Any] = {
        # Padded, so that the texts sort like the numbers.
        "sequence_number": change.sequence_number.zfill(LONGEST_SEQUENCE_NUMBER),
        "event_id": record.event_id,
        "event": change.event,
        "changed_at": _moment(record.arrived),
        "item_type": _text(image, "itemType"),
        "pk": _partition(change.keys),
        "sk": _text(change.keys, "sk"),
        "order_ref": order_ref(order) if (order := _text(image, "orderId")) else None,
        **{column: _text(image, name) for name, column in _IDENTIFIERS.items()},
        **{column: _text(new, name) for name, column in _TEXTS.items()},
        **{column: _number(new, name) for name, column in _NUMBERS.items()},
        **{column: _time(new, name) for name, column in _TIMES.items()},
        "old_status": _text(old, "status"),
        "old_qty": _number(old, "qty"),
    }
    if columns["item_type"] == rows.PART:
        columns["product_id"] = columns["pk"]
    return {name: value for name, value in columns.items() if value is not None}


def order_ref(order: str) -> str:
    """Return the reference in the lake to the order of that ID."""
    return hashlib.sha256(order.encode()).hexdigest()[:32]


def _partition(keys: Image) -> str | None:
    """Return the partition key; if it has an order's ID, with the order's reference in place of the ID."""
    pk = _text(keys, "pk")
    order = rows.order_of_partition(pk) if pk else None
    return pk if order is None else rows.order_partition(order_ref(order))


def _text(image: Image, name: str) -> str | None:
    return content(image, name, "S")


def _number(image: Image, name: str) -> int | None:
    """Return the Number; None if the column cannot hold it, so that a broken row does not make a file unreadable."""
    try:
        return attributes.whole_number(image, name)
    except UnreadableRowError:
        return None


def _time(image: Image, name: str) -> str | None:
    text = _text(image, name)
    return times.sql(text) if text else None


def _moment(moment: datetime | None) -> str | None:
    return times.sql(times.text(moment)) if moment else None
