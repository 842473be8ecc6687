"""docs/cost.md: bills at several rates, what they depend on, and the write units behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from leda_cli.base.operations import Advance
from leda_cli.models import measured
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
from leda_cli.models.pipeline_units import (
    ENVIRONMENTS,
    Comparison,
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
COMMAND = "leda cost --report docs/cost.md"


def markdown(workload: Workload, prices: Prices, times: ServiceTimes, advance: Advance) -> str:
    """The page. Takes a minute or two of processor time: the units come from running LEDA's code."""
    mixes = all_mixes()
    steps = len(RATES) * len(LATENCIES) + len(mixes)
    advance(0, total=steps)
    choices: dict[tuple[float, float], Choice | None] = {}
    for rate in RATES:
        for latency in LATENCIES:
            at_rate = replace(workload, rate=float(rate))
            choices[rate, latency] = cheapest(at_rate, prices, times, latency)
            advance()
    comparisons = []
    for comparison in compare(mixes):
        comparisons.append(comparison)
        advance()
    lines = [
        "# What LEDA costs",
        "",
        "Written by the command itself; do not edit.",
        "",
        f"    {COMMAND}",
        "",
        *_assumptions(workload, prices),
        *_bills(workload, prices, times, choices),
        *_settings(choices),
        *_dependence(workload, prices, times),
        *_units(comparisons),
        *_sources(prices, times),
    ]
    return "\n".join(lines) + "\n"


def _assumptions(workload: Workload, prices: Prices) -> Iterator[str]:
    where = "the batch of their original" if workload.near else "a later batch than their original"
    yield (
        f"Figures are US dollars a month (730 hours) in {prices.name}, at list prices and a steady rate. "
        f"Messages of {workload.message_bytes} bytes, {workload.duplicates:.0%} of them duplicates that reach {where}; "
        f"of the rest {workload.modifications:.0%} change earlier trades; {workload.nodes} totals; "
        f"{workload.trades:,} trades kept; the ingest stream keeps a week. `leda cost --help` lists what can be "
        "changed; `leda cost` shows each line of a bill."
    )
    yield ""


def _bills(
    workload: Workload,
    prices: Prices,
    times: ServiceTimes,
    choices: dict[tuple[float, float], Choice | None],
) -> Iterator[str]:
    yield "## The bill"
    yield ""
    yield (
        "In the rows named *defaults*, all settings are the modules' defaults. The other rows have the cheapest "
        "settings with which a message is in the totals after at most the named time, and with which no limit of AWS "
        "is used beyond what `leda scale` recommends. Where the table says 2 pipelines, one cannot take the rate, and "
        "the trades are divided between pipelines with a `name_prefix` each. *At most* is the longest latency."
    )
    yield ""
    yield (
        "| messages/s | settings | pipelines | Kinesis | Lambda | DynamoDB | CloudWatch | **a month** | "
        "a million messages | write units a unique message | at most |"
    )
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for rate in RATES:
        found = load(replace(workload, rate=float(rate)), Settings(), times)
        limit = tightest(found)
        monthly = bill(found, prices)
        name = "defaults" if limit.strain <= 1 else f"defaults: too small ({limit.name})"
        yield _bill_row(rate, name, 1, monthly.by_service(), monthly.write_units, found)
        for latency in LATENCIES:
            choice = choices[rate, latency]
            name = f"cheapest for {latency} s"
            if choice is None:
                yield f"| {rate:,} | {name} | none found | | | | | | | | |"
                continue
            services = choice.bill.by_service()
            units_each = choice.bill.write_units
            yield _bill_row(rate, name, choice.pipelines, services, units_each, choice.load)
    yield ""
    at = replace(workload, rate=1000.0)
    found = load(at, Settings(), times)
    written = sum(line.dollars for line in bill(found, prices).lines if line.unit == "write units")
    yield (
        "By default the tables are on demand. The variable `capacity` gives them provisioned capacity with auto "
        f"scaling. At a steady 1,000 messages/s the writes cost {_money(written)} a month on demand, and "
        f"{_money(provisioned_dollars(found, prices))} with provisioned capacity of which 70 % is used."
    )
    yield ""


def _bill_row(
    rate: float,
    name: str,
    pipelines: int,
    services: dict[str, float],
    units_each: float,
    found: Load,
) -> str:
    whole = sum(services.values()) * pipelines
    cells = " | ".join(
        _money(services[service] * pipelines)
        for service in ("Kinesis", "Lambda", "DynamoDB", "CloudWatch")
    )
    million = whole / (rate * SECONDS_OF_A_MONTH / 1e6)
    return (
        f"| {rate:,} | {name} | {pipelines} | {cells} | **{_money(whole)}** | ${million:,.2f} | "
        f"{units_each:.3f} | {slowest_seconds(found):.1f} s |"
    )


