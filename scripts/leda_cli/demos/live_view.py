"""A block that is redrawn in place while something runs; lines every few seconds where there is no terminal."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from leda_cli.operate.screen import INDENT, PLAIN_EVERY_SECONDS


class LiveView(AbstractContextManager["LiveView"]):
    """A block and a line above it that says what goes on."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, whatever it is."""
        self._console = console
        self._printed = time.monotonic()
        self._live = (
            Live(console=console, transient=True, auto_refresh=False, vertical_overflow="crop")
            if console.is_interactive
            else None
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()

    def show(self, block: RenderableType, status: str, summary: str) -> None:
        """Show how it is now; off a terminal the line and `summary`, a text for the block, every few seconds."""
        if self._live:
            whole = Group(Text(status, style="dim"), Text(""), block)
            self._live.update(Padding(whole, (0, 0, 0, INDENT)), refresh=True)
        elif time.monotonic() - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = time.monotonic()
            self._console.print(" " * INDENT + f"{status}; {summary}", markup=False)
