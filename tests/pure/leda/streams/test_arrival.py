"""The time of arrival, from seconds, milliseconds or microseconds; anything else is an unknown time and no error."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.streams.arrival import arrival_time

ARRIVED = datetime(2021, 3, 22, 11, 40, 58, 900_000, tzinfo=UTC)


@pytest.mark.parametrize("given", [1616413258.9, 1616413258900, 1616413258900.0, 1616413258900000])
def test_seconds_milliseconds_and_microseconds_give_the_same_time(given: float) -> None:
    assert arrival_time(given) == ARRIVED


@pytest.mark.parametrize(
    ("given", "year"),
    [(0, 1970), (99_999_999_999, 5138), (100_000_000_000, 1973), (99_999_999_999_999, 5138)],
)
def test_the_unit_follows_from_the_size_of_the_number(given: int, year: int) -> None:
    found = arrival_time(given)

    assert found is not None
    assert found.year == year


UNKNOWN: list[Any] = [
    None, "1616413258", "2021-03-22T11:40:58Z", True, [], {}, -1, -0.5, 10**17, 10**5000, 1e300,
    math.inf, -math.inf, math.nan,
]  # fmt: skip


@pytest.mark.parametrize(
    "given", UNKNOWN, ids=lambda given: repr(given)[:20] if not isinstance(given, int) else "int"
)
def test_any_other_value_is_an_unknown_time(given: Any) -> None:
    assert arrival_time(given) is None


@given(st.integers() | st.floats() | st.text() | st.booleans())
def test_no_value_raises_an_error(given: Any) -> None:
    found = arrival_time(json.loads(json.dumps(given)))

    assert found is None or 1970 <= found.year <= 5138
