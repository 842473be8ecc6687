"""Part 8: how the figures grow: measured by rows of ReduceTable, computed by a model for shards and trades."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.designs import DESIGNS, LEDA
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.samples import Sample
from benchmarks.stages import pipelines
from leda_cli.models import prices
from leda_cli.models.cost_model import bill
from leda_cli.models.limits import breaking_rate
from leda_cli.models.load_model import SHARD_RECORDS, Settings, Workload, load
from leda_cli.models.measured import service_times

ROWS = (1, 10, 100, 1000)
SHARDS = (1, 2, 4, 8, 16, 32, 64)
TRADES = (10_000, 100_000, 1_000_000, 10_000_000)
RATE = 1000.0
_STORED = "StateTable: storage"


def section(short: bool, say: Say) -> Section:
    """Measure and compute all of it."""
    repetitions = 2 if short else 3
    rows, target = _rows(repetitions)
    say("growth: delta rows")
    lines = [*rows, "", *_shards(), "", *_trades()]
    return Section("Growth", lines, [target])


def _rows(repetitions: int) -> tuple[list[str], Target]:
    """Reduce with more and more delta rows in a batch."""
    rows, ours = [], []
    for design in DESIGNS:
        with pipelines([design]) as started:
            pipeline = started[design.name]
            name, row = pipeline.delta_row()
            # A new total takes two requests.
            pipeline.invoke("reduce", pipeline.events.dynamodb(name, [(None, row)]))
            for count in ROWS:
                runs = [
                    pipeline.invoke("reduce", pipeline.events.dynamodb(name, [(None, row)] * count))
                    for _ in range(repetitions + 1)
                ][1:]
                each = Sample.of(run.took.cpu_ms / count for run in runs)
                if design is LEDA:
                    ours.append(each.median)
                rows.append(
                    [f"{count:,}", design.name, each.text(3), f"{runs[0].requests / count:g}"]
                )
    target = Target(
        "Reduce's cost per message, as load grows",
        "falls",
        f"{ours[0]:.2f} to {ours[-1]:.2f} ms for 1,000 messages",
        ours == sorted(ours, reverse=True),
    )
    columns = ["delta rows in a batch", "design", "processor, ms for 1,000 messages", "requests"]
    return [
        *paragraph(
            "**Load on Reduce.** The more comes, the more delta rows (each of 1,000 messages, 18 totals) are in a "
            "batch, and the less each costs, up to about a hundred. A thousand such rows are about 100,000 objects of "
            "JSON, which Python's garbage collector visits while they are made: with it, a row's parsing took 34 "
            "microseconds, and 15 without it (`gc.disable()`, 1,000 rows, 2026-11-29)."
        ),
        "",
        *table(columns, rows, left=2),
    ], target


def _shards() -> list[str]:
    """The rate at which the first limit is used up, by the model of `leda scale`."""
    times = service_times()
    rows = []
    for shards in SHARDS:
        settings = Settings(shard_count=shards, warm_write_units=2 * SHARD_RECORDS * shards)
        rate, limit = breaking_rate(Workload(1.0), settings, times)
        rows.append([f"{shards}", limit.name, f"{rate:,.0f}"])
    return [
        *paragraph(
            "**Shards.** The rate at which the first limit is used up, with StateTable warmed for it and the "
            "modules' defaults else; a model, that of `leda scale`."
        ),
        "",
        *table(["shards", "the limit that is used up first", "messages/s"], rows, left=2),
    ]


def _trades() -> list[str]:
    """The month's bill for more and more stored trades, by the model of `leda cost`."""
    times, of_region = service_times(), prices.of_region("us-east-1", prices.TABLE)
    workload = Workload(RATE)
    rows = []
    for trades in TRADES:
        found = bill(load(replace(workload, trades=trades), Settings(), times), of_region)
        stored = sum(line.dollars for line in found.lines if line.item.startswith(_STORED))
        rows.append(
            [f"{trades:,}", f"{found.write_units:.3f}", f"{stored:,.2f}", f"{found.dollars:,.0f}"]
        )
    columns = [
        "trades in StateTable",
        "write units a message",
        "storage, $ a month",
        "all, $ a month",
    ]
    return [
        *paragraph(
            "**State.** A message costs the same however many trades are stored: every access is by key. At "
            f"{RATE:,.0f} messages/s; a model, that of `leda cost`."
        ),
        "",
        *table(columns, rows),
    ]
