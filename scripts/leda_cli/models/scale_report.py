"""Writes docs/scaling.md: latencies from 1,000 to 1,000,000 messages a second, and limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from leda_cli.base.operations import Advance
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
from leda_cli.models.pages import page, rows
from leda_cli.models.profiles import (
    DEFAULTS,
    FOR_1K,
    FOR_1M,
    FOR_50K,
    FOR_MANY_TOTALS,
    PROFILES,
    Played,
    Profile,
    played,
)
from leda_cli.models.scaling import Play

RATES = (1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2.5e5, 5e5, 1e6)
HIERARCHIES = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
LANES = (1, 4, 16, 32)
RECOMMENDED = {FOR_1K: 1e3, FOR_50K: 5e4, FOR_1M: 1e6}
"""The rate that each profile is for."""
# The rate that FOR_MANY_TOTALS is for, by hierarchy.
MANY_TOTALS = {(10, 10, 9): 250e3, (20, 20, 24): 250e3, (20, 20, 250): 100e3}
TIMES_AS_LONG = (1, 2, 4)

_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_TABLE_QUOTA, _TABLE_QUOTA_PAGE = 40_000, f"{_DYNAMODB}ServiceQuotas.html"
_CONCURRENCY_QUOTA = 1000
_CONCURRENCY_PAGE = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_SHARD_QUOTA = 1000
_SHARD_PAGE = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"

Runs = dict[tuple[str, float], Played]
"""The outcomes by the profile's name and messages a second."""


def markdown(workload: Workload, times: ServiceTimes, play: Play, advance: Advance) -> str:
    """The page."""
    advance(0, total=len(PROFILES) * len(RATES))
    runs: Runs = {}
    for profile in PROFILES:
        for rate in RATES:
            at_rate = replace(workload, rate=rate)
            runs[profile.name, rate] = played(profile, at_rate, times, play)
            advance()
    at_rates = {profile: replace(workload, rate=rate) for profile, rate in RECOMMENDED.items()}
    many = [
        replace(workload, hierarchy=hierarchy, rate=rate) for hierarchy, rate in MANY_TOTALS.items()
    ]
    many_loads = [load(each, FOR_MANY_TOTALS.settings, times) for each in many]
    loads = {
        profile: load(at_rate, profile.settings, times) for profile, at_rate in at_rates.items()
    }
    cases = [*at_rates.items(), *((FOR_MANY_TOTALS, each) for each in many)]
    return page(
        "scale_report.md",
        times,
        workload=workload,
        play=play,
        latencies=_latencies(runs),
        breaks=rows(_breaks(workload, times)),
        used=_used(loads),
        many=FOR_MANY_TOTALS,
        dynamodb=_DYNAMODB,
        by_lanes=_by_lanes(workload, times),
        many_latencies=rows(_many_latencies(many_loads, times, play)),
        longer=_longer(cases, times, play),
        recommended="\n\n".join(map(_recommended, loads, loads.values())),
        many_steps=_steps(many_loads),
        shard_page=_SHARD_PAGE,
        default_rate=breaking_rate(workload, DEFAULTS.settings, times)[0],
        new_table=NEW_TABLE_WRITE_UNITS,
    )


def _table(first: str, columns: Sequence[object], align: str, lines: Iterator[list[str]]) -> str:
    """A table whose columns after the `first` are of one kind; `align`: the alignments of the first and the others."""
    of_first, of_others = align.split()
    rule = [of_first, *[of_others] * len(columns)]
    return rows([[first, *columns]]) + f"\n|{'|'.join(rule)}|\n" + rows(lines)


def _latencies(runs: Runs) -> str:
    names = list(dict.fromkeys(name for name, _ in runs))
    lines = ([f"{rate:,.0f}", *(_cell(runs[name, rate]) for name in names)] for rate in RATES)
    return _table("messages/s", names, "---: ---", lines)


def _cell(run: Played) -> str:
    if run.outcome.fell_behind:
        return "falls behind"
    times = " / ".join(f"{run.outcome.percentile(share):.1f}" for share in (0.5, 0.95, 0.99))
    return times if run.verdict == "holds" else f"{times}, {run.verdict}"


def _breaks(workload: Workload, times: ServiceTimes) -> Iterator[tuple[str, ...]]:
    for profile in PROFILES:
        rate, limit = breaking_rate(workload, profile.settings, times)
        yield profile.name, f"{rate:,.0f}", f"[{limit.name}]({limit.page})", limit.remedy


