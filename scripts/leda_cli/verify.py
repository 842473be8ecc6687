"""`leda verify`: every total against a sum over StateTable, on a quiet pipeline or on one that is running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Protocol

import typer

from leda.audit import Bracket, Expected, audit, read_state, read_totals
from leda_cli.console import LedaError
from leda_cli.operations import Advance, JsonOption, Operation
from leda_cli.stack import AwsOption, OutputsOption, Stack, answering
from leda_cli.terminal import shown
from leda_cli.totals import Difference, difference_lines, settle_on

SHOWN = 20


class Source(Protocol):
    """Where the two sides of the comparison are read."""

    def expected(self) -> Expected:
        """What StateTable adds up to, now."""

    def found(self) -> Mapping[str, Decimal]:
        """What AggregateTable holds, now."""


@dataclass(frozen=True, slots=True)
class LiveSource:
    """The tables of a stack."""

    stack: Stack
    advance: Advance

    def expected(self) -> Expected:
        """A parallel scan of StateTable."""
        return read_state(self.stack.dynamodb, self.stack.state_table, advance=self.advance)

    def found(self) -> Mapping[str, Decimal]:
        """A scan of AggregateTable."""
        return read_totals(self.stack.dynamodb, self.stack.aggregate_table)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found: the rows that are wrong, and those that are in flight (only while running)."""

    expected: Expected
    totals: int
    wrong: list[Difference] | list[Bracket]
    in_flight: list[Bracket]

    def as_json(self) -> dict[str, Any]:
        """The report for another program."""
        return {
            "exact": not self.wrong and not self.in_flight,
            "totals": self.totals,
            "trades": self.expected.rows,
            "unreadable": {"count": self.expected.unreadable, "first": self.expected.named},
            "wrong": [_row(row) for row in self.wrong],
            "in_flight": [_row(row) for row in self.in_flight],
        }

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        wrong = [row for row in self.wrong if isinstance(row, Difference)]
        yield from difference_lines(wrong, SHOWN)
        yield from bracket_lines([row for row in self.wrong if isinstance(row, Bracket)])
        yield from bracket_lines(self.in_flight, lambda _row: "in flight")
        if self.expected.unreadable:
            yield (
                f"{self.expected.unreadable:,} rows of StateTable cannot be read and count as nothing: "
                + "; ".join(self.expected.named)
            )
        exact = self.totals - len(self.wrong) - len(self.in_flight)
        if not self.wrong:
            flying = f", {len(self.in_flight):,} in flight" if self.in_flight else ""
            yield f"exact  {exact:,} totals over {self.expected.rows:,} trades{flying}"


def verify(
    while_running: Annotated[
        bool,
        typer.Option(
            "--while-running",
            help="Do not wait for a quiet moment: tell rows that are in flight from rows that are wrong.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds without a change after which to give up; with --while-running, the seconds "
            "that a change may take to reach its totals.",
        ),
    ] = 30.0,
    as_json: JsonOption = False,
    aws: AwsOption = False,
    outputs: OutputsOption = None,
) -> None:
    """Compare every total with a sum over StateTable, exactly; exit status 1 if one is wrong."""
    stack = Stack.find(aws, outputs)
    stack.check()
    operation = Operation(as_json)
    operation.heading(f"Comparing {stack.aggregate_table} with the sum over {stack.state_table}")
    look, until = (running, "are told apart") if while_running else (quiet, "are still")
    with (
        answering(stack.endpoint),
        operation.progress(f"adding up trades until the totals {until}") as advance,
    ):
        verdict = look(LiveSource(stack, advance), wait)
    operation.report(verdict.as_json(), verdict.lines())
    if verdict.wrong:
        raise LedaError(
            f"{len(verdict.wrong)} of {verdict.totals} totals differ",
            "if the pipeline still works on a backlog, give it time with --wait; if changes were lost, "
            "`leda rebuild` computes the totals anew",
        )


def quiet(
    source: Source,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until the totals are still: right, or different for `wait` seconds."""
    latest = Expected()

    def expected() -> Mapping[str, Decimal]:
        nonlocal latest
        latest = source.expected()
        return latest.totals

    wrong = settle_on(expected, source.found, wait, clock, sleep)
    rows = {*latest.totals, *(row.identifier for row in wrong)}
    return Verdict(latest, len(rows), wrong, [])


def running(
    source: Source,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Compare while totals move: `leda.audit` tells what is in flight from what is wrong."""
    found = audit(source.expected, source.found, wait, clock, sleep)
    return Verdict(found.expected, found.totals, found.wrong, found.in_flight)


def off_by(row: Bracket) -> str:
    """How wrong a row is."""
    return f"off by {row.off:+,f}" + (" at least" if row.moved else "")


def bracket_lines(rows: Sequence[Bracket], say: Callable[[Bracket], str] = off_by) -> Iterator[str]:
    """A line for each row that was compared while it may move, aligned, at most SHOWN of them; `say` ends it."""
    cells = [
        (
            shown(row.identifier),
            f"{row.expected:,f}",
            f"{row.lowest:,f}" + (f" to {row.highest:,f}" if row.moved else ""),
            say(row),
        )
        for row in rows[:SHOWN]
    ]
    widths = [max((len(cell[i]) for cell in cells), default=0) for i in range(3)]
    for name, expected, found, verdict in cells:
        yield (
            f"{name:<{widths[0]}}  expected {expected:>{widths[1]}}"
            f"  found {found:>{widths[2]}}  {verdict}"
        )
    if len(rows) > SHOWN:
        yield f"and {len(rows) - SHOWN} more"


def _row(row: Difference | Bracket) -> dict[str, Any]:
    ends = (row.found, row.found) if isinstance(row, Difference) else (row.lowest, row.highest)
    return {
        "identifier": row.identifier,
        "expected": row.expected,
        "found_between": ends,
        "off": row.off,
    }
