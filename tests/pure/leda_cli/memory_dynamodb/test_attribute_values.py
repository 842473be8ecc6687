"""Arithmetic of DynamoDB's numbers as the store in memory does it."""

import pytest

from leda_cli.memory_dynamodb.attribute_values import Invalid, add, subtract

MOST = "9" * 38


def test_a_difference_is_exact_to_the_last_of_38_digits() -> None:
    assert subtract(MOST, MOST) == "0"
    assert subtract(MOST, "1") == MOST[:-1] + "8"


def test_what_needs_a_digit_too_many_is_refused() -> None:
    with pytest.raises(Invalid):
        subtract(MOST, "0.1")
    with pytest.raises(Invalid):
        add(MOST, "2")
