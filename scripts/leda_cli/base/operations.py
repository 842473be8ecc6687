"""What the operators' commands share: options, progress, the report as lines or JSON."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from leda_cli.base.output import console, error_console
from leda_cli.base.terminal import shown

PLAIN_SECONDS = 10.0
"""The interval of lines of progress when the output is not a terminal."""

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the result as JSON on standard output, all else on standard error."
    ),
]


class Advance(Protocol):
    """Reports progress: `count` more items are done; `total` is the number of items, once it is known."""

    def __call__(self, count: int = 1, *, total: int | None = None) -> None:
        """Show the progress."""


class Operation:
    """One run of a command: prints what it does, and one report at its end.

    With `as_json`, standard output has nothing but the report, so that another program can read it.
    """

    def __init__(self, as_json: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._as_json = as_json
        self._clock = clock

    @property
    def screen(self) -> Console:
        """The console for everything but the JSON report."""
        return error_console if self._as_json else console

    def heading(self, text: str) -> None:
        """Print the name of the step that begins."""
        self.screen.print(f"[bold cyan]==>[/] [bold]{escape(shown(text))}[/]")

    def say(self, text: str) -> None:
        """Print a line of detail under the last heading."""
        self.screen.print(f"    {escape(shown(text))}")

    @contextmanager
    def progress(
        self, text: str, total: int | None = None, note: Callable[[], str] = lambda: ""
    ) -> Iterator[Advance]:
        """Show how many of `total` items (None: not known) are done: a bar on a terminal, lines elsewhere.

        note: returns a text to add to the line at that moment.
        """
        began = printed = self._clock()
        done, known = 0, total
        columns = (
            TextColumn("    {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        is_bar = self.screen.is_terminal
        bar = Progress(*columns, console=self.screen, transient=True)
        task = bar.add_task(escape(text), total=total)

        def advance(count: int = 1, *, total: int | None = None) -> None:
            nonlocal done, known, printed
            done += count
            known = total if total is not None else known
            if is_bar:
                bar.update(task, advance=count, total=total, description=escape(text + note()))
            elif self._clock() - printed >= PLAIN_SECONDS:
                printed = self._clock()
                of = f" of {known:,}" if known is not None else ""
                self.say(f"{text}: {done:,}{of}{note()}")

        if not is_bar:
            self.say(f"{text} ...")
        with bar if is_bar else nullcontext():
            yield advance
        count = f": {done:,}" if done else ""
        self.screen.print(
            f"    [green]done[/] {escape(text)}{count} ({self._clock() - began:.1f} s){escape(note())}"
        )

    def report(self, result: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print the result as JSON (with Decimals as strings, so that no digit is lost), or the lines."""
        if self._as_json:
            # Not through Rich: it would wrap and colour what a program reads.
            json.dump(result, sys.stdout, indent=2, default=_plain)
            print()
            return
        for line in lines:
            self.screen.print(f"    {escape(shown(line))}")


class _Streamed(list[Any]):
    """A list for `json.dump` that takes its elements from an iterator while they are written."""

    def __init__(self, elements: Iterator[Any]) -> None:
        # `json.dump` asks first whether the list is empty.
        super().__init__(itertools.islice(elements, 1))
        self._others = elements

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain(super().__iter__(), self._others)


def _plain(value: object) -> str | list[Any]:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Iterator):
        return _Streamed(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
