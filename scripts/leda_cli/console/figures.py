"""Figures of the stages by bucket of time (a second, or a minute), for the last ten minutes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SPAN_SECONDS = 600
RECENT_SECONDS = 60

# A bucket keeps the maximum of these figures, and the sum of all others.
_HIGHEST = frozenset({"lag", "age", "iterator_age"})


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure of a stage (stream, state, map, reduce or totals) at a time in epoch seconds."""

    at: float
    stage: str
    name: str
    value: float


class Figures:
    """Adds up samples in buckets of time, for the last SPAN_SECONDS."""

    def __init__(self, step: int) -> None:
        self.step = step
        """Seconds of a bucket."""
        self._buckets: dict[int, dict[str, float]] = {}

    def add(self, samples: Iterable[Sample]) -> None:
        """Add samples to their buckets."""
        for sample in samples:
            bucket = self._buckets.setdefault(int(sample.at // self.step), {})
            name = f"{sample.stage}.{sample.name}"
            if sample.name in _HIGHEST:
                bucket[name] = max(bucket.get(name, 0.0), sample.value)
            else:
                bucket[name] = bucket.get(name, 0.0) + sample.value

    def replace(self, samples: Iterable[Sample]) -> None:
        """Replace the figures in the samples' buckets: CloudWatch returns the sum of a minute again as it grows."""
        fresh = Figures(self.step)
        fresh.add(samples)
        for number, bucket in fresh._buckets.items():
            self._buckets.setdefault(number, {}).update(bucket)

    def forget(self, now: float) -> None:
        """Drop the buckets that are older than SPAN_SECONDS."""
        oldest = int((now - SPAN_SECONDS) // self.step)
        for number in [each for each in self._buckets if each <= oldest]:
            del self._buckets[number]

    def points(self, since: float) -> list[tuple[int, Mapping[str, float]]]:
        """The buckets from that time on: (when the bucket begins, its figures)."""
        first = int(since // self.step)
        return [
            (number * self.step, bucket)
            for number, bucket in sorted(self._buckets.items())
            if number >= first
        ]

    def recent(self, now: float, seconds: int = RECENT_SECONDS) -> dict[str, float]:
        """The sums over the last seconds, or the maxima of lags and ages."""
        found: defaultdict[str, float] = defaultdict(float)
        for _, bucket in self.points(now - max(seconds, self.step)):
            for name, value in bucket.items():
                is_highest = name.rpartition(".")[2] in _HIGHEST
                found[name] = max(found[name], value) if is_highest else found[name] + value
        return found

    def __len__(self) -> int:
        return len(self._buckets)


def rates(figures: Figures, now: float) -> dict[str, float]:
    """The present records, bytes and failures a second, and records of a batch.

    The newest bucket is incomplete. With buckets of a second, the five before it are used; with buckets of a minute,
    the last complete one.
    """
    whole = max(5, figures.step)
    last = int(now // figures.step) * figures.step
    sums: defaultdict[str, float] = defaultdict(float)
    for at, bucket in figures.points(last - whole):
        if at < last:
            for name, value in bucket.items():
                sums[name] += value
    found = {
        name: value / whole
        for name, value in sums.items()
        if name.rpartition(".")[2] not in _HIGHEST
    }
    for stage in ("state", "map", "reduce"):
        if batches := sums.get(f"{stage}.batches"):
            found[f"{stage}.batch"] = sums[f"{stage}.records"] / batches
    return found
