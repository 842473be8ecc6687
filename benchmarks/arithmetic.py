"""Map's sums against the plain way to add them up exactly: each change into each of its nodes, as a Decimal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks.events import Events, Messages
from benchmarks.parts import Section, Target, paragraph, table
from benchmarks.samples import Sample, ratio
from leda import deltas, images, streams
from leda.hierarchy import roll_up
from leda.messages import parse
from leda.numbers import exact
from leda.schema import Schema

CHANGES = 1000
LEVELS = ("RiskType", "TradeDesk", "Region")

Record = dict[str, Any]
Change = tuple[str, Decimal]
Sums = dict[str, Decimal]


def records(seed: int, modified: bool) -> list[Record]:
    """Records of StateTable's stream: new trades, or all of them `modified`, which adds at two places."""
    source, schema = Messages(seed, duplicates=0, modified=0), Schema()

    def rows() -> list[Record]:
        messages = (parse(data, schema) for data in source.batch(CHANGES))
        return [
            {
                "id": {"S": message.id},
                **dict(zip(images.ATTRIBUTES, images.values(message), strict=True)),
            }
            for message in messages
        ]

    old = rows() if modified else [None] * CHANGES
    event = Events().dynamodb("StateTable", zip(old, rows(), strict=True))
    made: list[Record] = event["Records"]
    return made


def changes(given: Sequence[Record]) -> list[Change]:
    """What the records add, and where: (path, value)."""
    with exact():
        return [
            (image["Path"]["S"], sign * Decimal(image["Value"]["N"]))
            for record in given
            for name, sign in (("OldImage", -1), ("NewImage", 1))
            if (image := record["dynamodb"].get(name))
        ]


def plain_sums(given: Iterable[Change]) -> Sums:
    """Each change into each of its nodes."""
    sums: Sums = {}
    with exact():
        for path, value in given:
            names = path.split(":")
            for depth in range(1, len(names) + 1):
                node = ":".join(names[:depth])
                sums[node] = sums.get(node, Decimal(0)) + value
    return sums


def leaf_sums(given: Iterable[Change]) -> Sums:
    """At the leaves, then rolled up once, as `deltas.fold` does it."""
    leaves: Sums = {}
    with exact():
        for path, value in given:
            leaves[path] = leaves[path] + value if path in leaves else value
    return roll_up(leaves.items())


def plain_map(given: Sequence[Record]) -> Sums:
    """From the records on, the way one would write it first. Nothing is checked."""
    sums: Sums = {}
    with exact():
        for record in given:
            change = record["dynamodb"]
            for name, sign in (("OldImage", -1), ("NewImage", 1)):
                if (image := change.get(name)) is None:
                    continue
                names = json.loads(image["Hierarchy"]["S"])
                for depth in range(1, len(LEVELS) + 1):
                    node = ":".join(names[level] for level in LEVELS[:depth])
                    sums[node] = sums.get(node, Decimal(0)) + sign * Decimal(image["Value"]["N"])
    return sums


def leda_map(given: Sequence[Record]) -> Sums:
    """From the records on, as MapLambda does it: every record and row is checked."""
    (sums,) = deltas.fold(streams.read(given), Schema()).parts()
    return sums


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def section(short: bool) -> Section:
    """Measure both ways, in turns."""
    repetitions = 5 if short else 31
    rows, targets = [], []
    for name, modified in (("new trades", False), ("modified trades", True)):
        batch = records(1, modified)
        pairs = changes(batch)
        for what, plain, ours in (
            ("sums alone", partial(plain_sums, pairs), partial(leaf_sums, pairs)),
            ("from the records on", partial(plain_map, batch), partial(leda_map, batch)),
        ):
            if plain() != ours():
                raise RuntimeError("the two ways to add up differ")
            taken = [(_milliseconds(plain), _milliseconds(ours)) for _ in range(repetitions)]
            theirs, own = (Sample.of(figures) for figures in zip(*taken, strict=True))
            times = ratio(theirs, own)
            rows.append([name, what, own.text(2), theirs.text(2), f"**{times.text(1)}**"])
            if what == "sums alone":
                targets.append(_target(name, times.median))
    lines = [
        *paragraph(
            f"{CHANGES:,} changes into exact sums at all 18 nodes; milliseconds of the processor. *Plain* adds each "
            "change into each of its nodes and, from the records on, checks nothing; LEDA adds at the leaves and "
            "rolls up once, and checks every record, path and number before."
        ),
        "",
        *table(["changes", "what", "LEDA", "plain", "plain / LEDA"], rows, left=2),
    ]
    return Section("Map's arithmetic", lines, targets)


def _target(name: str, times: float) -> Target:
    wanted = "at least 5 times less than the plain way"
    return Target(f"Map's arithmetic, {name}", wanted, f"{times:.1f}", times >= 5)
