"""Prepares a batch for Map: reads its changes, divides them into parts that fit rows, and sums each part by lane.

A change from `old` to `new` adds -old at the old totals and +new at the new ones ("The three stages" of
docs/exactly-once.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from leda.engine.delta_rows import lane_number
from leda.engine.group_by.configuration import Amount, Configuration, Contribution, bytes_of
from leda.engine.group_by.hierarchy import SEPARATOR
from leda.engine.map.source_shards import Assignment
from leda.engine.rejects import Reject
from leda.engine.shards import padded
from leda.streams import changes
from leda.streams.stream_records import StreamRecord, content
from leda.values.limits import Limits
from leda.values.numbers import NotExactError, exact, limited, number

# A put of a larger row would take more than a third of the 1,000 write units that a partition has in a second, and an
# item has at most 400 KB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
MAX_ROW_BYTES = 350_000

# A change whose old or new value is beyond the limits is written in two halves (`_halves`). The Sequence of a
# row with the first half alone is between the number of the change before and the change's own.
_FIRST_HALF = ".1"


class Change(NamedTuple):
    """What a record, or one half of it, adds to the totals; `time` is the text of the message's time, if any."""

    sequence: int
    contributions: tuple[Contribution, ...]
    time: str | None
    exceeds_limits: bool = False
    is_first_half: bool = False
    is_second_half: bool = False

    @property
    def begin(self) -> str:
        """The lowest Sequence of a row that has a part of the change."""
        if self.is_second_half:
            return self.end
        return padded(self.sequence - 1) + _FIRST_HALF

    @property
    def end(self) -> str:
        """The Sequence of a row with all of the change."""
        return self.begin if self.is_first_half else padded(self.sequence)

    def not_covered_by(self, stored: str) -> "Change | None":
        """Return the part of the change that a row with the Sequence `stored` lacks."""
        if stored >= self.end:
            return None
        if stored < self.begin:
            return self
        # An earlier delivery, under other limits, has divided the change and written its first half alone.
        return self._replace(contributions=self.contributions[1:], is_second_half=True)


Sums = dict[str, list[Amount]]


def read(
    records: Iterable[StreamRecord], configuration: Configuration
) -> tuple[list[Change], list[Reject]]:
    """Return the changes that add something to the totals, and the records whose new image cannot be read."""
    found: list[Change] = []
    rejected: list[Reject] = []
    for record in records:
        old, new, reasons = changes.read(
            record, configuration.contribution, keeps_expired=configuration.keeps_expired
        )
        if reasons:
            rejected += [Reject(record, reason) for reason in reasons]
        given: tuple[Contribution, ...]
        if old is not None:
            given = (old.negated(),) if new is None else (old.negated(), new)
        elif new is not None:
            given = (new,)
        else:
            continue
        found.append(Change(record.sequence, given, _time_of(record, configuration)))
    return found, rejected


def _time_of(record: StreamRecord, configuration: Configuration) -> str | None:
    """Return the text of the time from which the metric Lag is computed, in epoch seconds.

    It is the time that the row has, as a message of the pipeline may, or else the time of the change.
    """
    if configuration.time_attribute is not None and record.new is not None:
        time = content(record.new, configuration.time_attribute, "N")
        if time is not None:
            return time
    return None if record.arrived is None else str(record.arrived.timestamp())


def split_beyond_limits(found: list[Change], limits: Limits) -> list[Change]:
    """Return the changes, each change with a value beyond the limits in two halves (see `_halves`)."""
    amounts = [
        amount
        for change in found
        for each in change.contributions
        for amount in each.amounts
        if isinstance(amount, Decimal)
    ]
    if _are_limited(amounts, limits):
        return found
    return [part for change in found for part in _halves(change, limits)]


def _are_limited(amounts: Sequence[Decimal], limits: Limits) -> bool:
    """Return whether all amounts are within the limits; False if each amount must be checked."""
    if not amounts:
        return True
    try:
        with exact():
            # A sum has as many decimal places as the number with the most.
            exponent = sum(amounts, Decimal(0)).as_tuple().exponent
    except NotExactError:
        return False
    digits = max(min(amounts).adjusted(), max(amounts).adjusted())
    return (
        isinstance(exponent, int)
        and -exponent <= limits.max_decimal_places
        and digits < limits.max_integer_digits
    )


