"""The settings that the scaling model simulates: the modules' defaults, and those recommended for four loads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from leda_cli.models.load_model import Settings, Workload
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.scaling import Outcome, Play, simulate

# The modules' default of freshness_seconds.
FRESHNESS_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings with a name."""

    name: str
    settings: Settings


DEFAULTS = Profile("defaults", Settings())
FOR_1K = Profile("for 1 k", Settings(shard_count=2, map_window=1.0))
# examples/high-throughput
FOR_50K = Profile(
    "for 50 k",
    Settings(
        shard_count=72,
        state_batch_size=2000,
        state_memory=1024,
        map_batch_size=10_000,
        map_window=1.0,
        map_memory=1024,
        reduce_window=1.0,
        warm_write_units=80_000,
    ),
)
FOR_1M = Profile(
    "for 1 M",
    replace(
        FOR_50K.settings,
        shard_count=1450,
        map_window=3.0,
        warm_write_units=1_550_000,
        warm_read_units=120_000,
        concurrency=3000,
    ),
)
PROFILES = (DEFAULTS, FOR_1K, FOR_50K, FOR_1M)
# 250,000 messages/s with 1,010 or 10,020 totals, 100,000 with 100,420.
FOR_MANY_TOTALS = Profile(
    "for many totals",
    replace(
        FOR_50K.settings,
        shard_count=360,
        reduce_lanes=32,
        reduce_memory=1024,
        warm_write_units=400_000,
        warm_read_units=36_000,
        warm_delta_units=32_000,
        warm_total_units=80_000,
    ),
)


@dataclass(frozen=True, slots=True)
class Played:
    """A profile at a rate, and the outcome of its simulation."""

    profile: Profile
    rate: float
    outcome: Outcome

    @property
    def verdict(self) -> str:
        """`holds`, or why it does not."""
        if self.outcome.fell_behind:
            return "falls behind"
        if self.outcome.percentile(0.99) > FRESHNESS_SECONDS:
            return "too late"
        return "holds"


def played(profile: Profile, workload: Workload, times: ServiceTimes, play: Play) -> Played:
    """Simulate a pipeline with the profile's settings."""
    outcome = simulate(workload, profile.settings, times, play)
    return Played(profile, workload.rate, outcome)
