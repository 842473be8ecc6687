"""Repeated measurements: their median, their spread, and the ratio of two that were measured in turns."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of a figure that was measured once or several times."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """The figures as a sample."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The median, which a pause of the machine in one repetition does not move."""
        return statistics.median(self.values)

    def text(self, places: int = 0) -> str:
        """The median with the spread, from the lowest to the highest."""
        if len(self.values) == 1:
            return f"{self.median:,.{places}f}"
        lowest, highest = min(self.values), max(self.values)
        return f"{self.median:,.{places}f} ({lowest:,.{places}f} to {highest:,.{places}f})"


def ratio(larger: Sample, smaller: Sample) -> Sample:
    """The ratio for each repetition, because both values of a repetition were measured under the same load."""
    return Sample.of(a / b for a, b in zip(larger.values, smaller.values, strict=True))
