"""The lines of the data lake: a change of a part, an order, a line or a vendor order, flat, with the columns' names.

    {"sequence_number": "0000...", "event_id": "c4ca...", "event": "create", "changed_at": "2026-11-21 15:10:00.000",
     "item_type": "orderLine", "pk": "CUST-ORDER-...", "sk": "camo-tactical-vest", "order_ref": "5d41...",
     "product_id": "camo-tactical-vest", "qty": 2, "price_cents": 4999, "status": "Created", ...}

Times are UTC. A line may be there twice, with the same sequence number.

What a reader of the lake finds there must not open the shop. A customer's ID opens the customer's orders,
and an order's ID opens the order: neither is in a line. `order_ref` is the same in all lines of an order, and nobody
finds the ID from it: it is made of the ID's SHA-256, and an ID has 122 random bits.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from leda.shop import rows, times, whole
from leda.shop.stream.delivery import MAX_RECORD_BYTES
from leda.streams.changes import UnreadableRowError
from leda.streams.item_changes import ItemChange, UnreadableChangeError, read
from leda.streams.stream_records import Image, Unreadable, content
from leda.values.texts import utf8_bytes

KINDS = frozenset({rows.PART, rows.ORDER, rows.LINE, rows.VENDOR_ORDER})

# A stream's sequence numbers have at most 40 digits; padded, their texts sort as they do.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
SEQUENCE_DIGITS = 40

# What a row's attributes are called in the lake.
_IDENTIFIERS = {
    "vendorOrderId": "vendor_order_id",
    "productId": "product_id",
}
_TEXTS = {"name": "name", "status": "status", "shippingOption": "shipping_option"}
_NUMBERS = {
    "qty": "qty",
    "priceCents": "price_cents",
    "totalCents": "total_cents",
    "lines": "lines",
}
_TIMES = {"createdAt": "created_at", "shippedAt": "shipped_at", "receivedAt": "received_at"}


def kind_of(raw: Any) -> str | None:
    """The itemType of the row that a stream record is about, as it is now or as it was; None if it lacks one."""
    image = _image(raw)
    return None if image is None else content(image, "itemType", "S")


def is_wanted(raw: Any) -> bool:
    """Whether the record makes a line, or is one that cannot be read: `line` says why, and it is quarantined."""
    return _image(raw) is None or kind_of(raw) in KINDS


def _image(raw: Any) -> Image | None:
    """The row as it is now, or as it was; None where the record does not show it."""
    change = raw.get("dynamodb") if isinstance(raw, Mapping) else None
    if not isinstance(change, Mapping):
        return None
    image = change.get("NewImage") or change.get("OldImage")
    return image if isinstance(image, Mapping) else None


def lines(records: Iterable[Any]) -> tuple[list[bytes], list[Unreadable]]:
    """The lines of the stream records, and those that cannot be read; records that make no line are left out."""
    found, unreadable = [], []
    for raw in filter(is_wanted, records):
        try:
            found.append(line(raw))
        except UnreadableChangeError as error:
            unreadable.append(Unreadable(raw, str(error)))
    return found, unreadable


def line(raw: Any) -> bytes:
    """The line of a stream record, with its newline. Raises UnreadableChangeError."""
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
        "sequence_number": change.sequence_number.zfill(SEQUENCE_DIGITS),
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
    """What the order with that ID is called in the lake."""
    return hashlib.sha256(order.encode()).hexdigest()[:32]


def _partition(keys: Image) -> str | None:
    """The partition key, with an order's reference where it has the order's ID."""
    pk = _text(keys, "pk")
    order = rows.order_of_partition(pk) if pk else None
    return pk if order is None else rows.order_partition(order_ref(order))


def _text(image: Image, name: str) -> str | None:
    return content(image, name, "S")


def _number(image: Image, name: str) -> int | None:
    """The Number, if the column can hold it: a row that somebody broke must not spoil the file that it is in."""
    try:
        return whole.attribute(image, name)
    except UnreadableRowError:
        return None


def _time(image: Image, name: str) -> str | None:
    text = _text(image, name)
    return times.sql(text) if text else None


def _moment(moment: datetime | None) -> str | None:
    return times.sql(times.text(moment)) if moment else None
