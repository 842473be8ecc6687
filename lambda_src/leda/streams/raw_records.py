"""Records of events as they were received, in JSON, and names for records that have no event ID."""

import hashlib
import json
from typing import Any

# No record of a stream is nested as deeply: DynamoDB's values have 32 levels, and each is two in JSON.
_MAX_DEPTH = 100


def whole(record: Any) -> bytes:
    """A record of an event as it was received, in JSON. Lists and objects that are nested too deeply are cut."""
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
    """A name for a record that has no event ID: the same for the same bytes, so that a retry overwrites it."""
    return hashlib.sha256(data).hexdigest()[:32]
