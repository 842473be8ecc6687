"""What each stage has to do at a message rate: batches, invocations, requests and units a second, in steady state.

Pure functions, shared by the cost model and the scaling model. Sizes of items and events come from rows that LEDA's
own code builds; what State writes comes from running it (`pipeline_units`).
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Any

from leda.engine.delta_rows import Lane, item
from leda.engine.group_by.configuration import bytes_of
from leda.engine.map.map_batch import MAX_ROW_BYTES
from leda.engine.reduce.totals import MAX_STATEMENTS
from leda.engine.shards import Shard, padded
from leda.pipeline.messages import Message, parse
from leda.pipeline.schema import Schema
from leda_cli.models.measured import MEMORY_OF_A_PROCESSOR, ServiceTimes
from leda_cli.models.pipeline_units import (
    CONFIGURATION,
    ENVIRONMENTS,
    RETENTION_SECONDS,
    Mix,
    Units,
    leda_units,
    state_row,
)
from leda_cli.models.units import WRITE_STEP_BYTES, item_bytes, read_units, write_units_of_bytes

# A shard takes 1,000 records and 1 MiB a second.
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
SHARD_RECORDS = 1000
SHARD_BYTES = 1024 * 1024
# A stream on demand begins with 4 MB/s. The model assumes that it then keeps twice what is needed.
# https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
ON_DEMAND_SHARDS = 4
ON_DEMAND_HEADROOM = 2
# A partition takes 1,000 write units and 3,000 read units a second, and a table's stream has a shard for each.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
PARTITION_WRITE_UNITS = 1000
PARTITION_READ_UNITS = 3000
# A new table on demand takes 4,000 write units and 12,000 read units a second.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
NEW_TABLE_WRITE_UNITS = 4000
NEW_TABLE_READ_UNITS = 12_000
# An invocation's payload. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PAYLOAD_BYTES = 6 * 1024 * 1024

# How many lanes MapLambda writes at a time (`leda.engine.map.map_rows.MapRows`).
MAP_THREADS = 4
# A shard of a table's stream is open for about four hours. Each shard has its own rows in ReduceTable.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
SHARD_SECONDS = 4 * 3600

_NAME = "FXSpot"
_SHARD = "shardId-00000001772345678901-0a1b2c3d"
_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/StateTable/stream/2026-01-01T00:00:00.000"
_SEQUENCE = 10**29


@dataclass(frozen=True, slots=True)
class Workload:
    """What producers send.

    `rate`: messages per second, duplicates included. `message_bytes`: of one. `duplicates`, `modifications`: shares as
    in `Mix`. `near`: duplicates reach the batch of their original. `hierarchy`: how many children a node has, level by
    level; (2, 2, 3) has 2 + 4 + 12 nodes. `trades`: rows that StateTable keeps.
    """

    rate: float
    message_bytes: int = 250
    duplicates: float = 0.07
    modifications: float = 0.0
    near: bool = False
    hierarchy: tuple[int, ...] = (2, 2, 3)
    trades: int = 1_000_000

    @property
    def unique_rate(self) -> float:
        """Messages per second that are not duplicates; each of them is a change."""
        return self.rate * (1 - self.duplicates)

    @property
    def nodes(self) -> int:
        """How many totals there are."""
        return sum(self._widths())

    def _widths(self) -> list[int]:
        return list(accumulate(self.hierarchy, operator.mul))

    @property
    def depth(self) -> int:
        """How many totals a message counts in."""
        return len(self.hierarchy)

    def touched(self, changes: float) -> float:
        """The mean number of different nodes that so many changes touch, if each leaf is equally likely.

        Of the k nodes of a level, n draws hit k (1 - (1 - 1/k)^n).
        """
        return sum(self.touched_by_level(changes))

    def touched_by_level(self, changes: float) -> list[float]:
        """The same for each level, from the roots on."""
        paths = changes * (1 + self.modifications)  # a modified trade moves
        return [width * -math.expm1(paths * _log_miss(width)) for width in self._widths()]


def _log_miss(width: int) -> float:
    return math.log1p(-1 / width) if width > 1 else -math.inf


@dataclass(frozen=True, slots=True)
class Settings:
    """The variables of the Terraform modules that matter to speed, under similar names; in seconds and MB.

    `warm_write_units`, `warm_read_units`: StateTable's warm throughput; `warm_delta_units`, `warm_total_units`: that of
    ReduceTable's and AggregateTable's writes. `concurrency`: the account's limit of executions.
    """

    shard_count: int | None = None
    state_batch_size: int = 1000
    state_window: float = 1.0
    state_memory: int = 512
    write_threads: int = 4
    map_batch_size: int = 1000
    map_window: float = 0.0
    map_memory: int = 512
    reduce_batch_size: int = 1000
    reduce_window: float = 0.0
    reduce_memory: int = 512
    reduce_threads: int = 4
    reduce_lanes: int = 1
    warm_write_units: int = NEW_TABLE_WRITE_UNITS
    warm_read_units: int = NEW_TABLE_READ_UNITS
    warm_delta_units: int = NEW_TABLE_WRITE_UNITS
    warm_total_units: int = NEW_TABLE_WRITE_UNITS
    concurrency: int = 1000

    def of_function(self, stage: str) -> dict[str, float]:
        """The variables of a stage's function (`state`, `map`, `reduce`), by their names in Terraform."""
        return {
            "memory_mb": getattr(self, f"{stage}_memory"),
            "batch_size": getattr(self, f"{stage}_batch_size"),
            "batching_window_seconds": getattr(self, f"{stage}_window"),
        }


