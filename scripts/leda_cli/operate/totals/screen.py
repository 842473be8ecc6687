"""How a load and its totals look: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from leda.values.texts import number_of
from leda_cli.base.terminal import shown
from leda_cli.operate.totals.comparison import EXACT, Difference
from leda_cli.operate.totals.oracle import NOTHING, Total

ACCENT = "cyan"
INDENT = 4
WIDEST = 1000
MOST_SHOWN = 100
PLAIN_EVERY_SECONDS = 5.0
PLAIN_STILL_SECONDS = 30.0  # where nothing has changed since the last line
_GUIDE = 4  # columns that Rich's Tree puts before a node, a level


def print_table(console: Console, table: RenderableType) -> None:
    """Print a table with an empty line above and below, as wide as its cells are.

    A line that a narrow window breaks is still whole; a cell that is broken or cut is not.
    """
    padded = Padding(table, (0, 0, 0, INDENT), expand=False)
    widest = console.measure(padded, options=console.options.update(width=WIDEST)).maximum
    given, console.width = console.width, max(console.width, widest)
    try:
        console.print()
        console.print(padded, soft_wrap=False)
        console.print()
    finally:
        console.width = given


def plain_table(*columns: str, right: Collection[str] = ()) -> Table:
    """A table without lines; the columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    return table


def money(value: Decimal, places: int) -> str:
    """A number with thousands separators and as many decimals as its neighbours have."""
    return f"{value:,.{places}f}"


def places_of(values: Sequence[Decimal]) -> int:
    """How many decimals show every value whole; at least 2, because most values are money."""
    exponents = (value.normalize(EXACT).as_tuple().exponent for value in values)
    return max([2, *(-exponent for exponent in exponents if isinstance(exponent, int))])


def totals_tree(
    found: Mapping[str, Total], expected: Mapping[str, Total] | None = None
) -> RenderableType:
    """The totals' values as a tree, numbers aligned; with `expected`, what each total still lacks."""
    every = {*found, *(expected or {})}
    rows = _shown_rows(every)
    if not rows:
        return Text("no totals yet", style="dim")
    values = {row: found[row].value for row in rows if row in found}
    lacks = {
        row: EXACT.subtract((expected or {}).get(row, NOTHING).value, found.get(row, NOTHING).value)
        for row in rows
    }
    amounts = [*values.values(), *lacks.values()] if expected is not None else list(values.values())
    places = places_of(amounts)
    names = max(_GUIDE * row.count(":") + len(shown(row.rpartition(":")[2])) for row in rows)
    # Wide enough for the end as for now, or the columns would jump while the totals grow.
    ends = [
        *values.values(),
        *(expected[row].value for row in rows if expected and row in expected),
    ]
    width = max([16, *(len(money(value, places)) for value in ends)])
    rest = max([16, *(len(money(value, places)) for value in lacks.values())])

    header = Text(" " * names + f"  {'total now':>{width}}", style="dim")
    if expected is not None:
        header.append(f"  {'still to come':>{rest}}")
    tree = Tree("", hide_root=True, guide_style="dim")
    nodes = {"": tree}
    for row in rows:
        parent, _, name = row.rpartition(":")
        column = names - _GUIDE * row.count(":")
        label = Text(f"{shown(name):<{column}}  ", style="bold" if not parent else "", no_wrap=True)
        total = found.get(row, NOTHING)
        wanted = (expected or {}).get(row, NOTHING)
        exact = expected is not None and total == wanted
        label.append(f"{money(total.value, places):>{width}}", style=ACCENT if exact else "")
        if expected is not None:
            text = (
                "exact"
                if exact
                else _still_to_come(lacks[row], wanted.trades - total.trades, places)
            )
            label.append(f"  {text:>{rest}}", style=ACCENT if exact else "dim")
        # A parent that has no row of its own cannot happen in LEDA's table; a foreign row hangs from the root.
        nodes[row] = nodes.get(parent, tree).add(label)
    left_out = len(every) - len(rows)
    rest_of_them = (
        [Text(f"and {number_of(left_out, 'more total')}", style="dim")] if left_out else []
    )
    return Group(header, tree, *rest_of_them)


