"""What a seed stands for: messages, settings, how often what fails, and what happens when.

A plan is data, so that a failing one can be made smaller and printed.
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
"""What can befall any system."""
DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Put:
    """What somebody writes into the system: when (seconds), under which key."""

    at: float
    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that happens to a stage's mapping, stream or environments. `draw` seeds its details."""

    at: float
    kind: str
    stage: str
    draw: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of a system. `shards` has the number of shards that each stage's stream begins with."""

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
    """Faults that do not strike: those that a smaller plan does without."""
    lanes: int = 1
    """How many lanes Map is set to have at first."""
    rising_numbers: bool = True
    """Whether the sequence numbers of a table's stream rise from a shard to its children."""
    partitions: int = 1
    """How many partitions each table has."""
    units_per_second: float = UNITS_PER_SECOND
    """What a partition takes."""
    unit_bytes: int = UNIT_BYTES
    """How many bytes a write unit is for: small schedules meet a partition's limit when it is small, too."""
    design: Mapping[str, Any] = field(default_factory=dict)
    """What the system itself is built of, where that is the seed's choice; values of JSON."""

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
    """What every system's plan begins with: its source of randomness, its troubles, its length in seconds."""

    draw: random.Random
    families: tuple[str, ...]
    span: float

    @classmethod
    def of(
        cls, system: str, seed: int, families: tuple[str, ...] | None, possible: tuple[str, ...]
    ) -> Frame:
        """The frame of a seed: some of the possible kinds of trouble; with `families`, these and no others."""
        draw = random.Random(f"{system}/{seed}")
        chosen = tuple(family for family in possible if draw.random() < 0.6)
        if families is not None:
            chosen = families
        # Late redeliveries need hours to be late in.
        span = draw.choice((120.0, 600.0, DAY + 3600)) if LATE in chosen else 120.0
        if EXPIRY in chosen:
            # Rows live for two days.
            span = draw.choice((span, 3 * DAY))
        return cls(draw, chosen, span)

    def puts(self, messages: Sequence[tuple[str, bytes]]) -> tuple[Put, ...]:
        """The messages (key, data) at times of their own, some in a burst, some late."""
        draw, found = self.draw, []
        for key, data in messages:
            at = draw.uniform(0, draw.choice((1.0, 60.0, self.span)))
            found.append(Put(round(at, 3), key, data))
        return tuple(sorted(found, key=lambda put: put.at))

    def fault_rate(self) -> float:
        """The share of calls that meet a fault.

        Where every third call fails for a day, records are trimmed before the calls that a new shard needs all succeed.
        """
        return self.draw.choice((0.03, 0.1, 0.3 if self.span < DAY else 0.1))

    def disturbances(
        self, kinesis: Collection[str], dynamodb: Mapping[str, int]
    ) -> tuple[Disturbance, ...]:
        """What happens to the stages that read a Kinesis stream, or a table's stream of so many shards."""
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
            # A stream that begins with one shard stays one line of shards.
            add("split", [stage for stage, shards in dynamodb.items() if shards > 1], most=1)
        if CLOCKS in self.families:
            add("clock")
        return tuple(sorted(found, key=lambda disturbance: disturbance.at))

    def some(self, kind: str, stages: Sequence[str], most: int) -> Iterator[Disturbance]:
        """A disturbance of one of the stages, between once and `most` times; at no stage, never."""
        draw = self.draw
        for _ in range(draw.randint(1, most) if stages else 0):
            at = draw.choice((draw.uniform(0, 60), draw.uniform(0, self.span)))
            yield Disturbance(round(at, 3), kind, draw.choice(stages), draw.getrandbits(32))

    def exactly_once(self) -> Settings:
        """Settings that the modules allow a function that applies each record exactly once."""
        return Settings(
            batch_size=self.draw.choice((1, 4, 10, 100)),
            batching_window=self.draw.choice((0.0, 0.0, 1.0)),
            tumbling_window=True,
        )