def _halves(change: Change, limits: Limits) -> list[Change]:
    """Divide a change with a value beyond the limits (written by hand, or under wider limits than today's).

    Only sums of values within the limits always fit the 38 digits of a Number. So each half gets a row of its own: if
    the sum of a total and the value does not fit, DynamoDB refuses no other change with it.

    Under other limits, the next delivery may divide the change or not. Its Sequence is the same in the end.
    """
    amounts = [amount for each in change.contributions for amount in each.amounts]
    if all(_is_limited(amount, limits) for amount in amounts if isinstance(amount, Decimal)):
        return [change]
    beyond_limits = change._replace(exceeds_limits=True)
    if len(change.contributions) == 1:
        return [beyond_limits]
    old, new = change.contributions
    return [
        beyond_limits._replace(contributions=(old,), is_first_half=True),
        beyond_limits._replace(contributions=(new,), is_second_half=True),
    ]


def _is_limited(amount: Decimal, limits: Limits) -> bool:
    try:
        limited(amount, limits.max_integer_digits, limits.max_decimal_places)
    except NotExactError:
        return False
    return True


def oldest_time(times: Sequence[str]) -> str | None:
    """Return the lowest of the texts that are numbers; None if no text is a number.

    The texts are compared as floats, which is precise enough, because no total depends on the time.
    """
    try:
        return str(number(min(times, key=float))) if times else None
    except (ValueError, NotExactError):
        # Only rows that were written by hand have a text that is not a number.
        found = [time_ for time_ in times if _is_number(time_)]
        return min(found, key=float, default=None)


def _is_number(text: str) -> bool:
    try:
        number(text)
    except NotExactError:
        return False
    return True


def parts(found: Sequence[Change], assignment: Assignment) -> Iterator[Sequence[Change]]:
    """Divide a batch into parts whose rows have at most MAX_ROW_BYTES.

    A change beyond the limits is a part of its own.
    """
    measures = len(assignment.configuration.measures)
    leaves = {leaf for change in found for each in change.contributions for leaf in each.leaves}
    # A leaf has as many nodes as levels, at most.
    bound = sum([(leaf.count(SEPARATOR) + 1) * bytes_of([leaf], measures) for leaf in leaves])
    if bound <= MAX_ROW_BYTES and not any(change.exceeds_limits for change in found):
        if found:
            yield found
        return
    part: list[Change] = []
    sizes = _Sizes(assignment)
    for change in found:
        if part and (
            change.exceeds_limits
            or part[-1].exceeds_limits
            or sizes.with_change(change) > MAX_ROW_BYTES
        ):
            yield part
            part, sizes = [], _Sizes(assignment)
        sizes.add(change)
        part.append(change)
    if part:
        yield part


class _Sizes:
    """The sizes in bytes of the lanes' rows."""

    def __init__(self, assignment: Assignment) -> None:
        self._configuration = assignment.configuration
        self._lanes = assignment.lanes
        self._measures = len(assignment.configuration.measures)
        self._nodes: set[str] = set()
        self._sizes = [0] * assignment.lanes

    def with_change(self, change: Change) -> int:
        """Return the size of the largest row if the change were added."""
        sizes = list(self._sizes)
        for node in self._new(change):
            sizes[lane_number(node, self._lanes)] += bytes_of([node], self._measures)
        return max(sizes)

    def add(self, change: Change) -> None:
        """Add the sizes of the change's nodes."""
        for node in self._new(change):
            self._sizes[lane_number(node, self._lanes)] += bytes_of([node], self._measures)
            self._nodes.add(node)

    def _new(self, change: Change) -> set[str]:
        found: set[str] = set()
        for each in change.contributions:
            for leaf in each.leaves:
                if leaf not in self._nodes:
                    found.update(self._configuration.nodes(leaf))
        return found - self._nodes


def by_lane(part: Sequence[Change], assignment: Assignment) -> dict[int, Sums]:
    """Return the sums of the changes at each node, by lane."""
    with exact():
        leaves = _sums(
            (leaf, each.amounts)
            for change in part
            for each in change.contributions
            for leaf in each.leaves
        )
        nodes = assignment.configuration.nodes
        totals = _sums((node, amounts) for leaf, amounts in leaves.items() for node in nodes(leaf))
    if assignment.lanes == 1:
        return {0: totals} if totals else {}
    found: dict[int, Sums] = {}
    for node, sums in totals.items():
        found.setdefault(lane_number(node, assignment.lanes), {})[node] = sums
    return found


def _sums(entries: Iterable[tuple[str, Sequence[Amount]]]) -> Sums:
    """Return the sum of the amounts at each node, measure by measure, with the builtin `sum`, which is fast."""
    found: dict[str, list[Sequence[Amount]]] = {}
    for node, amounts in entries:
        known = found.get(node)
        if known is None:
            found[node] = [amounts]
        else:
            known.append(amounts)
    return {
        node: (
            list(given[0])
            if len(given) == 1
            else [sum(column) for column in zip(*given, strict=True)]
        )
        for node, given in found.items()
    }
