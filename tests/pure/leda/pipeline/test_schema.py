"""The setting `schema`: accepted values and errors."""

import json

import pytest

from leda.pipeline.schema import Schema, SchemaError


def test_the_defaults_are_the_workshops() -> None:
    schema = Schema.from_json("{}")

    assert schema == Schema()
    assert schema.levels == ("RiskType", "TradeDesk", "Region")
    assert (schema.id, schema.version, schema.value) == ("TradeID", "Version", "Value")


def test_every_attribute_can_be_set() -> None:
    given = {
        "id": "meter",
        "version": "reading",
        "value": "kWh",
        "timestamp": "at",
        "deleted": "gone",
        "hierarchy": None,
        "levels": ["country", "city"],
        "max_integer_digits": 20,
        "max_decimal_places": 9,
    }

    schema = Schema.from_json(json.dumps(given))

    assert {name: getattr(schema, name) for name in given} == given | {
        "levels": ("country", "city")
    }


def test_null_means_the_default_except_for_the_hierarchy() -> None:
    names = ("id", "version", "value", "timestamp", "deleted", "levels", "max_integer_digits")

    assert Schema.from_json(json.dumps(dict.fromkeys(names))) == Schema()
    assert Schema.from_json('{"hierarchy": null}') == Schema(hierarchy=None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not json", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"levels": []}', "levels is empty"),
        ('{"levels": ["a", "b", "a"]}', "names a level twice"),
        ('{"lvels": ["a"]}', "unknown attributes.*lvels"),
        ('{"max_integer_digits": 13}', "is 39; a DynamoDB Number holds 38"),
        ('{"max_integer_digits": 0}', "max_integer_digits"),
        ('{"max_decimal_places": -1}', "max_decimal_places"),
    ],
)
def test_an_invalid_schema_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        Schema.from_json(text)


@pytest.mark.parametrize(("integer_digits", "places"), [(12, 17), (29, 0), (1, 28)])
def test_limits_leave_room_for_the_sum_of_a_billion_messages(
    integer_digits: int, places: int
) -> None:
    Schema(max_integer_digits=integer_digits, max_decimal_places=places)

    with pytest.raises(SchemaError):
        Schema(max_integer_digits=integer_digits + 1, max_decimal_places=places)