def _used(loads: dict[Profile, Load]) -> str:
    """How much of each limit the loads use."""
    lines = (
        [
            f"[{row[0].name}]({row[0].page})",
            *(f"{limit.used:.0%}" for limit in row),
            f"{TARGET:.0%}",
        ]
        for row in zip(*map(limits, loads.values()), strict=True)
    )
    return _table("limit", [*(each.name for each in loads), "at most"], "--- ---:", lines)


def _by_lanes(workload: Workload, times: ServiceTimes) -> str:
    def lines() -> Iterator[list[str]]:
        for hierarchy in HIERARCHIES:
            deep = replace(workload, hierarchy=hierarchy)
            cells = []
            for lanes in LANES:
                settings = replace(FOR_MANY_TOTALS.settings, reduce_lanes=lanes)
                rate, limit = breaking_rate(deep, settings, times, of_the_pipeline)
                cells.append(f"{rate:,.0f}/s: {limit.name}")
            yield [f"{deep.nodes:,}", *cells]

    return _table("totals", [f"`reduce_lanes` = {lanes}" for lanes in LANES], "---: ---", lines())


def _many_latencies(
    loads: Sequence[Load], times: ServiceTimes, play: Play
) -> Iterator[tuple[str, ...]]:
    for each in loads:
        workload, limit = each.workload, tightest(each)
        latency = _cell(played(FOR_MANY_TOTALS, workload, times, play))
        used = f"{limit.used:.0%}"
        yield f"{workload.nodes:,}", f"{workload.rate:,.0f}", latency, limit.name, used


def _longer(cases: Sequence[tuple[Profile, Workload]], times: ServiceTimes, play: Play) -> str:
    """The latencies of the cases, if requests take several times as long."""

    def lines() -> Iterator[list[str]]:
        slower = [
            replace(
                times, call_ms=factor * times.call_ms, statements_ms=factor * times.statements_ms
            )
            for factor in TIMES_AS_LONG
        ]
        for profile, workload in cases:
            cells = [_cell(played(profile, workload, each, play)) for each in slower]
            name = profile.name + (f": {workload.nodes:,}" if profile is FOR_MANY_TOTALS else "")
            yield [name, *cells]

    return _table("settings", [f"{each} times" for each in TIMES_AS_LONG], "--- ---", lines())


def _recommended(profile: Profile, found: Load) -> str:
    example = "This is [examples/high-throughput](../examples/high-throughput).\n\n"
    more = example if profile is FOR_50K else ""
    return f"### {found.workload.rate:,.0f} messages/s\n\n{more}{_steps([found])}"


def _steps(found: Sequence[Load]) -> str:
    """The settings of loads that have the same ones, and what to do before the loads."""
    settings = found[0].settings
    terraform = "\n".join(_terraform(settings))
    running = max(math.ceil(each.executions) for each in found)
    steps = "\n".join(f"- {step}" for step in _before_the_load(settings, running))
    return f"```hcl\n{terraform}\n```\n\nBefore the load:\n\n{steps}"


def _terraform(settings: Settings) -> Iterator[str]:
    default = Settings()
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


def _before_the_load(settings: Settings, running: int) -> Iterator[str]:
    for table, reads, writes in (
        ("StateTable", settings.warm_read_units, settings.warm_write_units),
        ("ReduceTable", NEW_TABLE_READ_UNITS, settings.warm_delta_units),
        ("AggregateTable", NEW_TABLE_READ_UNITS, settings.warm_total_units),
    ):
        if writes > NEW_TABLE_WRITE_UNITS:
            yield (
                f"warm {table}: `aws dynamodb update-table --table-name {table} --warm-throughput "
                f"ReadUnitsPerSecond={reads},WriteUnitsPerSecond={writes}` ([page]({_DYNAMODB}warm-throughput.html))"
            )
        if writes > _TABLE_QUOTA:
            yield (
                f"raise DynamoDB's quota of a table's write units from {_TABLE_QUOTA:,} to "
                f"{rounded_up(writes, 10_000):,} for {table} ([page]({_TABLE_QUOTA_PAGE}))"
            )
    is_enough = running <= _CONCURRENCY_QUOTA / 2
    quota = f"quota of {_CONCURRENCY_QUOTA:,}"
    yield (
        f"Lambda runs {running} of LEDA's executions at once on average"
        f"{f'; the {quota} is enough' if is_enough else f': raise the {quota}'} ([page]({_CONCURRENCY_PAGE}))"
    )
    if settings.shard_count and settings.shard_count > _SHARD_QUOTA / 10:
        yield (
            f"see that the account may have {settings.shard_count:,} shards a pipeline; the quota is "
            f"{_SHARD_QUOTA:,} in most Regions ([page]({_SHARD_PAGE}))"
        )
