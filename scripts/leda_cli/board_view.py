"""How a leaderboard looks while scores change: redrawn in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from leda_cli.console import cell
from leda_cli.leaderboard import Place
from leda_cli.screen import ACCENT, INDENT, PLAIN_EVERY_SECONDS
from leda_cli.terminal import shown

BAR = 28


def board_table(places: Sequence[Place]) -> RenderableType:
    """The places, a line each, with a bar as long as the score is high; equals share a rank."""
    if not places:
        return Text("nobody has a score yet", style="dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("player", no_wrap=True, min_width=12)
    table.add_column("score", justify="right", no_wrap=True, min_width=9)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    highest = max(1.0, *(float(place.total.score) for place in places))
    for place in places:
        score = float(place.total.score)
        bar = ProgressBar(
            highest,
            max(0.0, score),
            width=BAR,
            style="bright_black",
            complete_style=ACCENT,
            finished_style=ACCENT,
        )
        table.add_row(
            str(place.rank),
            cell(place.total.username, style="bold" if place.rank == 1 else ""),
            f"{place.total.score:,f}",
            str(place.total.records),
            bar,
        )
    return table


class BoardView(AbstractContextManager["BoardView"]):
    """The leaderboard and a line that says what goes on."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, whatever it is."""
        self._console = console
        self._printed = time.monotonic()
        self._live = (
            Live(console=console, transient=True, auto_refresh=False, vertical_overflow="crop")
            if console.is_terminal
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

    def show(self, places: Sequence[Place], status: str) -> None:
        """Show the board as it is now; off a terminal the first three and the line, every few seconds."""
        if self._live:
            block = Group(Text(status, style="dim"), Text(""), board_table(places))
            self._live.update(Padding(block, (0, 0, 0, INDENT)), refresh=True)
        elif time.monotonic() - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = time.monotonic()
            first = ", ".join(
                f"{shown(each.total.username)} {each.total.score:f}" for each in places[:3]
            )
            self._console.print(" " * INDENT + f"{status}; {first}", markup=False)
