"""Exact arithmetic: 38 digits, and an error where one would be lost."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.numbers import DIGITS, NotExactError, exact, limited, number


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-100, 80))
def test_whatever_has_38_digits_is_kept_as_it_is(digits: int, exponent: int) -> None:
    assert number(f"{digits}E{exponent}") == Decimal(f"{digits}E{exponent}")


@given(st.integers(10**38, 10**50).filter(lambda digits: digits % 10))
def test_a_39th_digit_is_refused_and_not_rounded(digits: int) -> None:
    with pytest.raises(NotExactError):
        number(str(digits))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1e126",
        "1e-200",
        "1e-131",
        "9.9e-131",
        "1,5",
        "0x10",
        "1e",
    ],
)
def test_what_is_no_dynamodb_number_is_refused(text: str) -> None:
    with pytest.raises(NotExactError):
        number(text)


def test_the_smallest_and_the_largest_number_are_read() -> None:
    assert number("1E-130") == Decimal("1E-130")
    assert number("-9.9999999999999999999999999999999999999E+125").adjusted() == 125
    assert number("0E-400") == 0


def test_a_sum_that_needs_39_digits_raises_and_is_not_rounded() -> None:
    with pytest.raises(NotExactError, match="38 digits"), exact():
        Decimal(10) ** 37 + Decimal("0.1")


@given(st.lists(st.integers(-(10**28), 10**28), max_size=50))
def test_sums_within_38_digits_are_those_of_integers(cents: list[int]) -> None:
    with exact():
        total = sum((Decimal(f"{value}E-17") for value in cents), Decimal(0))

    assert total == Decimal(f"{sum(cents)}E-17")


def test_exact_leaves_the_callers_context_alone() -> None:
    with localcontext() as context:
        context.prec = 5
        with exact():
            pass
        assert Decimal(1) / Decimal(3) == Decimal("0.33333")


@given(
    st.integers(1, 20), st.integers(0, 18), st.integers(0, 10**25), st.integers(-30, 30), st.data()
)
def test_limits_count_the_digits_that_are_written_out(
    integer_digits: int, places: int, digits: int, exponent: int, data: st.DataObject
) -> None:
    value = Decimal(digits).scaleb(exponent) * data.draw(st.sampled_from([1, -1]))
    whole, _, fraction = f"{value:f}".lstrip("-").partition(".")
    fits = len(whole.lstrip("0")) <= integer_digits and len(fraction.rstrip("0")) <= places

    if fits:
        assert limited(value, integer_digits, places) == value
    else:
        with pytest.raises(NotExactError):
            limited(value, integer_digits, places)


@pytest.mark.parametrize(
    "text", ["0", "-0", "0E-999", "0E+999", "0.000000000000000000000000000000"]
)
def test_zero_is_zero_however_it_is_written(text: str) -> None:
    assert str(limited(Decimal(text), 12, 17)) == "0"


def test_trailing_zeros_are_no_decimal_places() -> None:
    assert limited(Decimal("1.5" + "0" * 60), 12, 17) == Decimal("1.5")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_a_limited_value_is_finite(text: str) -> None:
    with pytest.raises(NotExactError, match="finite"):
        limited(Decimal(text), 12, 17)


def test_a_limited_values_text_has_no_more_digits_than_a_number_holds() -> None:
    text = str(limited(Decimal("1." + "0" * 100), 12, 17))

    assert len(text.replace(".", "")) <= DIGITS
