"""Compares the expected totals with several looks at the totals table, measure by measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from leda.engine.group_by.configuration import Amount, Amounts
from leda.values.joined import joined
from leda.values.numbers import WIDE

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bracket:
    """A measure of a total that no look showed as expected: the looks were between `lowest` and `highest`."""

    identifier: str
    measure: str
    expected: Amount
    lowest: Amount
    highest: Amount

    @property
    def off(self) -> Decimal:
        """The distance of the nearest look from the expected amount (negative: below); 0: the total is in flight."""
        if self.lowest > self.expected:
            return WIDE.subtract(self.lowest, self.expected)
        if self.highest < self.expected:
            return WIDE.subtract(self.highest, self.expected)
        return _NOTHING

    @property
    def moved(self) -> bool:
        """Whether the looks differ: the total is then wrong by at least `off`, otherwise by exactly `off`."""
        return self.lowest != self.highest


def brackets(
    measures: Sequence[str],
    expected: Mapping[str, Amounts],
    looks: Sequence[Mapping[str, Amounts]],
) -> list[Bracket]:
    """Return the measures that no look showed as expected, sorted by total. A missing total has 0 in each measure."""
    nothing = (_NOTHING,) * len(measures)
    found = []
    for row, (wanted, *seen) in joined(expected, *looks):
        wanted = wanted or nothing
        seen = [amounts or nothing for amounts in seen]
        if wanted in seen:
            continue
        for place, measure in enumerate(measures):
            amounts = [amounts[place] for amounts in seen]
            if wanted[place] not in amounts:
                found.append(Bracket(row, measure, wanted[place], min(amounts), max(amounts)))
    return found
