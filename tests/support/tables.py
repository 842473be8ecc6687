"""Requests that create DynamoDB tables."""

from collections.abc import Mapping
from typing import Any


def definition(
    name: str, keys: Mapping[str, str], indexed: Mapping[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """CreateTable's request for a table with these key attributes, the partition key first, by their types.

    indexed: the attributes that indexes sort or partition by, beside the table's own keys; `more` has the indexes.
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
    """An index; it holds every attribute unless `projection` says otherwise."""
    return {
        "IndexName": name,
        "KeySchema": key_schema(*keys),
        "Projection": projection or {"ProjectionType": "ALL"},
    }
