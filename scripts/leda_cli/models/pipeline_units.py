"""Write and read units per message of the whole pipeline, counted while its code runs.

Messages of a stated mix go through LEDA's State, Map and Reduce (`lambda_src/leda`) over a `Meter`. The same messages
go through the published design of this pipeline: State updates each message on condition, Map puts one row a batch
under the batch's hash, Reduce adds to the totals in a transaction whose token is that hash; it reads nothing.
https://catalog.workshops.aws/dynamodb-labs/en-US/event-driven-architecture
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle, product
from typing import Any, NoReturn, cast

from leda.engine.group_by.configuration import Configuration
from leda.engine.group_by.hierarchy import SEPARATOR, nodes
from leda.engine.map.map_rows import MapRows
from leda.engine.map.source_shards import SourceShards
from leda.engine.reduce.epochs import Epochs
from leda.engine.reduce.totals import Totals
from leda.engine.registry import Configurations, Registry
from leda.engine.rejects import Reject
from leda.engine.shards import Shard
from leda.pipeline import state_rows
from leda.pipeline.game import MAX_CENTS
from leda.pipeline.messages import Message, parse
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import StateStore, newest
from leda.streams.stream_records import StreamRecord
from leda.values.limits import Limits
from leda_cli.models.metering import Change, Meter, Row
from leda_cli.models.units import write_units

STAGES = ("state", "map", "reduce")
BATCHES = (1, 10, 100, 1000, 10_000)
# With 8 environments, 7 of 8 duplicates reach one that has not seen their original.
ENVIRONMENTS = 8
# Batches before the count. The first has no trade to modify; in the second State learns which statements succeed.
BATCHES_TO_LEARN_FROM = 2

_KEYS = {
    "StateTable": ("id",),
    "ReduceTable": ("Lane", "Source"),
    "AggregateTable": ("Identifier",),
    "RegistryTable": ("Scope", "Name"),
}
# The measures of every total by the modules' default.
CONFIGURATION = Configuration.from_json(
    '{"path": "Path", "measures": {"Count": {"op": "count"}, "Value": {"op": "sum", "field": "Value"}}}'
)
RETENTION_SECONDS = 2 * 24 * 3600
# As long as real ones, because the ARN and the shard's ID are part of the items.
_STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/{}/stream/2026-01-01T00:00:00.000"
_SHARD = "shardId-00000001772345678901-0a1b2c3d"
_FIRST_SEQUENCE = 10**29
_HASH = "0" * 64
_STREAMS = ("StateTable", "ReduceTable")
_EPOCH = 1_772_000_000
_NOTHING = {"N": "0"}
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Mix:
    """What is sent, and in which batches.

    `duplicates`: the share of all messages that are duplicates of others. `modifications`: the share of the other
    messages that are newer versions of trades of earlier batches, at most one per trade and batch. `near`: duplicates
    are in the batch of their original, otherwise in a later batch. `batch`: records of a batch of State and of Map.
    `rows`: rows of ReduceTable in a batch of Reduce. `first_version`: the version of a new trade. `environments`:
    State's batches go to so many execution environments in turn, each with a cache of its own. `hierarchy`: how many
    children a node has at each level. `lanes`: reduce_lanes.
    """

    duplicates: float
    modifications: float
    batch: int
    near: bool = False
    rows: int = 1
    first_version: int = 0
    environments: int = 1
    hierarchy: tuple[int, ...] = (2, 2, 3)
    lanes: int = 1


@dataclass(slots=True)
class Units:
    """Counts of messages (`unique`: without duplicates), and by stage: records handled and passed on, units, requests.

    State handles unique messages and passes on changes, Map handles changes and passes on rows of ReduceTable, Reduce
    handles those rows. `touched`: the sum of the totals that each batch of Reduce touches.
    """

    messages: int = 0
    unique: int = 0
    touched: int = 0
    handled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    given: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    writes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    reads: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))

    def per_unique(self, *stages: str) -> float:
        """Write units per unique message, of these stages or of all stages."""
        return sum(self._share(self.writes, stage) for stage in stages or STAGES)

    def reads_per_unique(self) -> float:
        """Read units per unique message."""
        return sum(self._share(self.reads, stage) for stage in STAGES)

    def _share(self, counts: Mapping[str, float], stage: str) -> float:
        """Units per record that the stage handled, times such records per unique message.

        Dividing by the unique messages would leave out those that still wait for a full batch.
        """
        per_message = 1.0
        for earlier in STAGES[: STAGES.index(stage)]:
            per_message *= self.given[earlier] / self.handled[earlier]
        return counts[stage] / self.handled[stage] * per_message


class Source:
    """Draws messages of a mix, the same ones for the same seed; `unique` counts those that are not duplicates."""

    def __init__(self, mix: Mix, seed: int, schema: Schema) -> None:
        self._mix = mix
        self._schema = schema
        self._draw = random.Random(seed)
        self._ids: list[str] = []
        self._versions: list[int] = []
        self._sent: list[Message] = []
        self._not_modified: list[int] = []
        self.unique = 0

    def batch(self) -> list[Message]:
        """The messages of the next batch of State."""
        start = len(self._sent)
        self._not_modified = list(range(len(self._ids)))
        for place in range(self._mix.batch):
            # Duplicates that are not near repeat messages from before this batch.
            first, last = (start, start + place) if self._mix.near else (0, start)
            is_copy = last > first and self._draw.random() < self._mix.duplicates
            if is_copy:
                self._sent.append(self._sent[self._draw.randrange(first, last)])
            else:
                self._sent.append(self._new())
                self.unique += 1
        return self._sent[start:]

    def _new(self) -> Message:
        draw = self._draw
        if self._not_modified and draw.random() < self._mix.modifications:
            place = draw.randrange(len(self._not_modified))
            trade = self._not_modified[place]
            self._not_modified[place] = self._not_modified[-1]
            self._not_modified.pop()
            self._versions[trade] += 1
        else:
            trade = len(self._ids)
            self._ids.append(str(uuid.UUID(int=draw.getrandbits(128), version=4)))
            self._versions.append(self._mix.first_version)
        cents = draw.randrange(MAX_CENTS)
        levels = {
            level: name_of(depth, draw.randrange(width))
            for depth, (level, width) in enumerate(
                zip(self._schema.levels, self._mix.hierarchy, strict=True)
            )
        }
        fields = {
            "TradeID": self._ids[trade],
            "Version": self._versions[trade],
            "Timestamp": _EPOCH + draw.random() * 1000,
            "Hierarchy": levels,
        }
        text = json.dumps(fields)[:-1] + f', "Value": {cents // 100}.{cents % 100:02d}}}'
        return parse(text.encode(), self._schema)


def name_of(depth: int, child: int) -> str:
    """The name of a node's child, as long as the workshop's names."""
    return f"{'ABCDEFGH'[depth]}{child:05d}"


def leda_units(mix: Mix, messages: int, seed: int = 1) -> Units:
    """The units of LEDA's own code over at least so many messages, in warm environments.

    At least as many messages, and BATCHES_TO_LEARN_FROM batches of each environment, run before the count begins.
    """
    meter = Meter(_KEYS, frozenset(_STREAMS))
    _make_totals(meter, mix.hierarchy)
    client = cast(Any, meter)
    stores = cycle(
        [StateStore(client, "StateTable", threads=1) for _environment in range(mix.environments)]
    )
    registry = Registry(client, "RegistryTable")
    map_rows = map_of(client, registry, CONFIGURATION, mix.lanes)
    totals = reduce_of(client, registry)

    def state(batch: list[Message]) -> None:
        next(stores).write(newest(batch)[0])

    put, add = _reading("StateTable", map_rows.write), _reading("ReduceTable", totals.apply)
    source = Source(mix, seed, Schema())
    return _run(mix, messages, source, meter, [state, put, add], lambda row: row["Totals"]["M"])


def map_of(
    client: Any,
    registry: Registry,
    configuration: Configuration,
    lanes: int = 1,
    threads: int = 1,
) -> MapRows:
    """What Map does with its records, over ReduceTable in `client`; a record that is rejected is an error."""
    shards = SourceShards(registry, configuration, lanes)
    return MapRows(client, "ReduceTable", Limits(), shards, RETENTION_SECONDS, _refuse, threads)


def reduce_of(client: Any, registry: Registry) -> Totals:
    """The same for Reduce and AggregateTable."""
    epochs, configurations = Epochs(registry, client), Configurations(registry)
    return Totals(client, "AggregateTable", epochs, configurations, _refuse, threads=1)


def state_row(message: Message) -> Row:
    """A message's row of StateTable, as State writes it."""
    values = zip(state_rows.ATTRIBUTES, state_rows.values(message), strict=True)
    return {"id": {"S": message.id}, **dict(values)}


