"""What the two reports have in common: a template in Markdown beside this file, filled with figures and tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leda_cli.models.measured import ServiceTimes


def page(template: str, times: ServiceTimes, **values: object) -> str:
    """The template with the values in the place of its `{name}`; `{service_times}` is the table of the times."""
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    figures = (
        (f"`{name}`", f"{figure:g}", times.sources[name])
        for name, figure in times.figures().items()
    )
    return text.format(times=times, service_times=rows(figures), **values)


def rows(lines: Iterable[Iterable[object]]) -> str:
    """The rows of a table in Markdown."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
