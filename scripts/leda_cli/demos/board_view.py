"""Shows a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from leda_cli.base.output import cell
from leda_cli.base.terminal import shown
from leda_cli.demos.bar_table import Column, bar_table
from leda_cli.demos.leaderboard import Place

COLUMNS = (
    Column("rank"),
    Column("player", "left", 12),
    Column("score", "right", 9),
    Column("records"),
)


def board_table(places: Sequence[Place]) -> RenderableType:
    """A table with a line and a bar for each place; equal scores share a rank."""
    if not places:
        return Text("nobody has a score yet", style="dim")
    return bar_table(
        COLUMNS,
        [
            (
                (
                    str(place.rank),
                    cell(place.total.username, style="bold" if place.rank == 1 else ""),
                    f"{place.total.score:,f}",
                    str(place.total.records),
                ),
                float(place.total.score),
            )
            for place in places
        ],
    )


def first_places(places: Sequence[Place]) -> str:
    """The first three places in one line."""
    return ", ".join(f"{shown(each.total.username)} {each.total.score:f}" for each in places[:3])
