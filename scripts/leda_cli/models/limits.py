"""How much of each limit a load uses, by the utilization law, and what to do about each.

The share of a limit that is used is the arrivals a second times what each takes of the limit. At 1 a queue grows
without end, and queues form by chance before that, so settings should keep every share below a target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from leda_cli.models.load_model import (
    PARTITION_WRITE_UNITS,
    SHARD_BYTES,
    SHARD_RECORDS,
    Load,
    Settings,
    Workload,
    load,
)
from leda_cli.models.measured import ServiceTimes

TARGET = 0.7
# In a table with a local index, the rows of a partition key stay in one partition and have at most 10 GB.
COLLECTION_BYTES = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: the share of it that is used (1: all), the setting to change, and the page that states the limit."""

    name: str
    used: float
    remedy: str
    page: str

    @property
    def strain(self) -> float:
        """The used share divided by the target; above 1 the settings do not fit the load."""
        return self.used / TARGET


_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_PARTITION = f"{_DYNAMODB}bp-partition-key-design.html"
_COLLECTIONS = f"{_DYNAMODB}burst-adaptive-capacity.html"
_BOUGHT = (
    "ingest: ",
    "Lambda: ",
    "StateTable: ",
    "ReduceTable: warm ",
    "AggregateTable: warm ",
)
_KINESIS = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"


def limits(found: Load) -> list[Limit]:
    """Every limit of the load, in the order of the pipeline."""
    workload, settings = found.workload, found.settings
    state, mapped, reduced = found.state, found.map, found.reduce
    lanes = settings.reduce_lanes
    return [
        Limit(
            "ingest: records of a shard",
            workload.rate / state.lanes / SHARD_RECORDS,
            "shard_count, or messages packed by the Kinesis Producer Library",
            _KINESIS,
        ),
        Limit(
            "ingest: bytes of a shard",
            workload.rate * workload.message_bytes / state.lanes / SHARD_BYTES,
            "shard_count",
            _KINESIS,
        ),
        Limit(
            "State: time of a lane",
            state.busy,
            "state_function's batch_size, parallelization_factor and memory_mb; write_threads",
            "https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html",
        ),
        Limit(
            "Lambda: executions at once",
            found.executions / settings.concurrency,
            "the quota Concurrent executions",
            _LAMBDA,
        ),
        _warmed("StateTable", "write", state.write_units / settings.warm_write_units),
        _warmed("StateTable", "read", state.read_units / settings.warm_read_units),
        Limit(
            "Map: time of a lane",
            mapped.busy,
            "map_function's batch_size, batching_window_seconds and memory_mb",
            "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html",
        ),
        Limit(
            "ReduceTable: write units of a lane's partition",
            mapped.write_units / lanes / PARTITION_WRITE_UNITS,
            "map_function's batching_window_seconds, then reduce_lanes",
            _COLLECTIONS,
        ),
        Limit(
            "ReduceTable: bytes of a lane's collection",
            found.stored_delta_rows * found.of_a_batch.bytes / lanes / COLLECTION_BYTES,
            "reduce_lanes, or a shorter delta_retention_seconds",
            f"{_DYNAMODB}LSI.html#LSI.ItemCollections.SizeLimit",
        ),
        _warmed("ReduceTable", "write", mapped.write_units / settings.warm_delta_units),
        Limit(
            "Reduce: time of a lane",
            reduced.busy,
            "reduce_function's batch_size, batching_window_seconds and memory_mb, reduce_threads, then reduce_lanes",
            "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html",
        ),
        Limit(
            "AggregateTable: write units of a total's row",
            reduced.invocations / lanes / PARTITION_WRITE_UNITS,
            "reduce_function's batching_window_seconds",
            _PARTITION,
        ),
        Limit(
            "AggregateTable: warm write units",
            reduced.write_units / settings.warm_total_units,
            "reduce_function's batching_window_seconds; warm AggregateTable's throughput",
            f"{_DYNAMODB}warm-throughput.html",
        ),
    ]


def _warmed(table: str, kind: str, used: float) -> Limit:
    return Limit(
        f"{table}: warm {kind} units",
        used,
        f"warm {table}'s throughput before the load comes",
        f"{_DYNAMODB}warm-throughput.html",
    )


def of_the_pipeline(limit: Limit) -> bool:
    """Whether it is a limit of the pipeline itself, which only its settings move.

    The limits of the ingest stream, of StateTable, of warm throughput and of the account can be raised for money.
    """
    return not limit.name.startswith(_BOUGHT)


def tightest(found: Load) -> Limit:
    """The limit with the highest share of its target."""
    return max(limits(found), key=lambda limit: limit.strain)


def breaking_rate(
    workload: Workload,
    settings: Settings,
    times: ServiceTimes,
    counts: Callable[[Limit], bool] = lambda _limit: True,
) -> tuple[float, Limit]:
    """The message rate at which the first limit (of those that `counts` selects) is used up, and that limit.

    Found by bisection up to 10^8 messages a second, since the used shares grow with the rate.
    """

    def most_used_at(rate: float) -> Limit:
        found = load(replace(workload, rate=rate), settings, times)
        return max(filter(counts, limits(found)), key=lambda limit: limit.used)

    low, high = 1.0, 1e8
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        if most_used_at(middle).used < 1:
            low = middle
        else:
            high = middle
    return low, most_used_at(high)
