"""One plan from its first message to the comparison of every total."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import warnings
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from unittest import mock

from simulation.pipeline import Pipeline
from simulation.plans import Plan
from simulation.world import Endless, World

# Set before the functions' modules are imported: what they log and measure is not looked at here.
QUIET = {
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_SERVICE_NAME": "simulation",
    "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
    "AWS_LAMBDA_FUNCTION_NAME": "simulation",
}


@dataclass
class Result:
    """What became of a plan. `differences` are the wrong totals: what each must be, and what it is."""

    seed: int
    differences: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    lost: int = 0
    """Bad messages that are in no total and not in quarantine."""
    endless: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    struck: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Virtual time."""
    trace: str = ""
    """A digest of everything that happened, in order."""

    @property
    def wrong(self) -> bool:
        """Whether anything is not as it must be."""
        return bool(self.differences or self.lost or self.endless)

    @property
    def error(self) -> float:
        """The largest error of a total, as a share of the largest total among the wrong ones."""
        error = max((abs(found - must) for must, found in self.differences.values()), default=0)
        largest = max((abs(must) for must, _ in self.differences.values()), default=0)
        return float(error / largest) if largest else float(bool(error))


def run(plan: Plan, subject: str = "LEDA") -> Result:
    """Play the plan to its end: the faults stop, everything is delivered, what State gave up is put back."""
    world = World(plan.seed)
    result = Result(plan.seed)
    # Jitter is drawn from the module's generator.
    random.seed(plan.seed)
    with (
        mock.patch.dict(os.environ, QUIET),
        warnings.catch_warnings(),
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),  # where metrics go
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            with world.installed(), Pipeline.installed(plan):
                pipeline = Pipeline(world, plan, subject)
                try:
                    _play(world, pipeline)
                except Endless:
                    result.endless = True
        finally:
            logging.disable(logging.NOTSET)
    result.counts = pipeline.counts
    result.struck = pipeline.weather.struck
    result.seconds = world.now
    result.differences = pipeline.differences()
    result.lost = pipeline.missing_from_quarantine() if subject == "LEDA" else 0
    result.trace = hashlib.sha256(
        repr((world.now, world.events, sorted(pipeline.counts.items()), result.struck)).encode()
    ).hexdigest()[:16]
    return result


def _play(world: World, pipeline: Pipeline) -> None:
    plan = pipeline.plan
    end = max([put.at for put in plan.puts] + [d.at for d in plan.disturbances], default=0.0)
    for put in plan.puts:
        world.at(put.at, lambda put=put: pipeline.put(put.key, put.data))  # type: ignore[misc]
    for disturbance in plan.disturbances:
        world.at(disturbance.at, lambda one=disturbance: pipeline.disturb(one))  # type: ignore[misc]

    def calm_down() -> None:
        pipeline.weather.calm = True
        for mapping in pipeline.mappings.values():
            mapping.tumbling_window = mapping.settings.tumbling_window

    # The trouble goes on for a while after the last message.
    world.at(end + 60, calm_down)
    world.run()
    pipeline.redrive()
    world.run()