def _make_totals(meter: Meter, hierarchy: Sequence[int]) -> None:
    """Put every total, so that the count has only updates of them."""
    levels = [
        [name_of(depth, child) for child in range(width)] for depth, width in enumerate(hierarchy)
    ]
    for depth in range(len(levels)):
        for names in product(*levels[: depth + 1]):
            row = {"Identifier": {"S": SEPARATOR.join(names)}, "Count": _NOTHING, "Value": _NOTHING}
            meter.put_item(TableName="AggregateTable", Item=row)


def _reading(
    table: str, write: Callable[[Shard, Sequence[StreamRecord]], object]
) -> Callable[[Sequence[Change]], None]:
    """A stage that reads a shard of the table's stream."""
    shard = Shard(_STREAM.format(table), _SHARD)
    sequence = _FIRST_SEQUENCE

    def deliver(changes: Sequence[Change]) -> None:
        nonlocal sequence
        write(shard, _records(changes, sequence))
        sequence += len(changes)

    return deliver


def published_units(mix: Mix, messages: int, seed: int = 1) -> Units:
    """The units of the published design for the same messages."""
    meter = Meter(_KEYS, frozenset(_STREAMS))
    rows: dict[str, Row] = {}

    def state(batch: list[Message]) -> None:
        for message in batch:
            old = rows.get(message.id)
            new = state_row(message)
            is_newer = old is None or int(old["Version"]["N"]) < message.version
            meter.writes["StateTable"] += write_units(old, new if is_newer else None)
            if is_newer:
                rows[message.id] = new
                meter.changes["StateTable"].append((old, new))

    def put(changes: Sequence[Change]) -> None:
        sums: dict[str, Decimal] = {}
        for old, new in changes:
            for image, sign in ((old, -1), (new, 1)):
                if image is not None:
                    for node in nodes(image["Path"]["S"]):
                        sums[node] = sums.get(node, _ZERO) + sign * Decimal(image["Value"]["N"])
        text = json.dumps({node: float(value) for node, value in sums.items()})
        row: Row = {"MessageId": {"S": _HASH}, "Message": {"S": text}}
        meter.writes["ReduceTable"] += write_units(None, row)
        meter.changes["ReduceTable"].append((None, row))

    def add(changes: Sequence[Change]) -> None:
        touched = {node for _, row in changes for node in _published_nodes(row)}
        for node in touched:
            row: Row = {"Identifier": {"S": node}, "Value": {"N": "34624.51"}}
            meter.writes["AggregateTable"] += write_units(row, row, transaction=True)

    source = Source(mix, seed, Schema())
    return _run(mix, messages, source, meter, [state, put, add], _published_nodes)


