"""HealthLambda over DynamoDB Local: what it counts and logs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from support.pipeline import Function, Tables

COUNTS = ("RebuildOpen", "MappingsOff", "StreamsNotSettled")


class Watched(Tables):
    """The tables that HealthLambda reads, and three mappings."""

    states: dict[str, str]
    hours: float = 1

    def create(self) -> None:
        self.states = {"uuid-map": "Enabled", "uuid-reduce": "Enabled"}
        self.settings = {
            "REGISTRY_TABLE": f"{self.prefix}RegistryTable",
            "MAPPINGS": json.dumps({"MapLambda": "uuid-map", "ReduceLambda": "uuid-reduce"}),
            "STOOD_STILL_SECONDS": json.dumps({"MapLambda": 43200, "ReduceLambda": 43200}),
            "TABLES": json.dumps(
                {"map": f"{self.prefix}StateTable", "reduce": f"{self.prefix}ReduceTable"}
            ),
        }
        self._create("StateTable", {"id": "S"}, "NEW_AND_OLD_IMAGES")
        self._create("ReduceTable", {"Lane": "S", "Source": "S"}, "NEW_IMAGE")
        self._create("RegistryTable", {"Scope": "S", "Name": "S"})

    def client(self, real: Any, service: str, **arguments: Any) -> Any:
        if service != "lambda":
            return super().client(real, service, **arguments)
        functions = mock.Mock()
        functions.exceptions.ResourceNotFoundException = LookupError
        functions.get_event_source_mapping = lambda UUID: {
            "State": self.states[UUID],
            "LastModified": datetime.now(UTC) - timedelta(hours=self.hours),
        }
        return functions

    def register(self, scope: str, name: str, **attributes: Any) -> None:
        self.dynamodb.put_item(
            TableName=f"{self.prefix}RegistryTable",
            Item={"Scope": {"S": scope}, "Name": {"S": name}, **attributes},
        )


@pytest.fixture
def watched(dynamodb_endpoint: str) -> Watched:
    return Watched(dynamodb_endpoint)


def _emitted(capsys: pytest.CaptureFixture[str], *others: str) -> dict[str, float]:
    """The metrics of the last invocation, which must be COUNTS and `others`."""
    [line] = [
        found
        for text in capsys.readouterr().out.splitlines()
        if "_aws" in (found := json.loads(text))
    ]
    names = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names == {*COUNTS, *others}
    return {name: line[name][0] for name in names}


def _warned(function: Function) -> list[dict[str, Any]]:
    """Invoke the function; returns the fields of its warnings."""
    warned: list[dict[str, Any]] = []
    with mock.patch.object(
        function.module.logger, "warning", lambda _text, extra: warned.append(extra), create=True
    ):
        function({})
    return warned


def test_a_healthy_pipeline_has_three_metrics_of_0_and_no_warning(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.register("streams/map", watched.stream_arn("StateTable"), IsSettled={"BOOL": True})
    assert _warned(watched.function("health")) == []
    assert _emitted(capsys) == dict.fromkeys(COUNTS, 0.0)


def test_each_fault_is_counted_and_named(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.register("rebuild", "journal")
    watched.register("streams/map", "an earlier stream", IsSettled={"BOOL": True})
    watched.states["uuid-map"] = "Disabled"
    [warned] = _warned(watched.function("health"))
    assert warned["mappings_off"] == {"MapLambda": "Disabled"}
    assert warned["streams_not_settled"] == {"map": watched.stream_arn("StateTable")}
    assert _emitted(capsys) == dict.fromkeys(COUNTS, 1.0)


def test_a_mapping_that_was_disabled_for_half_a_day_is_counted_and_named(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.states["uuid-map"] = "Disabled"
    watched.hours = 13
    [warned] = _warned(watched.function("health"))
    assert warned["stood_still"] == ["MapLambda"]
    assert _emitted(capsys, "StoodStill")["StoodStill"] == 1.0
