"""DynamoDB's values as people read them: exact, and without a trace of what is redacted."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.plain import REDACTED, UnknownType, json_number, plain, row

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda number: -130 <= number.adjusted() <= 125
)


@given(numbers)
def test_a_reader_with_binary_floats_gets_every_number_as_it_was(number: Decimal) -> None:
    read = json.loads(json.dumps(json_number(str(number))))

    assert Decimal(str(read)) == number


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1", 1),
        ("1.50", 1.5),
        ("-0", 0),
        ("1E+3", 1000),
        ("999999999999999", 999999999999999),
        ("1000000000000001", "1000000000000001"),
        ("0.1234567890123456", "0.1234567890123456"),
        ("1E+125", 1e125),
        ("9" * 38, "9" * 38),
        ("1E+400", "1E+400"),
        ("1E-400", "1E-400"),
    ],
)
def test_a_number_of_many_digits_stays_text(text: str, shown: Any) -> None:
    assert json_number(text) == shown
    assert type(json_number(text)) is type(shown)


def test_every_type_loses_its_name() -> None:
    assert row(
        {
            "s": {"S": "x"},
            "n": {"N": "1.5"},
            "b": {"B": "AAE="},
            "t": {"BOOL": True},
            "z": {"NULL": True},
            "l": {"L": [{"S": "a"}, {"N": "2"}]},
            "m": {"M": {"in": {"M": {}}}},
            "ss": {"SS": ["b", "a"]},
            "ns": {"NS": ["10", "9"]},
            "bs": {"BS": ["AQ==", "AA=="]},
        }
    ) == {
        "s": "x",
        "n": 1.5,
        "b": "AAE=",
        "t": True,
        "z": None,
        "l": ["a", 2],
        "m": {"in": {}},
        "ss": ["a", "b"],
        "ns": [9, 10],
        "bs": ["AA==", "AQ=="],
    }


@pytest.mark.parametrize("value", [{}, {"S": "secret", "N": "1"}, {"X": "secret"}])
def test_what_is_no_value_is_refused_without_saying_it(value: dict[str, Any]) -> None:
    with pytest.raises(UnknownType) as error:
        plain(value)
    assert "secret" not in str(error.value)


SECRETS = ["s3cr3t", "41983.25", "c2VjcmV0"]


@given(st.data())
def test_no_part_of_a_redacted_value_is_left_at_any_depth(data: st.DataObject) -> None:
    secret = data.draw(
        st.sampled_from(
            [
                {"S": SECRETS[0]},
                {"N": SECRETS[1]},
                {"B": SECRETS[2]},
                {"L": [{"S": SECRETS[0]}]},
                {"M": {"inner": {"N": SECRETS[1]}}},
                {"SS": [SECRETS[0]]},
            ]
        )
    )
    value: dict[str, Any] = {"password": secret}
    for _ in range(data.draw(st.integers(0, 4))):
        value = data.draw(
            st.sampled_from([{"m": {"M": value}}, {"l": {"L": [{"M": value}, {"S": "x"}]}}])
        )

    text = json.dumps(row(value, {"password"}))

    assert REDACTED in text
    assert not [each for each in SECRETS if each in text]
    assert "inner" not in text