@dataclass(frozen=True, slots=True)
class StageLoad:
    """The load of one stage: `lanes` shards, each with `records` a second.

    `batch`: records of an invocation; `invocations` and units: per second, in all lanes; `gather`: the seconds for
    which a batch collects records, a poll interval and the batching window; `seconds`: how long an invocation runs.
    """

    lanes: int
    records: float
    batch: float
    gather: float
    seconds: float
    memory: int
    invocations: float
    write_units: float = 0.0
    read_units: float = 0.0

    @property
    def busy(self) -> float:
        """The share of its time that a lane works; above 1 the lane falls behind."""
        return self.records / self.batch * self.seconds


@dataclass(frozen=True, slots=True)
class DeltaRows:
    """The rows that a batch of Map puts: their number, the bytes and entries of each, and the number of lanes."""

    rows: float
    entries: float
    bytes: float
    lanes: float

    @property
    def write_units(self) -> float:
        """The write units of all rows. A row replaces one of the same size, and the local index has no row.

        Rows differ in size, so the last kilobyte of a row is half full on average.
        """
        kilobytes = self.bytes / WRITE_STEP_BYTES
        return self.rows * (1 if kilobytes <= 1 else kilobytes + 0.5)


@dataclass(frozen=True, slots=True)
class Load:
    """The load of the three stages. `delta_rows`: rows of ReduceTable a second; `of_a_batch`: those of a Map batch."""

    workload: Workload
    settings: Settings
    state: StageLoad
    map: StageLoad
    reduce: StageLoad
    delta_rows: float
    of_a_batch: DeltaRows

    @property
    def stages(self) -> dict[str, StageLoad]:
        """The stages by name, in their order."""
        return {"state": self.state, "map": self.map, "reduce": self.reduce}

    @property
    def executions(self) -> float:
        """How many executions of all functions run at once, on average."""
        return sum(stage.invocations * stage.seconds for stage in self.stages.values())

    @property
    def write_units(self) -> float:
        """Write units a second of all tables."""
        return sum(stage.write_units for stage in self.stages.values())

    @property
    def stored_delta_rows(self) -> float:
        """The rows in ReduceTable: Map replaces them, so there is one for each lane and shard of the last days."""
        return (
            self.map.lanes
            * RETENTION_SECONDS
            / SHARD_SECONDS
            * min(self.delta_rows, self.settings.reduce_lanes)
        )


def load(workload: Workload, settings: Settings, times: ServiceTimes) -> Load:
    """Compute the load of every stage."""
    state = _state(workload, settings, times)
    # StateTable's partitions, which are its stream's shards: as many as its writes need or it was warmed for.
    needed = max(state.write_units, settings.warm_write_units, NEW_TABLE_WRITE_UNITS)
    lanes = math.ceil(needed / PARTITION_WRITE_UNITS)
    mapped, made = _map(workload, settings, times, lanes, between=1 / state.invocations)
    rows = mapped.invocations * made.rows
    reduced = _reduce(workload, settings, times, rows, made, mapped.batch)
    return Load(workload, settings, state, mapped, reduced, rows, made)


