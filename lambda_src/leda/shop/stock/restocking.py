"""Makes vendor orders for parts whose stock is low.

A part whose stock is below `reorderBelow` needs an open vendor order with the number in `restocks` (`vendor_orders`).
Each change of such a part makes that vendor order if it does not exist.

Whether a part needs a vendor order is decided by its row in the table at that moment, not by the images of the stream
record: a later change of the row has a later record, which is decided then. To make a vendor order that exists changes
nothing. So Lambda may deliver a record several times and in any order, and no checkpoint is needed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from leda.aws.transactions import MAX_ACTIONS, Verdict, verdict
from leda.shop import reading, rows, times
from leda.shop.stock import parts, vendor_orders
from leda.shop.stock.parts import Part
from leda.shop.stock.vendor_orders import VendorOrderName
from leda.shop.write_loop import Decision, decide_and_write
from leda.streams.changes import UnreadableRowError
from leda.streams.stream_records import StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# At most two actions for each part: raise `restocks`, and make the vendor order.
MOST_PARTS = MAX_ACTIONS // 2
# How many vendor orders one request reads in the search for a free number.
NUMBERS_OF_A_READ = 25


@dataclass(frozen=True, slots=True)
class _Need:
    """The number that the part's `restocks` must have, and whether the vendor order of that number exists already."""

    part: Part
    number: int
    exists: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record for which no vendor order can be made, and the reason."""

    record: StreamRecord
    reason: str


class Restocking:
    """Makes the vendor orders of one UnifiedTable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def make(self, records: Sequence[StreamRecord]) -> list[Rejected]:
        """Make the vendor orders that the parts of the records need; return the records for which that fails.

        Raises RefusedError (Busy) or the client's error.
        """
        changed: dict[str, StreamRecord] = {}
        rejected = []
        for record in records:
            try:
                product = _product_to_check(record)
            except UnreadableRowError as error:
                rejected.append(Rejected(record, str(error)))
                continue
            if product is not None:
                changed.setdefault(product, record)
        todo = list(changed.items())
        for start in range(0, len(todo), MOST_PARTS):
            rejected += self._make(dict(todo[start : start + MOST_PARTS]))
        return rejected

    def _make(self, changed: Mapping[str, StreamRecord]) -> list[Rejected]:
        """Make the products' vendor orders in one transaction.

        If DynamoDB refuses the transaction, halve it until the refused part is alone.
        """
        try:
            decide_and_write(self._client, lambda: Decision(None, list(self._actions(changed))))
        except ClientError as error:
            if verdict(error) is not Verdict.REFUSED:
                raise
            if len(changed) == 1:
                (record,) = changed.values()
                return [Rejected(record, f"DynamoDB refuses the vendor order: {error}")]
            todo = list(changed.items())
            middle = len(todo) // 2
            return self._make(dict(todo[:middle])) + self._make(dict(todo[middle:]))
        return []

    def _actions(self, changed: Mapping[str, StreamRecord]) -> Iterator["TransactWriteItemTypeDef"]:
        for need in self._needs(changed):
            part = need.part
            if need.number != part.restocks:
                yield vendor_orders.renumbering(self._table, part, need.number)
            if part.is_low and not need.exists:
                # The time of the change, where the record has it: that is when the stock became low.
                arrived = changed[part.product].arrived
                created = times.text(arrived) if arrived else times.now()
                which = VendorOrderName(part.product, need.number)
                yield vendor_orders.open_action(self._table, which, part.reorder_quantity, created)

    def _needs(self, products: Iterable[str]) -> Iterator[_Need]:
        """Yield what each existing part needs. A part whose row cannot be read needs nothing until it is corrected."""
        keys = [rows.part_key(product) for product in products]
        found = reading.batch(self._client, self._table, keys)
        existing = []
        for part_row in found.values():
            with suppress(UnreadableRowError):
                existing.append(parts.read(part_row))
        keys = [vendor_orders.current(part).key for part in existing]
        made = reading.batch(self._client, self._table, keys)
        for part, key in zip(existing, keys, strict=True):
            row = made.get(reading.pk_and_sk(key))
            if row is not None and not vendor_orders.is_open(row):
                yield self._with_free_number(part)
            else:
                yield _Need(part, part.restocks, exists=row is not None)

    def _with_free_number(self, part: Part) -> _Need:
        """Find the first number without a closed vendor order, for a part that was deleted and made again."""
        for first in count(part.restocks + 1, NUMBERS_OF_A_READ):
            numbers = range(first, first + NUMBERS_OF_A_READ)
            keys = {number: VendorOrderName(part.product, number).key for number in numbers}
            found = reading.batch(self._client, self._table, list(keys.values()))
            for number, key in keys.items():
                row = found.get(reading.pk_and_sk(key))
                if row is None or vendor_orders.is_open(row):
                    return _Need(part, number, exists=row is not None)
        raise AssertionError("count has no end")


def _product_to_check(record: StreamRecord) -> str | None:
    """Return the product if its part is new or its stock is low after the change. Raises UnreadableRowError."""
    if record.new is None or not rows.is_a(rows.PART, record.new):
        return None
    part = parts.read(record.new)
    if not part.is_low and record.old is not None:
        return None
    return part.product
