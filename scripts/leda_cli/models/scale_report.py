"""Writes docs/scaling.md and its chart: latencies from 1,000 to 1,000,000 messages a second, and limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from leda_cli.base.operations import Advance
from leda_cli.models import measured
from leda_cli.models.cost_model import rounded_up
from leda_cli.models.limits import TARGET, breaking_rate, limits, of_the_pipeline, tightest
from leda_cli.models.load_model import (
    NEW_TABLE_READ_UNITS,
    NEW_TABLE_WRITE_UNITS,
    Load,
    Settings,
    Workload,
    load,
)
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.profiles import (
    DEFAULTS,
    FOR_1K,
    FOR_1M,
    FOR_50K,
    FOR_MANY_TOTALS,
    FRESHNESS_SECONDS,
    PROFILES,
    Played,
    Profile,
    played,
)
from leda_cli.models.scaling import Play
from leda_cli.models.svg import Axis, Point, line_chart

RATES = (1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2.5e5, 5e5, 1e6)
HIERARCHIES = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
LANES = (1, 4, 16, 32)
# The rate that FOR_MANY_TOTALS is for, by hierarchy.
MANY_TOTALS = {(10, 10, 9): 250e3, (20, 20, 24): 250e3, (20, 20, 250): 100e3}
TIMES_AS_LONG = (1, 2, 4)
COMMAND = "leda scale --report docs/scaling.md"
LATENCY_PLOT = "scaling-latency.svg"

_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_TABLE_QUOTA, _TABLE_QUOTA_PAGE = 40_000, f"{_DYNAMODB}ServiceQuotas.html"
_CONCURRENCY_QUOTA = 1000
_CONCURRENCY_PAGE = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_SHARD_QUOTA = 1000
_SHARD_PAGE = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"


def write(
    page: Path, workload: Workload, times: ServiceTimes, play: Play, advance: Advance
) -> list[Path]:
    """Write the page and its chart; returns their paths."""
    advance(0, total=len(PROFILES) * len(RATES))
    runs: dict[tuple[str, float], Played] = {}
    for profile in PROFILES:
        for rate in RATES:
            at_rate = replace(workload, rate=rate)
            runs[profile.name, rate] = played(profile, at_rate, times, play)
            advance()
    lines = [
        "# How far LEDA scales",
        "",
        "Written by the command itself; do not edit.",
        "",
        f"    {COMMAND}",
        "",
        *_model(workload, times, play),
        *_latencies(runs),
        *_breaks(workload, times),
        *_hierarchies(workload, times, play),
        *_sensitivity(workload, times, play),
        *_recommended(workload, times),
    ]
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    plot = page.parent / LATENCY_PLOT
    plot.write_text(_latency_plot(runs), encoding="utf-8")
    return [page, plot]


def _model(workload: Workload, times: ServiceTimes, play: Play) -> Iterator[str]:
    yield (
        f"The figures are a model's, and not AWS's. Each run simulates {play.seconds:g} seconds with seed {play.seed}, "
        f"evenly distributed keys, messages of {workload.message_bytes} bytes, {workload.duplicates:.0%} duplicates "
        f"and {workload.nodes} totals. `leda_cli/models/scaling.py` simulates shards, windows, polls, executions, "
        "requests and partitions, and says what it leaves out. `leda_cli/models/limits.py` computes how much of each "
        "limit a rate uses, with the page that states the limit. Tests compare the two with each other, and with the "
        "queue M/D/1. A latency is the time from a message's arrival until it is in the totals."
    )
    yield ""
    yield from measured.lines(times, "leda scale")


def _latencies(runs: dict[tuple[str, float], Played]) -> Iterator[str]:
    yield "## Latency by rate"
    yield ""
    yield "Latencies in seconds: p50 / p95 / p99. The settings of each column are below."
    yield ""
    yield f"![99 % of the messages are faster]({LATENCY_PLOT})"
    yield ""
    names = list(dict.fromkeys(name for name, _ in runs))
    yield f"| messages/s | {' | '.join(names)} |"
    yield f"|---:|{'---|' * len(names)}"
    for rate in RATES:
        yield f"| {rate:,.0f} | {' | '.join(_cell(runs[name, rate]) for name in names)} |"
    yield ""


def _cell(run: Played) -> str:
    if run.outcome.fell_behind:
        return "falls behind"
    times = " / ".join(f"{run.outcome.percentile(share):.1f}" for share in (0.5, 0.95, 0.99))
    return times if run.verdict == "holds" else f"{times}, {run.verdict}"


def _breaks(workload: Workload, times: ServiceTimes) -> Iterator[str]:
    yield "## The first limit"
    yield ""
    yield "The rate at which a limit of AWS is used up first (by the utilisation law), and what raises that limit."
    yield ""
    yield "| settings | messages/s | the limit | what to do |"
    yield "|---|---:|---|---|"
    for profile in PROFILES:
        rate, limit = breaking_rate(workload, profile.settings, times)
        yield (f"| {profile.name} | {rate:,.0f} | [{limit.name}]({limit.page}) | {limit.remedy} |")
    yield ""
    at = {profile.name: _at(profile, workload, times) for profile in RECOMMENDED}
    yield "How much of each limit the three recommended settings use at their rate:"
    yield ""
    yield f"| limit | {' | '.join(at)} | at most |"
    yield f"|---|{'---:|' * len(at)}---:|"
    columns = [limits(found) for found in at.values()]
    for row in zip(*columns, strict=True):
        used = " | ".join(f"{limit.used:.0%}" for limit in row)
        yield f"| [{row[0].name}]({row[0].page}) | {used} | {TARGET:.0%} |"
    yield ""


RECOMMENDED = (FOR_1K, FOR_50K, FOR_1M)
_RATES = {FOR_1K.name: 1e3, FOR_50K.name: 5e4, FOR_1M.name: 1e6}


def _at(profile: Profile, workload: Workload, times: ServiceTimes) -> Load:
    return load(replace(workload, rate=_RATES[profile.name]), profile.settings, times)


def _hierarchies(workload: Workload, times: ServiceTimes, play: Play) -> Iterator[str]:
    yield "## Many totals"
    yield ""
    yield (
        "The rate at which the first limit of the pipeline itself is used up, by the number of totals and of lanes, "
        f"with the other settings of the profile {FOR_MANY_TOTALS.name!r} below. Limits that an account can raise are "
        "left out: those of the ingest stream, of StateTable, of the tables' warm throughput, and quotas. A lane is a "
        "partition key of ReduceTable. Because of the table's local index, one partition holds all rows of a lane, so "
        "Map may write 1,000 units a second into a lane. DynamoDB moves partition keys with much traffic to "
        f"partitions of their own ([page]({_DYNAMODB}burst-adaptive-capacity.html)); the model assumes that it has "
        "done so."
    )
    yield ""
    yield "| totals | " + " | ".join(f"`reduce_lanes` = {lanes}" for lanes in LANES) + " |"
    yield f"|---:|{'---|' * len(LANES)}"
    for hierarchy in HIERARCHIES:
        deep = replace(workload, hierarchy=hierarchy)
        cells = []
        for lanes in LANES:
            settings = replace(FOR_MANY_TOTALS.settings, reduce_lanes=lanes)
            rate, limit = breaking_rate(deep, settings, times, of_the_pipeline)
            cells.append(f"{rate:,.0f}/s: {limit.name}")
        yield f"| {deep.nodes:,} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"The latency (p50 / p95 / p99 in seconds) with {FOR_MANY_TOTALS.settings.reduce_lanes} lanes, at the rates "
        "that the profile is for, and the limit of which most is used."
    )
    yield ""
    yield "| totals | messages/s | latency | limit | used |"
    yield "|---:|---:|---|---|---:|"
    for hierarchy, rate in MANY_TOTALS.items():
        deep = replace(workload, hierarchy=hierarchy, rate=rate)
        limit = tightest(load(deep, FOR_MANY_TOTALS.settings, times))
        latency = _cell(played(FOR_MANY_TOTALS, deep, times, play))
        yield f"| {deep.nodes:,} | {rate:,.0f} | {latency} | {limit.name} | {limit.used:.0%} |"
    yield ""


def _sensitivity(workload: Workload, times: ServiceTimes, play: Play) -> Iterator[str]:
    yield "## If requests take longer"
    yield ""
    yield (
        "The time of a request has not been measured on AWS. The table shows the latencies (p50 / p95 / p99 in "
        "seconds) at the rate that the settings are for, if a request takes "
        f"{times.call_ms:g} ms ({times.statements_ms:g} ms with 25 statements), and if it takes several times as long."
    )
    yield ""
    yield f"| settings | {' | '.join(f'{factor} times' for factor in TIMES_AS_LONG)} |"
    yield f"|---|{'---|' * len(TIMES_AS_LONG)}"
    cases = [(profile, replace(workload, rate=_RATES[profile.name])) for profile in RECOMMENDED]
    cases += [
        (FOR_MANY_TOTALS, replace(workload, hierarchy=hierarchy, rate=rate))
        for hierarchy, rate in MANY_TOTALS.items()
    ]
    for profile, at_rate in cases:
        cells = [
            _cell(
                played(
                    profile,
                    at_rate,
                    replace(
                        times,
                        call_ms=factor * times.call_ms,
                        statements_ms=factor * times.statements_ms,
                    ),
                    play,
                )
            )
            for factor in TIMES_AS_LONG
        ]
        name = profile.name + ("" if profile is not FOR_MANY_TOTALS else f": {at_rate.nodes:,}")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _recommended(workload: Workload, times: ServiceTimes) -> Iterator[str]:
    yield "## What to set"
    yield ""
    for profile in RECOMMENDED:
        rate = _RATES[profile.name]
        yield f"### {rate:,.0f} messages/s"
        yield ""
        if profile is FOR_50K:
            yield "This is [examples/high-throughput](../examples/high-throughput)."
            yield ""
        yield from _terraform(profile.settings)
        yield from _before_the_load([_at(profile, workload, times)])
    yield "### Many totals: 250,000 messages/s with 10,020 totals, 100,000 with 100,420"
    yield ""
    yield from _terraform(FOR_MANY_TOTALS.settings)
    yield from _before_the_load(
        [
            load(replace(workload, hierarchy=hierarchy, rate=rate), FOR_MANY_TOTALS.settings, times)
            for hierarchy, rate in MANY_TOTALS.items()
        ]
    )
    yield (
        f"With `shard_count = null` (on demand) the stream takes 4 MB/s at first, and more as the load grows "
        f"([page]({_SHARD_PAGE})); a load that begins suddenly needs a number of shards. The defaults suffice up to "
        f"{breaking_rate(workload, DEFAULTS.settings, times)[0]:,.0f} messages/s, as a new table takes "
        f"{NEW_TABLE_WRITE_UNITS:,} write units a second."
    )


def _terraform(settings: Settings) -> Iterator[str]:
    default = Settings()
    yield "```hcl"
    yield f"shard_count = {settings.shard_count or 'null'}"
    for stage in ("state", "map", "reduce"):
        old = default.of_function(stage)
        changed = [
            f"{name} = {value:g}"
            for name, value in settings.of_function(stage).items()
            if value != old[name]
        ]
        if changed:
            yield f"{stage}_function = {{ {', '.join(changed)} }}"
    if settings.reduce_lanes != default.reduce_lanes:
        yield f"reduce_lanes = {settings.reduce_lanes}"
    yield "```"
    yield ""


def _before_the_load(found: Sequence[Load]) -> Iterator[str]:
    """The steps for loads with the same settings."""
    settings = found[0].settings
    running = max(math.ceil(each.executions) for each in found)
    steps = []
    for table, reads, writes in (
        ("StateTable", settings.warm_read_units, settings.warm_write_units),
        ("ReduceTable", NEW_TABLE_READ_UNITS, settings.warm_delta_units),
        ("AggregateTable", NEW_TABLE_READ_UNITS, settings.warm_total_units),
    ):
        if writes > NEW_TABLE_WRITE_UNITS:
            steps.append(
                f"warm {table}: `aws dynamodb update-table --table-name {table} --warm-throughput "
                f"ReadUnitsPerSecond={reads},WriteUnitsPerSecond={writes}` ([page]({_DYNAMODB}warm-throughput.html))"
            )
        if writes > _TABLE_QUOTA:
            steps.append(
                f"raise DynamoDB's quota of a table's write units from {_TABLE_QUOTA:,} to "
                f"{rounded_up(writes, 10_000):,} for {table} ([page]({_TABLE_QUOTA_PAGE}))"
            )
    steps.append(
        f"Lambda runs {running} of LEDA's executions at once on average"
        + (
            f": raise the quota of {_CONCURRENCY_QUOTA:,} ([page]({_CONCURRENCY_PAGE}))"
            if running > _CONCURRENCY_QUOTA / 2
            else f"; the quota of {_CONCURRENCY_QUOTA:,} is enough ([page]({_CONCURRENCY_PAGE}))"
        )
    )
    if settings.shard_count and settings.shard_count > _SHARD_QUOTA / 10:
        steps.append(
            f"see that the account may have {settings.shard_count:,} shards a pipeline; the quota is "
            f"{_SHARD_QUOTA:,} in most Regions ([page]({_SHARD_PAGE}))"
        )
    yield "Before the load:"
    yield ""
    for step in steps:
        yield f"- {step}"
    yield ""


def _latency_plot(runs: dict[tuple[str, float], Played]) -> str:
    series: dict[str, list[Point]] = {}
    for (name, rate), run in runs.items():
        is_steady = not run.outcome.fell_behind
        value = run.outcome.percentile(0.99) if is_steady else None
        series.setdefault(name, []).append((rate, value))
    for points in series.values():
        # The first cross says that the settings break; further crosses would add nothing.
        first = next((place for place, point in enumerate(points) if point[1] is None), None)
        if first is not None:
            del points[first + 1 :]
    return line_chart(
        "p99 of the latency; a cross: it falls behind",
        Axis("messages/s", RATES[0], RATES[-1]),
        Axis(f"seconds (goal: {FRESHNESS_SECONDS})", 1, 100),
        series,
    )
