"""Requests that create DynamoDB tables."""

from collections.abc import Mapping
from typing import Any


def definition(
    name: str, keys: Mapping[str, str], indexed: Mapping[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """The request of CreateTable for a table with these key attributes and their types, the partition key first.

    indexed: further key attributes of indexes, with their types. more: other arguments, such as the indexes.
    """
    types = {**keys, **(indexed or {})}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": kind} for each, kind in types.items()
        ],
        "KeySchema": key_schema(*keys),
        **more,
    }


def key_schema(*names: str) -> list[dict[str, str]]:
    """The partition key, and the sort key where there is one."""
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def index(name: str, *keys: str, **projection: Any) -> dict[str, Any]:
    """An index that projects every attribute unless `projection` says otherwise."""
    return {
        "IndexName": name,
        "KeySchema": key_schema(*keys),
        "Projection": projection or {"ProjectionType": "ALL"},
    }