def _shown_rows(every: Collection[str]) -> list[str]:
    """The totals that a screen can show, sorted: all, or those of as many levels from the roots on as fit."""
    by_depth = sorted(every, key=lambda row: (row.count(":"), row))
    if len(by_depth) <= MOST_SHOWN:
        return sorted(by_depth)
    depth = by_depth[MOST_SHOWN].count(":")
    whole_levels = [row for row in by_depth if row.count(":") < depth]
    return sorted(whole_levels or by_depth[:MOST_SHOWN])


def _still_to_come(value: Decimal, trades: int, places: int) -> str:
    """What a total lacks: mostly a value, else trades that add up to 0."""
    return money(value, places) if value else f"trades {trades:+,}"


class Redrawn:
    """A block that is redrawn in place on a terminal, and vanishes at the end; elsewhere nothing is redrawn."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, whatever it is."""
        self._console = console
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

    def __exit__(self, *_error: object) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()


class RoundView(Redrawn):
    """One load on the screen: first how much is put, then how the totals settle.

    On a terminal the block is redrawn in place and vanishes at the end; elsewhere a line is printed when a
    quarter is put, and every few seconds while the totals settle.
    """

    def __init__(self, console: Console, total: int) -> None:
        """`total` is how many messages the load will send."""
        super().__init__(console)
        self._total = total
        self._began = time.monotonic()
        self._quarter = 0
        self._printed = 0.0
        self._exact = -1
        self._bar: RenderableType = Text("")

    @property
    def live(self) -> bool:
        """Whether the block is redrawn in place."""
        return self._live is not None

    def putting(self, sent: int, found: Mapping[str, Total]) -> None:
        """Show how many messages are put, and the totals as they are."""
        seconds = time.monotonic() - self._began
        if self._live:
            self._bar = self._bar_line(sent, seconds)
            self._draw(Text("sending", style="dim"), totals_tree(found))
        elif self._quarter < sent * 4 // max(1, self._total) < 4:
            self._quarter = sent * 4 // max(1, self._total)
            self._line(f"put {sent:,} of {number_of(self._total, 'message')} ({seconds:.1f} s)")

    def settling(
        self,
        found: Mapping[str, Total],
        expected: Mapping[str, Total],
        wrong: Sequence[Difference],
        seconds: float,
        matched: float | None,
    ) -> None:
        """Show the totals `seconds` after the last message; `matched` is when they first matched."""
        exact = len({*expected, *found}) - len({row.identifier for row in wrong})
        every = len({*expected, *found})
        if matched is None:
            text = f"{seconds:.1f} s after the last message: {exact} of {number_of(every, 'total')} exact"
        else:
            text = f"{number_of(every, 'total')}, all exact after {matched:.1f} s; watching that they stay so"
        if self._live:
            self._draw(Text(text), totals_tree(found, expected))
        elif matched is None and seconds - self._printed >= (
            PLAIN_EVERY_SECONDS if exact != self._exact else PLAIN_STILL_SECONDS
        ):
            self._printed, self._exact = seconds, exact
            self._line(text)

    def _bar_line(self, sent: int, seconds: float) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            ProgressBar(
                self._total,
                sent,
                width=32,
                style="bright_black",
                complete_style=ACCENT,
                finished_style=ACCENT,
            ),
            Text(f"{sent:,} of {self._total:,} put"),
            Text(f"{seconds:.1f} s", style="dim"),
        )
        return grid

    def _draw(self, status: RenderableType, tree: RenderableType) -> None:
        assert self._live is not None
        block = Group(self._bar, status, Text(""), tree)
        self._live.update(Padding(block, (0, 0, 0, INDENT)), refresh=True)

    def _line(self, text: str) -> None:
        self._console.print(" " * INDENT + text, markup=False)
