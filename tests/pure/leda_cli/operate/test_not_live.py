"""The parts of a deployed configuration that are not live before `leda backfill`."""

import json
from dataclasses import replace
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda_cli.operate.not_live import NotLive, compared

LIVE: dict[str, Any] = {
    "group_by": {"daily": {"keys": ["date"]}, "source": {"keys": ["source"]}},
    "measures": {"Count": {"op": "count"}},
}


def _configuration(**changes: Any) -> Configuration:
    return Configuration.from_json(json.dumps(LIVE | changes))


def test_a_live_configuration_needs_no_backfill() -> None:
    assert compared(_configuration(), _configuration()) == NotLive()
    assert [*NotLive().lines()] == []


def test_new_changed_and_removed_groupings_and_measures_are_listed() -> None:
    deployed = _configuration(
        group_by={"daily": {"keys": ["day"]}, "hourly": {"keys": ["at:hour"]}},
        measures={"Count": {"op": "count"}, "Sum": {"op": "sum", "field": "x"}},
    )
    found = compared(deployed, _configuration())
    assert found == NotLive(("daily", "hourly"), ("Sum",), ("source",))
    assert [*found.lines()] == [
        "the grouping daily is deployed and not live: run `leda backfill`",
        "the grouping hourly is deployed and not live: run `leda backfill`",
        "the measure Sum is deployed and not live: run `leda backfill`",
        "source is no longer deployed and still live: run `leda backfill`",
    ]


def test_the_suggested_command_has_the_aggregations_option() -> None:
    waiting = NotLive(("daily",), ("Sum",), ("source",), command="leda backfill --map-function Map")
    for found in (
        waiting,
        replace(waiting, is_first=True),
        replace(waiting, has_other_settings=True),
    ):
        lines = [*found.lines()]
        assert lines
        assert [
            line for line in lines if "run `leda backfill --map-function Map`" not in line
        ] == []


def test_another_difference_is_reported_too() -> None:
    found = compared(_configuration(on_expiry="keep"), _configuration())
    assert [*found.lines()] == [
        "the deployed configuration is not the live one: run `leda backfill`"
    ]


def test_before_the_first_backfill_nothing_is_reported_as_counted() -> None:
    (line,) = compared(_configuration(), _configuration(), is_first=True).lines()
    assert "nothing is counted: run `leda backfill`" in line


@pytest.mark.parametrize("path", ["Path", "Place"])
def test_a_hierarchy_has_no_groupings_to_list(path: str) -> None:
    document = {"path": path, "measures": LIVE["measures"]}
    live = Configuration.from_json(json.dumps({**document, "path": "Path"}))
    found = compared(Configuration.from_json(json.dumps(document)), live)
    assert found.groupings == ()
    assert found.has_other_settings is (path != "Path")
