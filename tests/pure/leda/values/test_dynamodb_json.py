"""DynamoDB's values as plain JSON values: exact, and without redacted values."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.dynamodb_json import (
    REDACTED,
    UnknownTypeError,
    canonical,
    canonical_item,
    json_number,
    read_item,
    read_value,
    require_valid,
)

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda number: -130 <= number.adjusted() <= 125
)


@given(numbers)
def test_a_reader_with_binary_floats_gets_every_number_exactly(number: Decimal) -> None:
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
def test_a_number_of_too_many_digits_for_a_float_stays_a_string(text: str, shown: Any) -> None:
    assert json_number(text) == shown
    assert type(json_number(text)) is type(shown)


def test_values_of_every_type_become_plain() -> None:
    assert read_item(
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
def test_an_invalid_value_is_refused_without_showing_it(value: dict[str, Any]) -> None:
    with pytest.raises(UnknownTypeError) as error:
        read_value(value)
    assert "secret" not in str(error.value)


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "secret"}
    for level in range(levels):
        value = {"M": {"m": value}} if level % 2 else {"L": [value]}
    return value


KNOWN: list[dict[str, Any]] = [
    {"S": ""},
    {"N": "-1.5E+10"},
    {"B": "AAE="},
    {"BOOL": False},
    {"NULL": True},
    {"L": []},
    {"M": {}},
    {"SS": ["b", "a"]},
    {"NS": ["10", "9"]},
    {"BS": ["AQ=="]},
    deep(32),
]


@pytest.mark.parametrize("value", KNOWN, ids=repr)
def test_every_value_that_dynamodb_can_store_is_known(value: dict[str, Any]) -> None:
    require_valid(value)


UNKNOWN: list[Any] = [
    None,
    "secret",
    [],
    {},
    {"S": "secret", "N": "1"},
    {"secret" * 20: "x"},
    {"S": 5},
    {"S": None},
    {"N": 5},
    {"N": "secret"},
    {"N": "NaN"},
    {"N": "1E+126"},
    {"B": [1]},
    {"BOOL": "true"},
    {"NULL": False},
    {"L": {"x": {"S": "secret"}}},
    {"L": [{"S": "x"}, "secret"]},
    {"M": []},
    {"M": {"x": None}},
    {"SS": "secret"},
    {"SS": [1]},
    {"NS": ["secret"]},
    deep(33),
    deep(300),
]


@pytest.mark.parametrize("value", UNKNOWN, ids=lambda value: repr(value)[:40])
def test_a_value_that_dynamodb_cannot_store_is_refused_without_showing_it(value: Any) -> None:
    with pytest.raises(UnknownTypeError) as error:
        require_valid(value)
    assert "secretsecretsecretsecret" not in str(error.value)


EQUAL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"N": "100"}, {"N": "1E+2"}),
    ({"N": "1.50"}, {"N": "1.5"}),
    ({"N": "0"}, {"N": "-0.0"}),
    ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
    ({"NS": ["1", "20"]}, {"NS": ["2E+1", "1.0"]}),
    ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AA=="]}),
    ({"L": [{"N": "1"}]}, {"L": [{"N": "1.0"}]}),
    (
        {"M": {"a": {"SS": ["x", "y"]}, "b": {"S": ""}}},
        {"M": {"b": {"S": ""}, "a": {"SS": ["y", "x"]}}},
    ),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_values_in_different_notations_have_one_canonical_form(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert canonical(one) == canonical(other)
    assert canonical_item({"x": one}) == canonical_item({"x": other})


DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"N": "1"}, {"S": "1"}),
    ({"N": "100"}, {"N": "100.00000000000000000000000000000000001"}),
    ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
    ({"L": [{"S": "a"}]}, {"SS": ["a"]}),
    ({"SS": ["1"]}, {"NS": ["1"]}),
    ({"BOOL": True}, {"N": "1"}),
    ({"BOOL": True}, {"NULL": True}),
    ({"M": {}}, {"L": []}),
    ({"M": {"a": {"S": "x"}}}, {"M": {"b": {"S": "x"}}}),
    ({"S": "é"}, {"S": "e\u0301"}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values_have_different_canonical_forms(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert canonical(one) != canonical(other)


SECRETS = ["s3cr3t", "41983.25", "c2VjcmV0"]


@given(st.data())
def test_a_redacted_value_is_hidden_at_any_depth(data: st.DataObject) -> None:
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

    text = json.dumps(read_item(value, {"password"}))

    assert REDACTED in text
    assert not [each for each in SECRETS if each in text]
    assert "inner" not in text
