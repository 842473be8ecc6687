"""Vendor orders for the parts that run low.

A part below its `reorderBelow` wants the vendor order that its `restocks` names (`vendor_orders`). Every change of a
low part wants it; the first makes it, and for the others it is there.

What a part wants is decided by its row as it is now, and not as the record shows it: whatever changes the row later is
in the stream later, and is decided then. Making a vendor order that is there changes nothing. So a record may come as
often as it likes and in any order, and there is no checkpoint.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from leda.aws.transactions import MAX_ACTIONS, Verdict, verdict
from leda.shop import reading, rows, times
from leda.shop.settling import Step, settle
from leda.shop.stock import parts, vendor_orders
from leda.shop.stock.parts import Part
from leda.shop.stock.vendor_orders import Number
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# A part may need another number, and a vendor order.
MOST_PARTS = MAX_ACTIONS // 2
# Closed vendor orders of a part that was made again are passed over by so many in a read.
NUMBERS_OF_A_READ = 25


@dataclass(frozen=True, slots=True)
class _Want:
    """What a part wants: its vendor order with this number, and which number it has now."""

    part: Part
    number: int
    is_there: bool
    """Whether there is an open vendor order with that number already."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record for which no vendor order can be made, and why."""

    record: StreamRecord
    reason: str


class Restocking:
    """Makes the vendor orders in one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def make(self, records: Sequence[StreamRecord]) -> list[Rejected]:
        """Make the vendor orders that the records' parts want. Raises RefusedError (Busy) or the client's error."""
        concerned: dict[str, StreamRecord] = {}
        rejected = []
        for record in records:
            try:
                product = _concerned(record)
            except UnreadableRowError as error:
                rejected.append(Rejected(record, str(error)))
                continue
            if product is not None:
                concerned.setdefault(product, record)
        todo = list(concerned.items())
        for start in range(0, len(todo), MOST_PARTS):
            rejected += self._make(dict(todo[start : start + MOST_PARTS]))
        return rejected

    def _make(self, concerned: Mapping[str, StreamRecord]) -> list[Rejected]:
        """Make them in one transaction.

        Where DynamoDB refuses it: in halves, until the part that it refuses stands alone.
        """
        try:
            settle(self._client, lambda: Step(None, list(self._actions(concerned))))
        except ClientError as error:
            if verdict(error) is not Verdict.REFUSED:
                raise
            if len(concerned) == 1:
                (record,) = concerned.values()
                return [Rejected(record, f"DynamoDB refuses the vendor order: {error}")]
            todo = list(concerned.items())
            middle = len(todo) // 2
            return self._make(dict(todo[:middle])) + self._make(dict(todo[middle:]))
        return []

    def _actions(
        self, concerned: Mapping[str, StreamRecord]
    ) -> Iterator["TransactWriteItemTypeDef"]:
        for want in self._wants(concerned):
            part = want.part
            if want.number != part.restocks:
                yield vendor_orders.renumbering(self._table, part, want.number)
            if part.is_low and not want.is_there:
                # When the part ran low, not when this is decided. Where the record does not say it, the clock does: a
                # vendor order that is there keeps its time.
                arrived = concerned[part.product].arrived
                created = times.text(arrived) if arrived else times.now()
                which = Number(part.product, want.number)
                yield vendor_orders.open_action(self._table, which, part.reorder_quantity, created)

    def _wants(self, products: Iterable[str]) -> Iterator[_Want]:
        """What the parts want that are there now; a row that cannot be read wants nothing until it is corrected."""
        keys = [rows.part_key(product) for product in products]
        found = reading.batch(self._client, self._table, keys)
        there = []
        for part_row in found.values():
            try:
                there.append(parts.read(part_row))
            except UnreadableRowError:
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
    """The product whose part runs low, or is new, by the change. Raises UnreadableRowError."""
    if record.new is None or not rows.is_a(rows.PART, record.new):
        return None
    part = parts.read(record.new)
    if not part.is_low and record.old is not None:
        return None
    return part.product
