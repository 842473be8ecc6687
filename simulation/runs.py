"""Playing one plan, from its first message to the comparison of the totals."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from unittest import mock

from leda.engine import registry
from simulation.group_by import GroupBy
from simulation.pipeline import Pipeline
from simulation.plans import Plan
from simulation.replica import Replica
from simulation.shop import Shop
from simulation.systems import System
from simulation.world import World

# Set before the functions' modules are imported. The simulation does not use logs and metrics.
QUIET = {
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_SERVICE_NAME": "simulation",
    "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
    "AWS_LAMBDA_FUNCTION_NAME": "simulation",
}


SYSTEMS: dict[str, type[System]] = {
    "pipeline": Pipeline,
    "group-by": GroupBy,
    "replica": Replica,
    "shop": Shop,
}


@dataclass
class Result:
    """The result of a plan. `differences` has the wrong totals by name: (expected, found)."""

    seed: int
    differences: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    lost: int = 0
    """The number of bad messages that are missing in quarantine."""
    broken: str = ""
    """Why the run did not end: it was endless, or the code under test raised an unexpected error."""
    counts: Counter[str] = field(default_factory=Counter)
    struck: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Simulated seconds."""
    trace: str = ""
    """A digest of the run: end, number of events, counts and faults."""

    @property
    def wrong(self) -> bool:
        """Whether any total is wrong, a message is lost, or the run did not end."""
        return bool(self.differences or self.lost or self.broken)

    @property
    def error(self) -> float:
        """The largest error of a total, as a share of the largest total among the wrong ones."""
        totals = [
            (must, found)
            for must, found in self.differences.values()
            if isinstance(must, Decimal) and isinstance(found, Decimal)
        ]
        error = max((abs(found - must) for must, found in totals), default=Decimal(0))
        largest = max((abs(must) for must, _ in totals), default=Decimal(0))
        return float(error / largest) if largest else float(bool(error))


def plan(seed: int, families: tuple[str, ...] | None = None, system: str = "pipeline") -> Plan:
    """The plan of a seed; with `families`, with exactly these kinds of trouble."""
    return SYSTEMS[system].plan_of(seed, families)


@contextmanager
def opened(plan: Plan, subject: str = "LEDA") -> Iterator[System]:
    """The plan's system in a new world."""
    world = World(plan.seed)
    # Jitter is drawn from the module's generator.
    random.seed(plan.seed)
    with (
        mock.patch.dict(os.environ, QUIET),
        # A day instead of a minute is the harder case. Not for ever: a closed row of Map, which tells an environment
        # that its assignment is out of date, expires after two days.
        mock.patch.object(registry, "MEMORY_SECONDS", 24 * 3600),
        warnings.catch_warnings(),
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),  # where metrics go
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            kind = SYSTEMS[plan.system]
            with world.installed(), kind.installed(plan):
                yield kind(world, plan, subject)
        finally:
            logging.disable(logging.NOTSET)


def run(plan: Plan, subject: str = "LEDA") -> Result:
    """Play the plan to its end. At last faults stop, all records are delivered, and failed batches are redriven."""
    result = Result(plan.seed)
    with opened(plan, subject) as system:
        try:
            _play(system.world, system)
        except Exception as error:
            result.broken = repr(error)
    world = system.world
    result.counts = system.counts
    result.struck = system.weather.struck
    result.seconds = world.now
    result.differences = system.differences()
    # The published design has no quarantine.
    result.lost = system.lost() if subject == "LEDA" else 0
    result.trace = hashlib.sha256(
        repr((world.now, world.events, sorted(system.counts.items()), result.struck)).encode()
    ).hexdigest()[:16]
    return result


def _play(world: World, system: System) -> None:
    plan = system.plan
    end = max([put.at for put in plan.puts] + [d.at for d in plan.disturbances], default=0.0)
    for put in plan.puts:
        world.at(put.at, partial(system.put, put))
    for disturbance in plan.disturbances:
        world.at(disturbance.at, partial(system.disturb, disturbance))

    def calm_down() -> None:
        system.weather.calm = True

    # Faults go on for a minute after the last event.
    world.at(end + 60, calm_down)
    world.run()
    system.rebuild()
    world.run()
    system.redrive()
    world.run()
