"""Vendor orders for the parts that run low.

A part below its `reorderBelow` wants the vendor order that its `restocks` names (`vendor_orders`). Every change of a
low part wants it; the first makes it, and for the others it is there.

What a part wants is decided by its row as it is now, and not as the record shows it: whatever changes the row later is
in the stream later, and is decided then. So it does no harm that a plan which is made again may be another one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from leda.changes import UnreadableRow
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.shop import parts, reading, rows, times, vendor_orders
from leda.shop.parts import Part
from leda.shop.vendor_orders import Number
from leda.streams import StreamRecord
from leda.transactions import MAX_EFFECTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A part may need another number, and a vendor order.
ACTIONS_OF_A_PART = 2
# Closed vendor orders of a part that was made again are passed over by so many in a read.
NUMBERS_OF_A_READ = 25


@dataclass(frozen=True, slots=True)
class _Want:
    """What a part wants: its vendor order with this number, and which number it has now."""

    part: Part
    number: int
    is_there: bool
    """Whether there is an open vendor order with that number already."""


class Restocking:
    """Plans the vendor orders in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def plan(self, _lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose vendor orders fit a transaction."""
        since: dict[str, str] = {}
        prefix = Prefix(count=0)
        for record in records:
            try:
                product = _concerned(record)
            except UnreadableRow as error:
                prefix.rejected.append(Rejected(record, str(error)))
                product = None
            if product and product not in since:
                if since and ACTIONS_OF_A_PART * (len(since) + 1) > MAX_EFFECTS:
                    break
                # When the part ran low, not when this is planned. Where the record does not say it, the clock does:
                # a vendor order that is there keeps its time, whatever a plan that is made again holds.
                since[product] = times.text(record.arrived) if record.arrived else times.now()
            prefix.count += 1
        for want in self._wants(since):
            prefix.actions += self._actions(want, since[want.part.product])
        return prefix

    def _actions(self, want: _Want, created: str) -> Iterator[dict[str, Any]]:
        part, table = want.part, self._table
        if want.number != part.restocks:
            yield vendor_orders.renumbering(table, part, want.number)
        if part.is_low and not want.is_there:
            which = Number(part.product, want.number)
            yield vendor_orders.open_action(table, which, part.reorder_quantity, created)

    def _wants(self, products: Iterable[str]) -> Iterator[_Want]:
        """What the parts want that are there now; a row that cannot be read wants nothing until it is mended."""
        keys = [rows.part_key(product) for product in products]
        found = reading.batch(self._client, self._table, keys)
        there = []
        for part_row in found.values():
            try:
                there.append(parts.read(part_row))
            except UnreadableRow:
                continue
        named = [Number(part.product, part.restocks).key for part in there]
        others = reading.batch(self._client, self._table, named)
        for part in there:
            row = others.get(reading.place(Number(part.product, part.restocks).key))
            if row is not None and not vendor_orders.is_open(row):
                yield self._anew(part)
            else:
                yield _Want(part, part.restocks, is_there=row is not None)

    def _anew(self, part: Part) -> _Want:
        """What a part wants whose number has a closed vendor order: it was deleted and made again."""
        for first in count(part.restocks + 1, NUMBERS_OF_A_READ):
            numbers = range(first, first + NUMBERS_OF_A_READ)
            keys = {number: Number(part.product, number).key for number in numbers}
            found = reading.batch(self._client, self._table, list(keys.values()))
            for number, key in keys.items():
                other = found.get(reading.place(key))
                if other is None or vendor_orders.is_open(other):
                    return _Want(part, number, is_there=other is not None)
        raise AssertionError("count has no end")


def _concerned(record: StreamRecord) -> str | None:
    """The product whose part runs low, or is new, by the change. Raises UnreadableRow."""
    if record.new is None or not rows.is_a(rows.PART, record.new):
        return None
    part = parts.read(record.new)
    if not part.is_low and record.old is not None:
        return None
    return part.product
