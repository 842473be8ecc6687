"""Parts 1 and 2: what each stage takes for 1,000 messages, and the records a second of one shard that follow.

Both designs get the same messages in turns, LEDA first in one repetition and last in the next: State gets a batch of
1,000, Map the changes that State made of it, Reduce the row that Map made of those. The functions are the real ones,
with their real clients, each in a process of its own; DynamoDB is the stub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import stub
from benchmarks.designs import DESIGNS, LEDA, PUBLISHED, STAGES, Design
from benchmarks.environment import Environment, Took
from benchmarks.events import Events, Messages
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.samples import Sample, ratio
from benchmarks.stub import Stub
from leda_cli.models.measured import MEMORY_OF_A_PROCESSOR

BATCH = 1000
NOT_COUNTED = 2
"""How many first repetitions are dropped, because they open connections and fill Python's caches."""
MEMORIES = (256, 512, 1024, 1769)
LATENCY_MS = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """The time and the requests of a stage for one batch."""

    took: Took
    requests: int


@dataclass
class Pipeline:
    """The three warm functions of a design, with tables of their own in the stub."""

    design: Design
    stub: Stub
    environments: Mapping[str, Environment]
    events: Events = field(default_factory=Events)

    def play(self, messages: Sequence[bytes]) -> dict[str, Run]:
        """One batch of messages through all stages. Raises environment.Failed."""
        runs = {"state": self.invoke("state", self.events.kinesis(messages))}
        runs["map"] = self.invoke("map", self.changes("StateTable"))
        runs["reduce"] = self.invoke("reduce", self.changes("ReduceTable"))
        return runs

    def changes(self, table: str) -> dict[str, Any]:
        """The event with the table's changes since the last call."""
        name = self.design.table(table)
        return self.events.dynamodb(name, self.stub.take_changes(name))

    def delta_row(self) -> tuple[str, Any]:
        """ReduceTable's name in the stub, and the row of a batch of 1,000 messages over 18 totals."""
        self.invoke("state", self.events.kinesis(Messages(1).batch(BATCH)))
        self.invoke("map", self.changes("StateTable"))
        name = self.design.table("ReduceTable")
        [(_, row)] = self.stub.take_changes(name)
        return name, row

    def invoke(self, stage: str, event: Mapping[str, Any]) -> Run:
        """Invoke a stage; returns its time and its number of requests."""
        self.stub.take_counts()
        took = self.environments[stage].invoke(event)
        return Run(took, sum(self.stub.take_counts().values()))


@contextmanager
def pipelines(designs: Sequence[Design] = DESIGNS) -> Iterator[dict[str, Pipeline]]:
    """Start the designs' functions over a new stub, and end all of them at the end of the block."""
    keys = {name: key for design in designs for name, key in design.tables().items()}
    streamed = frozenset().union(*(design.streamed() for design in designs))
    with ExitStack() as stack:
        server = stack.enter_context(stub.running(keys, streamed))
        yield {
            design.name: Pipeline(
                design,
                server,
                {
                    stage: stack.enter_context(design.environment(stage, server.endpoint))
                    for stage in STAGES
                },
            )
            for design in designs
        }


Runs = dict[tuple[str, str], list[Run]]
"""By the design's name and the stage."""


def measured(repetitions: int, latency_ms: float, seed: int, say: Say) -> Runs:
    """Batches of 1,000 through both designs in turns."""
    messages, runs = Messages(seed), Runs()
    with pipelines() as both:
        server = both[LEDA.name].stub
        server.set_latency(latency_ms)
        for repetition in range(-NOT_COUNTED, repetitions):
            batch = messages.batch(BATCH)
            for design in DESIGNS if repetition % 2 else DESIGNS[::-1]:
                for stage, run in both[design.name].play(batch).items():
                    if repetition >= 0:
                        runs.setdefault((design.name, stage), []).append(run)
    say(f"{repetitions} batches through both designs at {latency_ms:g} ms a call")
    return runs


def small_batches(repetitions: int, seed: int) -> dict[str, Sample]:
    """Processor milliseconds of LEDA's stages for one record."""
    messages = Messages(seed, duplicates=0, modified=0)
    found: dict[str, list[float]] = {}
    with pipelines([LEDA]) as started:
        for repetition in range(-NOT_COUNTED, repetitions):
            for stage, run in started[LEDA.name].play(messages.batch(1)).items():
                if repetition >= 0:
                    found.setdefault(stage, []).append(run.took.cpu_ms)
    return {name: Sample.of(values) for name, values in found.items()}


