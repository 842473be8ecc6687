"""Counts rows of a source table that are in no total because they cannot be read, by reason, and names the first."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

# How many rows are named: the first ones by key, so that two runs name the same rows.
NAMED = 10
# A reason may quote the row's data, so there may be as many reasons as rows. Further reasons are counted together.
MAX_REASONS = 50
OTHER_REASONS = "other reasons"


@dataclass(slots=True)
class Uncounted:
    """Counts such rows by reason; `first` has the keys and reasons of the first rows, sorted by key."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, reason: str) -> None:
        """Count a row with that key."""
        self.count += 1
        self._count(reason, 1)
        if len(self.first) < NAMED or (key, reason) < self.first[-1]:
            self.first = sorted([*self.first, (key, reason)])[:NAMED]

    def merge(self, other: "Uncounted") -> None:
        """Add the counts of `other`."""
        self.count += other.count
        for reason, count in other.reasons.items():
            self._count(reason, count)
        self.first = heapq.nsmallest(NAMED, [*self.first, *other.first])

    def _count(self, reason: str, count: int) -> None:
        if reason not in self.reasons and len(self.reasons) >= MAX_REASONS:
            reason = OTHER_REASONS
        self.reasons[reason] += count
