"""Part 5: the memory of Map and Reduce, by the size of a batch and the number of totals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks import stub
from benchmarks.designs import LEDA
from benchmarks.events import Events, Messages
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.totals import WIDTHS, state_changes
from leda_cli.base.hierarchies import totals_of
from leda_cli.models.load_model import PAYLOAD_BYTES

BATCHES = (100, 1_000, 10_000)
MEMORY_MB = 256


def section(short: bool, say: Say) -> Section:
    """Start new processes of Map and Reduce for each cell, because the peak of a process never falls."""
    rows: list[list[str]] = []
    peaks: dict[str, float] = {}
    for widths in WIDTHS:
        for size in BATCHES[:2] if short else BATCHES:
            peaks = _peaks(widths, size)
            rows.append(
                [
                    f"{totals_of(widths):,}",
                    f"{size:,}",
                    *(f"{peak:,.0f}" for peak in peaks.values()),
                ]
            )
        say(f"memory at {totals_of(widths):,} totals")
    fullest = peaks["map"] if short else _peak_of_the_fullest_event()
    most = max(peaks["map"], peaks["reduce"], fullest)
    lines = [
        *paragraph(
            "The most memory that a function's process has had (its resident set, with Python and all modules), in MB: "
            "loaded, after a batch of Map, and after the batch of Reduce that holds Map's rows. Each cell has "
            "processes of its own. Lambda's runtime itself, which the functions share their memory with, is not in it."
        ),
        "",
        *table(
            ["totals", "changes", "Map, loaded", "Map", "Reduce, loaded", "Reduce"], rows, left=0
        ),
    ]
    target = Target(
        f"A batch of {BATCHES[-1]:,} changes over {totals_of(WIDTHS[-1]):,} totals, or the fullest event, takes",
        f"less than {MEMORY_MB} MB",
        f"{most:.0f} MB",
        most < MEMORY_MB,
    )
    return Section("Memory", lines, [] if short else [target])


def _peaks(widths: Sequence[int], size: int) -> dict[str, float]:
    """Peaks in MB of a batch of so many changes."""
    events, found = Events(), dict[str, float]()
    batch = state_changes(Messages(1, widths, duplicates=0, modified=0), size)
    with stub.running(LEDA.tables(), LEDA.streamed()) as server:
        name = LEDA.table("StateTable")
        event = events.dynamodb(name, [(None, row) for row in batch])
        for stage in ("map", "reduce"):
            with LEDA.environment(stage, server.endpoint) as environment:
                found[f"{stage}, loaded"] = environment.started.peak_mb
                found[stage] = environment.invoke(event).peak_mb
            name = LEDA.table("ReduceTable")
            event = events.dynamodb(name, server.take_changes(name))
    return found


def _peak_of_the_fullest_event() -> float:
    """Reduce's peak in MB after the largest possible event."""
    events, messages = Events(), Messages(1, WIDTHS[-1], duplicates=0, modified=0)
    changes: list[Any] = []
    with (
        stub.running(LEDA.tables(), LEDA.streamed()) as server,
        LEDA.environment("map", server.endpoint) as mapping,
        LEDA.environment("reduce", server.endpoint) as reducing,
    ):
        name = LEDA.table("ReduceTable")
        while True:
            batch = state_changes(messages, BATCHES[-1])
            mapping.invoke(
                events.dynamodb(LEDA.table("StateTable"), [(None, row) for row in batch])
            )
            more = server.take_changes(name)
            if len(json.dumps(events.dynamodb(name, changes + more))) > PAYLOAD_BYTES:
                return reducing.invoke(events.dynamodb(name, changes)).peak_mb
            changes += more
