"""Part 7: Map and Reduce by the number of totals, beside the published design and LEDA's first engine.

The first engine (a checkpoint in a table of its own, moved in one transaction with what it protects) is no longer in
the code. `first_engine.toml` has its figures, and how they were measured; they are told as a multiple of the published
design's Map for the same changes, which was measured in turns with it, as it is with today's engine here.
"""

from __future__ import annotations

import json
import math
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
from leda import images
from leda.messages import parse
from leda.schema import Schema

WIDTHS = ((2, 2, 3), (10, 10, 9), (20, 20, 24), (20, 20, 250))
FIRST_ENGINE = Path(__file__).with_name("first_engine.toml")
_PUT_AT_A_TIME = 5_000


def totals_of(widths: Sequence[int]) -> int:
    """How many totals such a tree has."""
    return sum(math.prod(widths[: depth + 1]) for depth in range(len(widths)))


def state_changes(messages: Messages, size: int) -> list[dict[str, Any]]:
    """Rows of StateTable for new trades."""
    parsed = (parse(data, Schema()) for data in messages.batch(size))
    return [
        {
            "id": {"S": message.id},
            **dict(zip(images.ATTRIBUTES, images.values(message), strict=True)),
        }
        for message in parsed
    ]


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
