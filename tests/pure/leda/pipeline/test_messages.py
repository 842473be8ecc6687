"""Reading a message: any bytes are a message or bad input with a reason, and no other exception is raised."""

import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leda.pipeline import messages
from leda.pipeline.messages import MAX_HIERARCHY_BYTES, BadInputError, Message, parse
from leda.pipeline.schema import Schema

SCHEMA = Schema()
FLAT = Schema(hierarchy=None, levels=("Region",))
HIERARCHY = {"RiskType": "PV", "TradeDesk": "FXSpot", "Region": "EMEA"}
GOOD = {
    "TradeID": "t1",
    "Value": 34624.51,
    "Version": 3,
    "Timestamp": 1616413258.8997078,
    "Hierarchy": HIERARCHY,
}


def body(**changes: Any) -> bytes:
    """The JSON of a good message with changes; a value of type bytes is inserted as it is."""
    raw = {name: value for name, value in changes.items() if isinstance(value, bytes)}
    text = json.dumps({**GOOD, **changes, **{name: f"<{name}>" for name in raw}}).encode()
    for name, value in raw.items():
        text = text.replace(f'"<{name}>"'.encode(), value)
    return text


def without(name: str) -> bytes:
    return json.dumps({field: value for field, value in GOOD.items() if field != name}).encode()


def reason(data: bytes, schema: Schema = SCHEMA) -> str:
    with pytest.raises(BadInputError) as caught:
        parse(data, schema)
    return str(caught.value)


def read(data: bytes, schema: Schema) -> Message | None:
    """The message, None for bad input with a reason; any other exception is the test's failure."""
    try:
        return parse(data, schema)
    except BadInputError as error:
        if not str(error):
            pytest.fail("bad input without a reason")
        return None


# -- good messages


def test_a_message_of_the_workshop_is_read_exactly() -> None:
    assert parse(body(), SCHEMA) == Message(
        "t1",
        3,
        Decimal("34624.51"),
        "PV:FXSpot:EMEA",
        '{"Region": "EMEA", "RiskType": "PV", "TradeDesk": "FXSpot"}',
        Decimal("1616413258.8997078"),
    )


@pytest.mark.parametrize(
    "text",
    [b"0.1", b"1e3", b"1E-17", b"-0.00000000000000001", b"999999999999.99999999999999999", b"-7"],
)
def test_a_value_is_exactly_the_number_that_was_sent(text: bytes) -> None:
    assert parse(body(Value=text), SCHEMA).value == Decimal(text.decode())


@pytest.mark.parametrize(
    ("text", "version"),
    [(b"0", 0), (b"-5", -5), (b"3.0", 3), (b"1e2", 100), (b"9" * 38, 10**38 - 1)],
)
def test_a_version_is_a_whole_number_of_up_to_38_digits(text: bytes, version: int) -> None:
    found = parse(body(Version=text), SCHEMA).version

    assert found == version
    assert type(found) is int


@pytest.mark.parametrize("more", [{}, {"Value": None, "Hierarchy": None, "Timestamp": None}])
def test_a_deletion_needs_neither_value_nor_hierarchy(more: dict[str, Any]) -> None:
    data = json.dumps({"TradeID": "t1", "Version": 4, "Deleted": True, **more}).encode()
    message = parse(data, SCHEMA)

    assert message == Message("t1", 4, None, None, None, None)
    assert message.deleted


def test_deleted_false_means_not_deleted() -> None:
    assert parse(body(Deleted=False), SCHEMA) == parse(body(), SCHEMA)


@pytest.mark.parametrize("field", ["Timestamp", "Deleted", "Extra"])
def test_null_in_an_optional_field_means_absent(field: str) -> None:
    assert parse(body(**{field: None}), SCHEMA) == parse(without(field), SCHEMA)


def test_levels_may_be_fields_of_the_message() -> None:
    data = b'{"TradeID": "t", "Value": 1, "Version": 1, "Region": "EMEA", "x": 1}'

    message = parse(data, FLAT)

    assert (message.path, message.names) == ("EMEA", '{"Region": "EMEA"}')


def test_unknown_fields_are_ignored() -> None:
    assert parse(body(Extra=[1, {"a": None}]), SCHEMA) == parse(body(), SCHEMA)


def test_an_id_has_at_most_2048_bytes() -> None:
    assert parse(body(TradeID="é" * 1024), SCHEMA).id == "é" * 1024
    assert "2049 bytes" in reason(body(TradeID="é" * 1024 + "x"))


# -- bad ones


def test_an_empty_message_is_refused() -> None:
    assert reason(b"") == "the message is empty"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"[]", "an array"),
        (b"1", "a number"),
        (b"1.5", "a number"),
        (b'"x"', "a string"),
        (b"true", "a boolean"),
        (b"null", "null"),
    ],
)
def test_json_that_is_not_an_object_is_refused(data: bytes, kind: str) -> None:
    assert reason(data) == f"not a JSON object but {kind}"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"hello", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (body(Extra=b"1e99999999999999999999"), "holds a number whose exponent is out of range"),
    ],
)
def test_data_that_is_not_json_is_refused_with_the_json_readers_reason(
    data: bytes, expected: str
) -> None:
    assert reason(data) == expected


