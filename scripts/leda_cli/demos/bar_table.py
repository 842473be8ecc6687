"""The demos' live tables, whose lines end in bars, and rankings by a measure among them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from leda_cli.base.output import cell
from leda_cli.base.terminal import shown
from leda_cli.operate.totals.screen import ACCENT, plain_table
from leda_cli.operate.totals.totals_reading import Total

BAR = 28


def bar_table(
    columns: Sequence[str],
    lines: Sequence[tuple[Sequence[RenderableType], float]],
    name: str,
    width: int,
) -> Table:
    """A table with a line for each of (cells, number), which ends in a bar as long as the number; 0 for negatives.

    name: the column of texts, which has at least `width` characters; the others are numbers.
    """
    table = plain_table(*columns, "", right={*columns} - {name})
    table.columns[columns.index(name)].min_width = width
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


def ranking(
    totals: Sequence[Total], measures: Sequence[str], name: str, columns: Sequence[str]
) -> RenderableType:
    """A table with a line and a bar for each total; equals by the first of the `measures` share a rank.

    name, columns: the headings of the totals' keys and of the measures.
    """
    if not totals:
        return Text("nobody has one yet", style="dim")
    amounts = [each.amounts[measures[0]] for each in totals]
    lines: list[tuple[list[RenderableType], float]] = []
    for total, amount in zip(totals, amounts, strict=True):
        rank = 1 + sum(other > amount for other in amounts)
        name_cell = cell(_key(total), style="bold" if rank == 1 else "")
        figures = (f"{total.amounts[measure]:,f}" for measure in measures)
        lines.append(([str(rank), name_cell, *figures], float(amount)))
    return bar_table(["rank", name, *columns], lines, name, 16)


def first_places(totals: Sequence[Total], measure: str) -> str:
    """The first three totals in one line."""
    return ", ".join(f"{shown(_key(each))} {each.amounts[measure]:f}" for each in totals[:3])


def _key(total: Total) -> str:
    return next(iter(total.keys.values()))
