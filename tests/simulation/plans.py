"""What a seed stands for: messages, settings, how often what fails, and what happens when.

A plan is data, so that a failing one can be made smaller and printed.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from simulation.functions import ERRORS, KILLS, LOST
from simulation.mappings import Settings
from support import trades

CUTS, DOUBLE, ANEW, LATE = "other cuts", "two pollers", "created anew", "late redelivery"
RESHARD, CLOCKS, WINDOW = "resharding", "jumping clocks", "window off and on"

FAMILIES = (ERRORS, LOST, KILLS, CUTS, DOUBLE, ANEW, LATE, RESHARD, CLOCKS, WINDOW)
STAGES = ("state", "map", "reduce")
DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Put:
    """A message that a producer puts: when (seconds), with which partition key."""

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
    """One run. `versions` are what the oracle folds; `puts` are what is sent of them, and more."""

    seed: int
    families: tuple[str, ...]
    versions: tuple[trades.Version, ...]
    puts: tuple[Put, ...]
    shards: int
    partitions: int
    reduce_lanes: int
    small_transactions: bool
    mappings: dict[str, Settings]
    fault_rate: float
    disturbances: tuple[Disturbance, ...]
    spared: frozenset[str] = frozenset()

    def text(self) -> str:
        """The plan as JSON that a person can read."""
        given: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        given["versions"] = len(self.versions)
        given["puts"] = [f"{put.at:.1f} s {put.data.decode()}" for put in self.puts]
        given["mappings"] = {stage: asdict(settings) for stage, settings in self.mappings.items()}
        given["disturbances"] = [f"{d.at:.1f} s {d.kind}: {d.stage}" for d in self.disturbances]
        del given["spared"]
        return json.dumps(given, indent=1)


def plan(seed: int, families: tuple[str, ...] | None = None) -> Plan:
    """The plan of a seed; with `families`, with these kinds of trouble and no others."""
    draw = random.Random(f"plan/{seed}")
    chosen = tuple(family for family in FAMILIES if draw.random() < 0.6)
    if families is not None:
        chosen = families
    sent = trades.versions(draw, trades=draw.choice((1, 4, 10, 20)), each=draw.randint(1, 4))
    # Late redeliveries need hours to be late in.
    span = draw.choice((120.0, 600.0, DAY + 3600)) if LATE in chosen else 120.0
    # One chain of shards is what a mapping without a window needs.
    partitions = 1 if WINDOW in chosen else draw.choice((1, 1, 2, 3))
    return Plan(
        seed=seed,
        families=chosen,
        versions=tuple(sent),
        puts=_puts(draw, sent, span),
        shards=draw.randint(1, 3),
        partitions=partitions,
        reduce_lanes=1 if WINDOW in chosen else draw.choice((1, 1, 3)),
        small_transactions=draw.random() < 0.6,
        mappings=_mappings(draw),
        fault_rate=draw.choice((0.03, 0.1, 0.3)),
        disturbances=_disturbances(draw, chosen, span, partitions),
    )


def _puts(draw: random.Random, sent: list[trades.Version], span: float) -> tuple[Put, ...]:
    puts = []
    for message in trades.burst(draw, sent, bad=draw.choice((0, 1, 3))):
        at = draw.uniform(0, draw.choice((1.0, 60.0, span)))
        puts.append(Put(round(at, 3), f"k{draw.randrange(20)}", message))
    return tuple(sorted(puts, key=lambda put: put.at))


def _mappings(draw: random.Random) -> dict[str, Settings]:
    state = Settings(
        batch_size=draw.choice((1, 5, 25, 100)),
        batching_window=draw.choice((0.0, 0.0, 2.0)),
        parallelization_factor=draw.choice((1, 1, 2, 4)),
        maximum_retries=draw.choice((0, 2, 10, -1)),
        maximum_record_age=draw.choice((60.0, 600.0, -1.0, -1.0)),
        bisect=draw.random() < 0.5,
    )
    return {"state": state} | {
        stage: Settings(
            batch_size=draw.choice((1, 4, 10, 100)),
            batching_window=draw.choice((0.0, 0.0, 1.0)),
            tumbling_window=True,
        )
        for stage in ("map", "reduce")
    }


def _disturbances(
    draw: random.Random, families: tuple[str, ...], span: float, partitions: int
) -> tuple[Disturbance, ...]:
    found = []

    def add(kind: str, stages: tuple[str, ...] = STAGES, most: int = 3) -> None:
        for _ in range(draw.randint(1, most)):
            at = draw.choice((draw.uniform(0, 60), draw.uniform(0, span)))
            stage = draw.choice(stages)
            found.append(Disturbance(round(at, 3), kind, stage, draw.getrandbits(32)))

    if KILLS in families:
        add("deployment")
    if CUTS in families:
        add("restart", most=6)
    if DOUBLE in families:
        add("double", most=4)
    if ANEW in families:
        add("create anew")
    if LATE in families:
        add("redeliver", most=8)
    if RESHARD in families:
        add("split", ("state",))
        add("merge", ("state",))
        add("roll", ("map", "reduce"))
        if partitions > 1:
            add("split", ("map",), most=1)
    if CLOCKS in families:
        add("clock")
    if WINDOW in families:
        add("window", ("map", "reduce"), most=6)
    return tuple(sorted(found, key=lambda disturbance: disturbance.at))


def without(given: Plan, **changes: Any) -> Plan:
    """The plan with other parts; what the oracle folds follows what is put."""
    changed = replace(given, **changes)
    if "puts" in changes:
        kept = {put.data for put in changed.puts}
        versions = tuple(v for v in given.versions if v.message() in kept)
        changed = replace(changed, versions=versions)
    return changed
