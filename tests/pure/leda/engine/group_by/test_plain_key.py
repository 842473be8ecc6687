"""Totals whose identifier is the text of the only key."""

from datetime import UTC, datetime
from typing import Any

import pytest

from leda.engine.group_by.configuration import ConfigurationError
from leda.engine.group_by.total_labels import Labels
from leda.streams.changes import UnreadableRowError
from support.configurations import configuration


def test_a_plain_identifier_is_the_text_of_the_key() -> None:
    scores = configuration({"user": {"keys": ["Username"]}}, identifiers="plain")

    found = scores.contribution({"Username": {"S": "a:b%"}})

    assert found
    assert found.leaves == ("a:b%",)
    assert scores.nodes("a:b%") == ["a:b%"]
    assert scores.labels("a:b%") == Labels("user", {"Username": "a:b%"}, "user")
    assert scores.labels(":reserved") is None
    daily = configuration(
        {"daily": {"keys": ["t:day"], "retention_days": 10}}, identifiers="plain"
    ).labels("2026-08-01")
    assert daily
    assert daily.expires == int(datetime(2026, 8, 12, tzinfo=UTC).timestamp())
    for name in ("", ":reserved"):
        with pytest.raises(UnreadableRowError, match="cannot be a total's key"):
            scores.contribution({"Username": {"S": name}})


@pytest.mark.parametrize(
    "group_by",
    [
        {"g": {"keys": ["a", "b"]}},
        {"g": {"keys": ["a"], "rollup": True}},
        {"g": {"keys": ["a"]}, "h": {"keys": ["b"]}},
    ],
)
def test_plain_identifiers_with_more_than_one_key_are_refused(group_by: Any) -> None:
    with pytest.raises(ConfigurationError, match="one grouping of one key"):
        configuration(group_by, identifiers="plain")
