"""What the shop's figures must be: what they were, and what was ordered, shipped and received since.

It is independent of lambda_src/ on purpose and shares no code with it, so that one mistake cannot be in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

ORDERS, SHIPPED, REVENUE = "orders", "orders shipped", "revenue in cents"
EXPIRED = {"S": "Expired"}
"""The status of an order that was not paid in time, which counts for nothing."""


def of_product(product: str, what: str) -> str:
    """The name of a product's figure: `in stock`, `ordered`, `sold` or `vendor orders open`."""
    return f"{product}: {what}"


def figures(
    inventory: Iterable[Mapping[str, Any]],
    open_vendor_orders: Iterable[Mapping[str, Any]],
    metrics: Mapping[str, Any],
) -> dict[str, Decimal]:
    """Every figure that the operators' routes show, in the form that `comparison.compare` takes."""
    found = {
        ORDERS: Decimal(metrics["orders"]),
        SHIPPED: Decimal(metrics["shipped"]),
        REVENUE: Decimal(metrics["revenueCents"]),
    }
    for product in inventory:
        name = product["productId"]
        found[of_product(name, "in stock")] = Decimal(product["qty"])
        found[of_product(name, "ordered")] = Decimal(product["ordered"])
        found[of_product(name, "sold")] = Decimal(product["sold"])
    for product_id, count in Counter(order["productId"] for order in open_vendor_orders).items():
        found[of_product(product_id, "vendor orders open")] = Decimal(count)
    return found


class Ledger:
    """The demo's own ledger. `expected` is what the shop's figures must be once the stream is drained."""

    def __init__(
        self, inventory: Iterable[Mapping[str, Any]], before: Mapping[str, Decimal]
    ) -> None:
        """`inventory`: the present products; `before`: the present `figures`."""
        self.products = {product["productId"]: dict(product) for product in inventory}
        self.orders: dict[str, Mapping[str, int]] = {}
        """The order lines by the order's ID: quantity by product."""
        self._before = before
        self._ordered: Counter[str] = Counter()
        self._sold: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._shipped: set[str] = set()

    def total(self, lines: Mapping[str, int]) -> int:
        """The price of these order lines in cents."""
        return sum(self.products[product]["priceCents"] * qty for product, qty in lines.items())

    def stock(self, product: str) -> int:
        """How many of a product must be left."""
        taken = self._ordered[product] - self._received[product]
        return int(self._before[of_product(product, "in stock")]) - taken

    def ordered(self, order_id: str, lines: Mapping[str, int]) -> None:
        """Record an order that the shop took."""
        self.orders[order_id] = dict(lines)
        self._ordered.update(lines)

    def shipped(self, order_id: str) -> None:
        """Record that an order was shipped; repetitions change nothing."""
        if order_id not in self._shipped:
            self._shipped.add(order_id)
            self._sold.update(self.orders[order_id])

    def received(self, product: str, qty: int) -> None:
        """Record that a vendor order was received."""
        self._received[product] += qty

    def expected(self) -> dict[str, Decimal]:
        """Every figure once the stream is drained.

        A vendor order is open for exactly the products with a stock below `reorderBelow`, because stock grows only when
        a vendor order is received.
        """
        found = dict(self._before)
        found[ORDERS] += len(self.orders)
        found[SHIPPED] += len(self._shipped)
        found[REVENUE] += sum(map(self.total, self.orders.values()))
        for product, settings in self.products.items():
            found[of_product(product, "in stock")] = Decimal(self.stock(product))
            found[of_product(product, "ordered")] += self._ordered[product]
            found[of_product(product, "sold")] += self._sold[product]
            low = self.stock(product) < settings["reorderBelow"]
            found[of_product(product, "vendor orders open")] = Decimal(int(low))
        return found


def counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """What the counts must be, from the orders among a table's rows (DynamoDB's JSON): one plain pass."""
    found: Counter[str] = Counter()
    for row in rows:
        kind = row.get("itemType", {}).get("S")
        if row.get("status") == EXPIRED:
            continue
        shipped = row.get("status") == {"S": "Shipped"}
        if kind == "order":
            found[ORDERS] += 1
            found[SHIPPED] += shipped
            found[REVENUE] += int(row["totalCents"]["N"])
        elif kind == "orderLine":
            product, qty = row["productId"]["S"], int(row["qty"]["N"])
            found[of_product(product, "ordered")] += qty
            found[of_product(product, "sold")] += qty if shipped else 0
    return {name: Decimal(value) for name, value in found.items()}


def best_sellers(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """What the saved query `best sellers` must give: product, units and cents, in its order."""
    units: Counter[str] = Counter()
    cents: Counter[str] = Counter()
    for row in rows:
        if row.get("itemType") == {"S": "orderLine"} and row.get("status") != EXPIRED:
            product, qty = row["productId"]["S"], int(row["qty"]["N"])
            units[product] += qty
            cents[product] += qty * int(row["priceCents"]["N"])
    ordered = sorted((-count, product) for product, count in units.items())[:10]
    return [(product, -count, cents[product]) for count, product in ordered]
