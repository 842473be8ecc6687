"""A function's log, as its lines of JSON."""

from __future__ import annotations

import json
from typing import Any


class FunctionLog:
    """The log of one function; `logs` is CloudWatch Logs' client."""

    def __init__(self, logs: Any, group: str) -> None:
        self._logs = logs
        self.group = group

    @property
    def command(self) -> str:
        """The command of the AWS CLI, version 1 or 2, that shows the log."""
        read = f"aws logs filter-log-events --log-group-name {self.group}"
        return f"{read} --query 'events[].message' --output text"

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The lines with that message, oldest first."""
        return [line for line in self.all() if line.get("message") == message]

    def all(self) -> list[dict[str, Any]]:
        """Every line that is JSON."""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=self.group)
        texts = (event["message"].strip() for page in pages for event in page["events"])
        return [json.loads(text) for text in texts if text.startswith("{")]
