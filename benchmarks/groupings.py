"""Part 10: LEDA's Map and Reduce by the number of groupings, compared with an unconditional ADD per total and record.

The ADD is the usual hand-written aggregator as the simulation plays it (simulation/published). Both get the same
changes of a feedback table. Units are computed from the calls of the real code over a meter, in this process; requests
and times are those of the real handlers, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import product
from typing import Any, cast
from unittest import mock

from benchmarks import stub
from benchmarks.designs import LEDA, Design
from benchmarks.events import Event, Events, Image
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.samples import Sample
from benchmarks.stages import LATENCY_MS, Pipeline, Run
from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import Registry
from leda.engine.shards import Shard, of_event
from leda.streams import stream_records
from leda_cli.base.paths import ROOT
from leda_cli.models.metering import Meter
from leda_cli.models.pipeline_units import map_of, reduce_of

GROUPINGS = (1, 8, 30)
BATCHES = (1, 10, 100, 1000)
TOTALS = (18, 1000, 10_000, 100_000)
USUAL_TOTALS = 1000
WORTH_IT = 10
"""The size of batches from which on LEDA should write fewer units."""

RECORDS = 300
"""The least number of records over which units are counted."""
ADD_RECORDS = 100
"""The largest batch with which the ADD is timed; it processes records one after the other."""

_MODULE = "simulation.published.unconditional_add"
_DAY = "2026-08-01"
_EARLIER = 1000
_PUT_AT_A_TIME = 5000

Change = tuple[Image | None, Image | None]


@dataclass(frozen=True, slots=True)
class Mix:
    """The shares of insertions and modifications among the changes; the rest are deletions."""

    name: str
    inserted: float
    modified: float


USUAL_MIX = Mix("80 % new rows, 15 % changed, 5 % deleted", 0.8, 0.15)
NEW_ROWS = Mix("new rows alone", 1.0, 0.0)
MIXES = (USUAL_MIX, NEW_ROWS)


class Feedback:
    """Changes of a feedback table of one day, the same for a seed; each grouping counts by a label and the day.

    A row's labels are drawn evenly from so many that the groupings have `totals` together, or one each. A change draws
    the row's score and one of its labels again. Which rows are new, changed and deleted is the same for any number of
    totals.
    """

    def __init__(self, groupings: int, totals: int, mix: Mix, seed: int = 1) -> None:
        self._groupings, self._values = groupings, max(1, totals // groupings)
        self._mix = mix
        self._kinds, self._draw = random.Random(seed), random.Random(seed)
        self._made = 0
        self._rows = [self._row() for _ in range(_EARLIER)]

    def batch(self, size: int) -> list[Change]:
        """The next changes, as (old image, new image)."""
        return [self._change() for _ in range(size)]

    def _change(self) -> Change:
        draw, rows, chance = self._draw, self._rows, self._kinds.random()
        if chance < self._mix.inserted:
            rows.append(self._row())
            return None, rows[-1]
        place = draw.randrange(len(rows))
        old = rows[place]
        if chance < self._mix.inserted + self._mix.modified:
            rows[place] = old | self._score() | self._label(draw.randrange(self._groupings))
            return old, rows[place]
        rows[place] = rows[-1]
        rows.pop()
        return old, None

    def _row(self) -> Image:
        self._made += 1
        row: Image = {
            "feedback_id": {"S": f"{self._made:012d}"},
            "date": {"S": _DAY},
            "text": {"S": "x" * self._draw.randint(50, 250)},
        }
        for place in range(self._groupings):
            row |= self._label(place)
        return row | self._score()

    def _score(self) -> Image:
        return {"sentiment_score": {"N": f"{self._draw.randint(-100, 100) / 100:g}"}}

    def _label(self, place: int) -> Image:
        return {f"label{place:02d}": {"S": f"value{self._draw.randrange(self._values):05d}"}}


def configuration(groupings: int) -> Configuration:
    """A count and a sum under so many groupings of Feedback's rows."""
    group_by = {
        f"group{place:02d}": {"keys": [f"label{place:02d}", "date"]} for place in range(groupings)
    }
    measures = {
        "Count": {"op": "count"},
        "Sentiment": {"op": "sum", "field": "sentiment_score"},
    }
    return Configuration.from_json(json.dumps({"group_by": group_by, "measures": measures}))


