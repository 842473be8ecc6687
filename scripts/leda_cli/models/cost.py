"""`leda cost`: what a message rate costs a month on AWS, by service, and the cheapest settings for a latency."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from leda_cli.base.hierarchies import levels_of
from leda_cli.base.operations import JsonOption, Operation
from leda_cli.models import prices as price_table
from leda_cli.models.cost_model import (
    Bill,
    Choice,
    bill,
    cheapest,
    mean_seconds,
    provisioned_dollars,
    slowest_seconds,
)
from leda_cli.models.limits import TARGET, tightest
from leda_cli.models.load_model import Load, Settings, Workload, load
from leda_cli.models.measured import (
    DuplicatesOption,
    HierarchyOption,
    MeasuredOption,
    ServiceTimes,
    service_times,
)
from leda_cli.models.prices import Prices


def cost(
    rate: Annotated[
        float, typer.Option(min=0.001, help="Messages per second, duplicates included.")
    ] = 1000,
    message_bytes: Annotated[int, typer.Option(min=1, help="Bytes of a message.")] = 250,
    duplicates: DuplicatesOption = 0.07,
    near: Annotated[
        bool, typer.Option("--near", help="Duplicates are in the batch of their original.")
    ] = False,
    modifications: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the rest that are newer versions of trades."),
    ] = 0.0,
    hierarchy: HierarchyOption = "2x2x3",
    trades: Annotated[int, typer.Option(min=0, help="Rows that StateTable keeps.")] = 1_000_000,
    latency: Annotated[
        float, typer.Option(min=1, help="Seconds that a message may take at most.")
    ] = 10,
    region: Annotated[str, typer.Option(help="AWS Region.")] = "us-east-1",
    prices: Annotated[
        Path, typer.Option(help="Another table of prices (TOML).")
    ] = price_table.TABLE,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the page docs/cost.md, for several rates, to this file."),
    ] = None,
    measured: MeasuredOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a month's bill, with the modules' defaults and with the cheapest settings for a latency."""
    operation = Operation(as_json)
    rates_of_region = price_table.of_region(region, prices)
    times = service_times(measured)
    workload = Workload(
        rate,
        message_bytes,
        duplicates,
        modifications,
        near,
        levels_of(hierarchy),
        trades,
    )
    if report is not None:
        from leda_cli.models.cost_report import markdown

        with operation.progress("computing bills and units") as advance:
            text = markdown(workload, rates_of_region, times, advance)
        report.write_text(text, encoding="utf-8")
        operation.say(f"written: {report}")
        return
    operation.heading(f"A month of messages at {rate:,g} a second in {rates_of_region.name}")
    default = load(workload, Settings(), times)
    choice = cheapest(workload, rates_of_region, times, latency)
    if not as_json:
        _show(operation, default, bill(default, rates_of_region), "the modules' defaults")
        if choice is None:
            operation.say(f"no settings keep a message within {latency:g} s at this rate")
        else:
            name = f"the cheapest settings for {latency:g} s"
            _show(operation, choice.load, choice.bill, name, choice)
        for name, source in times.sources.items():
            operation.say(f"{name} {times.figures()[name]:g}: {source}")
        for name, source in rates_of_region.sources.items():
            operation.say(f"prices of {name}: {source}")
    else:
        operation.report(_result(workload, rates_of_region, times, default, choice), ())


def settings_of(found: Load) -> dict[str, Any]:
    """The settings by the names of Terraform's variables."""
    settings = found.settings
    return {
        "shard_count": settings.shard_count,
        "state_function": settings.of_function("state"),
        "map_function": settings.of_function("map"),
        "reduce_function": settings.of_function("reduce"),
        "reduce_lanes": settings.reduce_lanes,
        "reduce_threads": settings.reduce_threads,
        "write_threads": settings.write_threads,
        "warm write units of StateTable": settings.warm_write_units,
        "warm write units of ReduceTable": settings.warm_delta_units,
        "warm write units of AggregateTable": settings.warm_total_units,
        "executions at once": settings.concurrency,
    }


def one_line(settings: dict[str, Any]) -> str:
    """The settings in one line, as in a Terraform configuration."""
    parts = []
    for name, value in settings.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{key} = {each:g}" for key, each in value.items())
            parts.append(f"{name} = {{{inner}}}")
        else:
            parts.append(f"{name} = {'null' if value is None else f'{value:g}'}")
    return "; ".join(parts)


def _show(
    operation: Operation,
    found: Load,
    monthly: Bill,
    name: str,
    choice: Choice | None = None,
) -> None:
    pipelines = choice.pipelines if choice else 1
    table = Table(title=f"With {name}{f', {pipelines} pipelines, each' if pipelines > 1 else ''}")
    for column in ("service", "item"):
        table.add_column(column)
    for column in ("quantity a month", "US $"):
        table.add_column(column, justify="right")
    for line in monthly.lines:
        quantity = f"{line.quantity:,.1f} {line.unit}"
        table.add_row(line.service, line.item, quantity, f"{line.dollars:,.2f}")
    table.add_section()
    table.add_row("", "together", "", f"{monthly.dollars:,.2f}")
    if pipelines > 1:
        table.add_row("", f"{pipelines} pipelines", "", f"{monthly.dollars * pipelines:,.2f}")
    operation.screen.print(table)
    limit = tightest(found)
    operation.say(
        f"write units per unique message {monthly.write_units:.3f}; without queues a message takes "
        f"{mean_seconds(found):.1f} s, at most {slowest_seconds(found):.1f} s"
    )
    state = "over the target" if limit.strain > 1 else "used most"
    operation.say(f"{state}: {limit.name}, {limit.used:.0%} (target {TARGET:.0%}); {limit.remedy}")
    operation.say(one_line(settings_of(found)))


def _result(
    workload: Workload,
    prices: Prices,
    times: ServiceTimes,
    default: Load,
    choice: Choice | None,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "workload": asdict(workload),
        "region": prices.region,
        "default": _part(default, bill(default, prices), prices),
        "cheapest": None,
        "service_times": times.figures(),
        "service_time_sources": times.sources,
        "price_sources": prices.sources,
    }
    if choice is not None:
        result["cheapest"] = {
            "dollars": choice.dollars,
            "pipelines": choice.pipelines,
            "each": _part(choice.load, choice.bill, prices),
        }
    return result


def _part(found: Load, monthly: Bill, prices: Prices) -> dict[str, Any]:
    limit = tightest(found)
    return {
        "dollars": monthly.dollars,
        "dollars_by_service": monthly.by_service(),
        "lines": [asdict(line) for line in monthly.lines],
        "write_units_per_unique_message": monthly.write_units,
        "write_dollars_if_provisioned": provisioned_dollars(found, prices),
        "mean_seconds": mean_seconds(found),
        "slowest_seconds": slowest_seconds(found),
        "tightest_limit": {"name": limit.name, "used": limit.used, "target": TARGET},
        "settings": settings_of(found),
    }