def shards_of(workload: Workload, settings: Settings) -> int:
    """The shards of the ingest stream: the setting, or the model's assumption for on-demand mode."""
    if settings.shard_count is not None:
        return settings.shard_count
    needed = max(
        workload.rate / SHARD_RECORDS, workload.rate * workload.message_bytes / SHARD_BYTES
    )
    return max(ON_DEMAND_SHARDS, math.ceil(needed * ON_DEMAND_HEADROOM))


def cpu_seconds(milliseconds: float, memory: int) -> float:
    """The seconds that so much CPU time takes with this memory; more than one processor does not help one thread."""
    return milliseconds / 1000 / min(1.0, memory / MEMORY_OF_A_PROCESSOR)


def state_seconds(
    records: float, settings: Settings, times: ServiceTimes, requests: float
) -> float:
    """How long State works on a batch: its CPU time, and its requests (`requests` a record) with all threads."""
    work = times.invocation_cpu_ms + times.state_cpu_ms_per_1000 * records / 1000
    waits = rounds(max(1.0, records * requests), settings.write_threads) * times.statements_ms
    return cpu_seconds(work, settings.state_memory) + waits / 1000


def map_work_seconds(
    changes: float, made: DeltaRows, settings: Settings, times: ServiceTimes
) -> float:
    """Map's CPU time for a batch, by the changes that it reads and by the entries that it puts."""
    work = (
        times.invocation_cpu_ms
        + times.map_cpu_ms_per_1000 * changes / 1000
        + times.map_cpu_ms_per_1000_entries * made.rows * made.entries / 1000
    )
    return cpu_seconds(work, settings.map_memory)


def map_put_rounds(made: DeltaRows) -> int:
    """How many puts Map waits for in turn: it writes lanes in parallel, and the rows of a lane one by one."""
    return rounds(made.lanes, MAP_THREADS) * math.ceil(made.rows / made.lanes)


def reduce_work_seconds(
    rows: float, made: DeltaRows, totals: float, settings: Settings, times: ServiceTimes
) -> float:
    """Reduce's CPU time for a batch, by the entries of its rows and by the totals that it writes."""
    work = (
        times.invocation_cpu_ms
        + times.reduce_cpu_ms_per_1000_entries * rows * made.entries / 1000
        + times.reduce_cpu_ms_per_1000_totals * totals / 1000
    )
    return cpu_seconds(work, settings.reduce_memory)


def reduce_call_rounds(totals: float, settings: Settings) -> int:
    """How many requests Reduce waits for in turn to write so many totals."""
    return rounds(math.ceil(totals / MAX_STATEMENTS), settings.reduce_threads)


def rounds(requests: float, threads: int) -> int:
    """How many requests a thread sends in turn, if so many threads share them."""
    return math.ceil(math.ceil(requests) / threads)


def batch_of(records: float, gather: float, limit: float) -> float:
    """The records of a batch: the first one, and those that come while the batch gathers, up to the limit."""
    return min(limit, 1 + records * gather)


def _stage(
    lanes: int,
    rate: float,
    gather: float,
    limit: float,
    memory: int,
    seconds_of: Callable[[float], float],
    between: float = 0.0,
) -> StageLoad:
    """A stage without its units: `rate` records a second in all lanes, `limit` records of a batch at most.

    `between`: the seconds between two arrivals, where the records come many at a time.
    """
    records = rate / lanes
    seconds = 0.0
    for _ in range(4):
        # The next batch gathers while the function works.
        batch = batch_of(records, max(gather, seconds, between), limit)
        seconds = seconds_of(batch)
    return StageLoad(lanes, records, batch, gather, seconds, memory, rate / batch)


def _state(workload: Workload, settings: Settings, times: ServiceTimes) -> StageLoad:
    lanes = shards_of(workload, settings)
    metered = state_units(workload, lanes)
    requests = metered.requests["state"] / metered.messages
    stage = _stage(
        lanes,
        workload.rate,
        settings.state_window + times.kinesis_poll_seconds,
        min(settings.state_batch_size, PAYLOAD_BYTES / kinesis_event_bytes(workload)),
        settings.state_memory,
        lambda batch: state_seconds(batch, settings, times, requests),
    )
    return replace(
        stage,
        write_units=workload.unique_rate * state_write_units(workload, lanes),
        read_units=workload.unique_rate * state_read_units(workload, lanes),
    )