def service_times(runs: Runs, small: Mapping[str, Sample]) -> dict[str, float]:
    """Figures of `leda_cli.models.measured`: the time of an invocation, and what 1,000 messages add to it in State."""
    own = sum(small[stage].median for stage in STAGES) / len(STAGES)
    added = (cpu(runs, LEDA, "state").median - own) * 1000 / BATCH
    return {"state_cpu_ms_per_1000": round(added, 2), "invocation_cpu_ms": round(own, 2)}


def cpu(runs: Runs, design: Design, stage: str) -> Sample:
    """Processor milliseconds."""
    return Sample.of(run.took.cpu_ms for run in runs[design.name, stage])


def wall(runs: Runs, design: Design, stage: str) -> Sample:
    """Milliseconds of the clock."""
    return Sample.of(run.took.wall_ms for run in runs[design.name, stage])


def requests(runs: Runs, design: Design, stage: str) -> Sample:
    """HTTP requests."""
    return Sample.of(run.requests for run in runs[design.name, stage])


def shard_rate(cpu_ms: float, wall_ms: float, memory: int, records: int = BATCH) -> float:
    """Records a second of one shard, whose batches come one after the other, with so many MB of memory.

    A model: Lambda gives processor time in proportion to the memory, a whole processor at 1,769 MB; what the processor
    does then takes so much longer, and waiting takes as long as before. Where threads wait while another works, the
    model is too slow: it adds all of the processor's longer time.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    """
    share = min(1.0, memory / MEMORY_OF_A_PROCESSOR)
    return records / (wall_ms + cpu_ms * (1 / share - 1)) * 1000


def section(short: bool, say: Say) -> Section:
    """Measure the stages, and return the page's section."""
    at_0 = measured(3 if short else 11, 0.0, seed=1, say=say)
    at_5 = measured(2 if short else 5, LATENCY_MS, seed=2, say=say)
    small = small_batches(5 if short else 21, seed=3)
    found = Section("Processor time, requests and wall time of each stage")
    found.lines = [*_stage_lines(at_0, at_5), "", *_shard_lines(at_5)]
    found.targets = _targets(at_0, at_5)
    found.figures = service_times(at_0, small)
    return found


def _stage_lines(at_0: Runs, at_5: Runs) -> list[str]:
    rows = []
    for stage in STAGES:
        for what, unit, runs, figure in (
            ("processor", "ms", at_0, cpu),
            ("wall, 0 ms a call", "ms", at_0, wall),
            ("wall, 5 ms a call", "ms", at_5, wall),
            ("requests", "", at_0, requests),
        ):
            ours, theirs = figure(runs, LEDA, stage), figure(runs, PUBLISHED, stage)
            places = 1 if unit and ours.median < 100 else 0
            rows.append(
                [
                    stage.title(),
                    f"{what}, {unit}" if unit else what,
                    ours.text(places),
                    theirs.text(places),
                    f"**{ratio(theirs, ours).text(1)}**",
                ]
            )
    return [
        *paragraph(
            f"A batch of {BATCH:,} messages (7 % duplicates, 3 % of the rest newer versions of earlier trades), its "
            "changes, the row of their sums. Medians; the ratio is taken in each repetition."
        ),
        "",
        *table(
            ["stage", "for 1,000 messages", "LEDA", "published", "published / LEDA"], rows, left=2
        ),
    ]


def _shard_lines(at_5: Runs) -> list[str]:
    rows = []
    for stage in STAGES[:2]:
        for design in DESIGNS:
            took = cpu(at_5, design, stage).median, wall(at_5, design, stage).median
            rates = [f"{shard_rate(*took, memory):,.0f}" for memory in MEMORIES]
            rows.append([stage.title(), design.name, *rates])
    columns = [f"{memory:,} MB" for memory in MEMORIES]
    return [
        *paragraph(
            f"Records a second of one shard, from batches of {BATCH:,} at 5 ms a call, one after the other. The "
            "memory's effect is modelled, not measured: Lambda gives processor time in proportion to the memory, a "
            "whole processor at 1,769 MB. Reduce works on sums and has no such limit."
        ),
        "",
        *table(["stage", "design", *columns], rows, left=2),
    ]


def _targets(at_0: Runs, at_5: Runs) -> list[Target]:
    processor = ratio(cpu(at_0, PUBLISHED, "state"), cpu(at_0, LEDA, "state")).median
    clock = ratio(wall(at_5, PUBLISHED, "state"), wall(at_5, LEDA, "state")).median
    calls = requests(at_0, LEDA, "state").median / BATCH
    return [
        Target(
            "State's processor time", "at least 10 times less", f"{processor:.1f}", processor >= 10
        ),
        Target(
            "State's wall time at 5 ms a call",
            "at least 15 times less",
            f"{clock:.1f}",
            clock >= 15,
        ),
        Target("State's requests a message", "at most 0.06", f"{calls:.3f}", calls <= 0.06),
    ]
