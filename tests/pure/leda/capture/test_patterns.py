"""Event patterns match as EventBridge's do, and an invalid pattern is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest

from leda.capture.patterns import BadPatternError, matches, parse

DOCUMENT: dict[str, Any] = {
    "event": "update",
    "keys": {"user_id": "VIP-7", "timestamp": Decimal(1700000000)},
    "changed": {
        "balance": {"old": Decimal("10.5"), "new": Decimal("-0.01")},
        "tags": {"new": ["red", "blue"]},
        "none": {"old": None, "new": []},
        "active": {"old": True, "new": False},
    },
}

MATCHING: list[Any] = [
    {"event": ["update"]},
    {"event": ["create", "update"]},
    {"event": [{"prefix": "up"}]},
    {"event": [{"suffix": "date"}]},
    {"event": [{"equals-ignore-case": "UPDATE"}]},
    {"event": [{"anything-but": "create"}]},
    {"event": [{"anything-but": ["create", "delete"]}]},
    {"keys": {"user_id": [{"prefix": "VIP-"}], "timestamp": [1700000000]}},
    {"keys": {"timestamp": [1.7e9]}},
    {"changed": {"balance": {"new": [{"numeric": ["<", 0]}]}}},
    {"changed": {"balance": {"old": [{"numeric": [">", 10, "<=", 10.5]}]}}},
    {"changed": {"balance": {"old": [{"numeric": ["=", 10.5]}]}}},
    {"changed": {"balance": [{"exists": True}]}},
    {"changed": {"email": [{"exists": False}]}},
    {"changed": {"tags": {"old": [{"exists": False}], "new": ["blue"]}}},
    {"changed": {"none": {"old": [None], "new": [{"exists": True}]}}},
    {"changed": {"active": {"new": [False]}}},
    {"nothing": {"inside": [{"exists": False}]}},
]
OTHERS: list[Any] = [
    {"event": ["create"]},
    {"event": ["update"], "keys": {"user_id": ["x"]}},
    {"event": [{"prefix": "UP"}]},
    {"event": [{"anything-but": ["update"]}]},
    {"event": {"old": ["update"]}},
    {"event": [1]},
    {"keys": {"user_id": [{"numeric": [">", 0]}]}},
    {"keys": {"timestamp": [{"prefix": "17"}]}},
    {"changed": {"balance": {"new": [{"numeric": [">=", 0]}]}}},
    {"changed": {"email": [{"exists": True}]}},
    {"changed": {"email": {"new": [{"anything-but": "x"}]}}},
    {"changed": {"balance": [{"exists": False}]}},
    {"changed": {"tags": {"new": ["green"]}}},
    {"changed": {"active": {"old": [1]}}},
    {"changed": {"active": {"new": [0, None, ""]}}},
    {"changed": {"tags": {"old": [None]}}},
]


@pytest.mark.parametrize("pattern", MATCHING, ids=json.dumps)
def test_a_pattern_matches_when_all_its_fields_match(pattern: Any) -> None:
    (parsed,) = parse(json.dumps([pattern]))
    assert matches(parsed, DOCUMENT)


@pytest.mark.parametrize("pattern", OTHERS, ids=json.dumps)
def test_a_pattern_does_not_match_when_one_field_differs(pattern: Any) -> None:
    (parsed,) = parse(json.dumps([pattern]))
    assert not matches(parsed, DOCUMENT)


BAD = [
    "no JSON",
    "{}",
    "[{}]",
    '["event"]',
    '[{"event": "update"}]',
    '[{"event": []}]',
    '[{"event": [["update"]]}]',
    '[{"event": [{"wildcard": "*"}]}]',
    '[{"event": [{"prefix": 1}]}]',
    '[{"event": [{"exists": "yes"}]}]',
    '[{"event": [{"prefix": "a", "suffix": "b"}]}]',
    '[{"event": [{"anything-but": {"prefix": "a"}}]}]',
    '[{"event": [{"anything-but": []}]}]',
    '[{"n": [{"numeric": [">"]}]}]',
    '[{"n": [{"numeric": ["!", 1]}]}]',
    '[{"n": [{"numeric": [">", "1"]}]}]',
    '[{"n": [{"numeric": ["<", true]}]}]',
    '[{"changed": {"n": {}}}]',
]


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadPatternError):
        parse(text)


def test_the_error_names_the_field_of_the_invalid_rule() -> None:
    with pytest.raises(BadPatternError, match="changed, plan, new has a rule that is not known"):
        parse('[{"changed": {"plan": {"new": [{"wildcard": "*"}]}}}]')
