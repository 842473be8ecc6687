"""Repeated figures: their median, their spread, and the ratio of two that were taken in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """The same figure, taken several times; at least once."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """The figures as a sample."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle one: a pause of the machine in one repetition does not move it."""
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The largest."""
        return max(self.values)

    def map(self, change: Callable[[float], float]) -> Sample:
        """Each figure changed."""
        return Sample.of(change(value) for value in self.values)

    def text(self, places: int = 0) -> str:
        """The median with the spread, from the lowest to the highest."""
        if len(self.values) == 1:
            return f"{self.median:,.{places}f}"
        return (
            f"{self.median:,.{places}f} ({self.lowest:,.{places}f} to {self.highest:,.{places}f})"
        )


def ratio(larger: Sample, smaller: Sample) -> Sample:
    """How many times as large one is, repetition by repetition: both of a pair met the same machine."""
    return Sample.of(a / b for a, b in zip(larger.values, smaller.values, strict=True))
