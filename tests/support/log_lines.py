"""The log lines that Powertools writes for the functions."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leda.aws.telemetry import logger


class LogLines:
    """The lines that were logged in a block of `recorded`."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """All lines as they were written."""
        return self.stream.getvalue()

    def of(self, message: str) -> list[dict[str, Any]]:
        """The lines with that message."""
        lines = [json.loads(line) for line in self.text.split("\n") if line]
        return [line for line in lines if line["message"] == message]


@contextmanager
def recorded() -> Iterator[LogLines]:
    """Record the log from level INFO on, whatever the level of the tests."""
    lines = LogLines()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before, level = handler.setStream(lines.stream), logger.log_level
    logger.setLevel("INFO")
    try:
        yield lines
    finally:
        handler.setStream(before)
        logger.setLevel(level)
