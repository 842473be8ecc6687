"""How a row's attributes are read: times, elements of lists and sets."""

import decimal
from typing import Any

import pytest

from leda.streams.changes import UnreadableRowError
from support.configurations import leaves


@pytest.mark.parametrize(
    ("value", "hour"),
    [
        ({"N": "0"}, "1970-01-01T00"),
        ({"N": "-0.5"}, "1969-12-31T23"),
        ({"N": "1785589505.999"}, "2026-08-01T13"),
        ({"N": "99999999999"}, "5138-11-16T09"),
        ({"N": "100000000000"}, "1973-03-03T09"),
        ({"N": "1785589505123"}, "2026-08-01T13"),
        ({"N": "-62135596800"}, "0001-01-01T00"),
        ({"S": "2026-08-01"}, "2026-08-01T00"),
        ({"S": "2026-08-01T13:05"}, "2026-08-01T13"),
        ({"S": "2026-08-01 13:05:59"}, "2026-08-01T13"),
        ({"S": "2026-08-01T13:05:59.123456789Z"}, "2026-08-01T13"),
        ({"S": "2026-08-01T23:30:00-01:30"}, "2026-08-02T01"),
        ({"S": "2026-08-01T00:30:00+0100"}, "2026-07-31T23"),
    ],
)
def test_a_time_is_assigned_to_its_utc_hour(value: Any, hour: str) -> None:
    assert leaves(["t:hour"], {"t": value}) == (f"g:{hour}",)


@pytest.mark.parametrize("digits", [9, 28, 38, 400])
def test_the_hour_does_not_depend_on_the_precision_of_the_decimal_context(digits: int) -> None:
    """Map reads rows with Python's default precision of 28 digits, and `leda verify` with a higher one."""
    value = {"N": "99999999999.999999999999999999999"}
    with decimal.localcontext(decimal.Context(prec=digits)):
        assert leaves(["t:hour"], {"t": value}) == ("g:5138-11-16T09",)


@pytest.mark.parametrize(
    "value",
    [
        {"N": "1E+30"},
        {"N": "-1E+30"},
        {"N": "253402300800000000"},
        {"N": "no number"},
        {"S": ""},
        {"S": "today"},
        {"S": "1785589505"},
        {"S": "2026-13-01"},
        {"S": "2026-02-30T00:00"},
        {"S": "2026-08-01T24:00"},
        {"S": "2026-08-01T13:05+24:00"},
        {"S": "0001-01-01T00:00+01:00"},
        {"S": "２０２６-08-01"},
        {"BOOL": True},
        {"M": {}},
    ],
)
def test_a_value_that_is_not_a_time_is_refused(value: Any) -> None:
    with pytest.raises(UnreadableRowError, match="t is not a time"):
        leaves(["t:day"], {"t": value})


@pytest.mark.parametrize(
    "value", [{"S": "a"}, {"L": [{"L": []}]}, {"L": ["a"]}, {"BS": ["eA=="]}, {"SS": [1]}]
)
def test_elements_of_anything_but_a_list_or_a_string_set_are_refused(value: Any) -> None:
    with pytest.raises(UnreadableRowError, match="k is not"):
        leaves(["k[]"], {"k": value})
