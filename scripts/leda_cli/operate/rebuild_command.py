"""`leda rebuild`: compute the totals again, report what that changed, and verify them afterwards."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer

from leda.engine.audit import audit
from leda.engine.audit.table_scan import SEGMENTS
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import DryRunOption, JsonOption, Operation
from leda_cli.base.output import aligned
from leda_cli.operate.aggregation import Aggregation, MapFunctionOption
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.rebuilding.rebuild import Rebuild, Result
from leda_cli.operate.stack import NamePrefixOption
from leda_cli.operate.verify import bracket_lines, differing, unreadable_json, unreadable_lines

SHOWN = 20
# The check after a run waits for Map and Reduce: it gives up after PATIENCE_SECONDS without progress, looks every
# POLL_SECONDS, and says every SAY_SECONDS that it waits.
PATIENCE_SECONDS, POLL_SECONDS, SAY_SECONDS = 300.0, 5.0, 60.0

WaitOption = Annotated[
    float,
    typer.Option(
        min=0, help="Seconds that a change may take to reach its totals in the check at the end."
    ),
]
SegmentsOption = Annotated[
    int,
    typer.Option(
        "--segments",
        min=1,
        max=32,
        help="Parts of the table that are read at a time: more of them read faster, and take more of its capacity.",
    ),
]
MarkersOption = Annotated[
    bool,
    typer.Option(
        "--markers",
        help="Write marker rows (keys that begin with leda-watermark, removed at the end, counted by nothing of LEDA) "
        "to the table, to see where its stream is; without it the command waits, and writes nothing to it. The "
        "pipeline's StateTable always gets them.",
    ),
]


def rebuild(
    wait: WaitOption = 30.0,
    segments: SegmentsOption = SEGMENTS,
    markers: MarkersOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    map_function: MapFunctionOption = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Compute all totals again from the table after changes were lost; the table may be written to meanwhile."""
    aggregation = Aggregation.find(aws, name_prefix, map_function)
    operation = Operation(as_json)
    operation.heading(f"Rebuilding {aggregation.totals_table} from {aggregation.source.name}")
    work = work_of(aggregation, operation, markers=markers, segments=segments)
    if dry_run:
        with answering(aggregation.account.endpoint):
            result = work.look()
        operation.report(report(result, "dry run"), _dry_lines(result))
        return
    run(work, aggregation, operation, wait)


def work_of(
    aggregation: Aggregation,
    operation: Operation,
    *,
    is_backfill: bool = False,
    markers: bool = False,
    segments: int = SEGMENTS,
) -> Rebuild:
    """A run of the aggregation. The pipeline's StateTable gets markers anyway."""
    return Rebuild(
        aggregation.account.dynamodb,
        aggregation.account.streams,
        aggregation.mappings,
        aggregation,
        operation,
        aggregation.deployed,
        is_backfill,
        aggregation.needs_backfill,
        markers or aggregation.is_pipeline,
        segments,
        aggregation.option,
    )


def run(work: Rebuild, aggregation: Aggregation, operation: Operation, wait: float) -> None:
    """Do it, check the totals, and report. Raises LedaError where a total is wrong then."""
    endpoint = aggregation.account.endpoint
    try:
        with answering(endpoint):
            result = work.run()
    except BaseException:
        if work.is_open:
            operation.say(
                f"The mapping of {aggregation.map_function} may be off. Run `{work.command}` again: it does all of "
                "it once more, and switches the mapping on."
            )
        raise
    source = aggregation.source.name
    if result.configuration.keeps_expired:
        # The totals keep rows that expire, so they cannot be compared with the table.
        operation.report(report(result, "done"), _lines(result, work, source))
        return
    if result.mappings:
        with answering(endpoint):
            _catch_up(aggregation, result, operation, wait)
    with (
        answering(endpoint),
        operation.progress("checking the totals while they are kept up to date") as advance,
    ):
        check = audit.audit(aggregation.both_sides(result.configuration, advance), wait)
    wrong = sorted({row.identifier for row in check.wrong})
    operation.report(
        report(result, "done") | {"wrong_afterwards": wrong},
        [*_lines(result, work, source), *bracket_lines(check.wrong)],
    )
    if wrong:
        raise LedaError(
            f"{differing(len(wrong), check.totals)} after the {work.name}",
            "if Map and Reduce work on a backlog, give them time and run "
            f"`{aggregation.command('verify')} --while-running`; else run "
            f"`{work.command}` again and keep both reports",
        )