def _published_nodes(row: Row) -> Iterable[str]:
    found: dict[str, float] = json.loads(row["Message"]["S"])
    return found


def _run(
    mix: Mix,
    messages: int,
    source: Source,
    meter: Meter,
    stages: Sequence[Callable[[Any], None]],
    nodes_of: Callable[[Row], Iterable[str]],
) -> Units:
    units = Units()

    def deliver(place: int, batch: list[Any]) -> list[Change]:
        stages[place](batch)
        units.writes[STAGES[place]] += sum(meter.writes.values())
        units.reads[STAGES[place]] += sum(meter.reads.values())
        units.requests[STAGES[place]] += sum(meter.requests.values())
        meter.forget()
        changes = cast(list[Change], [each for table in _STREAMS for each in meter.taken(table)])
        units.given[STAGES[place]] += len(changes)
        return changes

    # The first round fills the tables and lets State learn; only the second round's units are returned.
    to_learn_from = BATCHES_TO_LEARN_FROM * mix.batch * mix.environments
    for at_least in (max(messages, to_learn_from), messages):
        units = Units()
        changes: list[Change] = []
        rows: list[Change] = []
        while units.messages < at_least or not all(units.handled.values()):
            already = source.unique
            changes += deliver(0, source.batch())
            units.handled["state"] += source.unique - already
            units.messages += mix.batch
            while len(changes) >= mix.batch:
                rows += deliver(1, changes[: mix.batch])
                del changes[: mix.batch]
                units.handled["map"] += mix.batch
            while len(rows) >= mix.rows:
                deliver(2, rows[: mix.rows])
                units.touched += len(
                    {node for _, row in rows[: mix.rows] for node in nodes_of(row)}
                )
                del rows[: mix.rows]
                units.handled["reduce"] += mix.rows
    units.unique = units.handled["state"]
    return units


