"""What the totals are off by: every total as its row has it, and as it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from leda.engine.configuration import Amounts
from leda.engine.source_sum import Expected
from leda.values.numbers import NotExactError, exact, number
from leda_cli.operate.stored_totals import Old

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Correction:
    """A total as it was and as it must be: one amount a measure, in `old` None for what is no number."""

    identifier: str
    old: Old
    new: Amounts

    @property
    def is_needed(self) -> bool:
        """Whether the total is not as it must be."""
        return self.old != self.new

    @property
    def added(self) -> Amounts:
        """What to add to each measure."""
        pairs = zip(self.old, self.new, strict=True)
        return tuple([difference(old or NOTHING, new) or NOTHING for old, new in pairs])


def corrections(
    expected: Expected, stored: Mapping[str, Old], nodes: Iterable[str], measures: int
) -> list[Correction]:
    """One for every total that is stored, must be there, or is named; a total without a row has 0 in every measure."""
    nothing = (NOTHING,) * measures
    return [
        Correction(node, stored.get(node, nothing), expected.totals.get(node, nothing))
        for node in sorted({*expected.totals, *stored, *nodes})
    ]


def difference(old: Decimal, new: Decimal | int) -> Decimal | None:
    """What brings the total from the one to the other; None where no number of DynamoDB does."""
    try:
        with exact():
            return number(str(new - old))
    except NotExactError:
        return None
