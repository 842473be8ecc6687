"""Parts: what the shop sells, with price and stock.

    {"pk", "sk": "camo-tactical-vest", "itemType": "part", "inventoryKey": "part", "name", "description",
     "priceCents": 4999, "qty": 200, "reorderBelow": 50, "reorderQty": 200, "restocks": 0}

`qty` is the stock. `restocks` is the number of the next vendor order: 0 at first, and one higher after a vendor order
is received or cancelled. Vendor orders stay when their part is deleted. A part that is made again begins with 0 too,
and fnCreateVendorOrder then raises `restocks` to the first free number.
"""

import re
from dataclasses import dataclass
from typing import Any

from leda.shop import attributes, rows
from leda.shop.rows import Row
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image

PRODUCT = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
"""The pattern of a product's ID. The API refuses any other, so nobody could order such a part or receive its orders."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part, read from its row."""

    product: str
    name: str
    description: str
    price: int
    """In cents."""
    stock: int
    reorder_below: int
    reorder_quantity: int
    restocks: int

    @property
    def is_low(self) -> bool:
        """Whether the shop must order the part from its vendor."""
        return self.stock < self.reorder_below

    def document(self) -> dict[str, Any]:
        """Return the JSON that shows the part to a customer."""
        return {
            "productId": self.product,
            "name": self.name,
            "description": self.description,
            "priceCents": self.price,
            "qty": self.stock,
        }


def read(image: Image) -> Part:
    """Read a part from its row. Raises UnreadableRowError if the row does not have the form that `item` makes."""
    if not rows.is_a(rows.PART, image):
        raise UnreadableRowError("the row is not a part")
    product = attributes.text(image, "pk")
    if not PRODUCT.fullmatch(product):
        raise UnreadableRowError(
            "pk is not a product's ID: words in lower case with hyphens, 64 characters at most"
        )
    return Part(
        product=product,
        name=attributes.text(image, "name"),
        description=attributes.text(image, "description"),
        price=attributes.whole_number(image, "priceCents"),
        stock=attributes.whole_number(image, "qty"),
        reorder_below=attributes.whole_number(image, "reorderBelow"),
        reorder_quantity=attributes.whole_number(image, "reorderQty", least=1),
        restocks=attributes.whole_number(image, "restocks"),
    )


def item(
    product: str,
    name: str,
    description: str,
    price_cents: int,
    qty: int,
    reorder_below: int,
    reorder_qty: int,
    restocks: int = 0,
) -> Row:
    """Return the row of a new part, for a PutItem with the condition attribute_not_exists(pk)."""
    return rows.item(
        rows.part_key(product),
        rows.PART,
        {
            "inventoryKey": rows.INVENTORY,
            "name": name,
            "description": description,
            "priceCents": price_cents,
            "qty": qty,
            "reorderBelow": reorder_below,
            "reorderQty": reorder_qty,
            "restocks": restocks,
        },
    )
