"""`leda verify`: compare every total with a sum over the source table.

Without --while-running (`quiet`) the command waits for a moment when no total changes. With it (`running`) it tells
totals that are in flight from totals that are wrong, while the table is written to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

import typer

from leda.engine.audit import health
from leda.engine.audit.audit import Tables, audit
from leda.engine.audit.brackets import Bracket
from leda.engine.audit.health import Health
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Amounts, Configuration
from leda.engine.registry import Registry
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import JsonOption, Operation
from leda_cli.base.output import aligned
from leda_cli.base.terminal import shown
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.deployed.mappings import LambdaMappings
from leda_cli.operate.not_live import NotLive, not_live
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.totals.comparison import settle_on

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found: the measures that are wrong, and those that are in flight (only while running).

    rows: what the rows of the source table are called: only a pipeline has trades. Those that are in no total are
    deleted, and the report leaves them out.
    """

    expected: Expected
    totals: int
    wrong: list[Bracket]
    in_flight: list[Bracket]
    table: str = "StateTable"
    rows: str = "trades"

    @property
    def wrong_totals(self) -> int:
        """How many totals have a wrong measure."""
        return len({row.identifier for row in self.wrong})

    def as_json(self) -> dict[str, Any]:
        """The report for another program."""
        return {
            "exact": not self.wrong and not self.in_flight,
            "totals": self.totals,
            self.rows: self.expected.rows,
            "unreadable": unreadable_json(self.expected),
            "in_no_grouping": self.expected.outside if self.rows == "rows" else 0,
            "wrong": [_row(row) for row in self.wrong],
            "in_flight": [_row(row) for row in self.in_flight],
        }

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        yield from bracket_lines(self.wrong)
        yield from bracket_lines(self.in_flight, lambda _row: "in flight")
        yield from unreadable_lines(self.expected, self.table)
        by_count = sorted(self.expected.reasons.items(), key=lambda each: (-each[1], each[0]))
        for reason, count in by_count if len(by_count) > 1 else ():
            yield f"{count:,} of them: {reason}"
        if self.expected.outside and self.rows == "rows":
            yield (
                number_of(
                    self.expected.outside, f"row of {self.table} is", f"rows of {self.table} are"
                )
                + " in no total, because the configuration counts no such row"
            )
        if not self.wrong:
            flying = len({row.identifier for row in self.in_flight})
            ending = f", {flying:,} in flight" if flying else ""
            yield (
                f"exact  {number_of(self.totals - flying, 'total')} over "
                f"{number_of(self.expected.rows, self.rows.removesuffix('s'))}{ending}"
            )


def unreadable_json(expected: Expected) -> dict[str, Any]:
    """The rows that cannot be read, for another program."""
    return {"count": expected.unreadable, "reasons": expected.reasons, "first": expected.named}


def unreadable_lines(expected: Expected, table: str) -> Iterator[str]:
    """How many rows cannot be read and are in no total, and which the first of them are."""
    if expected.unreadable:
        yield (
            number_of(
                expected.unreadable,
                f"row of {table} cannot be read and counts",
                f"rows of {table} cannot be read and count",
            )
            + " as nothing: "
            + "; ".join(expected.named)
        )