def _map(
    workload: Workload, settings: Settings, times: ServiceTimes, lanes: int, between: float
) -> tuple[StageLoad, DeltaRows]:
    """The stage, and the rows of a batch. `between`: the seconds between two stored batches of State."""
    made = delta_rows(workload, 1, settings.reduce_lanes)

    def seconds(batch: float) -> float:
        nonlocal made
        made = delta_rows(workload, batch, settings.reduce_lanes)
        work = map_work_seconds(batch, made, settings, times)
        return work + map_put_rounds(made) * times.call_ms / 1000

    stage = _stage(
        lanes,
        workload.unique_rate,
        settings.map_window + times.dynamodb_poll_seconds,
        min(settings.map_batch_size, PAYLOAD_BYTES / state_event_bytes(workload)),
        settings.map_memory,
        seconds,
        between,
    )
    return replace(stage, write_units=stage.invocations * made.write_units), made


def _reduce(
    workload: Workload,
    settings: Settings,
    times: ServiceTimes,
    rows: float,
    made: DeltaRows,
    changes: float,
) -> StageLoad:
    # DynamoDB moves lanes with many writes into partitions of their own, and each partition has a shard:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
    lanes = settings.reduce_lanes

    def totals(batch: float) -> float:
        return totals_of_rows(workload, batch, made, changes, lanes)

    def seconds(batch: float) -> float:
        touched = totals(batch)
        work = reduce_work_seconds(batch, made, touched, settings, times)
        return work + reduce_call_rounds(touched, settings) * times.statements_ms / 1000

    stage = _stage(
        lanes,
        rows,
        settings.reduce_window + times.dynamodb_poll_seconds,
        min(settings.reduce_batch_size, PAYLOAD_BYTES / delta_event_bytes(made)),
        settings.reduce_memory,
        seconds,
    )
    # A total is a row of less than a kilobyte.
    return replace(stage, write_units=stage.invocations * totals(stage.batch))


def totals_of_rows(
    workload: Workload, rows: float, made: DeltaRows, changes: float, lanes: int
) -> float:
    """How many totals of a lane are touched by so many of its rows; a batch of Map made `made` rows of `changes`."""
    batches = rows / (made.rows / made.lanes)
    return workload.touched(batches * changes) / lanes


def delta_rows(workload: Workload, changes: float, lanes: int) -> DeltaRows:
    """The rows that a batch of Map puts: one for each lane that it touches, or several if one would be too large."""
    nodes = workload.touched_by_level(changes)
    # Of k lanes, n nodes fall to k (1 - (1 - 1/k)^n).
    touched = lanes * -math.expm1(sum(nodes) * _log_miss(lanes))
    base, by_level = delta_row_bytes(workload.depth)
    bound = sum(map(operator.mul, nodes, _entry_bounds(workload.depth)))
    parts = max(1, math.ceil(bound / touched / MAX_ROW_BYTES))
    if parts > 1:
        # The parts of a batch have nodes in common: each part has the nodes that its share of the changes touches.
        nodes = workload.touched_by_level(changes / parts)
    entries = sum(map(operator.mul, nodes, by_level))
    return DeltaRows(touched * parts, sum(nodes) / touched, base + entries / touched, touched)


@cache
def _metered(duplicates: float, modifications: float, near: bool, environments: int) -> Units:
    mix = Mix(duplicates, modifications, 1000, near, environments=environments)
    return leda_units(mix, messages=8000)


def state_units(workload: Workload, lanes: int) -> Units:
    """The units that State's own code takes for this mix, in batches of 1,000 with rows of less than a kilobyte.

    A batch of any lane may run in any execution environment (AWS does not tie shards to environments), so it is chance
    whether a duplicate reaches the environment of its original. More environments than ENVIRONMENTS change little.
    """
    environments = min(lanes, ENVIRONMENTS)
    return _metered(workload.duplicates, workload.modifications, workload.near, environments)


def state_write_units(workload: Workload, lanes: int) -> float:
    """State's write units per unique message. Failed writes are charged by the size of the row, too."""
    sizes = _state_row_sizes(workload.depth, workload.message_bytes)
    return state_units(workload, lanes).per_unique("state") * sizes.write_units


def state_read_units(workload: Workload, lanes: int) -> float:
    """State's read units per unique message: it reads some rows before it writes, or instead of a write."""
    metered = state_units(workload, lanes)
    sizes = _state_row_sizes(workload.depth, workload.message_bytes)
    return metered.reads["state"] / metered.handled["state"] * sizes.read_units