NOT_STRINGS = [None, "", 5, True, ["x"], {"a": 1}]


@pytest.mark.parametrize("given_id", NOT_STRINGS)
def test_an_id_must_be_a_string(given_id: object) -> None:
    assert reason(body(TradeID=given_id)) == "TradeID is missing or not a string"


def test_an_id_must_be_valid_unicode() -> None:
    assert "lone surrogate" in reason(body(TradeID=b'"\\ud800"'))


@pytest.mark.parametrize("field", ["Value", "Version", "TradeID", "Hierarchy"])
def test_a_missing_field_is_named(field: str) -> None:
    assert reason(without(field)).startswith(f"{field} is missing")


@pytest.mark.parametrize("field", ["Value", "Version"])
@pytest.mark.parametrize("given_number", [None, "5", "", True, False, [5], {"N": "5"}])
def test_only_json_numbers_are_accepted_as_numbers(field: str, given_number: object) -> None:
    assert reason(body(**{field: given_number})) == f"{field} is missing or not a number"


@pytest.mark.parametrize(
    "text",
    [
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"1e999999",
        b"1" * 40,
        b"1" * 4300,
        b"0." + b"1" * 40,
        b"1000000000000",
        b"1e-18",
    ],
)
def test_a_value_beyond_the_limits_is_refused(text: bytes) -> None:
    assert reason(body(Value=text)).startswith("Value has more than")


@pytest.mark.parametrize("text", [b"1.5", b"1e-400", b"0.1", b"1e38", b"9" * 39, b"1e999999"])
def test_a_version_that_is_not_a_whole_number_of_up_to_38_digits_is_refused(text: bytes) -> None:
    assert reason(body(Version=text)).startswith("Version")


@pytest.mark.parametrize("text", [b'"now"', b"true", b"1e16", b"1e-21", b"{}", b"1e400"])
def test_a_timestamp_must_be_a_number_of_seconds(text: bytes) -> None:
    assert reason(body(Timestamp=text)) == "Timestamp is not a number of seconds"


@pytest.mark.parametrize("given_flag", [1, 0, "true", "", []])
def test_deleted_must_be_true_or_false(given_flag: object) -> None:
    assert reason(body(Deleted=given_flag)) == "Deleted is neither true nor false"


@pytest.mark.parametrize("given_hierarchy", [None, "PV", 5, True, ["PV"], []])
def test_the_hierarchy_must_be_an_object(given_hierarchy: object) -> None:
    assert reason(body(Hierarchy=given_hierarchy)) == "Hierarchy is missing or not an object"


def test_levels_that_make_no_path_are_refused_with_the_reason() -> None:
    assert reason(body(Hierarchy=HIERARCHY | {"Region": None})) == "level Region is missing"


def test_a_hierarchy_that_python_reads_and_cannot_write_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How many levels the encoder takes depends on Python's version: 3.11 and 3.13 write all that they read."""

    class Encoder:
        def encode(self, _names: object) -> str:
            raise RecursionError

    monkeypatch.setattr(messages, "_ENCODER", Encoder())
    assert reason(body()) == "Hierarchy is nested too deeply"


def test_a_hierarchy_that_is_too_large_for_a_row_is_refused() -> None:
    big = HIERARCHY | {"Comment": "x" * MAX_HIERARCHY_BYTES}

    assert "are kept" in reason(body(Hierarchy=big))


def test_a_hierarchy_nested_to_any_depth_is_read_or_refused() -> None:
    # The hierarchy is stored as JSON, so what json reads it must also be able to write.
    limit = sys.getrecursionlimit()
    read = set()
    for depth in [*range(1, limit + 50)]:
        deep = b'{"RiskType":"a","TradeDesk":"b","Region":"c","more":' + b"[" * depth + b"]" * depth
        try:
            read.add(parse(body(Hierarchy=deep + b"}"), SCHEMA).path)
        except BadInputError as error:
            read.add(str(error))
    assert read == {"a:b:c", "not readable JSON: nested too deeply"}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_bad_input(data: bytes) -> None:
    for schema in (SCHEMA, FLAT):
        message = read(data, schema)
        assert message is None or message.id


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from([10**400, "a:b", "", "\ud800", 1e308, 5e-324, -0.0])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "TradeID": st.just("t") | JSON,
            "Version": st.integers(0, 9) | JSON,
            "Value": st.just(1.5) | JSON,
            "Timestamp": st.just(1.5) | JSON,
            "Deleted": st.booleans() | JSON,
            "Hierarchy": st.just(HIERARCHY)
            | st.fixed_dictionaries({level: st.just("x") | JSON for level in SCHEMA.levels})
            | JSON,
        },
    )
    | JSON
)
def test_any_json_is_a_message_or_bad_input(fields: object) -> None:
    message = read(json.dumps(fields).encode(), SCHEMA)
    if message is None:
        return
    assert 0 < len(message.id.encode()) <= 2048
    assert message.deleted == (message.value is None) == (message.names is None)
    if message.path is not None:
        assert len(message.path.split(":")) == 3
        assert all(message.path.split(":"))
