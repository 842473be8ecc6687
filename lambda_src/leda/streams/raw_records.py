"""Writes records as they were received in JSON, and names records that have no event ID."""

import hashlib
import json
from typing import Any

# No record of a stream is nested as deeply: DynamoDB's values have 32 levels, and each is two in JSON.
_MAX_DEPTH = 100


def whole(record: Any) -> bytes:
    """Return a record as it was received, in JSON; lists and objects that are nested too deeply are cut off."""
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


def made_up_id(data: bytes) -> str:
    """Return a name for a record that has no event ID: the same for the same bytes, so that a retry overwrites it."""
    return hashlib.sha256(data).hexdigest()[:32]
