"""Hierarchies of totals, written as the number of children of a node at each level: `2x2x3` has 2 + 4 + 12 totals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from leda.values.texts import number_of
from leda_cli.base.errors import LedaError


def levels_of(text: str) -> tuple[int, ...]:
    """Parse `2x2x3` into (2, 2, 3). Raises LedaError."""
    try:
        levels = tuple(int(part) for part in text.split("x"))
    except ValueError:
        levels = ()
    if not levels or min(levels) < 1:
        raise LedaError(
            f"{text!r} is not a hierarchy",
            "write how many children a node has at each level, like 2x2x3",
        )
    return levels


def totals_of(levels: Sequence[int]) -> int:
    """How many totals the hierarchy has."""
    return sum(math.prod(levels[: depth + 1]) for depth in range(len(levels)))


def choices_of(levels: Sequence[int], names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The values that a message may have at each level, by the levels' names. Raises LedaError."""
    if len(levels) != len(names):
        raise LedaError(
            f"the hierarchy has {number_of(len(levels), 'level')}, and the stack's messages have {len(names)}",
            f"write children of a node for {', '.join(names)}, as 20x20x24",
        )
    return {
        name: tuple(f"{name}{child:04d}" for child in range(width))
        for name, width in zip(names, levels, strict=True)
    }
