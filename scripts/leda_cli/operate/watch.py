"""`leda watch`: the totals as they move."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from leda.values.texts import number_of
from leda_cli.base.output import console, heading
from leda_cli.operate.deployed.account import AwsOption, answering
from leda_cli.operate.stack import NamePrefixOption, Stack
from leda_cli.operate.totals.comparison import compare, fold_state
from leda_cli.operate.totals.screen import INDENT, totals_tree


def watch(
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Show what each total still lacks of the sum over StateTable (scans it at every look).",
        ),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="End after so many seconds.", show_default="on Ctrl-C"),
    ] = None,
    aws: AwsOption = False,
    name_prefix: NamePrefixOption = "",
) -> None:
    """Show the totals live as a tree; off a terminal, print them whenever they have changed."""
    stack = Stack.find(aws, name_prefix)
    end = None if seconds is None else time.monotonic() + seconds
    if console.is_terminal:
        heading(f"Totals in {stack.aggregate_table} (Ctrl-C ends)")
    last: dict[str, object] = {}
    try:
        with (
            answering(stack.endpoint),
            Live(console=console, auto_refresh=False, vertical_overflow="crop") as live,
        ):
            while True:
                view, seen = _look(stack, check)
                if console.is_terminal:
                    live.update(Padding(view, (0, 0, 0, INDENT)), refresh=True)
                elif seen != last:
                    console.print(view)
                last = seen
                if end is not None and time.monotonic() >= end:
                    break
                time.sleep(every)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _look(stack: Stack, check: bool) -> tuple[RenderableType, dict[str, object]]:
    """One look: how it is shown, and what tells it from another."""
    expected = fold_state(stack).totals() if check else None
    found = stack.totals()
    seen: dict[str, object] = {"found": found, "expected": expected}
    tree = totals_tree(found, expected)
    now = time.strftime("%H:%M:%S")
    if expected is None:
        return Group(tree, Text(f"{now}  {number_of(len(found), 'total')}", style="dim")), seen
    wrong = len({row.identifier for row in compare(expected, found)})
    text = (
        "all agree with StateTable"
        if not wrong
        else number_of(wrong, "lacks something StateTable has", "lack something StateTable has")
    )
    return Group(tree, Text(f"{now}  {number_of(len(found), 'total')}, {text}", style="dim")), seen
