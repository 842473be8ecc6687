"""How a leaderboard looks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from leda_cli.console import cell
from leda_cli.leaderboard import Place
from leda_cli.screen import ACCENT
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


def first_places(places: Sequence[Place]) -> str:
    """The first three in a line."""
    return ", ".join(f"{shown(each.total.username)} {each.total.score:f}" for each in places[:3])
