"""Prints for every command through one console: headings, lines, errors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from leda_cli.base.errors import LedaError
from leda_cli.base.terminal import shown, shown_lines

LONGEST = 80
"""Longer texts (a total's identifier may have 1,024 characters) do not widen their column."""


class Screen(Console):
    """A console that escapes the control characters of every text: in a line, a table, a live view.

    Rich's own control codes (colours, the cursor) are not part of a text. Line ends stay, because they may be meant:
    text from outside goes through `cell` or one of the functions below, which escape line ends too.
    """

    def __init__(self, **settings: Any) -> None:
        """As Rich's Console, and `:phone:` stays what it is: identifiers have names between colons."""
        super().__init__(emoji=False, **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments to print, with the control characters of their texts escaped."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(shown_lines(segment.text), segment.style)


console = Screen(highlight=False, soft_wrap=True)
error_console = Screen(highlight=False, soft_wrap=True, stderr=True)


def widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column must be for the rows to be aligned.

    A text longer than LONGEST does not count: one long key would push the figures of all rows out of sight.
    """
    return [
        max(len(text) if len(text) <= LONGEST else 0 for text in column)
        for column in zip(*rows, strict=True)
    ]


def aligned(rows: Sequence[Sequence[str]], form: str) -> Iterator[str]:
    """The rows in a form like `{:<{}}  from {:>{}}`, in which each column is as wide as its widest text."""
    escaped = [[shown(text) for text in row] for row in rows]
    wide = widths(escaped)
    for row in escaped:
        yield form.format(*itertools.chain.from_iterable(zip(row, wide, strict=True)))


def cell(text: str, style: str = "") -> Text:
    """Text from outside, for a table: markup and control characters do not act, and it stays on one line."""
    return Text(shown(text), style=style)


def print_error(error: LedaError) -> None:
    """Print what happened and what to do about it on standard error."""
    error_console.print(f"[bold red]Error:[/] {escape(shown_lines(error.what))}")
    if error.fix:
        error_console.print(f"[bold]What to do:[/] {escape(shown_lines(error.fix))}")


def heading(text: str) -> None:
    """Print the name of the step that begins."""
    console.print(f"[bold cyan]==>[/] [bold]{escape(shown(text))}[/]")


def info(text: str) -> None:
    """Print a line of detail under the last heading."""
    console.print(f"    {escape(shown(text))}")


def warn(text: str) -> None:
    """Print something the user should know although the command goes on."""
    console.print(f"    [yellow]note:[/] {escape(shown(text))}")


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the block runs: a spinner on a terminal, a plain line elsewhere.

    The line stays on the screen when the block ends, with the seconds it took.
    """
    began = time.monotonic()
    if console.is_terminal:
        with console.status(escape(text)):
            yield
    else:
        console.print(f"    {escape(text)} ...")
        yield
    console.print(f"    [green]done[/] {escape(text)} ({time.monotonic() - began:.1f} s)")
