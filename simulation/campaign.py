"""Playing many seeds on all cores, and summing up their results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from leda_cli.base.processes import in_processes
from simulation.plans import Plan
from simulation.runs import Result, plan, run
from simulation.shrinking import shrink

CHUNK = 20


@dataclass(frozen=True, slots=True)
class Job:
    """A seed to play with a subject; with `families`, only these kinds of trouble happen."""

    seed: int
    subject: str = "LEDA"
    families: tuple[str, ...] | None = None
    system: str = "pipeline"

    def plan(self) -> Plan:
        """The job's plan."""
        return plan(self.seed, self.families, self.system)


@dataclass
class Tally:
    """The summed results of some jobs. `wrong` has the seeds with a wrong total, a lost message, or an endless run."""

    schedules: int = 0
    wrong: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    """The error of each schedule with wrong totals (`Result.error`)."""
    counts: Counter[str] = field(default_factory=Counter)
    virtual_seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Add a result."""
        self.schedules += 1
        self.counts.update(result.counts)
        self.virtual_seconds += result.seconds
        if result.wrong:
            self.wrong.append(result.seed)
            self.errors.append(result.error)

    def merge(self, other: Tally) -> None:
        """Add another tally."""
        self.schedules += other.schedules
        self.wrong = sorted([*self.wrong, *other.wrong])
        self.errors += other.errors
        self.counts.update(other.counts)
        self.virtual_seconds += other.virtual_seconds


def play(jobs: Sequence[Job]) -> Tally:
    """Play jobs one after the other in this process."""
    tally = Tally()
    for job in jobs:
        tally.add(run(job.plan(), job.subject))
    return tally


def campaign(jobs: Iterable[Job], processes: int) -> Iterator[Tally]:
    """Play the jobs in this number of processes, and yield a tally for each chunk of jobs."""
    jobs = list(jobs)
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    return in_processes(play, chunks, processes)


def smallest(job: Job, tries: int = 400, seconds: float = 120.0) -> tuple[Plan, Result]:
    """Return the smallest failing plan that is found for a failing job within the limits, and its result."""
    began = time.monotonic()

    def fails(smaller: Plan) -> Result | None:
        if time.monotonic() - began > seconds:
            return None
        result = run(smaller, job.subject)
        return result if result.wrong else None

    return shrink(job.plan(), fails, tries)
