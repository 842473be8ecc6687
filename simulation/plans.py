"""The plan that a seed gives: messages, settings, the rate of faults, and disturbances with their times.

A plan is data, so a failing plan can be made smaller and printed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from leda_cli.memory_dynamodb.partitions import UNIT_BYTES, UNITS_PER_SECOND
from simulation.functions import ERRORS, KILLS, LOST
from simulation.mappings import Settings

CUTS, DOUBLE, RECREATED, LATE = "other cuts", "two pollers", "created again", "late redelivery"
RESHARD, CLOCKS = "resharding", "jumping clocks"
LOSS, STREAMS = "loss and rebuild", "streams replaced"
SETTINGS, OFF, EXPIRY = "changed settings", "mappings off and on", "time to live"
NARROW = "narrow partitions"
CHANGES = "changed configurations"

COMMON = (ERRORS, LOST, KILLS, CUTS, DOUBLE, RECREATED, LATE, RESHARD, CLOCKS)
"""The kinds of trouble of every system."""
DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Put:
    """A write into the system: its time (seconds), key and data."""

    at: float
    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Disturbance:
    """An event that concerns a stage's mapping, stream or environments. `draw` seeds its details."""

    at: float
    kind: str
    stage: str
    draw: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of a system. `shards` has the first number of shards of each stage's stream."""

    system: str
    seed: int
    families: tuple[str, ...]
    puts: tuple[Put, ...]
    shards: Mapping[str, int]
    small_transactions: bool
    mappings: Mapping[str, Settings]
    fault_rate: float
    disturbances: tuple[Disturbance, ...]
    spared: frozenset[str] = frozenset()
    """Single faults that do not strike, in a plan that was made smaller."""
    lanes: int = 1
    """Map's number of lanes at the beginning."""
    rising_numbers: bool = True
    """Whether the sequence numbers of a table's stream rise from a shard to its children."""
    partitions: int = 1
    """The number of partitions of each table."""
    units_per_second: float = UNITS_PER_SECOND
    """A partition's throughput in write units."""
    unit_bytes: int = UNIT_BYTES
    """The bytes of a write unit. A small unit lets small schedules reach a partition's limit."""
    design: Mapping[str, Any] = field(default_factory=dict)
    """The system's own parts that the seed chooses, as JSON values."""

    def text(self) -> str:
        """The plan as JSON that a person can read."""
        given: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        given["puts"] = [
            f"{put.at:.1f} s {put.data.decode() or f'delete {put.key}'}" for put in self.puts
        ]
        given["mappings"] = {stage: asdict(settings) for stage, settings in self.mappings.items()}
        given["disturbances"] = [f"{d.at:.1f} s {d.kind}: {d.stage}" for d in self.disturbances]
        del given["spared"]
        return json.dumps(given, indent=1)


@dataclass(frozen=True, slots=True)
class Frame:
    """The common parts of every system's plan: random numbers, kinds of trouble, and the length in seconds."""

    draw: random.Random
    families: tuple[str, ...]
    span: float

    @classmethod
    def of(
        cls, system: str, seed: int, families: tuple[str, ...] | None, possible: tuple[str, ...]
    ) -> Frame:
        """The frame of a seed, with some of the possible kinds of trouble; with `families`, exactly these."""
        draw = random.Random(f"{system}/{seed}")
        chosen = tuple(family for family in possible if draw.random() < 0.6)
        if families is not None:
            chosen = families
        # Late redeliveries come hours later.
        span = draw.choice((120.0, 600.0, DAY + 3600)) if LATE in chosen else 120.0
        if EXPIRY in chosen:
            # Map's rows expire after two days.
            span = draw.choice((span, 3 * DAY))
        return cls(draw, chosen, span)

    def puts(self, messages: Sequence[tuple[str, bytes]]) -> tuple[Put, ...]:
        """The messages (key, data) with their times, some in a burst, some late."""
        draw, found = self.draw, []
        for key, data in messages:
            at = draw.uniform(0, draw.choice((1.0, 60.0, self.span)))
            found.append(Put(round(at, 3), key, data))
        return tuple(sorted(found, key=lambda put: put.at))

    def fault_rate(self) -> float:
        """The share of calls that have a fault.

        If a third of the calls failed for a day, records would be trimmed before all calls for a new shard succeed.
        """
        return self.draw.choice((0.03, 0.1, 0.3 if self.span < DAY else 0.1))

    def disturbances(
        self, kinesis: Collection[str], dynamodb: Mapping[str, int]
    ) -> tuple[Disturbance, ...]:
        """Disturbances of the stages that read Kinesis or tables' streams; `dynamodb` has these streams' shards."""
        found = list[Disturbance]()
        everywhere = (*kinesis, *dynamodb)

        def add(kind: str, stages: Sequence[str] = everywhere, most: int = 3) -> None:
            found.extend(self.some(kind, stages, most))

        if KILLS in self.families:
            add("deployment")
        if CUTS in self.families:
            add("restart", most=6)
        if DOUBLE in self.families:
            add("double", most=4)
        if RECREATED in self.families:
            add("create again")
        if LATE in self.families:
            add("redeliver", most=8)
        if RESHARD in self.families:
            add("split", tuple(kinesis))
            add("merge", tuple(kinesis))
            add("roll", tuple(dynamodb))
            # A stream that begins with one shard always has one open shard.
            add("split", [stage for stage, shards in dynamodb.items() if shards > 1], most=1)
        if CLOCKS in self.families:
            add("clock")
        return tuple(sorted(found, key=lambda disturbance: disturbance.at))

    def some(self, kind: str, stages: Sequence[str], most: int) -> Iterator[Disturbance]:
        """One to `most` disturbances, each of one of the stages; none without stages."""
        draw = self.draw
        for _ in range(draw.randint(1, most) if stages else 0):
            at = draw.choice((draw.uniform(0, 60), draw.uniform(0, self.span)))
            yield Disturbance(round(at, 3), kind, draw.choice(stages), draw.getrandbits(32))

    def exactly_once(self) -> Settings:
        """Settings that the modules allow for Map and Reduce."""
        return Settings(
            batch_size=self.draw.choice((1, 4, 10, 100)),
            batching_window=self.draw.choice((0.0, 0.0, 1.0)),
            tumbling_window=True,
        )
