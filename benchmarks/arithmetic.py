"""Part 2: Map without its requests: its sums against the plain way, and the whole against the published design's Map.

The plain way adds each change to each of its nodes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, cast
from unittest import mock

from benchmarks.designs import PUBLISHED
from benchmarks.events import Events, Messages
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.samples import Sample, ratio
from leda.engine.group_by.hierarchy import nodes
from leda.engine.map import map_batch
from leda.engine.map.map_batch import Change, Sums
from leda.engine.map.source_shards import Assignment
from leda.engine.registry import Registry
from leda.engine.shards import of_event
from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda.streams import stream_records
from leda.values.numbers import exact
from leda_cli.models.metering import Meter
from leda_cli.models.pipeline_units import CONFIGURATION, map_of, state_row

CHANGES = 1000

Event = dict[str, Any]


def event_of(seed: int, modified: bool) -> Event:
    """An event of StateTable's stream with new trades, or with `modified` trades, each of which changes two leaves."""
    source, schema = Messages(seed, duplicates=0, modified=0), Schema()

    def rows() -> list[dict[str, Any]]:
        return [state_row(parse(data, schema)) for data in source.batch(CHANGES)]

    old = rows() if modified else [None] * CHANGES
    return Events().dynamodb("StateTable", zip(old, rows(), strict=True))


def changes(event: Event) -> list[Change]:
    """The changes in the event's records."""
    found, _ = map_batch.read(stream_records.read(event["Records"]).records, CONFIGURATION)
    return found


def plain_sums(given: Sequence[Change]) -> Sums:
    """Add each change to each of its nodes."""
    sums: Sums = {}
    with exact():
        for change in given:
            for each in change.contributions:
                for node in (node for leaf in each.leaves for node in nodes(leaf)):
                    before = sums.get(node, [0] * len(each.amounts))
                    sums[node] = [
                        one + more for one, more in zip(before, each.amounts, strict=True)
                    ]
    return sums


def leda_sums(given: Sequence[Change]) -> Sums:
    """Add the changes at the leaves, then roll them up once."""
    (sums,) = map_batch.by_lane(given, Assignment(CONFIGURATION, 1)).values()
    return sums


class _AnsweredAtOnce:
    """A client whose puts return an empty answer at once."""

    def put_item(self, **_request: Any) -> dict[str, Any]:
        return {}


def _leda_map() -> Callable[[Event], object]:
    """MapLambda without its requests, its log and its metrics: every record, path and number is checked."""
    registry = Registry(cast(Any, Meter({"RegistryTable": ("Scope", "Name")})), "RegistryTable")
    rows = map_of(_AnsweredAtOnce(), registry, CONFIGURATION, threads=4)

    def run(event: Event) -> object:
        records = stream_records.read(event["Records"]).records
        return rows.write(of_event(event, records), records)

    return run


def _published_map() -> Callable[[Event], object]:
    """The published design's Map without its requests. It checks nothing, and its sums round."""
    with mock.patch.dict(os.environ, PUBLISHED.variables("map", "http://127.0.0.1:9")):
        published: Any = import_module("benchmarks.published.map")
    published.dynamodb = _AnsweredAtOnce()
    return partial(published.lambda_handler, _context=None)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def _in_turns(
    theirs: Callable[[], object], ours: Callable[[], object], times: int
) -> tuple[Sample, Sample]:
    taken = [(_milliseconds(theirs), _milliseconds(ours)) for _ in range(times)]
    one, other = (Sample.of(figures) for figures in zip(*taken, strict=True))
    return one, other


def section(short: bool, _say: Say) -> Section:
    """Measure both ways in turns."""
    repetitions = 5 if short else 51
    leda_map, published_map = _leda_map(), _published_map()
    rows, targets = [], []
    for name, modified in (("new trades", False), ("modified trades", True)):
        event = event_of(1, modified)
        given = changes(event)
        if plain_sums(given) != leda_sums(given):
            raise RuntimeError("the two ways to add up differ")
        theirs, own = _in_turns(partial(plain_sums, given), partial(leda_sums, given), repetitions)
        times = ratio(theirs, own)
        rows.append([name, "sums alone", own.text(2), theirs.text(2), f"**{times.text(1)}**"])
        targets.append(_sums_target(name, times.median))
        theirs, own = _in_turns(
            partial(published_map, event), partial(leda_map, event), repetitions
        )
        times = ratio(theirs, own)
        rows.append(
            [name, "from the records on", own.text(2), theirs.text(2), f"**{times.text(2)}**"]
        )
        targets.append(_map_target(name, times.median))
    lines = [
        *paragraph(
            f"{CHANGES:,} changes into exact counts and sums at all 18 nodes; milliseconds of the processor. *Sums "
            "alone*: LEDA adds at the leaves and rolls up once; the plain way adds each change into each of its nodes. "
            "*From the records on*: all of Map but its event's parsing, its requests and its log. LEDA checks every "
            "record, path and number, and adds exactly; the other is the published design's Map, which hashes the "
            "batch, checks nothing, adds binary floats and counts nothing."
        ),
        "",
        *table(["changes", "what", "LEDA", "the other", "the other / LEDA"], rows, left=2),
    ]
    return Section("Map's arithmetic", lines, targets)


def _sums_target(name: str, times: float) -> Target:
    wanted = "at least 5 times less than the plain way"
    return Target(f"Map's arithmetic, {name}", wanted, f"{times:.1f}", times >= 5)


def _map_target(name: str, times: float) -> Target:
    return Target(
        f"Map's processor time from the records on, {name}",
        "at most the published design's",
        f"{1 / times:.2f} of it",
        times >= 1,
    )
