"""Writes to a DynamoDB table on a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from leda.engine.registry import condition_failed


def is_written(call: Callable[..., object], **request: Any) -> bool:
    """Make the conditional write; return whether its condition held. Raises the client's other errors."""
    try:
        call(**request)
    except ClientError as error:
        if not condition_failed(error):
            raise
        return False
    return True
