"""What a rebuild or backfill will take: time, units of DynamoDB, and dollars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.engine.audit.source_sum import attributes_of
from leda.engine.audit.table_scan import scan
from leda.engine.group_by.configuration import Configuration, bytes_of
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.models import prices
from leda_cli.models.measured import ServiceTimes
from leda_cli.models.units import READ_STEP_BYTES, item_bytes, write_units_of_bytes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from leda_cli.operate.deployed.source_table import SourceTable, TableSize

# A stream keeps its records for 24 hours. When Map is on again it must get to the oldest of them before they go.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
STREAM_HOURS = 24
LONGEST_HOURS = 20

# A table with fewer rows is read in seconds, so no sample is needed.
_SMALL_ROWS = 50_000
_SAMPLE_SECONDS = 1.0

# How often a run reads the totals table: to find lanes, to repair checkpoints, before and after the corrections, to
# correct labels, and twice to remove checkpoints and rows that nothing needs any more.
_READS_OF_TOTALS = 7
# A run waits for Reduce twice, and Reduce's mapping needs some time to reach a marker.
_DRAINS, _DRAIN_SECONDS = 2, 2.0
# Reduce's statements of a request, and its requests at a time (modules/aggregation, `reduce_threads`).
_STATEMENTS, _THREADS = 25, 4


@dataclass(frozen=True, slots=True)
class Forecast:
    """The time, DynamoDB's request units and the price of a run; for `behind_seconds` the totals do not change."""

    reading_seconds: float
    behind_seconds: float
    read_units: float
    write_units: float
    dollars: float | None
    region: str


def forecast(
    configuration: Configuration,
    identifiers: Iterable[str],
    source: TableSize,
    reading_seconds: float,
    waiting_seconds: float,
    lane_sets: int,
    indexes: int,
    region: str,
    times: ServiceTimes,
) -> Forecast:
    """What a run will take that corrects these totals.

    lane_sets: how many numbers of lanes of how many versions there are; each total gets a correction in each.
    indexes: how many global secondary indexes the totals table has; each takes a write for a total's write.
    """
    totals = size = entries = units = 0
    for each in identifiers:
        bytes_of_row = item_bytes(_row(configuration, each))
        totals += 1
        size += bytes_of_row
        units += write_units_of_bytes(bytes_of_row)
        entries += bytes_of([each], len(configuration.measures))
    statements = totals * lane_sets
    writes = (write_units_of_bytes(entries) + units + totals * indexes) * lane_sets
    reads = (source.bytes + size * _READS_OF_TOTALS) / READ_STEP_BYTES
    applying = statements / _STATEMENTS / _THREADS * times.statements_ms / 1000
    behind = reading_seconds + waiting_seconds + _DRAINS * _DRAIN_SECONDS + applying
    try:
        price = prices.of_region(region).dynamodb
    except LedaError:
        dollars = None
    else:
        dollars = (
            reads * price.per_million_read_units + writes * price.per_million_write_units
        ) / 1_000_000
    return Forecast(reading_seconds, behind, reads, writes, dollars, region)


def _row(configuration: Configuration, identifier: str) -> dict[str, Any]:
    """A total's row of about the size that it will have."""
    row: dict[str, Any] = {
        "Identifier": {"S": identifier},
        f"Applied{configuration.version}_1": {"S": "0" * 51},
    }
    row |= {name: {"N": "1234567890"} for name in configuration.names}
    if (labels := configuration.labels(identifier)) is not None:
        row |= labels.attributes
    return row


class _EnoughError(Exception):
    """The sample is long enough."""


def reading_seconds(
    client: DynamoDBClient,
    table: SourceTable,
    configuration: Configuration,
    size: TableSize,
    segments: int,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """How long reading the table will take, by a sample of a second and by its provisioned capacity.

    0 for a small table. Raises the client's error.
    """
    if size.rows < _SMALL_ROWS:
        return 0.0
    rows, began = 0, clock()

    def advance(count: int) -> None:
        nonlocal rows
        rows += count
        if clock() - began > _SAMPLE_SECONDS:
            raise _EnoughError

    attributes = attributes_of(list(table.keys), configuration)
    takers: Sequence[Callable[[list[dict[str, Any]]], None]] = [lambda _rows: None] * segments
    with suppress(_EnoughError):
        scan(client, table.name, attributes, takers, advance)
    took = (clock() - began) * size.rows / max(rows, 1)
    if size.read_units is None:
        return took
    return max(took, size.bytes / READ_STEP_BYTES / size.read_units)


def require_time(seconds: float, size: TableSize, segments: int, table: str, command: str) -> None:
    """Raise LedaError where reading the table would take longer than its stream keeps what is written meanwhile."""
    if seconds <= LONGEST_HOURS * 3600:
        return
    capacity = (
        f"raise its read capacity ({number_of(size.read_units, 'unit')} a second now), or make it on demand; or "
        if size.read_units
        else ""
    )
    raise LedaError(
        f"reading {table} would take {seconds / 3600:,.0f} hours with {number_of(segments, 'segment')}, and its "
        f"stream keeps records for {STREAM_HOURS} hours, of which Map needs some to catch up: {LONGEST_HOURS} are left",
        f"{capacity}run `{command} --segments` with a higher number, on a larger machine in the table's Region",
    )
