"""The demos' live tables, whose lines end in bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from leda_cli.operate.totals.screen import ACCENT, plain_table

BAR = 28


@dataclass(frozen=True, slots=True)
class Column:
    """A column of texts (left) or numbers (right), and its minimum width in characters."""

    name: str
    justify: Literal["left", "right"] = "right"
    min_width: int | None = None


def bar_table(
    columns: Sequence[Column], lines: Sequence[tuple[Sequence[RenderableType], float]]
) -> Table:
    """A table with a line for each of (cells, number), which ends in a bar as long as the number; 0 for negatives."""
    table = plain_table()
    for column in columns:
        table.add_column(
            column.name, justify=column.justify, no_wrap=True, min_width=column.min_width
        )
    table.add_column("", no_wrap=True)
    largest = max([1.0, *(size for _, size in lines)])
    for cells, size in lines:
        bar = ProgressBar(
            largest,
            max(0.0, size),
            width=BAR,
            style="bright_black",
            complete_style=ACCENT,
            finished_style=ACCENT,
        )
        table.add_row(*cells, bar)
    return table
