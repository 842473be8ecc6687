"""Measures the figures that `leda scale` and `leda cost` otherwise assume, from the logs and the messages of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from leda_cli.models.measured import MEMORY_OF_A_PROCESSOR
from leda_cli.operate.prove.function_logs import Invocation, Log
from leda_cli.operate.prove.proof import Outcome, Single

STAGES = ("state", "map", "reduce")
_ONE_ITEM, _STATEMENTS = ("PutItem",), ("BatchExecuteStatement",)

# State's time per message comes from batches of at least 100 messages, in which the time per invocation matters little,
# and only if the run had at least 3 of them.
_LARGE, _ENOUGH = 100, 3


def figures(
    logs: Mapping[str, Log],
    singles: Sequence[Single],
    windows: Mapping[str, float],
    write_threads: int,
) -> dict[str, float]:
    """The figures of `models.measured.ServiceTimes` that could be measured, by name.

    windows: the deployed batching windows in seconds by stage. write_threads: State's.
    """
    every = [each for log in logs.values() for each in log.invocations]
    warm = [each for each in every if each.init is None]
    alone = [each for each in warm if each.records == 1]
    found: dict[str, float | None] = {
        "call_ms": _of_requests(every, _ONE_ITEM),
        "statements_ms": _of_requests(every, _STATEMENTS),
        "invocation_cpu_ms": _median([_cpu(each, each.waiting) for each in alone]),
    }
    own = found["invocation_cpu_ms"] or 0.0
    large = [
        (_cpu(each, each.waiting / write_threads) - own) / each.records * 1000
        for each in (logs["state"].invocations if "state" in logs else ())
        if each.records >= _LARGE and each.init is None
    ]
    found["state_cpu_ms_per_1000"] = _median(large) if len(large) >= _ENOUGH else None
    return {
        name: round(value, 3)
        for name, value in (found | _polls(logs, singles, windows)).items()
        if value is not None and value > 0
    }


def _polls(
    logs: Mapping[str, Log], singles: Sequence[Single], windows: Mapping[str, float]
) -> dict[str, float | None]:
    """Seconds between Lambda's polls: a message that is sent alone waits for half of that on average."""
    took = {stage: _alone_seconds(log) for stage, log in logs.items()}
    if not singles or any(took.get(stage) is None for stage in STAGES):
        return {}
    state, mapped, reduced = (took[stage] or 0.0 for stage in STAGES)
    to_state = median(each.to_state for each in singles) - state - windows["state"]
    to_totals = median(each.to_totals for each in singles) - mapped - reduced
    to_totals -= windows["map"] + windows["reduce"]
    # Two polls of half an interval each on the way from StateTable to the totals.
    return {"kinesis_poll_seconds": 2 * to_state, "dynamodb_poll_seconds": to_totals}


def _alone_seconds(log: Log) -> float | None:
    found = _median([each.duration for each in log.invocations if each.records == 1])
    return None if found is None else found / 1000


def _of_requests(invocations: Sequence[Invocation], operations: Sequence[str]) -> float | None:
    """Milliseconds of a request: the median of the invocations' averages."""
    return _median(
        [
            each.requests[name][1] / each.requests[name][0]
            for each in invocations
            for name in operations
            if name in each.requests and each.requests[name][0]
        ]
    )


def _cpu(invocation: Invocation, waiting: float) -> float:
    """Milliseconds on a whole processor: a function's memory decides which share of a processor it has."""
    share = min(1.0, invocation.memory / MEMORY_OF_A_PROCESSOR)
    return (invocation.duration - waiting) * share


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def observations(
    logs: Mapping[str, Log], singles: Sequence[Single], burst: Outcome
) -> dict[str, Any]:
    """Further measurements for the report: by stage, of the messages sent one by one, and of the burst."""
    stages = {}
    for stage in STAGES:
        found = logs[stage].invocations if stage in logs else []
        if not found:
            continue
        cold = [each.init for each in found if each.init is not None]
        stages[stage] = {
            "invocations": len(found),
            "records": sum(each.records for each in found),
            "largest_batch": max(each.records for each in found),
            "duration_p50_ms": round(median(each.duration for each in found), 1),
            "duration_p95_ms": round(percentile([each.duration for each in found], 0.95), 1),
            "cold_starts": len(cold),
            "cold_start_p50_ms": round(median(cold), 1) if cold else None,
        }
    lags = logs["reduce"].lags if "reduce" in logs else []
    return {
        "stages": stages,
        "to_state_p50_seconds": round(median(each.to_state for each in singles), 3),
        "to_totals_p50_seconds": round(median(each.to_totals for each in singles), 3),
        "burst_exact_after_seconds": round(burst.seconds, 2),
        "lag_p50_ms": round(median(lags)) if lags else None,
        "lag_p95_ms": round(percentile(lags, 0.95)) if lags else None,
    }
