"""Part 4: Map and Reduce by the number of totals, beside the published design."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmarks.designs import DESIGNS, LEDA, PUBLISHED
from benchmarks.environment import Failed
from benchmarks.events import Messages
from benchmarks.parts import Say, Section, paragraph, table
from benchmarks.samples import Sample, ratio
from benchmarks.stages import BATCH, NOT_COUNTED, Pipeline, Run, pipelines
from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda_cli.base.hierarchies import totals_of
from leda_cli.models.pipeline_units import state_row

WIDTHS = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
_PUT_AT_A_TIME = 5_000


def state_changes(messages: Messages, size: int) -> list[dict[str, Any]]:
    """Rows of StateTable for new trades."""
    return [state_row(parse(data, Schema())) for data in messages.batch(size)]


@dataclass(frozen=True, slots=True)
class Played:
    """Runs of both designs, in turns. `entries`: totals that a batch of 1,000 changes touches, of LEDA's."""

    map: dict[str, list[Run]]
    reduce: dict[str, list[Run]]
    entries: Sample


def played(widths: Sequence[int], repetitions: int) -> Played:
    """Batches of 1,000 new trades through Map and Reduce of both designs; LEDA's totals exist before."""
    messages = Messages(1, widths, duplicates=0, modified=0)
    runs: dict[str, dict[str, list[Run]]] = {"map": {}, "reduce": {}}
    entries = []
    with pipelines() as both:
        _put_totals(both[LEDA.name], widths)
        for repetition in range(-NOT_COUNTED, repetitions):
            batch = messages.batch(BATCH)
            for design in DESIGNS if repetition % 2 else DESIGNS[::-1]:
                pipeline = both[design.name]
                pipeline.invoke("state", pipeline.events.kinesis(batch))
                took = pipeline.invoke("map", pipeline.changes("StateTable"))
                name = design.table("ReduceTable")
                rows = pipeline.stub.take_changes(name)
                try:
                    reduced = pipeline.invoke("reduce", pipeline.events.dynamodb(name, rows))
                except Failed:
                    reduced = None
                if repetition < 0:
                    continue
                runs["map"].setdefault(design.name, []).append(took)
                if reduced:
                    runs["reduce"].setdefault(design.name, []).append(reduced)
                if design is LEDA:
                    entries.append(sum(len(new["Totals"]["M"]) for _, new in rows))
    return Played(runs["map"], runs["reduce"], Sample.of(entries))


def _put_totals(pipeline: Pipeline, widths: Sequence[int]) -> None:
    """Make every total, so that what is measured is what an update of them takes."""
    levels = [
        [f"{level[0]}{child:05d}" for child in range(width)]
        for level, width in zip(Messages.LEVELS, widths, strict=True)
    ]
    names = [
        ":".join(path) for depth in range(len(levels)) for path in product(*levels[: depth + 1])
    ]
    zero = {"N": "0"}
    rows = [{"Identifier": {"S": name}, "Count": zero, "Value": zero} for name in names]
    for at in range(0, len(rows), _PUT_AT_A_TIME):
        pipeline.stub.put_rows(LEDA.table("AggregateTable"), rows[at : at + _PUT_AT_A_TIME])


def cpu(runs: Iterable[Run]) -> Sample:
    """Processor milliseconds."""
    return Sample.of(run.took.cpu_ms for run in runs)


def section(short: bool, say: Say) -> Section:
    """Measure each number of totals."""
    repetitions = 3 if short else 11
    found = {}
    for widths in WIDTHS:
        found[totals_of(widths)] = played(widths, repetitions)
        say(f"Map and Reduce with {totals_of(widths):,} totals")
    return Section("Totals", _lines(found), [], _figures(found, _many_rows(repetitions)))


def _lines(found: dict[int, Played]) -> list[str]:
    rows = []
    for totals, runs in found.items():
        for stage, taken in (("Map", runs.map), ("Reduce", runs.reduce)):
            ours = cpu(taken[LEDA.name])
            theirs = taken.get(PUBLISHED.name)
            rows.append(
                [
                    f"{totals:,}",
                    stage,
                    ours.text(1),
                    f"{Sample.of(run.requests for run in taken[LEDA.name]).median:,.0f}",
                    cpu(theirs).text(1) if theirs else "fails: over 100 actions",
                    f"**{ratio(ours, cpu(runs.map[PUBLISHED.name])).text(2)}**",
                ]
            )
    columns = ["totals", "stage", "LEDA, ms", "requests", "published, ms", "LEDA / published Map"]
    return [
        *paragraph(
            f"Processor milliseconds for {BATCH:,} new trades whose leaves are drawn evenly, and for the rows that Map "
            "makes of them; the totals exist. The published design's Reduce takes up to 100 totals, so both "
            "stages are told as multiples of its Map's time for the same changes. A total that is made takes Reduce "
            "two requests, once."
        ),
        "",
        *table(columns, rows, left=2),
    ]


def _many_rows(repetitions: int) -> Sample:
    """Milliseconds of Reduce for a batch of so many equal rows of 18 totals that nothing else matters."""
    found = []
    with pipelines([LEDA]) as started:
        pipeline = started[LEDA.name]
        name, row = pipeline.delta_row()
        for repetition in range(-NOT_COUNTED, repetitions):
            rows = pipeline.events.dynamodb(name, [(None, row)] * BATCH)
            took = pipeline.invoke("reduce", rows).took
            if repetition >= 0:
                found.append(took.cpu_ms)
    return Sample.of(found)


def _figures(found: dict[int, Played], many_rows: Sample) -> dict[str, float]:
    """The figures of `leda_cli.models.measured`: what 1,000 changes, entries of rows, and totals add."""
    few, many = found[totals_of(WIDTHS[0])], found[totals_of(WIDTHS[2])]
    # What an invocation takes by itself is in each: it is told by `stages`, and is small beside these.
    change = cpu(few.map[LEDA.name]).median / BATCH
    more = many.entries.median - few.entries.median
    mapped = (cpu(many.map[LEDA.name]).median - cpu(few.map[LEDA.name]).median) / more
    entry = many_rows.median / BATCH / few.entries.median
    written = cpu(many.reduce[LEDA.name]).median / many.entries.median - entry
    return {
        "map_cpu_ms_per_1000": round(1000 * change, 2),
        "map_cpu_ms_per_1000_entries": round(1000 * mapped, 2),
        "reduce_cpu_ms_per_1000_entries": round(1000 * entry, 2),
        "reduce_cpu_ms_per_1000_totals": round(1000 * written, 2),
    }
