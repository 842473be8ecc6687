"""The arithmetic of the DynamoDB in memory, with DynamoDB's 38 digits."""

import pytest

from leda_cli.memory_dynamodb.attribute_values import Invalid, add, subtract

MOST = "9" * 38


def test_a_difference_is_exact_to_38_digits() -> None:
    assert subtract(MOST, MOST) == "0"
    assert subtract(MOST, "1") == MOST[:-1] + "8"


def test_a_result_of_39_digits_is_refused() -> None:
    with pytest.raises(Invalid):
        subtract(MOST, "0.1")
    with pytest.raises(Invalid):
        add(MOST, "2")