def sample(levels: int, message_bytes: int = 0) -> Message:
    """A message with so many levels, whose names have six letters; padded to `message_bytes`."""
    schema = Schema(levels=tuple(f"Level{place}" for place in range(levels)))
    fields: dict[str, Any] = {
        "TradeID": "0d957268-2913-4dbb-b359-5ec5ff732cac",
        "Value": 34624.51,
        "Version": 1,
        "Timestamp": 1616413258.8997078,
        "Hierarchy": dict.fromkeys(schema.levels, _NAME),
    }
    if missing := max(0, message_bytes - len(json.dumps(fields)) - len(', "_": ""')):
        fields["Hierarchy"]["_"] = "x" * missing
    return parse(json.dumps(fields).encode(), schema)


def row_of(workload: Workload) -> dict[str, Any]:
    """A row of StateTable for a message of the workload, as LEDA's code makes it."""
    return state_row(sample(workload.depth, workload.message_bytes))


@dataclass(frozen=True, slots=True)
class _RowSizes:
    """What a row of StateTable takes: units of a write and of a read, and bytes in a function's event."""

    write_units: int
    read_units: float
    event_bytes: int


@cache
def _state_row_sizes(levels: int, message_bytes: int) -> _RowSizes:
    # Cached, because the models ask for these sizes some hundred thousand times.
    row = state_row(sample(levels, message_bytes))
    return _RowSizes(write_units_of_bytes(item_bytes(row)), read_units(row), len(json.dumps(row)))


def _path(levels: int) -> str:
    return ":".join([_NAME] * levels)


def _delta_row(*nodes: str) -> dict[str, Any]:
    """A row of ReduceTable as Map puts it; a sum has some more digits than a value."""
    row = item(
        Lane(CONFIGURATION.version, 10, 1),
        Shard(_ARN, _SHARD).source,
        padded(_SEQUENCE),
        CONFIGURATION.names,
        dict.fromkeys(nodes, (123, "1234567.89")),
        1000,
    )
    return {**row, "OldestTimestamp": {"N": "1616413258.8997078"}, "ExpiresAt": {"N": "1616413259"}}


@cache
def _entry_bounds(levels: int) -> list[int]:
    """The upper bound of an entry's bytes at each level, by which Map decides when a row is full."""
    return [bytes_of([_path(level + 1)], len(CONFIGURATION.measures)) for level in range(levels)]


@cache
def delta_row_bytes(levels: int) -> tuple[float, list[float]]:
    """The bytes of a row of ReduceTable without entries, and the bytes of an entry at each level."""
    empty = item_bytes(_delta_row())
    entries = [item_bytes(_delta_row(_path(level + 1))) - empty for level in range(levels)]
    return empty, [float(entry) for entry in entries]


def kinesis_event_bytes(workload: Workload) -> int:
    """The bytes of a record of the ingest stream in a function's event: the envelope, and the data in base 64."""
    return _kinesis_envelope() + 4 * -(-workload.message_bytes // 3)


@cache
def _kinesis_envelope() -> int:
    envelope = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "0" * 64,
            "sequenceNumber": "4" * 56,
            "data": "",
            "approximateArrivalTimestamp": 1616413258.899,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{'4' * 56}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/StateLambda",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/IncomingDataStream",
    }
    return len(json.dumps(envelope))


def state_event_bytes(workload: Workload) -> float:
    """The bytes of a change of StateTable in a function's event, which has both images of a modification."""
    row = _state_row_sizes(workload.depth, workload.message_bytes).event_bytes
    return _stream_envelope() + row * (1 + workload.modifications)


def delta_event_bytes(made: DeltaRows) -> float:
    """The bytes of a row of ReduceTable in a function's event; JSON takes more than the stored bytes."""
    return _stream_envelope() + made.bytes * _delta_json_factor()


@cache
def _delta_json_factor() -> float:
    row = _delta_row(_path(1), _path(2), _path(3))
    return len(json.dumps(row)) / item_bytes(row)


@cache
def _stream_envelope() -> int:
    envelope = {
        "eventID": "0" * 32,
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1616413258,
            "Keys": {"id": {"S": "0d957268-2913-4dbb-b359-5ec5ff732cac"}},
            "SequenceNumber": str(_SEQUENCE),
            "SizeBytes": 1000,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": {},
            "OldImage": {},
        },
        "eventSourceARN": _ARN,
    }
    return len(json.dumps(envelope))
