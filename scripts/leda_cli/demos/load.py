"""`leda load`: puts a burst of messages into the stream."""

from __future__ import annotations

import random
import secrets
from typing import Annotated

import typer

from leda.pipeline import game
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading, info
from leda_cli.demos.putting import put_and_show, putting_of, schema_of
from leda_cli.demos.settling import baseline, settle
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.putting import Putting
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.totals.comparison import difference_lines
from leda_cli.operate.totals.oracle import Oracle
from leda_cli.operate.totals.screen import RoundView

_GROUP = 200
"""Messages among which duplicates are spread; the share of duplicates is rounded to 1 of 200."""


def load(
    messages: Annotated[int, typer.Option(min=1, help="How many messages to put.")] = 10_000,
    duplicates: Annotated[
        float,
        typer.Option(min=0, max=95, help="Per cent of the messages that are duplicates."),
    ] = 12.5,
    modify: Annotated[
        float, typer.Option(min=0, max=100, help="Per cent of the others that change a trade.")
    ] = 3.0,
    stale: Annotated[
        float,
        typer.Option(
            min=0,
            max=100,
            help="Per cent of second changes that have an older version and so change nothing.",
        ),
    ] = 50.0,
    delete: Annotated[
        float, typer.Option(min=0, max=100, help="Per cent of the changes that delete the trade.")
    ] = 0.0,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed puts the same messages.", show_default="random"),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Wait until the totals settle; exit status 1 if not exact."),
    ] = False,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Put a burst of trades into the stream, with duplicates, changes and older versions."""
    stack = Stack.find(aws, name_prefix)
    seed = secrets.randbelow(10**6) if seed is None else seed
    rules = game.Rules(
        messages=messages,
        messages_per_call=_GROUP,
        duplicates_per_call=round(_GROUP * duplicates / 100),
        modify_percent=modify,
        stale_percent=stale,
        delete_percent=delete,
    )
    burst = game.Burst(rules, random.Random(seed), schema_of(stack.names))
    oracle = baseline(stack) if check else Oracle(stack.names)
    heading(f"Putting {number_of(messages, 'message')} into {stack.stream} (seed {seed})")
    putting = putting_of(burst, stack, oracle)
    try:
        with answering(stack.endpoint), RoundView(console, messages) as view:
            put_and_show(putting, stack, view)
            _report_put(burst, putting)
            outcome = settle(stack, oracle.totals(), putting.ended, view) if check else None
    except KeyboardInterrupt:
        putting.stop()
        console.print(
            f"    Interrupted after {putting.sent:,} of {number_of(messages, 'message')}."
        )
        raise typer.Exit(130) from None
    if outcome is None:
        info("next: `leda watch` shows the totals move, `leda verify` compares them exactly")
        return
    if outcome.wrong:
        for line in difference_lines(outcome.wrong):
            info(line)
        raise LedaError(
            outcome.differing,
            "keep the tables and look at the logs",
        )
    console.print(f"    [cyan]exact[/]  settled {outcome.seconds:.1f} s after the last message")


def _report_put(burst: game.Burst, putting: Putting) -> None:
    counts = burst.counts
    seconds = putting.ended - putting.began
    rate = putting.sent / max(seconds, 0.001)
    info(f"put {number_of(putting.sent, 'message')} in {seconds:.1f} s ({rate:,.0f}/s)")
    info(
        f"{number_of(counts.new, 'trade')}, {counts.newer:,} changed, {number_of(counts.older, 'older version')}, "
        f"{counts.deleted:,} deleted, {number_of(counts.duplicates, 'duplicate')}; {putting.retried:,} sent again"
    )
