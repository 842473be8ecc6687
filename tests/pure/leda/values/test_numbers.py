"""Exact arithmetic with 38 digits: an error instead of rounding."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.numbers import DIGITS, NotExactError, exact, limited, number


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-100, 80))
def test_a_number_of_38_digits_is_kept_exactly(digits: int, exponent: int) -> None:
    assert number(f"{digits}E{exponent}") == Decimal(f"{digits}E{exponent}")


@given(st.integers(10**38, 10**50).filter(lambda digits: digits % 10))
def test_a_number_of_39_digits_is_refused(digits: int) -> None:
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
def test_a_text_that_is_not_a_dynamodb_number_is_refused(text: str) -> None:
    with pytest.raises(NotExactError):
        number(text)


def test_the_smallest_and_the_largest_number_are_read() -> None:
    assert number("1E-130") == Decimal("1E-130")
    assert number("-9.9999999999999999999999999999999999999E+125").adjusted() == 125
    assert number("0E-400") == 0


def test_a_sum_that_needs_39_digits_is_an_error() -> None:
    with pytest.raises(NotExactError, match="38 digits"), exact():
        Decimal(10) ** 37 + Decimal("0.1")


def test_exact_does_not_change_the_callers_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 5
        with exact():
            pass
        assert Decimal(1) / Decimal(3) == Decimal("0.33333")


@given(
    st.integers(1, 20), st.integers(0, 18), st.integers(0, 10**25), st.integers(-30, 30), st.data()
)
def test_limits_count_the_digits_of_the_plain_notation(
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
def test_zero_is_0_in_any_notation(text: str) -> None:
    assert str(limited(Decimal(text), 12, 17)) == "0"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_a_value_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(NotExactError, match="finite"):
        limited(Decimal(text), 12, 17)


def test_trailing_zeros_are_removed_from_a_limited_value() -> None:
    text = str(limited(Decimal("1." + "0" * 100), 12, 17))

    assert len(text.replace(".", "")) <= DIGITS
