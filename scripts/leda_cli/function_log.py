"""A function's log, as its lines of JSON."""

from __future__ import annotations

import json
from typing import Any


class FunctionLog:
    """The log of one function; `logs` is CloudWatch Logs' client."""

    def __init__(self, logs: Any, group: str) -> None:
        self._logs = logs
        self.group = group

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The lines with that message, oldest first."""
        return [line for line in self.all() if line.get("message") == message]

    def all(self) -> list[dict[str, Any]]:
        """Every line that is JSON."""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=self.group)
        texts = (event["message"].strip() for page in pages for event in page["events"])
        return [json.loads(text) for text in texts if text.startswith("{")]
