"""The result of a part of the benchmark: a section of the page, its targets, and figures for the models."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A target, the figure that was measured, and whether the target is met."""

    name: str
    wanted: str
    found: str
    met: bool


@dataclass(slots=True)
class Section:
    """A part's result: its `lines` in Markdown; `figures` are those of `leda_cli.models.measured.ServiceTimes`."""

    title: str
    lines: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Section:
        """The section from what `asdict` made of it."""
        targets = [Target(**target) for target in given["targets"]]
        return cls(given["title"], given["lines"], targets, given["figures"])


def table(columns: list[str], rows: list[list[str]], left: int = 1) -> list[str]:
    """A table in Markdown; the first `left` columns are text, the others figures."""
    rule = ["---" if place < left else "---:" for place in range(len(columns))]
    return [f"| {' | '.join(row)} |" for row in (columns, rule, *rows)]


def paragraph(text: str) -> list[str]:
    """Prose in lines of at most 120 characters."""
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


Say = Callable[[str], None]
"""Reports progress to a person who waits."""
