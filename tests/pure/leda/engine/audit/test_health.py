"""HealthLambda reports open rebuilds, mappings that are off, and streams that are not settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.exceptions
import pytest

from leda.engine.audit.health import Health, check
from leda.engine.registry import Registry, Stage
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB

REGISTRY = "RegistryTable"
MAPPINGS = {"StateLambda": "s", "MapLambda": "m", "ReduceLambda": "r"}
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
STOOD_STILL = {"StateLambda": 84 * 3600.0, "MapLambda": 12 * 3600.0, "ReduceLambda": 12 * 3600.0}
TABLES: dict[Stage, str] = {"map": "StateTable", "reduce": "ReduceTable"}


class Gone(botocore.exceptions.ClientError):
    """The mapping does not exist."""

    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException"}}, "GetEventSourceMapping")


class Lambda:
    """Answers GetEventSourceMapping with the given states, each last changed `hours` ago."""

    class exceptions:
        ResourceNotFoundException = Gone

    def __init__(self, hours: float, **states: str) -> None:
        self.states = {"s": "Enabled", "m": "Enabled", "r": "Enabled", **states}
        self.since = NOW - timedelta(hours=hours)

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:
        if self.states[UUID] == "gone":
            raise Gone
        return {"UUID": UUID, "State": self.states[UUID], "LastModified": self.since}


class Dynamo(StreamedDynamoDB):
    """RegistryTable, and the streams of two tables, which Map and Reduce have registered."""

    def __init__(self) -> None:
        super().__init__({REGISTRY: ("Scope", "Name")})
        self.streams: dict[str, str | None] = {"StateTable": "states/1", "ReduceTable": "deltas/1"}
        self.meet("map", "states/1", is_settled=True)
        self.meet("reduce", "deltas/1", is_settled=True)

    def meet(self, stage: str, stream: str, *, is_settled: bool) -> None:
        self.register(f"streams/{stage}", stream, IsSettled={"BOOL": is_settled})

    def register(self, scope: str, name: str, **attributes: Any) -> None:
        key = {"Scope": {"S": scope}, "Name": {"S": name}}
        self.put_item(TableName=REGISTRY, Item=key | attributes)

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        stream = self.streams[TableName]
        described: dict[str, Any] = {"TableName": TableName, "LatestStreamArn": stream or "old"}
        if stream:
            described["StreamSpecification"] = {"StreamEnabled": True}
        return {"Table": described}


@pytest.fixture
def dynamodb() -> Dynamo:
    return Dynamo()


def found(dynamodb: Dynamo, hours: float = 1, **states: str) -> Health:
    client: Any = dynamodb
    functions: Any = Lambda(hours, **states)
    return check(Registry(client, REGISTRY), client, functions, MAPPINGS, TABLES)


def test_a_running_pipeline_is_healthy(dynamodb: Dynamo) -> None:
    assert found(dynamodb) == Health(False, {}, {})
    assert found(dynamodb).counts == {"RebuildOpen": 0, "MappingsOff": 0, "StreamsNotSettled": 0}


@pytest.mark.parametrize("state", ["Disabling", "Disabled", "Deleting", "gone"])
def test_a_mapping_in_a_state_that_delivers_nothing_is_off(dynamodb: Dynamo, state: str) -> None:
    health = found(dynamodb, m=state)
    assert health.mappings_off == {"MapLambda": "Deleting" if state == "gone" else state}
    assert health.counts["MappingsOff"] == 1


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Enabled", "Updating"])
def test_a_mapping_that_delivers_or_will_deliver_is_not_off(dynamodb: Dynamo, state: str) -> None:
    assert found(dynamodb, s=state, r=state).mappings_off == {}


def test_a_mapping_that_was_off_for_half_of_its_streams_retention_has_stood_still(
    dynamodb: Dynamo,
) -> None:
    assert found(dynamodb, 12, s="Disabled", m="Disabled").stood_still(STOOD_STILL, NOW) == []
    health = found(dynamodb, 12.1, s="Disabled", m="Disabled", r="Enabled")
    assert health.stood_still(STOOD_STILL, NOW) == ["MapLambda"]
    assert found(dynamodb, 84.1, s="Disabled").stood_still(STOOD_STILL, NOW) == ["StateLambda"]


def test_a_deleted_mapping_has_no_known_time_of_standing_still(dynamodb: Dynamo) -> None:
    assert found(dynamodb, 1000, m="gone").stood_still(STOOD_STILL, NOW) == []


def test_streams_of_a_new_pipeline_that_has_registered_none_are_settled(dynamodb: Dynamo) -> None:
    dynamodb.restore(REGISTRY, [])
    assert found(dynamodb).streams_not_settled == {}


def test_a_replaced_stream_is_settled_by_a_rebuild_and_not_by_being_registered(
    dynamodb: Dynamo,
) -> None:
    dynamodb.streams["ReduceTable"] = "deltas/2"
    dynamodb.meet("reduce", "deltas/2", is_settled=False)
    assert found(dynamodb).streams_not_settled == {"reduce": "deltas/2"}
    dynamodb.meet("reduce", "deltas/2", is_settled=True)
    assert found(dynamodb).streams_not_settled == {}


def test_an_earlier_stream_that_was_never_settled_is_ignored(dynamodb: Dynamo) -> None:
    dynamodb.meet("map", "states/0", is_settled=False)
    assert found(dynamodb).streams_not_settled == {}


def test_a_disabled_stream_is_not_settled(dynamodb: Dynamo) -> None:
    dynamodb.streams["StateTable"] = None
    assert found(dynamodb).streams_not_settled == {"map": ""}
