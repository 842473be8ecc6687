"""Exact counts: what is ordered and sold of each product, and the shop's totals.

- A line counts for its product: `ordered` its pieces, `sold` the same once it is shipped.
- A header counts for the shop: an order (`qty`), once it is shipped (`shipped`), and its total (`revenueCents`).
- An order that has expired counts for nothing: nobody paid it, and its pieces are in stock again.

A change takes out what the row counted before it and puts in what it counts after it, so that shipping adds to `sold`
alone, and a row that somebody deletes counts no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from leda import changes
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.shop import orders, rows, whole
from leda.shop.rows import Row
from leda.streams import Image, StreamRecord
from leda.transactions import MAX_EFFECTS

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a row adds, and to which row."""

    kind: str
    key: Row
    amounts: dict[str, int]

    @property
    def place(self) -> Place:
        """The key, as it can be looked up."""
        return self.key["pk"]["S"], self.key["sk"]["S"]


@dataclass(slots=True)
class _Sum:
    kind: str
    key: Row
    amounts: dict[str, int] = field(default_factory=dict)

    def add(self, amounts: dict[str, int], sign: int) -> None:
        for name, amount in amounts.items():
            self.amounts[name] = self.amounts.get(name, 0) + sign * amount


def counted(image: Image | None) -> Counted | None:
    """What the row counts for; None for no row, or one of another kind. Raises UnreadableRow."""
    if image is None:
        return None
    if rows.is_a(rows.LINE, image):
        product = whole.text_attribute(image, "productId")
        pieces = whole.attribute(image, "qty", least=1)
        status = _status(image)
        if status == orders.EXPIRED:
            return None
        sold = pieces if status == orders.SHIPPED else 0
        return Counted(rows.COUNTS, rows.counts_key(product), {"ordered": pieces, "sold": sold})
    if rows.is_a(rows.ORDER, image):
        total = whole.attribute(image, "totalCents")
        status = _status(image)
        if status == orders.EXPIRED:
            return None
        amounts = {"qty": 1, "shipped": int(status == orders.SHIPPED), "revenueCents": total}
        return Counted(rows.METRICS, rows.metrics_key(), amounts)
    return None


def _status(image: Image) -> str:
    status = whole.text_attribute(image, "status")
    if status not in orders.STATUSES:
        raise changes.UnreadableRow(f"status is none of {', '.join(orders.STATUSES)}")
    return status


class Sales:
    """Plans the updates of counts and totals in one table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def plan(self, _lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose counts fit a transaction."""
        sums: dict[Place, _Sum] = {}
        prefix = Prefix(count=0)
        for record in records:
            old, new, reasons = changes.read(record, counted, keeps_expired=True)
            touched = {each.place for each in (old, new) if each}
            if len(sums.keys() | touched) > MAX_EFFECTS and prefix.count:
                break
            prefix.count += 1
            prefix.rejected += [Rejected(record, reason) for reason in reasons]
            for each, sign in ((old, -1), (new, 1)):
                if each:
                    found = sums.setdefault(each.place, _Sum(each.kind, each.key))
                    found.add(each.amounts, sign)
        prefix.actions = [self._add(each) for each in sums.values() if any(each.amounts.values())]
        return prefix

    def _add(self, sum_: _Sum) -> dict[str, Any]:
        names = sorted(sum_.amounts)
        return {
            "Update": {
                "TableName": self._table,
                "Key": sum_.key,
                "UpdateExpression": "SET #itemType = :itemType ADD "
                + ", ".join(f"#{name} :{name}" for name in names),
                "ExpressionAttributeNames": {f"#{name}": name for name in ("itemType", *names)},
                "ExpressionAttributeValues": {
                    ":itemType": {"S": sum_.kind},
                    **{f":{name}": {"N": str(sum_.amounts[name])} for name in names},
                },
            }
        }
