"""A block that is redrawn in place while something runs; without a terminal, a line every few seconds."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from leda_cli.operate.totals.screen import INDENT, PLAIN_EVERY_SECONDS, Redrawn


class LiveView(Redrawn):
    """A block, and a status line above it."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        super().__init__(console)
        self._printed = time.monotonic()

    def show(self, block: RenderableType, status: str, summary: str) -> None:
        """Show the present state; without a terminal, `status` and `summary`, every few seconds."""
        if self._live:
            whole = Group(Text(status, style="dim"), Text(""), block)
            self._live.update(Padding(whole, (0, 0, 0, INDENT)), refresh=True)
        elif time.monotonic() - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = time.monotonic()
            self._console.print(" " * INDENT + f"{status}; {summary}", markup=False)
