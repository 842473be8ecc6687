"""Computes what a proof costs at most, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from leda_cli.base.errors import LedaError
from leda_cli.models import prices
from leda_cli.models.units import READ_STEP_BYTES
from leda_cli.operate.prove.trades import IDS, MESSAGES

PRICED_REGION = "us-east-1"
"""The Region whose prices stand in for those of a Region that the table of prices lacks."""

# Upper bounds: each message is a batch of its own at every stage, each of State's writes needs a second try, and the
# totals and rows are read a few times a second for some minutes.
_WRITES_OF_STATE = 2
_LOOKS = 1000
_SECONDS_OF_AN_INVOCATION = 0.2
_BYTES_OF_A_RECORD, _BYTES_OF_LOG_LINES = 1024, 2048
_STAGES, _GB = 3, 1024**3


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars that a run costs at most, and the Region whose prices were taken."""

    dollars: float
    region: str


def of_proof(region: str, levels: int, nodes: int, memory_mb: float) -> Price:
    """The price of a proof.

    levels: of the pipeline's hierarchy. nodes: how many totals the proof has. memory_mb: the functions' average.
    """
    found = _prices(region)
    writes = MESSAGES * (_WRITES_OF_STATE + 1 + levels) + len(IDS)
    reads = _LOOKS * nodes + 20 * len(IDS)
    invocations = _STAGES * MESSAGES
    gb_seconds = invocations * _SECONDS_OF_AN_INVOCATION * memory_mb / 1024
    dollars = (
        writes / 1e6 * found.dynamodb.per_million_write_units
        + reads / 1e6 * found.dynamodb.per_million_read_units
        + invocations / 1e6 * found.lambda_.per_million_requests
        + gb_seconds * found.lambda_.gb_second_tiers[0][1]
        + MESSAGES / 1e6 * found.kinesis.per_million_put_units
        + MESSAGES * _BYTES_OF_A_RECORD / _GB * found.kinesis.on_demand_gb_in
        + invocations * _BYTES_OF_LOG_LINES / _GB * found.cloudwatch.log_gb_in
    )
    return Price(dollars, found.region)


def of_reading(region: str, stored_bytes: int) -> Price:
    """The price of one consistent read of tables with `stored_bytes` together."""
    found = _prices(region)
    units = stored_bytes / READ_STEP_BYTES
    return Price(units / 1e6 * found.dynamodb.per_million_read_units, found.region)


def _prices(region: str) -> prices.Prices:
    try:
        return prices.of_region(region)
    except LedaError:
        return prices.of_region(PRICED_REGION)
