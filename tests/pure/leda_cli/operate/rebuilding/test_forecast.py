"""The forecast of a backfill: time, capacity units and dollars."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.base.errors import LedaError
from leda_cli.models import prices
from leda_cli.models.measured import ServiceTimes
from leda_cli.operate.deployed.source_table import SourceTable, TableSize
from leda_cli.operate.rebuilding.forecast import forecast, reading_seconds, require_time

TABLE = SourceTable("Feedback", {"id": "S"})
CONFIGURATION = Configuration.from_json(
    json.dumps({"group_by": {"day": {"keys": ["date"]}}, "measures": {"Count": {"op": "count"}}})
)
GIGABYTE = 1024**3


def _size(**given: Any) -> TableSize:
    return TableSize(
        **{"rows": 1_000_000, "bytes": GIGABYTE, "read_units": None, "at": 0.0, **given}
    )


def _forecast(**given: Any) -> Any:
    request = {
        "configuration": CONFIGURATION,
        "identifiers": {f"day:{number}" for number in range(1000)},
        "source": _size(),
        "reading_seconds": 100.0,
        "waiting_seconds": 15.0,
        "lane_sets": 1,
        "indexes": 0,
        "region": "us-east-1",
        "times": ServiceTimes(),
        **given,
    }
    return forecast(**request)


def test_units_are_those_of_reading_the_table_and_writing_each_total() -> None:
    found = _forecast()
    assert found.read_units > GIGABYTE / 4096
    assert found.read_units < GIGABYTE / 4096 * 1.01
    # A unit for each total, and some for the rows of ReduceTable that bring them.
    assert 1000 < found.write_units < 1100
    price = prices.of_region("us-east-1").dynamodb
    assert found.dollars == pytest.approx(
        (
            found.read_units * price.per_million_read_units
            + found.write_units * price.per_million_write_units
        )
        / 1e6
    )
    assert found.behind_seconds > 115


def test_each_set_of_lanes_and_each_index_takes_further_writes() -> None:
    one = _forecast().write_units
    assert _forecast(lane_sets=3).write_units == 3 * one
    assert _forecast(indexes=2).write_units == one + 2000


def test_a_region_without_prices_has_units_and_no_dollars() -> None:
    found = _forecast(region="mars-north-1")
    assert found.dollars is None
    assert found.read_units > 0


class Scanned:
    """A table whose pages take a second each."""

    def __init__(self, pages: int) -> None:
        self.pages, self.seconds = pages, 0
        self.numbers = itertools.count(1)

    def scan(self, **_: Any) -> Any:
        self.seconds += 1
        number = next(self.numbers)
        page: dict[str, Any] = {"Items": [{}] * 1000}
        return page | ({"LastEvaluatedKey": {"id": {"S": "k"}}} if number < self.pages else {})


def _reading_seconds(size: TableSize, pages: int = 1000) -> float:
    client: Any = Scanned(pages)
    return reading_seconds(client, TABLE, CONFIGURATION, size, 1, lambda: float(client.seconds))


def test_the_time_of_reading_is_extrapolated_from_a_sample() -> None:
    assert _reading_seconds(_size()) == pytest.approx(1000)


def test_provisioned_capacity_limits_the_speed_of_reading() -> None:
    units = 26
    assert _reading_seconds(_size(read_units=units)) == pytest.approx(GIGABYTE / 4096 / units)


def test_a_small_table_is_not_sampled() -> None:
    assert _reading_seconds(_size(rows=49_999)) == 0


def test_reading_longer_than_the_streams_retention_is_refused() -> None:
    require_time(19 * 3600, _size(), 8, "Feedback", "leda backfill")
    with pytest.raises(LedaError, match="21 hours with 8 segments") as error:
        require_time(21 * 3600, _size(), 8, "Feedback", "leda backfill")
    assert "`leda backfill --segments`" in error.value.fix
    assert "capacity" not in error.value.fix
    with pytest.raises(LedaError) as error:
        require_time(21 * 3600, _size(read_units=26), 8, "Feedback", "leda backfill")
    assert "raise its read capacity (26 units a second now)" in error.value.fix
