"""What an image of the source table adds to the totals, and the version of that definition."""

import json
from decimal import Decimal
from typing import Any

import pytest

from leda.engine.delta_rows import Lane
from leda.engine.group_by.configuration import (
    MAX_IMAGE_BYTES,
    VERSION_DIGITS,
    Configuration,
    ConfigurationError,
    Contribution,
    bytes_of,
)
from leda.engine.group_by.total_labels import Labels
from leda.engine.reduce.total_statements import TotalStatements
from leda.streams.changes import UnreadableRowError
from leda.values.numbers import exact

DOCUMENT: dict[str, Any] = {
    "path": "Path",
    "measures": {"Value": {"op": "sum", "field": "Value"}, "Count": {"op": "count"}},
}
CONFIGURATION = Configuration.from_json(json.dumps(DOCUMENT))
ROW: dict[str, Any] = {
    "Version": {"N": "3"},
    "Value": {"N": "1.50"},
    "Path": {"S": "PV:FXSpot"},
    "Deleted": {"BOOL": False},
}


def test_a_row_counts_once_and_adds_its_value_at_its_path() -> None:
    assert CONFIGURATION.names == ("Count", "Value")
    assert CONFIGURATION.contribution(ROW) == Contribution(("PV:FXSpot",), (1, Decimal("1.5")))


@pytest.mark.parametrize("image", [None, ROW | {"Deleted": {"BOOL": True}}])
def test_a_missing_and_a_deleted_row_add_nothing(image: Any) -> None:
    assert CONFIGURATION.contribution(image) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Path": {"NULL": True}}, "no Path"),
        ({"Path": {"S": ""}}, "no Path"),
        ({"Path": {"N": "1"}}, "no Path"),
        ({"Path": "PV"}, "no Path"),
        ({"Path": {"S": "x" * 2049}}, "2048 bytes"),
        ({"Path": {"S": "é" * 1025}}, "2048 bytes"),
        ({"Path": {"S": "\ud800"}}, "Unicode"),
        ({"Path": {"S": ":"}}, "empty level"),
        ({"Path": {"S": ":a"}}, "empty level"),
        ({"Path": {"S": "a::b"}}, "empty level"),
        ({"Path": {"S": "a:"}}, "empty level"),
        ({"Path": {"S": ":".join("x" * 1000)}}, f"take more than {MAX_IMAGE_BYTES} bytes"),
        ({"Value": {"NULL": True}}, "no Value"),
        ({"Value": {"S": "5"}}, "no Value"),
        ({"Value": {"N": 5}}, "no Value"),
        ({"Value": {"N": "1E+29"}}, "Value has more than 29 digits"),
        ({"Value": {"N": "1E-29"}}, "Value has more than 28 decimal places"),
        ({"Deleted": {"S": "true"}, "Path": {"NULL": True}}, "no Path"),
    ],
)
def test_a_row_that_cannot_be_counted_is_refused_with_the_reason(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UnreadableRowError, match=complaint):
        CONFIGURATION.contribution(ROW | changes)


def test_a_configuration_without_a_sum_needs_no_number() -> None:
    counting = Configuration.from_json('{"path": "Path", "measures": {"Rows": {"op": "count"}}}')

    assert counting.contribution({"Path": {"S": "A"}}) == Contribution(("A",), (1,))


def test_a_negated_contribution_is_exact_to_38_digits() -> None:
    value = "12345678901234567890123456789.012345678"
    added = CONFIGURATION.contribution(ROW | {"Value": {"N": value}})
    assert added

    with exact():
        assert added.negated() == Contribution(("PV:FXSpot",), (-1, -Decimal(value)))


def test_the_version_depends_on_the_meaning_and_not_on_the_formatting() -> None:
    other_order = {name: DOCUMENT[name] for name in ("path", "measures")}
    other_order["measures"] = dict(reversed(DOCUMENT["measures"].items()))
    again = Configuration.from_json(json.dumps(other_order, indent=2))
    fewer = Configuration.from_json('{"path": "Path", "measures": {"Count": {"op": "count"}}}')

    assert again.version == CONFIGURATION.version
    assert fewer.version != CONFIGURATION.version
    assert Configuration.from_json(CONFIGURATION.document).version == CONFIGURATION.version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"path": "Path"}',
        '{"path": "", "measures": {"Count": {"op": "count"}}}',
        '{"path": "Path", "measures": {}}',
        '{"path": "Path", "measures": {"Count": {"op": "average"}}}',
        '{"path": "Path", "measures": {"Value": {"op": "sum"}}}',
        '{"path": "Path", "measures": {"Identifier": {"op": "count"}}}',
        '{"path": "Path", "measures": {"AppliedHere": {"op": "count"}}}',
        '{"path": "Path", "measures": {"a\\" = 1": {"op": "count"}}}',
        '{"path": "Path", "measures": {"Keys": {"op": "count"}}}',
        '{"path": "Path", "measures": {"Count": {"op": "count", "field": "x"}}}',
        '{"path": "Path", "measures": {"V": {"op": "sum", "field": "x", "missing": "none"}}}',
        '{"path": "Path", "measures": {"V": {"op": "sum", "field": "x..y"}}}',
        '{"path": "Path", "measures": {"Count": {"op": "count"}}, "on_expiry": "forget"}',
        '{"path": "Path", "measures": {"Count": {"op": "count"}}, "identifiers": "short"}',
        '{"path": "Path", "measures": {"Count": {"op": "count"}}, "colour": "red"}',
        '{"path": "Path", "group_by": {"a": {"keys": ["a"]}}, "measures": {"Count": {"op": "count"}}}',
        '{"group_by": {}, "measures": {"Count": {"op": "count"}}}',
    ],
)
def test_an_invalid_definition_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFIGURATION"):
        Configuration.from_json(text)


def test_the_size_of_entries_depends_on_names_and_measures() -> None:
    """A number takes up to 21 bytes and 1 as a list's element; a list takes 3 and a map's entry 1 and its name."""
    assert bytes_of(["ab", "é"], 2) == 2 * (2 + 1 + 3 + 2 * 22)


def test_measures_whose_names_do_not_fit_a_statement_are_refused() -> None:
    """Otherwise DynamoDB refuses the statement of every total, and every row is quarantined."""

    def configuration(count: int) -> Configuration:
        measures = {f"Measure{number:043d}": {"op": "count"} for number in range(count)}
        return Configuration.from_json(json.dumps({"path": "Path", "measures": measures}))

    longest_checkpoint = Lane("0" * VERSION_DIGITS, 999_999, 0).applied + "m"
    widest = TotalStatements("t" * 255, "k" * 255, longest_checkpoint, configuration(64).names)
    labels = Labels("g", {}, "g", 1).attributes
    assert max(map(len, (widest.update, widest.insert(labels), widest.move))) <= 8192
    with pytest.raises(ConfigurationError, match="fewer measures, or shorter names"):
        configuration(65)
