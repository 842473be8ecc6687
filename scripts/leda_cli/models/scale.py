"""`leda scale`: simulates how late totals are at a rate, and says which limit each group of settings meets first."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from leda_cli.base.errors import LedaError
from leda_cli.base.hierarchies import levels_of
from leda_cli.base.operations import JsonOption, Operation
from leda_cli.models.limits import breaking_rate
from leda_cli.models.load_model import Workload
from leda_cli.models.measured import (
    DuplicatesOption,
    HierarchyOption,
    MeasuredOption,
    ServiceTimes,
    service_times,
)
from leda_cli.models.profiles import PROFILES, Played, played
from leda_cli.models.scaling import Play

RATES = "1000,10000,50000,250000,1000000"


def scale(
    rates: Annotated[str, typer.Option(help="Messages a second, separated by commas.")] = RATES,
    hierarchy: HierarchyOption = "2x2x3",
    duplicates: DuplicatesOption = 0.07,
    statements_ms: Annotated[
        float | None, typer.Option(min=1, help="Milliseconds of a request with 25 statements.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    seconds: Annotated[float, typer.Option(min=10, help="Simulated seconds of a run.")] = 60,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the page docs/scaling.md to this file."),
    ] = None,
    measured: MeasuredOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate the pipeline with the recommended settings, and say at which rate each breaks."""
    operation = Operation(as_json)
    times = service_times(measured)
    if statements_ms is not None:
        source = dict.fromkeys(["statements_ms"], "given on the command line")
        times = replace(times, statements_ms=statements_ms, sources={**times.sources, **source})
    play = Play(seed=seed, seconds=seconds)
    workload = Workload(1.0, duplicates=duplicates, hierarchy=levels_of(hierarchy))
    if report is not None:
        from leda_cli.models.scale_report import markdown

        with operation.progress("simulating") as advance:
            text = markdown(workload, times, play, advance)
        report.write_text(text, encoding="utf-8")
        operation.say(f"written: {report}")
        return
    wanted = rates_of(rates)
    operation.heading(f"Simulating {seconds:g} s of each, seed {seed}")
    found: list[Played] = []
    with operation.progress("simulating", total=len(PROFILES) * len(wanted)) as advance:
        for profile in PROFILES:
            for rate in wanted:
                found.append(played(profile, replace(workload, rate=rate), times, play))
                advance()
    if as_json:
        operation.report(_result(found, workload, times), ())
    else:
        _show(operation, found, workload, times)


def rates_of(text: str) -> list[float]:
    """Parse `1000,50000`. Raises LedaError."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise LedaError(f"{text!r} names no rates", "write messages a second, as 1000,50000")
    return found


def seconds_of(value: float) -> str:
    """A latency for people; a dash where no message came through."""
    return "-" if math.isnan(value) else f"{value:.1f} s"


def _show(
    operation: Operation, found: list[Played], workload: Workload, times: ServiceTimes
) -> None:
    table = Table(title="Seconds from a message's arrival until its totals are committed")
    table.add_column("settings")
    for column in ("messages/s", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    table.add_column("")
    for each in found:
        percentiles = [seconds_of(each.outcome.percentile(p)) for p in (0.5, 0.95, 0.99)]
        table.add_row(each.profile.name, f"{each.rate:,.0f}", *percentiles, each.verdict)
    operation.screen.print(table)
    for profile in PROFILES:
        rate, limit = breaking_rate(workload, profile.settings, times)
        operation.say(f"{profile.name}: used up at {rate:,.0f}/s: {limit.name}; {limit.remedy}")
    for name, source in times.sources.items():
        operation.say(f"{name} {times.figures()[name]:g}: {source}")


def _result(found: list[Played], workload: Workload, times: ServiceTimes) -> dict[str, Any]:
    breaks = {}
    for profile in PROFILES:
        rate, limit = breaking_rate(workload, profile.settings, times)
        breaks[profile.name] = {"rate": rate, "limit": limit.name}
    return {
        "runs": [
            {
                "settings": each.profile.name,
                "rate": each.rate,
                # JSON has no NaN.
                **{
                    f"p{share * 100:g}": _number(each.outcome.percentile(share))
                    for share in (0.5, 0.95, 0.99)
                },
                "verdict": each.verdict,
            }
            for each in found
        ],
        "breaks_at": breaks,
        "service_times": times.figures(),
        "service_time_sources": times.sources,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
