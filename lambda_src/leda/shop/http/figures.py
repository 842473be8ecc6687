"""The shop's figures: quantities ordered and sold of each product; orders, shipped orders and revenue in all.

The engine keeps them from UnifiedTable's stream, in a table of their own, by the groupings of modules/shop/counts.tf:

| total             | counts                                      | `Pieces`        | `Count`, `RevenueCents`  |
|-------------------|---------------------------------------------|-----------------|--------------------------|
| ordered:<product> | lines of orders that have not expired       | units           | -                        |
| sold:<product>    | lines of orders that were shipped           | units           | -                        |
| orders:order      | orders that have not expired                | -               | orders, and their totals |
| shipped:order     | orders that were shipped                    | -               | orders                   |

They follow the orders by some seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from leda.engine.group_by.identifiers import escaped
from leda.shop import reading, rows
from leda.shop.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ORDERS, _SHIPPED = f"orders:{rows.ORDER}", f"shipped:{rows.ORDER}"


@dataclass(frozen=True, slots=True)
class OfProduct:
    """Units ordered of a product, and how many of them were shipped."""

    ordered: int
    sold: int


def of_products(
    client: "DynamoDBClient", table: str, products: Sequence[str]
) -> dict[str, OfProduct]:
    """The figures of up to 50 products. Raises RefusedError (Busy)."""
    names = {product: (_total("ordered", product), _total("sold", product)) for product in products}
    found = _read(client, table, [name for pair in names.values() for name in pair])
    return {
        product: OfProduct(_whole(found.get(ordered), "Pieces"), _whole(found.get(sold), "Pieces"))
        for product, (ordered, sold) in names.items()
    }


def of_shop(client: "DynamoDBClient", table: str) -> dict[str, int]:
    """Orders, shipped orders and revenue, as they are shown. Raises RefusedError (Busy)."""
    found = _read(client, table, [_ORDERS, _SHIPPED])
    return {
        "orders": _whole(found.get(_ORDERS), "Count"),
        "shipped": _whole(found.get(_SHIPPED), "Count"),
        "revenueCents": _whole(found.get(_ORDERS), "RevenueCents"),
    }


def _total(grouping: str, product: str) -> str:
    return f"{grouping}:{escaped(product)}"


def _read(client: "DynamoDBClient", table: str, names: Sequence[str]) -> dict[str, Row]:
    keys = [{"Identifier": {"S": name}} for name in names]
    return reading.batch_by(client, table, keys, lambda row: str(row["Identifier"]["S"]))


def _whole(row: Row | None, measure: str) -> int:
    """The measure; a fraction, which only a row that was written by hand can bring in, is cut off."""
    return 0 if row is None else int(Decimal(row[measure]["N"]))
