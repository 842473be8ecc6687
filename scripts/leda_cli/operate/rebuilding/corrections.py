"""Compares every total as its row has it with what it must be, and says what to add to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Amounts
from leda.values.joined import joined
from leda.values.numbers import NotExactError, exact, number
from leda_cli.operate.rebuilding.stored_totals import Old

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Correction:
    """A total as its row has it and as it must be: one amount per measure.

    `old` has None for a measure that is not a number.
    """

    identifier: str
    old: Old
    new: Amounts

    @property
    def is_needed(self) -> bool:
        """Whether the total is not as it must be."""
        return self.old != self.new

    @property
    def added(self) -> Amounts:
        """What to add to each measure; 0 where adding a number cannot correct it (`unfit`)."""
        pairs = zip(self.old, self.new, strict=True)
        return tuple([difference(old or NOTHING, new) or NOTHING for old, new in pairs])

    @property
    def unfit(self) -> list[int]:
        """The indexes of the measures that adding a number cannot correct."""
        pairs = enumerate(zip(self.old, self.new, strict=True))
        return [place for place, (old, new) in pairs if old is None or difference(old, new) is None]


@dataclass(frozen=True, slots=True)
class Corrections:
    """A Correction for each total that is expected, stored or named, in the order of the identifiers.

    Each iteration computes the corrections again, so that they need no memory. A total without a row counts as one with
    0 in every measure.
    """

    expected: Expected
    stored: Mapping[str, Old]
    named: Mapping[str, object]
    measures: int

    def __iter__(self) -> Iterator[Correction]:
        nothing = (NOTHING,) * self.measures
        for node, (new, old, _) in joined(self.expected.totals, self.stored, self.named):
            yield Correction(node, old or nothing, new or nothing)


class Needed(Collection[Correction]):
    """The corrections of totals that are not as they must be."""

    def __init__(self, corrections: Corrections) -> None:
        self._all = corrections

    def __iter__(self) -> Iterator[Correction]:
        return (each for each in self._all if each.is_needed)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, correction: object) -> bool:
        return any(each == correction for each in self)

    @cached_property
    def _count(self) -> int:
        return sum(1 for _ in self)


def difference(old: Decimal, new: Decimal | int) -> Decimal | None:
    """What to add to `old` to get `new`; None if the difference does not fit into a DynamoDB Number."""
    try:
        with exact():
            return number(str(new - old))
    except NotExactError:
        return None
