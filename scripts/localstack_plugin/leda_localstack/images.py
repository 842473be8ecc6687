"""Gives an empty map in the images of a DynamoDB stream its type, as AWS does.

DynamoDB Local's streams show the attribute `{"M": {}}` as `{}`, whereas an empty list or string keeps its type. Rows of
ReduceTable that `leda backfill` and `leda rebuild` write have an empty map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Value = dict[str, Any]


def typed(value: Value) -> Value:
    """The attribute value with the type of each empty map in it."""
    if not value:
        return {"M": {}}
    if "M" in value:
        return {"M": typed_image(value["M"])}
    if "L" in value:
        return {"L": [typed(each) for each in value["L"]]}
    return value


def typed_image(image: dict[str, Value]) -> dict[str, Value]:
    """The image with the type of each empty map in it."""
    return {name: typed(value) for name, value in image.items()}


def into_events(
    records: Iterable[dict[str, Any]], shard: str, into: Callable[[list[dict[str, Any]], str], Any]
) -> Any:
    """Add the types to the records' images, then call LocalStack's own method `into` with the records of the shard."""
    found = []
    for record in records:
        change = record["dynamodb"]
        for name in ("OldImage", "NewImage"):
            if name in change:
                change[name] = typed_image(change[name])
        found.append(record)
    return into(found, shard)


def install() -> None:
    """Patch LocalStack's poller of DynamoDB streams."""
    from localstack.services.lambda_.event_source_mapping.pollers.dynamodb_poller import (
        DynamoDBPoller,
    )

    own = DynamoDBPoller.transform_into_events

    def transform_into_events(poller: Any, records: list[dict[str, Any]], shard_id: str) -> Any:
        return into_events(records, shard_id, lambda *given: own(poller, *given))

    DynamoDBPoller.transform_into_events = transform_into_events
