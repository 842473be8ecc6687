"""docs/cost.md: bills at several rates, what they depend on, and the write units behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leda_cli.base.operations import Advance
from leda_cli.models.cost_model import (
    Choice,
    bill,
    cheapest,
    provisioned_dollars,
    shards_needed,
    slowest_seconds,
)
from leda_cli.models.limits import tightest
from leda_cli.models.load_model import Load, Settings, Workload, load
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.pages import page, rows
from leda_cli.models.pipeline_units import (
    ENVIRONMENTS,
    Mix,
    all_mixes,
    compare,
    state_units_of_a_message,
    where,
)
from leda_cli.models.pipeline_units import markdown as units
from leda_cli.models.prices import SECONDS_OF_A_MONTH, Prices

RATES = (1, 100, 1_000, 50_000, 1_000_000)
LATENCIES = (3, 10, 60)
# 18 totals, about 1,000, 10,000 and 100,000.
HIERARCHIES = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
TRADES = (10_000, 100_000, 1_000_000, 10_000_000)
UNITS_TARGET, TARGET_DUPLICATES = 1.08, 0.07
# Records of a batch of State and of Map, delta rows of a batch of Reduce.
UNITS_BATCHES = ((1000, 1), (1000, 10), (10_000, 1))

Choices = dict[tuple[float, float], Choice | None]
"""The cheapest settings by messages a second and seconds."""


def markdown(workload: Workload, prices: Prices, times: ServiceTimes, advance: Advance) -> str:
    """The page. Takes a minute or two of processor time: the units come from running LEDA's code."""
    mixes = all_mixes()
    advance(0, total=len(RATES) * len(LATENCIES) + len(mixes))
    choices: Choices = {}
    for rate in RATES:
        for latency in LATENCIES:
            at_rate = replace(workload, rate=float(rate))
            choices[rate, latency] = cheapest(at_rate, prices, times, latency)
            advance()
    comparisons = []
    for comparison in compare(mixes):
        comparisons.append(comparison)
        advance()
    found = load(replace(workload, rate=1000.0), Settings(), times)
    written = (line.dollars for line in bill(found, prices).lines if line.unit == "write units")
    near = "the batch of their original"
    return page(
        "cost_report.md",
        times,
        workload=workload,
        prices=prices,
        where=near if workload.near else "a later batch than their original",
        bills=rows(_bills(workload, prices, times, choices)),
        on_demand=_money(sum(written)),
        provisioned=_money(provisioned_dollars(found, prices)),
        settings=rows(_settings(choices)),
        dependence=rows(_dependence(workload, prices, times)),
        units="\n".join(units(comparisons)),
        target=UNITS_TARGET,
        duplicates=TARGET_DUPLICATES,
        state_alone=1 + TARGET_DUPLICATES / (1 - TARGET_DUPLICATES),
        targets=rows(_targets()),
        dearer=sum(each.leda.per_unique() > each.published.per_unique() for each in comparisons),
        mixes=len(comparisons),
        state_units=rows(
            (name, f"{writes:.2f}", f"{reads:.2f}")
            for name, (writes, reads) in state_units_of_a_message().items()
        ),
        sources=rows(prices.sources.items()),
    )


def _bills(
    workload: Workload, prices: Prices, times: ServiceTimes, choices: Choices
) -> Iterator[list[object]]:
    for rate in RATES:
        found = load(replace(workload, rate=float(rate)), Settings(), times)
        limit = tightest(found)
        name = "defaults" if limit.strain <= 1 else f"defaults: too small ({limit.name})"
        yield _bill(rate, name, found, Choice(found.settings, found, bill(found, prices)))
        for latency in LATENCIES:
            name = f"cheapest for {latency} s"
            choice = choices[rate, latency]
            yield (
                _bill(rate, name, choice.load, choice)
                if choice
                else [f"{rate:,}", name, "none found", *[""] * 8]
            )


def _bill(rate: float, name: str, found: Load, choice: Choice) -> list[object]:
    services = choice.bill.by_service()
    million = choice.dollars / (rate * SECONDS_OF_A_MONTH / 1e6)
    return [
        f"{rate:,}",
        name,
        choice.pipelines,
        *(
            _money(services[service] * choice.pipelines)
            for service in ("Kinesis", "Lambda", "DynamoDB", "CloudWatch")
        ),
        f"**{_money(choice.dollars)}**",
        f"${million:,.2f}",
        f"{choice.bill.write_units:.3f}",
        f"{slowest_seconds(found):.1f} s",
    ]


def _money(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars < 1000 else f"${dollars:,.0f}"


def _settings(choices: Choices) -> Iterator[list[object]]:
    for (rate, latency), choice in choices.items():
        if choice is None:
            continue
        settings = choice.settings
        windows = (settings.state_window, settings.map_window, settings.reduce_window)
        memories = (settings.state_memory, settings.map_memory, settings.reduce_memory)
        warm = (settings.warm_write_units, settings.warm_delta_units, settings.warm_total_units)
        yield [
            f"{rate:,}",
            f"{latency} s",
            choice.pipelines,
            settings.shard_count or "null",
            ", ".join(f"{window:g}" for window in windows),
            ", ".join(map(str, memories)),
            settings.reduce_lanes,
            ", ".join(f"{units:,}" for units in warm),
            f"{settings.concurrency:,}",
        ]


def _dependence(
    workload: Workload, prices: Prices, times: ServiceTimes
) -> Iterator[tuple[str, ...]]:
    settings = Settings(
        map_window=5.0, reduce_window=1.0, map_batch_size=10_000, reduce_batch_size=10_000
    )
    for name, case in _cases(replace(workload, rate=1000.0)):
        sized = replace(settings, shard_count=shards_needed(case))
        monthly = bill(load(case, sized, times), prices)
        yield name, _money(monthly.dollars), f"{monthly.write_units:.3f}"


def _cases(base: Workload) -> Iterator[tuple[str, Workload]]:
    for hierarchy in HIERARCHIES:
        case = replace(base, hierarchy=hierarchy)
        yield f"{case.nodes:,} totals", case
    for trades in TRADES:
        yield f"{trades:,} trades kept", replace(base, trades=trades)
    for size in (250, 900, 2000):
        yield f"messages of {size:,} bytes", replace(base, message_bytes=size)
    for share, near in ((0.0, False), (0.07, False), (0.07, True), (0.3, False), (0.3, True)):
        name = f"{share:.0%} duplicates, in {'the same' if near else 'another'} batch"
        yield name, replace(base, duplicates=share, near=near)
    for share in (0.0, 0.5):
        yield f"{share:.0%} modifications", replace(base, modifications=share)


def _targets() -> Iterator[list[object]]:
    mixes = [
        Mix(TARGET_DUPLICATES, 0, batch, near, deltas, environments=environments)
        for near, environments in ((True, 1), (False, 1), (False, ENVIRONMENTS))
        for batch, deltas in UNITS_BATCHES
        if batch == 1000 or environments == 1
    ]
    for each in compare(mixes):
        found = each.leda.per_unique()
        verdict = "met" if found <= UNITS_TARGET else "missed"
        yield [
            f"in {where(each.mix)}",
            f"{each.mix.batch:,}",
            each.mix.rows,
            f"{found:.3f}",
            verdict,
        ]
