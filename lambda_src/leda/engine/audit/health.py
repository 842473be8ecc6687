"""Finds what no stream's metric shows: an open rebuild, disabled mappings, and streams that are not settled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from leda.engine.registry import Registry, Stage, streams_scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

_OFF = frozenset({"Disabling", "Disabled", "Deleting"})
"""The states of a mapping that delivers nothing or will stop. In `Creating`, `Enabling` and `Updating` it is on.
https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html"""


@dataclass(frozen=True, slots=True)
class Health:
    """The result of a check.

    mappings_off: the state of each event source mapping that is off, by the name of its function.
    streams_not_settled: the ARN of each stream that is not settled (`is_settled`), by stage (`map`, `reduce`); empty if
    the table's stream is disabled.
    off_since: the time of the last change of each mapping that is off; a deleted mapping has none.
    """

    is_rebuild_open: bool
    mappings_off: Mapping[str, str]
    streams_not_settled: Mapping[Stage, str]
    off_since: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """The metrics by their names; 0 is healthy."""
        return {
            "RebuildOpen": int(self.is_rebuild_open),
            "MappingsOff": len(self.mappings_off),
            "StreamsNotSettled": len(self.streams_not_settled),
        }

    def stood_still(self, seconds: Mapping[str, float], now: datetime) -> list[str]:
        """Return the functions whose mappings have been off for longer than their `seconds`."""
        return sorted(
            name
            for name, since in self.off_since.items()
            if now - since > timedelta(seconds=seconds[name])
        )


def check(
    registry: Registry,
    dynamodb: "DynamoDBClient",
    lambda_client: "LambdaClient",
    mappings: Mapping[str, str],
    tables: Mapping[Stage, str],
) -> Health:
    """Check the pipeline once.

    mappings: UUIDs of event source mappings by the names of their functions.
    tables: names of the tables whose streams the stages read.
    Raises botocore's ClientError.
    """
    states = {name: mapping_state(lambda_client, uuid) for name, uuid in mappings.items()}
    off = {name: state for name, state in states.items() if state.name in _OFF}
    streams = {stage: current_stream(dynamodb, table) for stage, table in tables.items()}
    return Health(
        registry.get("rebuild", "journal") is not None,
        {name: state.name for name, state in off.items()},
        {
            stage: stream
            for stage, stream in streams.items()
            if not is_settled(registry, stage, stream)
        },
        {name: state.since for name, state in off.items() if state.since},
    )


@dataclass(frozen=True, slots=True)
class MappingState:
    """The state of an event source mapping, and the last change of its state or its settings.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
    """

    name: str
    since: datetime | None


def mapping_state(lambda_client: "LambdaClient", uuid: str) -> MappingState:
    """Return the state of an event source mapping; `Deleting` if it does not exist."""
    try:
        mapping = lambda_client.get_event_source_mapping(UUID=uuid)
    except lambda_client.exceptions.ResourceNotFoundException:
        return MappingState("Deleting", None)
    return MappingState(mapping["State"], mapping["LastModified"])


def current_stream(dynamodb: "DynamoDBClient", table: str) -> str:
    """Return the ARN of the table's stream; empty if it is disabled.

    A disabled stream can be read for another 24 hours, but gets no more changes.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Enabling
    """
    description = dynamodb.describe_table(TableName=table)["Table"]
    if not description.get("StreamSpecification", {}).get("StreamEnabled"):
        return ""
    return description["LatestStreamArn"]


def is_settled(registry: Registry, stage: Stage, stream: str) -> bool:
    """Return whether the totals lack no changes from before this stream of the stage's table.

    The first stream that a stage reads is settled, and so is any stream before the stage has read one. `leda rebuild`
    settles a later stream, because the changes between two streams are in neither.
    """
    if not stream:
        return False
    rows = registry.rows(streams_scope(stage))
    met: dict[str, bool] = {row["Name"]["S"]: row["IsSettled"]["BOOL"] for row in rows}
    return met.get(stream, not met)
