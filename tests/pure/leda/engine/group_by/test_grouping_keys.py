"""What a grouping's keys and conditions read from a row."""

from typing import Any

import pytest

from leda.streams.changes import UnreadableRowError
from support.configurations import leaves

FEEDBACK: dict[str, Any] = {
    "date": {"S": "2026-08-01"},
    "stars": {"N": "5"},
    "is_paid": {"BOOL": False},
    "tags": {"L": [{"S": "a"}, {"S": "b"}, {"S": "a"}, {"N": "1"}]},
    "labels": {"SS": ["x", "y"]},
    "detail": {"M": {"region": {"S": "EU"}, "size": {"N": "2"}}},
    "created_at": {"N": "1785589505"},
}


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("date", ["2026-08-01"]),
        ("stars", ["5"]),
        ("is_paid", ["false"]),
        ("detail.region", ["EU"]),
        ("detail.region as region", ["EU"]),
        ("tags[]", ["a", "b", "1"]),
        ("labels[]", ["x", "y"]),
        ("created_at:minute", ["2026-08-01T13%3A05"]),
        ("created_at:hour", ["2026-08-01T13"]),
        ("created_at:day", ["2026-08-01"]),
        ("created_at:month", ["2026-08"]),
    ],
)
def test_a_key_reads_a_value_list_elements_or_a_time_bucket(key: str, texts: list[str]) -> None:
    assert leaves([key], FEEDBACK) == tuple(f"g:{text}" for text in texts)


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ({}, "no k"),
        ({"k": {"NULL": True}}, "no k"),
        ({"k": {"L": []}}, "k is not a string, a number or a boolean"),
        ({"k": {"B": "eA=="}}, "k is not a string"),
        # `g:` and the key; a sort key of the index Children has no more.
        ({"k": {"S": "x" * 1023}}, "1024 bytes of a key"),
        ({"k": {"S": "é" * 512}}, "1024 bytes of a key"),
        ({"k": {"S": "\ud800"}}, "Unicode"),
    ],
)
def test_a_row_with_no_usable_value_for_a_key_is_refused_with_the_reason(
    image: Any, complaint: str
) -> None:
    with pytest.raises(UnreadableRowError, match=complaint):
        leaves(["k"], image)


def test_a_missing_attribute_gets_the_configured_text() -> None:
    missing = {"k": "unknown", "tags": "untagged", "t": "never", "d.e": "deep", "w": "high"}
    keys = ["k", "tags[]", "t:day", "d.e"]

    found = leaves(keys, {"d": {"S": "no map"}}, missing=missing, where={"w": ["high"]})

    assert found == ("g:unknown:untagged:never:deep",)


@pytest.mark.parametrize(
    ("image", "holds"),
    [
        ({"w": {"S": "1"}}, True),
        ({"w": {"N": "1"}}, True),
        ({"w": {"BOOL": True}}, True),
        ({"w": {"S": "2"}}, False),
        ({"w": {"L": [{"S": "1"}]}}, False),
        ({"w": {"NULL": True}}, False),
        ({}, False),
    ],
)
def test_a_condition_holds_for_the_values_that_it_lists(image: Any, holds: bool) -> None:
    image = {"k": {"S": "a"}, **image}
    assert leaves(["k"], image, where={"w": ["1", "true"]}) == (("g:a",) if holds else ())
