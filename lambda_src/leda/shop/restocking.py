"""Vendor orders for the parts that run low.

A part below its `reorderBelow` wants the vendor order that its `restocks` names (`vendor_orders`). Every change of a
low part wants it; the first makes it, and for the others it is there.
"""

from collections.abc import Sequence
from typing import Any

from leda.changes import UnreadableRow
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.shop import parts, rows, times, vendor_orders
from leda.shop.vendor_orders import Number
from leda.streams import StreamRecord
from leda.transactions import MAX_EFFECTS


class Restocking:
    """Plans the vendor orders in one table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def plan(self, _lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose vendor orders fit a transaction."""
        wanted: dict[Number, dict[str, Any]] = {}
        prefix = Prefix(count=0)
        for record in records:
            try:
                which, pieces = _want(record)
            except UnreadableRow as error:
                prefix.rejected.append(Rejected(record, str(error)))
                which = None
            if which and which not in wanted:
                if len(wanted) == MAX_EFFECTS:
                    break
                # When the part ran low, not when this is planned. Where the record does not say it, the clock does:
                # a vendor order that is there keeps its time, whatever a plan that is made again holds.
                created = times.text(record.arrived) if record.arrived else times.now()
                wanted[which] = vendor_orders.open_action(self._table, which, pieces, created)
            prefix.count += 1
        prefix.actions = list(wanted.values())
        return prefix


def _want(record: StreamRecord) -> tuple[Number | None, int]:
    """The vendor order that the part wants after the change, and of how many pieces. Raises UnreadableRow."""
    if record.new is None or not rows.is_a(rows.PART, record.new):
        return None, 0
    part = parts.read(record.new)
    if part.stock >= part.reorder_below:
        return None, 0
    return Number(part.product, part.restocks), part.reorder_quantity
