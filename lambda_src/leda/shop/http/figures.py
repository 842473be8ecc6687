"""Reads the shop's totals: units ordered and sold of each product; number of orders, shipped orders, and revenue.

The engine keeps them in a totals table, by the groupings of modules/shop/counts.tf over UnifiedTable:

| total             | rows                                        | `Pieces`        | `Count`, `RevenueCents`  |
|-------------------|---------------------------------------------|-----------------|--------------------------|
| ordered:<product> | lines of orders that have not expired       | units           | -                        |
| sold:<product>    | lines of orders that were shipped           | units           | -                        |
| orders:order      | orders that have not expired                | -               | orders, and their totals |
| shipped:order     | orders that were shipped                    | -               | orders                   |

A new order is in them after some seconds.
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
class ProductFigures:
    """The units of a product that were ordered, and those that were shipped."""

    ordered: int
    sold: int


def of_products(
    client: "DynamoDBClient", table: str, products: Sequence[str]
) -> dict[str, ProductFigures]:
    """Return the figures of up to 50 products. Raises RefusedError (Busy)."""
    names = {
        product: tuple(f"{grouping}:{escaped(product)}" for grouping in ("ordered", "sold"))
        for product in products
    }
    found = _read(client, table, [name for pair in names.values() for name in pair])
    return {
        product: ProductFigures(_int(found.get(ordered), "Pieces"), _int(found.get(sold), "Pieces"))
        for product, (ordered, sold) in names.items()
    }


def of_shop(client: "DynamoDBClient", table: str) -> dict[str, int]:
    """Return the JSON of the number of orders, of shipped orders, and of the revenue. Raises RefusedError (Busy)."""
    found = _read(client, table, [_ORDERS, _SHIPPED])
    return {
        "orders": _int(found.get(_ORDERS), "Count"),
        "shipped": _int(found.get(_SHIPPED), "Count"),
        "revenueCents": _int(found.get(_ORDERS), "RevenueCents"),
    }


def _read(client: "DynamoDBClient", table: str, names: Sequence[str]) -> dict[str, Row]:
    keys = [{"Identifier": {"S": name}} for name in names]
    return reading.batch_by(client, table, keys, lambda row: str(row["Identifier"]["S"]))


def _int(row: Row | None, measure: str) -> int:
    """Return the measure without its fraction, which it has only if somebody has written a row by hand."""
    return 0 if row is None else int(Decimal(row[measure]["N"]))