def verify(
    while_running: Annotated[
        bool,
        typer.Option(
            "--while-running",
            help="Do not wait for a quiet moment: tell totals that are in flight from totals that are wrong.",
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
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Compare every total with a sum over its source table; exit status 1 if a total is wrong, or may become wrong."""
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    endpoint = aggregation.account.endpoint
    operation = Operation(as_json)
    operation.heading(
        f"Comparing {aggregation.totals_table} with the sum over {aggregation.source.name}"
    )
    with answering(endpoint):
        live = aggregation.live()
        pending = not_live(aggregation, live)
        if live.keeps_expired:
            # The comparison is refused, and nothing else tells of these.
            for line in danger_lines(aggregation, health_of(aggregation)):
                operation.say(line)
        require_comparable(live, pending)
        verdict = compared(aggregation, live, operation, running if while_running else quiet, wait)
        dangers = list(danger_lines(aggregation, health_of(aggregation)))
    notes = list(pending.lines())
    operation.report(
        verdict.as_json() | {"dangers": dangers, "notes": notes},
        [*verdict.lines(), *dangers, *notes],
    )
    if verdict.wrong:
        raise LedaError(
            differing(verdict.wrong_totals, verdict.totals),
            (
                "do what the lines above say, and verify again"
                if dangers
                else "if the pipeline still works on a backlog, give it time with --wait; if changes were lost, "
                f"`{aggregation.command('rebuild')}` computes the totals again"
            ),
        )
    if dangers:
        raise LedaError(
            "the totals are exact, and may not stay so", "do what these lines say, and verify again"
        )


def compared(
    aggregation: Aggregation,
    live: Configuration,
    operation: Operation,
    look: Callable[[Tables, float], Verdict],
    wait: float,
) -> Verdict:
    """What `look` (`quiet` or `running`) finds."""
    rows = "trades" if aggregation.is_pipeline else "rows"
    until = "are still" if look is quiet else "are told apart"
    with operation.progress(f"adding up {rows} until the totals {until}") as advance:
        verdict = look(aggregation.both_sides(live, advance), wait)
    return replace(verdict, table=aggregation.source.name, rows=rows)


def require_comparable(live: Configuration, pending: NotLive) -> None:
    """Raise LedaError if the totals cannot be compared with a sum over the source table."""
    if live.keeps_expired:
        raise LedaError(
            "on_expiry is keep: the source table no longer holds the rows that time to live has removed and that the "
            "totals still count, so there is nothing to compare them with",
            "compare totals of groupings whose rows do not expire, under a configuration of their own",
        )
    if pending.is_first:
        raise LedaError(
            "no configuration is live, so nothing is counted yet", f"run `{pending.command}`"
        )


def health_of(aggregation: Aggregation) -> Health:
    """Look for what may make totals wrong later: an open rebuild, a mapping that is off, a new stream."""
    account = aggregation.account
    return health.check(
        Registry(account.dynamodb, aggregation.registry_table),
        account.dynamodb,
        account.lambdas,
        _mappings(aggregation),
        {"map": aggregation.source.name, "reduce": aggregation.reduce_table},
    )


def _mappings(aggregation: Aggregation) -> Mapping[str, str]:
    """The UUIDs of the mappings that must be on, by the names of their functions; the pipeline's include State's."""
    account = aggregation.account
    if isinstance(account, Stack):
        return LambdaMappings(account.lambdas, account.functions).by_function()
    found = {aggregation.reduce_function: aggregation.reduce_mapping}
    for uuid in aggregation.map_mappings:
        is_only = len(aggregation.map_mappings) == 1
        name = aggregation.map_function
        found[name if is_only else f"{name} ({uuid})"] = uuid
    return found


def danger_lines(aggregation: Aggregation, found: Health) -> Iterator[str]:
    """A line for each danger, with what to do about it. Raises the client's error."""
    run = aggregation.open_run() if found.is_rebuild_open else None
    if run is not None:
        yield (
            f"a {run.name} is open: it is running, or it was stopped before its end; then run "
            f"`{aggregation.command(run.name)}`"
        )
    for name, state in found.mappings_off.items():
        yield (
            f"the mapping of {name} is {state}: changes wait, and are lost after 24 hours; if no rebuild is open, "
            "switch it on with `terraform apply`"
        )
    for stage, stream in found.streams_not_settled.items():
        yield aggregation.unsettled(stage, stream)


def quiet(
    tables: Tables,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until all totals are right, or until none has changed for `wait` seconds."""
    latest, seen = Expected(), 0

    def figures(totals: Mapping[str, Amounts]) -> Mapping[str, Mapping[str, Decimal]]:
        return {
            node: dict(zip(tables.measures, map(Decimal, amounts), strict=True))
            for node, amounts in totals.items()
        }

    def expected() -> Mapping[str, Mapping[str, Decimal]]:
        nonlocal latest
        latest = tables.expected()
        return figures(latest.totals)

    def found() -> Mapping[str, Mapping[str, Decimal]]:
        nonlocal seen
        totals = tables.found()
        seen = len({*latest.totals, *totals})
        return figures(totals)

    wrong = [
        Bracket(row.identifier, row.measure, row.expected, row.found, row.found)
        for row in settle_on(expected, found, wait, clock, sleep)
    ]
    return Verdict(latest, seen, wrong, [])


def running(
    tables: Tables,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Compare while totals move: `leda.engine.audit.audit` tells what is in flight from what is wrong."""
    found = audit(tables, wait, clock, sleep)
    return Verdict(found.expected, found.totals, found.wrong, found.in_flight)


def differing(wrong: int, totals: int) -> str:
    """How many of the totals differ."""
    of = f"of {number_of(totals, 'total')}"
    return number_of(wrong, f"{of} differs", f"{of} differ")


def off_by(row: Bracket) -> str:
    """By how much a measure is wrong."""
    return f"off by {row.off:+,f}" + (" at least" if row.moved else "")


def bracket_lines(rows: Sequence[Bracket], say: Callable[[Bracket], str] = off_by) -> Iterator[str]:
    """An aligned line for each measure that a comparison found, at most SHOWN of them; `say` gives the line's end."""
    cells = [
        (
            f"{shown(row.identifier)}  {row.measure}",
            f"{Decimal(row.expected):,f}",
            f"{Decimal(row.lowest):,f}" + (f" to {Decimal(row.highest):,f}" if row.moved else ""),
            say(row),
        )
        for row in rows[:SHOWN]
    ]
    for line in aligned(cells, "{:<{}}  expected {:>{}}  found {:>{}}  {:<{}}"):
        yield line.rstrip()
    if len(rows) > SHOWN:
        yield f"and {len(rows) - SHOWN} more"


def _row(row: Bracket) -> dict[str, Any]:
    return {
        "identifier": row.identifier,
        "measure": row.measure,
        "expected": Decimal(row.expected),
        "found_between": [Decimal(row.lowest), Decimal(row.highest)],
        "off": row.off,
    }
