"""Reducing a plan that fails to a small one that still fails, by leaving parts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from simulation.mappings import Settings
from simulation.plans import Plan
from simulation.runs import Result

_T = TypeVar("_T")


def shrink(
    plan: Plan, fails: Callable[[Plan], Result | None], tries: int = 400
) -> tuple[Plan, Result]:
    """Return the smallest failing plan found in `tries` tries, and its result. `fails` returns None if a plan is right.

    A plan with a wrong total is not reduced to a plan that does not end, and not the other way round.
    """
    result = fails(plan)
    assert result, "only a plan that fails can be made smaller"
    left = tries
    progress = True
    while progress and left > 0:
        progress = False
        for smaller in _smaller(plan, result):
            left -= 1
            found = fails(smaller)
            if found and bool(found.broken) == bool(result.broken):
                plan, result, progress = smaller, found, True
                break
            if left <= 0:
                break
    return plan, result


def _smaller(plan: Plan, result: Result) -> Iterator[Plan]:
    """Smaller plans, those with the largest reductions first."""
    for puts in _fewer(plan.puts):
        yield replace(plan, puts=puts)
    for disturbances in _fewer(plan.disturbances):
        yield replace(plan, disturbances=disturbances)
    struck = [fault for fault in result.struck if fault not in plan.spared]
    for kept in _fewer(struck):
        yield replace(plan, spared=plan.spared | (set(struck) - set(kept)))
    for stage, shards in plan.shards.items():
        if shards > 1:
            yield replace(plan, shards={**plan.shards, stage: 1})
    if plan.small_transactions:
        yield replace(plan, small_transactions=False)
    plain = {
        stage: Settings(batch_size=settings.batch_size, tumbling_window=settings.tumbling_window)
        for stage, settings in plan.mappings.items()
    }
    if plain != plan.mappings:
        yield replace(plan, mappings=plain)


def _fewer(parts: Sequence[_T]) -> Iterator[tuple[_T, ...]]:
    """The parts without one half, one quarter, and so on, and at last without each single part."""
    size = len(parts)
    while size > 1:
        size = (size + 1) // 2
        for start in range(0, len(parts), size):
            yield (*parts[:start], *parts[start + size :])
    if len(parts) == 1:
        yield ()
