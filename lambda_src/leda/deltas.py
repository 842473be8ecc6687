"""Map's arithmetic: from changes of StateTable to delta rows of ReduceTable.

A change takes the old row's value out of the old path and puts the new row's value in at the new one. Both
are summed at the leaves in one pass, and the tree is rolled up once at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from leda import changes, images
from leda.hierarchy import nodes, roll_up
from leda.numbers import NotExact, exact, limited
from leda.schema import Schema
from leda.streams import StreamRecord
from leda.transactions import MAX_EFFECTS, MAX_TRANSACTION_BYTES

# Reduce applies a delta row in one transaction: an action for each of its nodes. Such a row stays under the
# 400 KB of an item, as a path has at most 2,048 bytes.
MAX_NODES_OF_A_DELTA = MAX_EFFECTS

# A number takes at most 21 bytes, a map's entry one more; the rest is a margin.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
_BYTES_OF_AN_ENTRY = 32


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read whole, and why."""

    record: StreamRecord
    reason: str


@dataclass(slots=True)
class Fold:
    """The sum of the changes of a prefix of records."""

    count: int = 0
    leaves: dict[str, Decimal] = field(default_factory=dict)
    outsize: list[tuple[str, Decimal]] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    oldest: Decimal | None = None
    newest: Decimal | None = None

    def parts(self) -> list[dict[str, Decimal]]:
        """The sums at every node, cut into rows that Reduce can apply whole; parents before children.

        An outsize value has rows of its own: if a total has no digits for it, no other value is refused with it.
        """
        return [
            row
            for values in (self.leaves.items(), *([value] for value in self.outsize))
            for row in _rows(roll_up(values))
        ]


def _rows(totals: dict[str, Decimal]) -> list[dict[str, Decimal]]:
    entries = sorted(totals.items())
    return [
        dict(entries[start : start + MAX_NODES_OF_A_DELTA])
        for start in range(0, len(entries), MAX_NODES_OF_A_DELTA)
    ]


def fold(records: Sequence[StreamRecord], schema: Schema) -> Fold:
    """The longest prefix of `records` whose delta rows fit one transaction, summed.

    A row that cannot be read counts for nothing: its value stays out of the totals until it is mended, and
    the change that mends it puts the value in. A value beyond the schema's limits (written by hand, or under wider
    limits) is outsize: the limits are what makes sums fit, so it is kept apart.
    """
    folded = Fold()
    room = _Room()
    timestamps: list[Decimal] = []
    with exact():
        for record in records:
            old, new, reasons = _contributions(record)
            fitting: list[tuple[str, Decimal]] = []
            outsize: list[tuple[str, Decimal]] = []
            if old:
                (fitting if _fits(old.value, schema) else outsize).append((old.path, -old.value))
            if new:
                (fitting if _fits(new.value, schema) else outsize).append((new.path, new.value))
            if not room.take(fitting, outsize) and folded.count:
                break
            folded.count += 1
            folded.unreadable += [Unreadable(record, reason) for reason in reasons]
            for path, value in fitting:
                folded.leaves[path] = folded.leaves.get(path, Decimal(0)) + value
            folded.outsize += outsize
            if (at := images.timestamp(record.new)) is not None:
                timestamps.append(at)
    folded.oldest = min(timestamps, default=None)
    folded.newest = max(timestamps, default=None)
    return folded


def _contributions(
    record: StreamRecord,
) -> tuple[images.Contribution | None, images.Contribution | None, list[str]]:
    return changes.read(record, images.contribution)


def _fits(value: Decimal, schema: Schema) -> bool:
    try:
        limited(value, schema.max_integer_digits, schema.max_decimal_places)
    except NotExact:
        return False
    return True


class _Room:
    """Counts the rows and bytes that a transaction's delta rows would have."""

    def __init__(self) -> None:
        self._nodes: set[str] = set()
        self._outsize_rows = 0
        self._bytes = 0

    def take(
        self, fitting: Sequence[tuple[str, Decimal]], outsize: Sequence[tuple[str, Decimal]]
    ) -> bool:
        """Whether the rows still fit with these changes in them; they are counted either way."""
        for path, _ in fitting:
            if path not in self._nodes:
                new = [node for node in nodes(path) if node not in self._nodes]
                self._nodes.update(new)
                self._bytes += _bytes_of(new)
        for path, _ in outsize:
            own = nodes(path)
            self._outsize_rows += _rows_of(len(own))
            self._bytes += _bytes_of(own)
        rows = _rows_of(len(self._nodes)) + self._outsize_rows
        return rows <= MAX_EFFECTS and self._bytes <= MAX_TRANSACTION_BYTES


def _rows_of(count: int) -> int:
    return -(-count // MAX_NODES_OF_A_DELTA)


def _bytes_of(paths: Sequence[str]) -> int:
    return sum(len(path.encode()) + _BYTES_OF_AN_ENTRY for path in paths)
