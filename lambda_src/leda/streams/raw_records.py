"""Writes records as JSON, as they were received, and gives an ID to records that have no event ID."""

import hashlib
import json
from typing import Any

# More than any record of a stream has: DynamoDB nests values up to 32 levels deep, and each level is two in JSON.
_MAX_DEPTH = 100


def to_json(record: Any) -> bytes:
    """Return a record as JSON, with "[...]" and "{...}" for lists and objects that are too deep for Python."""
    try:
        return json.dumps(record).encode()
    except RecursionError:
        return json.dumps(_shallow(record, _MAX_DEPTH)).encode()


def _shallow(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return (
            {name: _shallow(each, levels - 1) for name, each in value.items()}
            if levels
            else "{...}"
        )
    if isinstance(value, list):
        return [_shallow(each, levels - 1) for each in value] if levels else "[...]"
    return value


def id_by_content(data: bytes) -> str:
    """Return an ID for a record that has no event ID: the same for the same bytes, so that a retry overwrites it."""
    return hashlib.sha256(data).hexdigest()[:32]
