"""Reading producers' JSON: exact numbers, and reasons without names of Python's internals."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leda.values.json_text import JsonReader, NotJsonError, text_of

READER = JsonReader()
# A reason must not contain Python's types, exceptions, functions or limits.
INTERNALS = re.compile(
    r"Decimal|NoneType|\b(int|str|dict|list|float|bool)\b|Error|Exception|Exceeds the limit|decode using|utf-8-sig"
)


def reason(data: bytes) -> str:
    with pytest.raises(NotJsonError) as caught:
        READER.read(data)
    return str(caught.value)


def test_numbers_are_read_exactly() -> None:
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
    **{
        name: (b"[%s]" % name.encode(), f"not JSON: {name} is not a number in JSON")
        for name in ("NaN", "Infinity", "-Infinity")
    },
    "too deep": (b"[" * 100_000, "not readable JSON: nested too deeply"),
    "truncated": (b'{"a": 1', "not JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
}


@pytest.mark.parametrize(("data", "said"), REASONS.values(), ids=REASONS)
def test_data_that_is_not_json_is_refused_with_the_reason(data: bytes, said: str) -> None:
    assert reason(data) == said


@given(st.binary() | st.text(alphabet='{}[]",:0123456789.eE+-NaInfity\ufeff ').map(str.encode))
def test_any_data_is_read_or_refused_with_a_reason_without_pythons_internals(data: bytes) -> None:
    try:
        READER.read(data)
    except NotJsonError as error:
        assert not INTERNALS.search(str(error))  # noqa: PT017 (most data are no JSON, and some are)


def test_text_is_utf8() -> None:
    assert text_of("€".encode()) == "€"