def _catch_up(aggregation: Aggregation, result: Result, operation: Operation, wait: float) -> None:
    """Wait until changes reach their totals within `wait` seconds: Map works on those that came while it was off.

    Gives up where the age of the totals cannot be told, or has not fallen for some minutes. Then the check says what is
    wrong.
    """
    lowest, fell, said = math.inf, time.monotonic(), -math.inf
    while (now := time.monotonic()) - fell < PATIENCE_SECONDS:
        age = aggregation.age(result.configuration)
        if isinstance(age, str) or age.seconds <= wait:
            return
        if now - said >= SAY_SECONDS:
            said = now
            operation.say(
                f"the totals lack changes of the last {age.seconds:,.0f} s: Map and Reduce work on what came "
                "meanwhile, and the check waits for that"
            )
        if age.seconds < lowest:
            lowest, fell = age.seconds, now
        time.sleep(POLL_SECONDS)


def report(result: Result, outcome: str) -> dict[str, Any]:
    """The result for another program."""
    names = result.configuration.names
    return {
        "outcome": outcome,
        "configuration": result.configuration.version,
        "mappings": list(result.mappings),
        "rows": result.expected.rows,
        "unreadable": unreadable_json(result.expected),
        "totals": len(result.expected.totals),
        "seconds_behind": round(result.behind_seconds, 1),
        "changes": (
            {
                "identifier": change.identifier,
                "old": dict(zip(names, change.old, strict=True)),
                "new": dict(zip(names, change.new, strict=True)),
            }
            for change in result.changes
        ),
    }


def keep_lines(result: Result) -> Iterator[str]:
    """What the first backfill means where expired rows stay in the totals."""
    if result.configuration.keeps_expired and result.is_first:
        yield (
            "rows that time to live had removed before this backfill are not counted; those that expire from now on "
            "stay in the totals"
        )


def _lines(result: Result, work: Rebuild, source: str) -> Iterator[str]:
    yield from _change_lines(result)
    yield from unreadable_lines(result.expected, source)
    yield from keep_lines(result)
    if not result.mappings:
        yield (
            f"Map's event source mapping was off before the {work.name}, so it is off now: the totals fall behind "
            "until somebody switches it on"
        )
    if work.is_backfill:
        yield f"the configuration {result.configuration.version} is live"
    yield (
        f"done  {number_of(len(result.changes), 'total')} corrected, {len(result.expected.totals):,} in all, "
        f"{result.behind_seconds:,.0f} s behind while it ran"
    )


def _dry_lines(result: Result) -> Iterator[str]:
    yield f"would switch off and on {number_of(len(result.mappings), 'mapping')}: {', '.join(result.mappings)}"
    yield from _change_lines(result)
    yield f"would correct {number_of(len(result.changes), 'total')}; those that are only in flight now are among them"


def _change_lines(result: Result) -> Iterator[str]:
    names = result.configuration.names
    cells = [
        (
            change.identifier,
            name,
            "not a number" if old is None else f"{old:,f}",
            f"{Decimal(new):,f}",
        )
        for change in itertools.islice(result.changes, SHOWN)
        for name, old, new in zip(names, change.old, change.new, strict=True)
        if old != new
    ]
    yield from aligned(cells, "{:<{}}  {:<{}}  from {:>{}}  to {:>{}}")
    if len(result.changes) > SHOWN:
        yield f"and {number_of(len(result.changes) - SHOWN, 'more total')}"
