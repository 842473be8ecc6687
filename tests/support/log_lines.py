"""The functions' log as it goes out: what Powertools writes, line by line."""

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class LogLines:
    """The lines that were logged since `recorded` began."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """Everything, as it was written."""
        return self.stream.getvalue()

    def of(self, message: str) -> list[dict[str, Any]]:
        """The lines with that message."""
        lines = [json.loads(line) for line in self.text.split("\n") if line]
        return [line for line in lines if line["message"] == message]


@contextmanager
def recorded() -> Iterator[LogLines]:
    """Record the log, whatever level the tests run at."""
    with mock.patch.dict(os.environ):
        # It asks for these, and a test may come here before it loads a function.
        for name in ("AWS_LAMBDA_FUNCTION_NAME", "POWERTOOLS_SERVICE_NAME"):
            os.environ.setdefault(name, "Function")
        os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "LEDA")
        from leda.aws.telemetry import logger
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
