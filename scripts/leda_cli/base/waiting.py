"""Waits for a condition, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from leda_cli.base.errors import LedaError

LOOK_SECONDS = 0.25


def wait_for(what: str, look: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until `look` returns True. Raises LedaError after `seconds`, with `what` as the condition's name."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise LedaError(
                f"Not within {seconds:.0f} s: {what}.",
                "Look at the functions' logs and at .local/logs/localstack.log.",
            )
        time.sleep(LOOK_SECONDS)