def _refuse(_shard: Shard, rejected: Reject) -> NoReturn:
    raise RuntimeError(f"a record of the mix was rejected: {rejected.reason}")


def _records(changes: Sequence[Change], first: int) -> list[StreamRecord]:
    # A time whose last digit is not 0, so that ExpiresAt has the same size whenever this runs.
    arrived = datetime.fromtimestamp(int(time.time()) // 10 * 10 + 1, UTC)
    return [
        StreamRecord(
            first + place, "", "MODIFY" if old else "INSERT", old, new, False, arrived, raw={}
        )
        for place, (old, new) in enumerate(changes)
    ]


def state_units_of_a_message() -> dict[str, tuple[float, float]]:
    """State's write and read units for one message, by what StateTable has of its trade.

    "Seen" means that the environment has recently stored or read the trade's row.
    """
    meter = Meter(_KEYS, frozenset(_STREAMS))
    store, other = (
        StateStore(cast(Any, meter), "StateTable", threads=1) for _environment in range(2)
    )
    first, second = (Source(Mix(0, 0, 1000), seed, Schema()).batch() for seed in (1, 2))
    found: dict[str, tuple[float, float]] = {}
    for name, environment, messages, version in (
        ("a new trade, version 0", store, first + second, 0),
        ("a duplicate, seen", store, first[:100], 0),
        ("a duplicate, not seen", other, first[:100], 0),
        ("version 1 of a trade, seen", store, first, 1),
        ("version 1 of a trade, not seen, as long as it is not expected", other, second[:500], 1),
        ("version 1 of a trade, not seen, once it is", other, second[500:], 1),
        ("version 2 of a trade", other, second, 2),
        ("an older version, seen", store, first[:100], 0),
    ):
        meter.forget()
        environment.write([replace(message, version=version) for message in messages])
        writes, reads = sum(meter.writes.values()), sum(meter.reads.values())
        found[name] = writes / len(messages), reads / len(messages)
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """A mix and what both designs cost for it."""

    mix: Mix
    leda: Units
    published: Units


def compare(mixes: Sequence[Mix], seed: int = 1) -> Iterator[Comparison]:
    """Compare both designs for each mix, over at least 1,000 messages and a batch of each stage."""
    for mix in mixes:
        messages = 1000 if mix.batch > 1 else 300
        yield Comparison(mix, leda_units(mix, messages, seed), published_units(mix, messages, seed))


def all_mixes() -> list[Mix]:
    """0, 7 and 30 % duplicates, 0 and 50 % modifications, batches of 1 to 10,000.

    Duplicates are in the batch of their original, in another batch of the same environment, or, for batches of 1,000,
    in a batch of any of ENVIRONMENTS.
    """
    mixes = []
    for modifications, duplicates, batch in product((0, 0.5), (0, 0.07, 0.3), BATCHES):
        mix = Mix(duplicates, modifications, batch)
        mixes.append(mix)
        if duplicates and batch > 1:
            mixes.append(replace(mix, near=True))
        if duplicates and batch == 1000:
            mixes.append(replace(mix, environments=ENVIRONMENTS))
    return mixes


def where(mix: Mix) -> str:
    """Where the mix's duplicates are, relative to their originals."""
    if mix.near:
        return "the same batch"
    return f"any of {mix.environments} environments" if mix.environments > 1 else "another batch"


def markdown(comparisons: Sequence[Comparison]) -> list[str]:
    """The comparisons as a table in Markdown: write units per unique message."""
    lines = [
        "| modifications | duplicates | batch | State | Map | Reduce | **LEDA** | published | LEDA's reads |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in comparisons:
        mix, ours, theirs = each.mix, each.leda, each.published
        duplicates = f"{mix.duplicates:.0%}" + (f" in {where(mix)}" if mix.duplicates else "")
        stages = " | ".join(f"{ours.per_unique(stage):.4f}" for stage in STAGES)
        lines.append(
            f"| {mix.modifications:.0%} | {duplicates} | {mix.batch:,} | {stages} | "
            f"**{ours.per_unique():.3f}** | {theirs.per_unique():.3f} | {ours.reads_per_unique():.3f} |"
        )
    return lines
