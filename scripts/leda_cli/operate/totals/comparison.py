"""AggregateTable against what it must hold: comparing, and waiting until it is so."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from typing import Any, Protocol

from leda_cli.base.output import aligned
from leda_cli.base.terminal import shown
from leda_cli.operate.totals.oracle import Names, Oracle, Total

HOLD_SECONDS = 2.0
"""Totals count as settled when they match and still match so much later."""
PATIENCE_SECONDS = 120.0
"""How long no total may change before the rest is given up."""
POLL_SECONDS = 0.25
SHOWN = 20

EXACT = Context(prec=400, traps=[Inexact])
"""Wide enough for the difference of any two DynamoDB Numbers that a sum of valid messages can make."""

Figure = Decimal | Total | Mapping[str, Decimal]
"""What is compared: a number, or a total with all its measures."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that is not what it must be; what is missing counts as 0. `measure` is empty where there is only one."""

    identifier: str
    expected: Decimal
    found: Decimal
    measure: str = ""

    @property
    def off(self) -> Decimal:
        """By how much the found total is too high; negative when it is too low."""
        return EXACT.subtract(self.found, self.expected)


def compare(expected: Mapping[str, Figure], found: Mapping[str, Figure]) -> list[Difference]:
    """What differs by any amount, in order. What is missing counts as 0, in every measure."""
    differences = []
    for row in sorted({*expected, *found}):
        wanted, got = _measures(expected.get(row)), _measures(found.get(row))
        for measure in wanted | got:
            one, other = wanted.get(measure, Decimal(0)), got.get(measure, Decimal(0))
            if one != other:
                differences.append(Difference(row, one, other, measure))
    return differences


def _measures(figure: Figure | None) -> dict[str, Decimal]:
    """The numbers of a figure, by the names of their measures."""
    if figure is None:
        return {}
    if isinstance(figure, Decimal):
        return {"": figure}
    if isinstance(figure, Total):
        return {"Count": Decimal(figure.trades), "Value": figure.value}
    return dict(figure)


class Phase(enum.Enum):
    """Where the totals are on their way to the expected ones."""

    MOVING = "moving"
    HOLDING = "matching, not long enough yet"
    SETTLED = "settled"
    STUCK = "stuck"


@dataclass(slots=True)
class Settling:
    """Decides from one look after the other whether the totals have settled. `began` starts the patience."""

    expected: Mapping[str, Figure]
    began: float
    hold: float = HOLD_SECONDS
    patience: float = PATIENCE_SECONDS
    wrong: list[Difference] = field(default_factory=list)
    matched: float | None = None
    """Since when every total matches; None while one does not."""
    _last: dict[str, Figure] | None = None
    _changed: float = 0.0

    def look(self, found: Mapping[str, Figure], now: float) -> Phase:
        """Take the totals as they are at `now`."""
        if self._last is None or found != self._last:
            self._changed = self.began if self._last is None else now
            self._last = dict(found)
        self.wrong = compare(self.expected, found)
        if self.wrong:
            self.matched = None
            return Phase.STUCK if now - self._changed >= self.patience else Phase.MOVING
        if self.matched is None:
            self.matched = now
        return Phase.SETTLED if now - self.matched >= self.hold else Phase.HOLDING


class Tables(Protocol):
    """What of the stack a comparison reads."""

    @property
    def names(self) -> Names:
        """The names of a message's fields."""

    def totals(self) -> dict[str, Total]:
        """Every total of AggregateTable."""

    def state(self) -> Iterable[dict[str, Any]]:
        """Every row of StateTable."""


def fold_state(tables: Tables) -> Oracle:
    """The final state as StateTable holds it."""
    oracle = Oracle(tables.names)
    for row in tables.state():
        oracle.see_row(row)
    return oracle


def wait_until_quiet(
    tables: Tables, patience: float = PATIENCE_SECONDS
) -> tuple[Oracle, list[Difference]]:
    """Wait until AggregateTable holds what StateTable adds up to.

    Returns the state, and the rows that still differ when no total has changed for `patience` seconds. The sum
    is taken from StateTable and not from AggregateTable, so that an earlier wrong total shows.
    """
    oracle = Oracle(tables.names)

    def expected() -> dict[str, Total]:
        nonlocal oracle
        oracle = fold_state(tables)
        return oracle.totals()

    wrong = settle_on(expected, tables.totals, patience, time.monotonic, time.sleep)
    return oracle, wrong


def settle_on(
    expected: Callable[[], Mapping[str, Figure]],
    found: Callable[[], Mapping[str, Figure]],
    patience: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[Difference]:
    """Wait until the found totals are the expected ones, of which both may move on.

    Returns the rows that still differ when no total has changed for `patience` seconds.
    """
    totals = expected()
    began = folded = clock()
    settling = Settling(totals, began, patience=patience)
    previous = found()
    while True:
        seen = found()
        now = clock()
        # What moves says that StateTable has moved too; and a scan of it is not free.
        if seen != previous or (settling.wrong and now - folded >= 5):
            settling.expected = expected()
            folded, previous, seen = clock(), seen, found()
        phase = settling.look(seen, now)
        if phase is Phase.SETTLED:
            return []
        if phase is Phase.STUCK:
            return settling.wrong
        sleep(POLL_SECONDS)


def difference_lines(wrong: Iterable[Difference]) -> Iterator[str]:
    """A line for each difference, aligned, at most SHOWN of them."""
    wrong = list(wrong)
    cells = [
        (
            f"{shown(row.identifier)}  {row.measure}".rstrip(),
            f"{row.expected:,f}",
            f"{row.found:,f}",
            f"{row.off:+,f}",
        )
        for row in wrong[:SHOWN]
    ]
    yield from aligned(cells, "{:<{}}  expected {:>{}}  found {:>{}}  off by {:>{}}")
    if len(wrong) > SHOWN:
        yield f"and {len(wrong) - SHOWN} more"