def _money(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars < 1000 else f"${dollars:,.0f}"


def _settings(choices: dict[tuple[float, float], Choice | None]) -> Iterator[str]:
    yield "## The settings behind it"
    yield ""
    yield (
        "All batch sizes are 10,000, so the batching windows decide how large batches are. The tables' columns show "
        "the write units a second to which each table's throughput is warmed."
    )
    yield ""
    yield (
        "| messages/s | at most | pipelines | `shard_count` | windows of State, Map, Reduce (s) | memory (MB) | "
        "`reduce_lanes` | StateTable, ReduceTable, AggregateTable | executions |"
    )
    yield "|---:|---:|---:|---:|---|---|---:|---:|---:|"
    for (rate, latency), choice in choices.items():
        if choice is None:
            continue
        settings = choice.settings
        windows = (settings.state_window, settings.map_window, settings.reduce_window)
        memories = (settings.state_memory, settings.map_memory, settings.reduce_memory)
        yield (
            f"| {rate:,} | {latency} s | {choice.pipelines} | {settings.shard_count or 'null'} | "
            f"{', '.join(f'{window:g}' for window in windows)} | {', '.join(map(str, memories))} | "
            f"{settings.reduce_lanes} | {settings.warm_write_units:,}, {settings.warm_delta_units:,}, "
            f"{settings.warm_total_units:,} | {settings.concurrency:,} |"
        )
    yield ""


def _dependence(workload: Workload, prices: Prices, times: ServiceTimes) -> Iterator[str]:
    yield "## What it depends on"
    yield ""
    yield (
        "The bill at 1,000 messages/s, with a window of 5 s for Map and of 1 s for Reduce. Each row changes one thing."
    )
    yield ""
    yield "| | a month | write units a unique message |"
    yield "|---|---:|---:|"
    base = replace(workload, rate=1000.0)
    settings = Settings(
        map_window=5.0, reduce_window=1.0, map_batch_size=10_000, reduce_batch_size=10_000
    )
    cases: list[tuple[str, Workload]] = []
    for hierarchy in HIERARCHIES:
        case = replace(base, hierarchy=hierarchy)
        cases.append((f"{case.nodes:,} totals", case))
    cases += [(f"{trades:,} trades kept", replace(base, trades=trades)) for trades in TRADES]
    cases += [
        (f"messages of {size:,} bytes", replace(base, message_bytes=size))
        for size in (250, 900, 2000)
    ]
    cases += [
        (
            f"{share:.0%} duplicates, in {'the same' if near else 'another'} batch",
            replace(base, duplicates=share, near=near),
        )
        for share in (0.0, 0.07, 0.3)
        for near in ((False, True) if share else (False,))
    ]
    cases += [
        (f"{share:.0%} modifications", replace(base, modifications=share)) for share in (0.0, 0.5)
    ]
    for name, case in cases:
        sized = replace(settings, shard_count=shards_needed(case))
        monthly = bill(load(case, sized, times), prices)
        yield f"| {name} | {_money(monthly.dollars)} | {monthly.write_units:.3f} |"
    yield ""


def _units(comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield "## Write units of a unique message"
    yield ""
    yield (
        "`leda_cli/models/pipeline_units.py` runs LEDA's code in memory, and `leda_cli/models/units.py` charges its "
        "calls and items by AWS's rules. There are 18 totals, and each batch of Reduce holds one row, which is the "
        "most expensive case. In the published design, State updates message by message with a condition, Map puts "
        "one row per batch under the batch's hash, and Reduce adds to the totals in a transaction, whose writes count "
        "twice. LEDA's Map puts one row per batch and lane, on condition of that row's checkpoint, and LEDA's Reduce "
        "writes each total that a batch touches once, on condition of the total's checkpoint."
    )
    yield ""
    yield from units(comparisons)
    yield ""
    yield from _target()
    dearer = [each for each in comparisons if each.leda.per_unique() > each.published.per_unique()]
    yield (
        f"In {len(dearer)} of the {len(comparisons)} mixes LEDA writes more than the published design. Exactness costs "
        "no unit, because a checkpoint is an attribute of the row that it protects. A duplicate in the batch of its "
        "original costs nothing. A duplicate in a later batch costs a read unit if the execution environment has "
        "recently seen the trade (`leda/pipeline/recent_versions.py`), or if duplicates are frequent."
    )
    yield ""
    yield "What State writes and reads for one message (the published design writes 1 each):"
    yield ""
    yield "| | write units | read units |"
    yield "|---|---:|---:|"
    for name, (writes, reads) in state_units_of_a_message().items():
        yield f"| {name} | {writes:.2f} | {reads:.2f} |"
    yield ""
    yield (
        "Where a message takes more than 1 unit, the condition of the first statement failed, and a second statement "
        "was sent. An execution environment learns from such batches which statement to send first "
        "(`leda/pipeline/statement_guess.py`). A read unit costs a fifth of a write unit."
    )
    yield ""


def _target() -> Iterator[str]:
    yield (
        f"The target is {UNITS_TARGET} write units at {TARGET_DUPLICATES:.0%} duplicates, for all stages together. If "
        f"a statement fails for each duplicate, State alone takes "
        f"{1 + TARGET_DUPLICATES / (1 - TARGET_DUPLICATES):.4f} units:"
    )
    yield ""
    yield "| duplicates | batch | delta rows of a batch of Reduce | LEDA | |"
    yield "|---|---:|---:|---:|---|"
    mixes = [
        Mix(TARGET_DUPLICATES, 0, batch, near, rows, environments=environments)
        for near, environments in ((True, 1), (False, 1), (False, ENVIRONMENTS))
        for batch, rows in UNITS_BATCHES
        if batch == 1000 or environments == 1
    ]
    for each in compare(mixes):
        found = each.leda.per_unique()
        verdict = "met" if found <= UNITS_TARGET else "missed"
        yield f"| in {where(each.mix)} | {each.mix.batch:,} | {each.mix.rows} | {found:.3f} | {verdict} |"
    yield ""


def _sources(prices: Prices, times: ServiceTimes) -> Iterator[str]:
    yield "## Where the figures come from"
    yield ""
    yield from measured.lines(times, "leda cost")
    yield "| prices of | page, and the record they were read from |"
    yield "|---|---|"
    for name, source in prices.sources.items():
        yield f"| {name} | {source} |"
    yield ""
    yield (
        "The formulas, each with its page, are the functions of `leda_cli/models/cost_model.py` and "
        "`leda_cli/models/load_model.py`. The bills do not include free tiers, KMS requests, data transfer out of the "
        "Region, the metrics of event source mappings, the price of warm throughput, Kinesis's On-demand Advantage, "
        "and retries."
    )
