"""A month's bill of the pipeline, from its load and a Region's prices, and the cheapest settings for a latency.

Each line of the bill is a quantity, a price and the page with its rule. Free tiers, data transfer out of the Region,
KMS requests, the quarantine and the metrics of the mappings are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from leda_cli.models.limits import TARGET, tightest
from leda_cli.models.load_model import (
    PARTITION_READ_UNITS,
    PARTITION_WRITE_UNITS,
    SHARD_BYTES,
    SHARD_RECORDS,
    Load,
    Settings,
    StageLoad,
    Workload,
    load,
    row_of,
    shards_of,
    state_read_units,
    state_write_units,
)
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.prices import HOURS_OF_A_MONTH, SECONDS_OF_A_MONTH, Prices
from leda_cli.models.units import READ_STEP_BYTES, STORAGE_OVERHEAD_BYTES, item_bytes

GB = 1024**3
DAY_HOURS = 24
# The stream keeps its records for 7 days, the default of the modules; the first day is free.
EXTRA_HOURS = 6 * DAY_HOURS
PUT_UNIT_BYTES = 25 * 1024
ON_DEMAND_STEP_BYTES = 1024
# AuditLambda runs once a day, the default of modules/aggregation, and reads StateTable consistently. The totals, which
# are few, are left out.
AUDITS = HOURS_OF_A_MONTH / DAY_HOURS
LOG_RETENTION_MONTHS = 30 / (HOURS_OF_A_MONTH / 24)
# What an invocation logs: LEDA's own lines (884, 945, 1,085 bytes: one structured line and one of metrics), and
# Lambda's three (START, END, REPORT), about 330 bytes.
LOG_BYTES = {"state": 1214, "map": 1275, "reduce": 1415}
# The metrics of lambda_src (4, 3 and 5), and the alarms of modules/stream-function (7 each), HealthLambda (7),
# AuditLambda (4) and the lanes (1).
METRICS, ALARMS = 12, 33
# The utilization at which auto scaling keeps provisioned capacity, by AWS's default.
PROVISIONED_USE = 0.7


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: a quantity a month, its unit, and its price in US dollars."""

    service: str
    item: str
    quantity: float
    unit: str
    dollars: float


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's lines, and the write units per unique message."""

    lines: tuple[Line, ...]
    write_units: float

    @property
    def dollars(self) -> float:
        """The whole month."""
        return sum(line.dollars for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """The dollars of each service, in the order of the pipeline."""
        found: dict[str, float] = {}
        for line in self.lines:
            found[line.service] = found.get(line.service, 0.0) + line.dollars
        return found


def bill(found: Load, prices: Prices) -> Bill:
    """The bill of a load that is steady for a month of 730 hours."""
    services = (_kinesis, _lambda, _dynamodb, _cloudwatch)
    lines = tuple(line for service in services for line in service(found, prices))
    return Bill(lines, found.write_units / found.workload.unique_rate)


def provisioned_dollars(found: Load, prices: Prices) -> float:
    """The dollars for a month's write units if the tables were provisioned and used to 70 %, instead of on demand.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
    """
    hourly: float = prices.dynamodb.write_capacity_hour
    return found.write_units / PROVISIONED_USE * HOURS_OF_A_MONTH * hourly


def _kinesis(found: Load, prices: Prices) -> Iterator[Line]:
    """https://aws.amazon.com/kinesis/data-streams/pricing/ has the rules: 25 KB put units, 1 KB steps on demand."""
    workload, settings, price = found.workload, found.settings, prices.kinesis
    service = "Kinesis"
    messages = workload.rate * SECONDS_OF_A_MONTH
    if settings.shard_count is None:
        steps = math.ceil(workload.message_bytes / ON_DEMAND_STEP_BYTES) * ON_DEMAND_STEP_BYTES
        gb_in = messages * steps / GB
        gb_out = messages * workload.message_bytes / GB
        hours = HOURS_OF_A_MONTH * price.on_demand_stream_hour
        yield Line(service, "stream on demand", HOURS_OF_A_MONTH, "hours", hours)
        yield Line(service, "data in (1 KB steps)", gb_in, "GB", gb_in * price.on_demand_gb_in)
        yield Line(service, "data out", gb_out, "GB", gb_out * price.on_demand_gb_out)
        kept = workload.rate * workload.message_bytes * 3600 * EXTRA_HOURS / GB
        dollars = kept * price.extended_retention_gb_month
        yield Line(service, "retention to 7 days", kept, "GB-months", dollars)
    else:
        shard_hours = settings.shard_count * HOURS_OF_A_MONTH
        puts = messages * math.ceil(workload.message_bytes / PUT_UNIT_BYTES)
        dollars = shard_hours * price.shard_hour
        yield Line(service, "shards", shard_hours, "shard hours", dollars)
        dollars = puts / 1e6 * price.per_million_put_units
        yield Line(service, "puts", puts, "put units", dollars)
        dollars = shard_hours * price.extended_retention_shard_hour
        yield Line(service, "retention to 7 days", shard_hours, "shard hours", dollars)


def _lambda(found: Load, prices: Prices) -> Iterator[Line]:
    """https://aws.amazon.com/lambda/pricing/: requests, and duration by the millisecond times memory.

    A mapping's reads of a DynamoDB stream are free: https://aws.amazon.com/dynamodb/pricing/on-demand/.
    """
    for name, stage in found.stages.items():
        requests = stage.invocations * SECONDS_OF_A_MONTH
        dollars = requests / 1e6 * prices.lambda_.per_million_requests
        yield Line("Lambda", f"{name}: requests", requests, "requests", dollars)
    work = {
        name: stage.invocations * SECONDS_OF_A_MONTH * stage.seconds * stage.memory / 1024
        for name, stage in found.stages.items()
    }
    # The tiers count all functions of an account together.
    whole = sum(work.values())
    dollars = tiered(whole, prices.lambda_.gb_second_tiers)
    for name, gb_seconds in work.items():
        share = gb_seconds / whole if whole else 0.0
        yield Line("Lambda", f"{name}: duration", gb_seconds, "GB-seconds", dollars * share)


def tiered(quantity: float, tiers: Sequence[Sequence[float]]) -> float:
    """The price of a quantity with tiers: (end of the tier, price); an end of 0 means no end."""
    dollars = below = 0.0
    for end, price in tiers:
        top = min(quantity, end) if end else quantity
        dollars += max(0.0, top - below) * price
        below = max(below, top)
    return dollars


def _dynamodb(found: Load, prices: Prices) -> Iterator[Line]:
    """https://aws.amazon.com/dynamodb/pricing/on-demand/: units, stored GB, and GB with point-in-time recovery.

    The requests to RegistryTable are not listed: there are some for each new shard of a stream and each cold start.
    """
    price, service = prices.dynamodb, "DynamoDB"
    written = {
        "StateTable": found.state.write_units,
        "ReduceTable": found.map.write_units,
        "AggregateTable": found.reduce.write_units,
    }
    for name, each in written.items():
        quantity = each * SECONDS_OF_A_MONTH
        dollars = quantity / 1e6 * price.per_million_write_units
        yield Line(service, f"{name}: writes", quantity, "write units", dollars)
    reads = found.state.read_units * SECONDS_OF_A_MONTH
    dollars = reads / 1e6 * price.per_million_read_units
    yield Line(service, "StateTable: reads", reads, "read units", dollars)
    bytes_of_a_row = item_bytes(row_of(found.workload))
    audited = AUDITS * math.ceil(found.workload.trades * bytes_of_a_row / READ_STEP_BYTES)
    dollars = audited / 1e6 * price.per_million_read_units
    yield Line(service, "StateTable: daily audit", audited, "read units", dollars)
    row = bytes_of_a_row + STORAGE_OVERHEAD_BYTES
    deltas = found.stored_delta_rows * (found.of_a_batch.bytes + STORAGE_OVERHEAD_BYTES)
    for name, size in (("StateTable", found.workload.trades * row), ("ReduceTable", deltas)):
        gb = size / GB
        dollars = gb * (price.gb_month + price.point_in_time_recovery_gb_month)
        yield Line(service, f"{name}: storage, recovery", gb, "GB-months", dollars)


def _cloudwatch(found: Load, prices: Prices) -> Iterator[Line]:
    """https://aws.amazon.com/cloudwatch/pricing/: logs by the GB taken in and kept, metrics, alarms, the dashboard."""
    price, service = prices.cloudwatch, "CloudWatch"
    gb = sum(
        stage.invocations * SECONDS_OF_A_MONTH * LOG_BYTES[name] / GB
        for name, stage in found.stages.items()
    )
    yield Line(service, "logs in", gb, "GB", gb * price.log_gb_in)
    kept = gb * LOG_RETENTION_MONTHS
    yield Line(service, "logs kept 30 days", kept, "GB-months", kept * price.log_gb_month)
    yield Line(service, "metrics", METRICS, "metrics", METRICS * price.metric_month)
    yield Line(service, "alarms", ALARMS, "alarms", ALARMS * price.alarm_month)
    yield Line(service, "dashboard", 1, "dashboards", price.dashboard_month)


def slowest_seconds(found: Load) -> float:
    """The longest way of a message without queues: each stage's poll and window in full, and its work."""
    return sum(stage.gather + stage.seconds for stage in found.stages.values())


def mean_seconds(found: Load) -> float:
    """The way of the average message without queues: half of each poll and window, and the work."""
    return sum(stage.gather / 2 + stage.seconds for stage in found.stages.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings that keep every limit, with the load and the bill of one of `pipelines` equal pipelines."""

    settings: Settings
    load: Load
    bill: Bill
    pipelines: int = 1

    @property
    def dollars(self) -> float:
        """The bill of all the pipelines."""
        return self.bill.dollars * self.pipelines


WINDOWS = (0, 1, 2, 5, 10, 20, 30, 60)
MEMORIES = (256, 512, 1024, 1769)
LANES = (1, 16)
# How many pipelines (each with a name_prefix) the producers divide the trades among, by their key.
PIPELINES = (1, 2, 4, 8, 16)


def cheapest(
    workload: Workload,
    prices: Prices,
    times: ServiceTimes,
    latency: float,
) -> Choice | None:
    """The cheapest settings with which a message's longest way takes at most `latency` seconds; None: there are none.

    It tries windows, memories, lanes, and a provisioned stream against one on demand. The shards, the tables' warm
    throughput and the account's concurrency are as many as the load needs; the other settings are the defaults. A load
    that one pipeline cannot carry is divided among several.
    """
    for pipelines in PIPELINES:
        part = replace(
            workload, rate=workload.rate / pipelines, trades=workload.trades // pipelines
        )
        choice = _cheapest_alone(part, prices, times, latency)
        if choice is not None:
            return replace(choice, pipelines=pipelines)
    return None


def _cheapest_alone(
    workload: Workload, prices: Prices, times: ServiceTimes, latency: float
) -> Choice | None:
    best: Choice | None = None
    for candidate in _candidates(workload, latency):
        settings = _with_best_memory(workload, _sized(workload, candidate, times), times)
        found = load(workload, settings, times)
        if slowest_seconds(found) > latency or tightest(found).strain > 1:
            continue
        choice = Choice(settings, found, bill(found, prices))
        if best is None or choice.bill.dollars < best.bill.dollars:
            best = choice
    return best


def _candidates(workload: Workload, latency: float) -> Iterator[Settings]:
    shards = shards_needed(workload)
    for state, mapped, reduced in product(WINDOWS, WINDOWS, WINDOWS):
        if state + mapped + reduced >= latency:
            continue
        for lanes, shard_count in product(LANES, (shards, None)):
            yield Settings(
                shard_count=shard_count,
                state_window=float(state),
                map_window=float(mapped),
                reduce_window=float(reduced),
                reduce_lanes=lanes,
                state_batch_size=10_000,
                map_batch_size=10_000,
                reduce_batch_size=10_000,
            )


def shards_needed(workload: Workload) -> int:
    """The number of provisioned shards with which no shard is used above the target."""
    bytes_a_second = workload.rate * workload.message_bytes
    return math.ceil(max(workload.rate / SHARD_RECORDS, bytes_a_second / SHARD_BYTES) / TARGET)


def _sized(workload: Workload, settings: Settings, times: ServiceTimes) -> Settings:
    """The settings with enough warm throughput and concurrency that the load uses at most TARGET of them."""
    lanes = shards_of(workload, settings)
    units = workload.unique_rate * state_write_units(workload, lanes)
    warm = max(settings.warm_write_units, rounded_up(units / TARGET, PARTITION_WRITE_UNITS))
    reads = workload.unique_rate * state_read_units(workload, lanes)
    warm_reads = max(settings.warm_read_units, rounded_up(reads / TARGET, PARTITION_READ_UNITS))
    settings = replace(settings, warm_write_units=warm, warm_read_units=warm_reads)
    found = load(workload, settings, times)
    settings = replace(
        settings,
        warm_delta_units=_warmed(settings.warm_delta_units, found.map),
        warm_total_units=_warmed(settings.warm_total_units, found.reduce),
    )
    # Room for the smallest memory, with which everything takes up to four times as long.
    concurrency = max(settings.concurrency, rounded_up(4 * found.executions / TARGET, 500))
    return replace(settings, concurrency=concurrency)


def _warmed(units: int, stage: StageLoad) -> int:
    """The warm write units of the stage's table: its present ones, or more if the stage needs more."""
    return max(units, rounded_up(stage.write_units / TARGET, PARTITION_WRITE_UNITS))


def rounded_up(value: float, step: int) -> int:
    """The next multiple of `step`."""
    return math.ceil(value / step) * step


def _with_best_memory(workload: Workload, settings: Settings, times: ServiceTimes) -> Settings:
    """The settings with the memory for each stage that takes the fewest GB-seconds with its lanes below TARGET."""
    for name in ("state", "map", "reduce"):
        options = [replace(settings, **{f"{name}_memory": memory}) for memory in MEMORIES]
        settings = min(options, key=lambda option: _work(load(workload, option, times), name))
    return settings


def _work(found: Load, name: str) -> tuple[bool, float]:
    stage = found.stages[name]
    return stage.busy > TARGET, stage.invocations * stage.seconds * stage.memory
