"""Waits until the totals are the expected ones and stay so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.output import info, step
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.comparison import (
    HOLD_SECONDS,
    PATIENCE_SECONDS,
    POLL_SECONDS,
    Difference,
    Figure,
    Phase,
    Settling,
    difference_lines,
    wait_until_quiet,
)
from leda_cli.operate.totals.oracle import Oracle, Total
from leda_cli.operate.totals.screen import RoundView

IF_WRONG = "If nobody else wrote to the totals, that is a bug in LEDA; `make down` begins with empty tables."


@dataclass(slots=True)
class Outcome:
    """The end of a burst: `seconds` from its last message until all totals first matched, and those that are wrong."""

    seconds: float | None
    wrong: list[Difference] = field(default_factory=list)

    @property
    def wrong_totals(self) -> int:
        """How many totals have a measure that differs."""
        return len({row.identifier for row in self.wrong})

    @property
    def differing(self) -> str:
        """How many totals differ, in words."""
        return number_of(self.wrong_totals, "total differs", "totals differ")


def settle(
    tables: Stack,
    expected: Mapping[str, Total],
    last_put: float,
    view: RoundView,
    patience: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Read the totals until they are the expected ones and stay so, or until none changes any more."""
    settling = Settling(expected, clock(), patience=patience)
    while True:
        found = tables.totals()
        now = clock()
        phase = settling.look(found, now)
        matched = None if settling.matched is None else max(0.0, settling.matched - last_put)
        view.settling(found, expected, settling.wrong, now - last_put, matched)
        if phase is Phase.SETTLED:
            return Outcome(matched)
        if phase is Phase.STUCK:
            return Outcome(None, settling.wrong)
        sleep(POLL_SECONDS)


def settle_figures(
    expected: Mapping[str, Figure],
    read: Callable[[], Mapping[str, Figure]],
    truth: str,
    *,
    hold: float = HOLD_SECONDS,
    patience: float,
    every: float,
    fix: str = IF_WRONG,
) -> None:
    """Read the figures until they are the expected ones and stay so for `hold` seconds.

    Raises LedaError as `require_none` does when no figure has changed for `patience` seconds.
    """
    settling = Settling(expected, time.monotonic(), hold=hold, patience=patience)
    while True:
        phase = settling.look(read(), time.monotonic())
        if phase is Phase.SETTLED:
            return
        if phase is Phase.STUCK:
            require_none(settling.wrong, len(expected), truth, fix)
        time.sleep(every)


def require_none(
    wrong: Sequence[Difference], figures: int, truth: str, fix: str = IF_WRONG
) -> None:
    """Print the differences, and raise LedaError if there is one. `truth` names what the figures must be."""
    if wrong:
        for line in difference_lines(wrong):
            info(line)
        raise LedaError(
            f"{number_of(len(wrong), f'of {figures} figures is', f'of {figures} figures are')} not {truth}.",
            fix,
        )


def baseline(stack: Stack) -> Oracle:
    """The state before a burst. Raises LedaError if the totals are wrong already."""
    with step("waiting until the pipeline is drained, and adding up StateTable"):
        oracle, wrong = wait_until_quiet(stack)
    if wrong:
        for line in difference_lines(wrong):
            info(line)
        raise LedaError(
            f"{number_of(len(wrong), 'total differs', 'totals differ')} from the sum over StateTable before anything "
            "was sent",
            "the totals were wrong before; `make down` and `make up` begin with empty tables",
        )
    return oracle
