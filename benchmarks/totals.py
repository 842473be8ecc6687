"""Part 4: Map and Reduce by the number of totals, beside the published design and LEDA's first engine.

The first engine (a checkpoint in a table of its own, moved in one transaction with what it protects) is no longer in
the code. `first_engine.toml` has its figures, and how they were measured; they are told as a multiple of the published
design's Map for the same changes, which was measured in turns with it, as it is with today's engine here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.designs import DESIGNS, LEDA, PUBLISHED
from benchmarks.environment import Failed
from benchmarks.events import Messages
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.samples import Sample, ratio
from benchmarks.stages import BATCH, NOT_COUNTED, Pipeline, Run, pipelines
from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda_cli.base.hierarchies import totals_of
from leda_cli.models.pipeline_units import state_row

WIDTHS = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
FIRST_ENGINE = Path(__file__).with_name("first_engine.toml")
_PUT_AT_A_TIME = 5_000


def state_changes(messages: Messages, size: int) -> list[dict[str, Any]]:
    """Rows of StateTable for new trades."""
    return [state_row(parse(data, Schema())) for data in messages.batch(size)]


@dataclass(frozen=True, slots=True)
class FirstEngine:
    """What LEDA's first engine took for 1,000 changes over so many totals, as multiples of the published Map's time."""

    totals: int
    map: float
    reduce: float
    reduce_requests: int


def first_engine(file: Path = FIRST_ENGINE) -> dict[int, FirstEngine]:
    """Its figures by the number of totals."""
    given = tomllib.loads(file.read_text(encoding="utf-8"))
    rows = (FirstEngine(**row) for row in given["totals"])
    return {row.totals: row for row in rows}


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
    first = first_engine()
    targets = [_target(totals, found[totals], first[totals]) for totals in found]
    return Section(
        "Totals", _lines(found, first), targets, _figures(found, _many_rows(repetitions))
    )


def _multiple(ours: Sample, runs: Played) -> Sample:
    """As a multiple of the published Map's time, repetition by repetition."""
    return ratio(ours, cpu(runs.map[PUBLISHED.name]))


def _lines(found: dict[int, Played], first: dict[int, FirstEngine]) -> list[str]:
    rows = []
    for totals, runs in found.items():
        before = first[totals]
        mapped, reduced = runs.map, runs.reduce
        theirs = cpu(mapped[PUBLISHED.name])
        ours = {
            "Map": (cpu(mapped[LEDA.name]), mapped[LEDA.name], before.map, 1),
            "Reduce": (
                cpu(reduced[LEDA.name]),
                reduced[LEDA.name],
                before.reduce,
                before.reduce_requests,
            ),
        }
        published = {
            "Map": theirs.text(1),
            "Reduce": (
                cpu(reduced[PUBLISHED.name]).text(1)
                if PUBLISHED.name in reduced
                else "fails: over 100 actions"
            ),
        }
        for stage, (sample, taken, multiple, requests) in ours.items():
            rows.append(
                [
                    f"{totals:,}",
                    stage,
                    sample.text(1),
                    f"{Sample.of(run.requests for run in taken).median:,.0f}",
                    published[stage],
                    f"**{_multiple(sample, runs).text(2)}**",
                    f"{multiple:.2f}",
                    f"{requests}",
                ]
            )
    columns = [
        "totals",
        "stage",
        "LEDA, ms",
        "requests",
        "published, ms",
        "LEDA / published Map",
        "first engine / published Map",
        "its requests",
    ]
    return [
        *paragraph(
            f"Processor milliseconds for {BATCH:,} new trades whose leaves are drawn evenly, and for the rows that Map "
            "makes of them; the totals exist. The published design's Reduce takes up to 100 totals. LEDA's first "
            "engine is no longer in the code: its figures (benchmarks/first_engine.toml) were measured in turns with "
            "the published design too, so both engines are told as multiples of its Map's time for the same "
            "changes. A total that is made takes Reduce two requests, once."
        ),
        "",
        *table(columns, rows, left=2),
    ]


def _target(totals: int, runs: Played, before: FirstEngine) -> Target:
    now = _multiple(cpu(runs.reduce[LEDA.name]), runs).median
    return Target(
        f"Reduce's processor time with {totals:,} totals",
        "at most the first engine's",
        f"{now / before.reduce:.2f} of it",
        now <= before.reduce,
    )


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
