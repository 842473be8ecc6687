"""JSON from producers: exact numbers, and reasons that name nothing of Python's."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.json_text import JsonReader, NotJsonError, kind_of, text_of

READER = JsonReader()
# What a reason must not name: Python's types, its exceptions, its functions and limits.
INTERNALS = re.compile(
    r"Decimal|NoneType|\b(int|str|dict|list|float|bool)\b|Error|Exception|Exceeds the limit|decode using|utf-8-sig"
)


def reason(data: bytes) -> str:
    with pytest.raises(NotJsonError) as caught:
        READER.read(data)
    return str(caught.value)


def test_numbers_are_what_was_sent() -> None:
    assert READER.read(b"[1, 0.10, 1e3]") == [1, Decimal("0.10"), Decimal("1e3")]
    assert JsonReader(whole=str, fraction=str).read(b"[1, 0.10]") == ["1", "0.10"]


REASONS = {
    "a byte order mark": (
        b"\xef\xbb\xbf{}",
        "not JSON: begins with a byte order mark (U+FEFF), which no sender may add",
    ),
    "UTF-16, big end first": (b"\xfe\xff\x00{\x00}", "not UTF-8: it looks like UTF-16"),
    "Latin-1": (b'"\xe9"', "not UTF-8: invalid continuation byte at byte 1"),
    "many digits": (b"9" * 5000, "holds an integer of more than 4,300 digits"),
    "a negative number of many digits": (
        b"[-" + b"9" * 5000 + b"]",
        "holds an integer of more than 4,300 digits",
    ),
    "an exponent": (b"1e99999999999999999999", "holds a number whose exponent is out of range"),
    "NaN": (b"[NaN]", "not JSON: NaN is not a number in JSON"),
    "too deep": (b"[" * 100_000, "not readable JSON: nested too deeply"),
    "truncated": (b'{"a": 1', "not JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
}


@pytest.mark.parametrize(("data", "said"), REASONS.values(), ids=REASONS)
def test_a_reason_says_what_is_wrong_with_the_data(data: bytes, said: str) -> None:
    assert reason(data) == said


@given(st.binary() | st.text(alphabet='{}[]",:0123456789.eE+-NaInfity\ufeff ').map(str.encode))
def test_no_data_is_an_error_of_another_kind_and_no_reason_names_pythons_internals(
    data: bytes,
) -> None:
    try:
        READER.read(data)
    except NotJsonError as error:
        assert not INTERNALS.search(str(error))  # noqa: PT017 (most data are no JSON, and some are)


KINDS: list[tuple[Any, str]] = [
    (None, "null"), (True, "a boolean"), ("x", "a string"), ([], "an array"), ({}, "an object"), (1, "a number"),
    (Decimal("1.5"), "a number"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), KINDS)
def test_a_value_is_called_what_json_calls_it(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


def test_text_is_utf8() -> None:
    assert text_of("€".encode()) == "€"
