"""Parts: what the shop sells, with price and stock.

    {"pk", "sk": "camo-tactical-vest", "itemType": "part", "inventoryKey": "part", "name", "description",
     "priceCents": 4999, "qty": 200, "reorderBelow": 50, "reorderQty": 200, "restocks": 0}

`qty` is the stock, `restocks` the number of the next vendor order: it begins with 0 and goes up when one is received or
cancelled. Vendor orders outlive their part; one that is made again begins with 0 as well, and fnCreateVendorOrder gives
it the first number that is free.
"""

from dataclasses import dataclass
from typing import Any

from leda.shop import rows, whole
from leda.shop.rows import Row
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import Image

# A part's sort key is its product, too, and such a key has at most 1,024 bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
MAX_PRODUCT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it stands in the table."""

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
        """Whether it is to be ordered from the vendor."""
        return self.stock < self.reorder_below

    def document(self) -> dict[str, Any]:
        """What customers see of it."""
        return {
            "productId": self.product,
            "name": self.name,
            "description": self.description,
            "priceCents": self.price,
            "qty": self.stock,
        }


def read(image: Image) -> Part:
    """The part. Raises UnreadableRowError: somebody wrote the row otherwise than `item` does."""
    if not rows.is_a(rows.PART, image):
        raise UnreadableRowError("the row is no part")
    product = whole.text_attribute(image, "pk")
    if len(product.encode()) > MAX_PRODUCT_BYTES:
        raise UnreadableRowError(
            f"pk has more than {MAX_PRODUCT_BYTES} bytes, so it is no product's"
        )
    return Part(
        product=product,
        name=whole.text_attribute(image, "name"),
        description=whole.text_attribute(image, "description"),
        price=whole.attribute(image, "priceCents"),
        stock=whole.attribute(image, "qty"),
        reorder_below=whole.attribute(image, "reorderBelow"),
        reorder_quantity=whole.attribute(image, "reorderQty", least=1),
        restocks=whole.attribute(image, "restocks"),
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
    """The row of a new part, for PutItem with the condition attribute_not_exists(pk)."""
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
