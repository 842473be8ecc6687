"""What every command prints through: one console, one way to fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from leda_cli.errors import LedaError

__all__ = [
    "LedaError",
    "console",
    "error_console",
    "heading",
    "info",
    "print_error",
    "step",
    "warn",
]

console = Console(highlight=False, soft_wrap=True)
error_console = Console(highlight=False, soft_wrap=True, stderr=True)


def print_error(error: LedaError) -> None:
    """Print `error` as two lines on standard error."""
    error_console.print(f"[bold red]Error:[/] {escape(error.what)}")
    if error.fix:
        error_console.print(f"[bold]What to do:[/] {escape(error.fix)}")


def heading(text: str) -> None:
    """Print the name of the step that begins."""
    console.print(f"[bold cyan]==>[/] [bold]{escape(text)}[/]")


def info(text: str) -> None:
    """Print a line of detail under the last heading."""
    console.print(f"    {escape(text)}")


def warn(text: str) -> None:
    """Print something the user should know although the command goes on."""
    console.print(f"    [yellow]note:[/] {escape(text)}")


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