def zeros(groupings: int) -> list[dict[str, Any]]:
    """The rows of all possible totals, so that only updates of totals are measured."""
    found, zero = configuration(groupings), {"N": "0"}
    rows = []
    for place, value in product(range(groupings), range(max(TOTALS) // groupings)):
        name = f"group{place:02d}:value{value:05d}:{_DAY}"
        labels = found.labels(name)
        assert labels
        row = {"Identifier": {"S": name}, "Count": zero, "Sentiment": zero}
        rows.append(row | labels.attributes)
    return rows


def add_design(groupings: int) -> Design:
    """The unconditional ADD as a design of one function."""
    return Design(
        "add",
        {"map": ROOT / f"{_MODULE.replace('.', '/')}.py"},
        {"CONFIGURATION": configuration(groupings).document, "TOTALS_KEY": "Identifier"},
        {"AggregateTable": ("Identifier",)},
    )


def add_writes(changes: Sequence[Change], groupings: int) -> int:
    """How many writes the ADD makes for the changes: one for each image and grouping."""
    return groupings * sum((old is not None) + (new is not None) for old, new in changes)


# -- units


class MeteredLeda:
    """Map and Reduce in this process, over a meter. Reduce gets Map's rows of one batch, the most expensive case."""

    def __init__(self, groupings: int) -> None:
        self.meter = Meter(LEDA.keys, frozenset({"ReduceTable"}))
        self._events = Events()
        client = cast(Any, self.meter)
        registry = Registry(client, "RegistryTable")
        self._map = map_of(client, registry, configuration(groupings))
        self._reduce = reduce_of(client, registry)

    def handle(self, changes: Sequence[Change]) -> None:
        """Process a batch of the table's stream."""
        _deliver(self._events.dynamodb("Feedback", changes), self._map.write)
        rows = self.meter.taken("ReduceTable")
        _deliver(self._events.dynamodb("ReduceTable", rows), self._reduce.apply)


def _deliver(
    event: Event, write: Callable[[Shard, Sequence[stream_records.StreamRecord]], object]
) -> None:
    records = stream_records.read(event["Records"]).records
    write(of_event(event, records), records)


class MeteredAdd:
    """The ADD in this process, over a meter."""

    def __init__(self, groupings: int) -> None:
        design = add_design(groupings)
        self.meter = Meter({design.table(name): keys for name, keys in design.keys.items()})
        self._events = Events()
        with mock.patch.dict(os.environ, design.variables("map", "http://127.0.0.1:9")):
            module: Any = import_module(_MODULE)
        # Imported once for all numbers of groupings.
        module.configuration, module.dynamodb = configuration(groupings), self.meter
        self._handler = module.lambda_handler

    def handle(self, changes: Sequence[Change]) -> None:
        """Process a batch of the table's stream. Raises RuntimeError if a record fails."""
        event = self._events.dynamodb("Feedback", changes)
        _require(not self._handler(event, None)["batchItemFailures"])


def _require(is_done: bool) -> None:
    if not is_done:
        raise RuntimeError("a record of the unconditional ADD has failed")


@dataclass(slots=True)
class Cost:
    """Write units of so many records, by table."""

    records: int = 0
    writes: dict[str, int] = field(default_factory=dict)

    def add(self, records: int, writes: Mapping[str, int]) -> None:
        """Count a batch."""
        self.records += records
        for name, units in writes.items():
            self.writes[name] = self.writes.get(name, 0) + units

    @property
    def each(self) -> float:
        """Units a record."""
        return sum(self.writes.values()) / self.records


Size = tuple[int, int]
"""Groupings, and records of a batch."""


@dataclass(slots=True)
class Counted:
    """The units of both designs by mix and size, and LEDA's also by the number of totals.

    `made` is what a new total costs Reduce.
    """

    leda: dict[tuple[Mix, Size, int], Cost] = field(default_factory=dict)
    add: dict[tuple[Mix, Size], Cost] = field(default_factory=dict)
    made: float = 0.0

    def more(self, mix: Mix, size: Size, totals: int) -> float:
        """How much more LEDA writes than the ADD, as a share of the ADD's units; below 0 if LEDA writes less."""
        return self.leda[mix, size, totals].each / self.add[mix, size].each - 1


def counted(say: Say) -> Counted:
    """Count the units of each case once; they do not vary."""
    found = Counted()
    for groupings in GROUPINGS:
        leda, add = MeteredLeda(groupings), MeteredAdd(groupings)
        for row in zeros(groupings):
            leda.meter.put_item(TableName="AggregateTable", Item=row)
        for mix, batch in product(MIXES, BATCHES):
            size = groupings, batch
            found.add[mix, size] = cost(add, Feedback(groupings, USUAL_TOTALS, mix), batch)
            for totals in TOTALS:
                source = Feedback(groupings, totals, mix)
                found.leda[mix, size, totals] = cost(leda, source, batch)
        say(f"units of {groupings} groupings")
    new = MeteredLeda(1)
    new.handle(Feedback(1, USUAL_TOTALS, NEW_ROWS).batch(1000))
    made = new.meter.scan(TableName="AggregateTable", ConsistentRead=True)
    found.made = new.meter.writes["AggregateTable"] / made["Count"]
    return found


def cost(design: MeteredLeda | MeteredAdd, source: Feedback, batch: int) -> Cost:
    """The units that a design writes for batches of so many records.

    The first batch is not counted, because it assigns the shard.
    """
    found = Cost()
    design.handle(source.batch(batch))
    for _ in range(-(-RECORDS // batch)):
        design.meter.forget()
        design.handle(source.batch(batch))
        found.add(batch, design.meter.writes)
    return found


# -- times


@dataclass(slots=True)
class Took:
    """The times of a design for batches of so many records: a run of each stage for each batch."""

    records: int
    runs: list[tuple[Run, ...]] = field(default_factory=list)

    def each(self, of: Callable[[Run], float]) -> Sample:
        """A figure of a run for each record, summed over the stages."""
        return Sample.of(sum(map(of, stages)) / self.records for stages in self.runs)


def _requests(run: Run) -> float:
    return run.requests


def _cpu(run: Run) -> float:
    return run.took.cpu_ms


def _wall(run: Run) -> float:
    return run.took.wall_ms


Timed = tuple[dict[tuple[Size, int], Took], dict[Size, Took]]
"""The times of LEDA by size and number of totals, and of the ADD by size."""


class Both:
    """The functions of both designs over a new stub that has LEDA's totals."""

    def __init__(self, stack: ExitStack, groupings: int) -> None:
        settings = {**LEDA.settings, "CONFIGURATION": configuration(groupings).document}
        designs = replace(LEDA, settings=settings), add_design(groupings)
        keys = {name: key for design in designs for name, key in design.tables().items()}
        server = stack.enter_context(stub.running(keys, frozenset({LEDA.table("ReduceTable")})))
        self._leda, self._add = (
            Pipeline(
                design,
                server,
                {
                    stage: stack.enter_context(design.environment(stage, server.endpoint))
                    for stage in ("map", "reduce")
                    if stage in design.files
                },
            )
            for design in designs
        )
        self._groupings = groupings
        rows = zeros(groupings)
        for at in range(0, len(rows), _PUT_AT_A_TIME):
            server.put_rows(LEDA.table("AggregateTable"), rows[at : at + _PUT_AT_A_TIME])
        server.set_latency(LATENCY_MS)

    def leda(self, changes: Sequence[Change]) -> tuple[Run, ...]:
        """Send a batch of the table's stream through Map, and the row of its sums through Reduce."""
        mapped = self._leda.invoke("map", self._leda.events.dynamodb("Feedback", changes))
        return mapped, self._leda.invoke("reduce", self._leda.changes("ReduceTable"))

    def add(self, changes: Sequence[Change]) -> tuple[Run, ...]:
        """Send a batch of the table's stream to the ADD. Raises RuntimeError if a record fails."""
        run = self._add.invoke("map", self._add.events.dynamodb("Feedback", changes))
        _require(run.requests == add_writes(changes, self._groupings))
        return (run,)


def timed(repetitions: int, say: Say) -> Timed:
    """Time the designs in turns; for the largest batches, LEDA also with other numbers of totals."""
    leda, add = dict[tuple[Size, int], Took](), dict[Size, Took]()
    cases = [(batch, USUAL_TOTALS) for batch in BATCHES]
    cases += [(BATCHES[-1], totals) for totals in TOTALS if totals != USUAL_TOTALS]
    for groupings in GROUPINGS:
        with ExitStack() as stack:
            both = Both(stack, groupings)
            first = Feedback(groupings, USUAL_TOTALS, USUAL_MIX).batch(WORTH_IT)
            for play in (both.leda, both.add):  # connections are made, and Python's caches fill
                play(first)
            for batch, totals in cases:
                source, size = Feedback(groupings, totals, USUAL_MIX), (groupings, batch)
                designs = [(leda.setdefault((size, totals), Took(batch)), both.leda)]
                if batch <= ADD_RECORDS:
                    designs.append((add.setdefault(size, Took(batch)), both.add))
                for repetition in range(repetitions):
                    changes = source.batch(batch)
                    for took, play in designs if repetition % 2 else designs[::-1]:
                        took.runs.append(play(changes))
        say(f"times of {groupings} groupings")
    return leda, add


# -- the page


def section(short: bool, say: Say) -> Section:
    """Count the units and measure the times."""
    units, times = counted(say), timed(1 if short else 3, say)
    lines = [
        *paragraph(
            "Map and Reduce with one grouping, with 8 and with 30, each a count and a sum by a label of a feedback row "
            "and its day, beside the usual hand-written aggregator "
            "([unconditional_add.py](../simulation/published/unconditional_add.py)): Powertools' batch "
            "processor, and an unconditional ADD for each image of a record and total. The labels are drawn evenly "
            "from so many that all groupings together have so many totals (with 18, 8 groupings have 16 and 30 have "
            "30). Reduce gets the row of each batch of Map by itself; under load it gets several, and writes less."
        ),
        "",
        *paragraph(
            "Write units a record, everything included, computed as those above. The totals exist; to make one costs "
            f"LEDA {units.made:g} units instead of one. Bold: not less than the ADD."
        ),
        *(
            line
            for mix in MIXES
            for line in ("", f"{mix.name.capitalize()}:", "", *unit_rows(units, mix))
        ),
        "",
        *paragraph(_reason(units)),
        "",
        *paragraph(
            f"Requests and milliseconds a record, {USUAL_MIX.name}, {USUAL_TOTALS:,} totals, {LATENCY_MS:g} ms a call. "
            "LEDA's are those of Map and Reduce together, one after the other; the ADD handles its records one after "
            f"the other, and so has no time of its own for batches of more than {ADD_RECORDS}: the ratio is against "
            f"that of {ADD_RECORDS}."
        ),
        "",
        *_time_rows(times),
        "",
        *paragraph(
            f"The same of LEDA by the number of totals, batches of {BATCHES[-1]:,}. Each total that a batch touches "
            "takes Reduce a statement, 25 of which are a request."
        ),
        "",
        *_total_rows(times),
    ]
    return Section("Groupings", lines, [target(units, mix) for mix in MIXES])


def unit_rows(units: Counted, mix: Mix) -> list[str]:
    """Units a record by size."""
    rows = []
    for size in product(GROUPINGS, BATCHES):
        row = [f"{size[0]}", f"{size[1]:,}", f"{units.add[mix, size].each:.3f}"]
        for totals in TOTALS:
            text = f"{units.leda[mix, size, totals].each:.3f}"
            row.append(text if units.more(mix, size, totals) < 0 else f"**{text}**")
        rows.append(row)
    columns = ["groupings", "records of a batch", "ADD", f"LEDA, {TOTALS[0]} totals"]
    return table([*columns, *(f"{totals:,}" for totals in TOTALS[1:])], rows, left=0)


def _reason(units: Counted) -> str:
    widest = units.leda[USUAL_MIX, (GROUPINGS[-1], BATCHES[-1]), TOTALS[-1]].writes
    row = widest["ReduceTable"] / widest["AggregateTable"]
    return (
        "LEDA writes a unit for each total that a batch touches, however many of its records do, and Map's row of the "
        f"sums, which takes a unit at least and, where it is large, {row:.1%} of the totals' units. The ADD writes "
        "twice for a row that is changed; LEDA writes once to a total that such a row stays in. Where a figure is "
        "bold, the batch is of one record, or its records share so few totals that Map's row is not paid for."
    )


def target(units: Counted, mix: Mix) -> Target:
    """The target: fewer units than the ADD with every batch of that size or more."""
    more = [
        units.more(mix, size, totals)
        for size in product(GROUPINGS, BATCHES)
        for totals in TOTALS
        if size[1] >= WORTH_IT
    ]
    dearer = [each for each in more if each >= 0]
    found = f"fewer at {len(more) - len(dearer)} of {len(more)} sizes"
    if dearer:
        found += f", {max(dearer):.0%} more at most"
    return Target(
        f"Groupings: write units against the unconditional ADD, {mix.name}, batches of {WORTH_IT} and more",
        "fewer at every size",
        found,
        not dearer,
    )


def _time_rows(times: Timed) -> list[str]:
    rows = []
    leda, add = times
    for size in product(GROUPINGS, BATCHES):
        ours, theirs = leda[size, USUAL_TOTALS], add.get(size)
        known = theirs or add[size[0], ADD_RECORDS]
        row = [f"{size[0]}", f"{size[1]:,}"]
        for of, text in (
            (_requests, lambda sample: f"{sample.median:.3f}"),
            (_cpu, lambda sample: sample.text(3)),
            (_wall, lambda sample: sample.text(2)),
        ):
            row += [text(ours.each(of)), text(theirs.each(of)) if theirs else ""]
            row.append(f"**{known.each(of).median / ours.each(of).median:.1f}**")
        rows.append(row)
    columns = ["groupings", "records of a batch"]
    for name in ("requests", "processor, ms", "wall, ms"):
        columns += [f"{name}: LEDA", "ADD", "ADD / LEDA"]
    return table(columns, rows, left=0)


def _total_rows(times: Timed) -> list[str]:
    rows = []
    for groupings, totals in product(GROUPINGS, TOTALS):
        took = times[0][(groupings, BATCHES[-1]), totals]
        rows.append(
            [
                f"{groupings}",
                f"{totals:,}",
                f"{took.each(_requests).median:.3f}",
                took.each(_cpu).text(3),
                took.each(_wall).text(2),
            ]
        )
    return table(["groupings", "totals", "requests", "processor, ms", "wall, ms"], rows, left=0)
