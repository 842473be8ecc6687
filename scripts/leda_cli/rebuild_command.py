"""`leda rebuild`: the command around `leda_cli.rebuild`, its report, and the check at its end."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer

from leda import audit
from leda_cli.account import AwsOption, answering
from leda_cli.deployed import both_sides, deployed
from leda_cli.errors import LedaError
from leda_cli.mappings import LambdaMappings
from leda_cli.operations import DryRunOption, JsonOption, Operation
from leda_cli.rebuild import Rebuild, Result, Tables
from leda_cli.stack import OutputsOption, Stack
from leda_cli.verify import bracket_lines

SHOWN = 20


def rebuild(
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that a change may take to reach its totals in the check at the end.",
        ),
    ] = 30.0,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    aws: AwsOption = False,
    outputs: OutputsOption = None,
) -> None:
    """Compute all totals anew from StateTable, while it is written to; for when changes were lost."""
    stack = Stack.find(aws, outputs)
    stack.check()
    operation = Operation(as_json)
    with answering(stack.endpoint):
        today = deployed(stack)
    work = Rebuild(
        stack.dynamodb,
        stack.streams,
        LambdaMappings(stack.lambdas, {"map": stack.functions["map"]}, stack.mappings),
        Tables(stack.state_table, stack.reduce_table, stack.aggregate_table, stack.registry_table),
        operation,
        today,
    )
    operation.heading(f"Rebuilding {stack.aggregate_table} from {stack.state_table}")
    if dry_run:
        with answering(stack.endpoint):
            result = work.look()
        operation.report(_as_json(result, "dry run"), _dry_lines(result))
        return
    try:
        with answering(stack.endpoint):
            result = work.run()
    except BaseException:
        if work.journal.is_open:
            operation.say(
                f"The mapping of {stack.functions['map']} may be off. Run `leda rebuild` again: it does all of it once "
                "more, and switches the mapping on."
            )
        raise
    with (
        answering(stack.endpoint),
        operation.progress("checking the totals while the pipeline runs") as advance,
    ):
        check = audit.audit(both_sides(stack, result.configuration, advance), wait)
    wrong = sorted({row.identifier for row in check.wrong})
    report = _as_json(result, "done") | {"wrong_afterwards": wrong}
    operation.report(report, [*_lines(result), *bracket_lines(check.wrong)])
    if wrong:
        raise LedaError(
            f"{len(wrong)} of {check.totals} totals differ after the rebuild",
            "if the pipeline works on a backlog, give it time and run `leda verify --while-running`; else run "
            "`leda rebuild` again and keep both reports",
        )


def _as_json(result: Result, outcome: str) -> dict[str, Any]:
    names = result.configuration.names
    return {
        "outcome": outcome,
        "mappings": list(result.mappings),
        "unreadable": {
            "count": result.expected.unreadable,
            "first": result.expected.named,
        },
        "totals": len(result.expected.totals),
        "changes": [
            {
                "identifier": change.identifier,
                "old": dict(zip(names, change.old, strict=True)),
                "new": dict(zip(names, change.new, strict=True)),
            }
            for change in result.changes
        ],
    }


def _lines(result: Result) -> Iterator[str]:
    yield from _change_lines(result)
    if result.expected.unreadable:
        yield (
            f"{result.expected.unreadable:,} rows of StateTable cannot be read and count as nothing: "
            + "; ".join(result.expected.named)
        )
    if not result.mappings:
        yield (
            "Map's event source mapping was off before the rebuild, so it is off now: the totals fall behind until "
            "somebody switches it on"
        )
    yield f"done  {len(result.changes):,} totals corrected, {len(result.expected.totals):,} in all"


def _dry_lines(result: Result) -> Iterator[str]:
    yield f"would switch off and on {len(result.mappings)} mappings: {', '.join(result.mappings)}"
    yield from _change_lines(result)
    yield f"would correct {len(result.changes):,} totals; those that are only in flight now are among them"


def _change_lines(result: Result) -> Iterator[str]:
    names = result.configuration.names
    cells = [
        (change.identifier, name, "no number" if old is None else f"{old:,f}", _shown(new))
        for change in result.changes[:SHOWN]
        for name, old, new in zip(names, change.old, change.new, strict=True)
        if old != new
    ]
    widths = [max((len(cell[i]) for cell in cells), default=0) for i in range(4)]
    for node, name, old, new in cells:
        yield (
            f"{node:<{widths[0]}}  {name:<{widths[1]}}  from {old:>{widths[2]}}  to {new:>{widths[3]}}"
        )
    if len(result.changes) > SHOWN:
        yield f"and {len(result.changes) - SHOWN:,} more totals"


def _shown(amount: Decimal | int) -> str:
    return f"{Decimal(amount):,f}"
