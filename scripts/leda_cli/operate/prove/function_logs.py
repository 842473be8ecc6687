"""Reads each invocation and each error from the functions' logs.

Lambda writes a REPORT line for an invocation (https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html); the
functions write one line of JSON with what they have done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\s+Duration: (?P<duration>[\d.]+) ms.*?Memory Size: (?P<memory>\d+) MB"
    r"(?:.*?Init Duration: (?P<init>[\d.]+) ms)?",
    re.S,
)
# The lines that Lambda itself writes for an invocation that has failed.
_FAILED = re.compile(r"\[ERROR\] (?P<error>\w+)|(?P<timeout>Task timed out)|(?P<exit>Runtime\.\w+)")
_DONE = ("stored", "consumed")


@dataclass(slots=True)
class Invocation:
    """One invocation: times in milliseconds, and the figures of the function's own log line.

    requests: for each DynamoDB operation the number of requests, and the sum of their milliseconds.
    """

    at: int = 0
    duration: float = 0.0
    memory: int = 0
    init: float | None = None
    records: int = 0
    duplicates: int = 0
    shard: str = ""
    first: int = 0
    last: int = 0
    requests: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def waiting(self) -> float:
        """The milliseconds of all its requests."""
        return sum(milliseconds for _, milliseconds in self.requests.values())


@dataclass(slots=True)
class Log:
    """A function's finished invocations that had records, oldest first, and its errors.

    lags: for Reduce's batches, the milliseconds from a message's timestamp to its committed totals.
    """

    invocations: list[Invocation] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


def read(logs: Any, group: str, since: float) -> Log:
    """Read the log group of a function from `since` (epoch seconds) on. Raises the client's error."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since * 1000)
    )
    return parse(
        (event["timestamp"], event["message"]) for page in pages for event in page["events"]
    )


def parse(events: Iterable[tuple[int, str]]) -> Log:
    """Parse log events: (milliseconds since the epoch, text)."""
    log = Log()
    done: dict[str, Invocation] = {}
    for at, text in events:
        text = text.strip()
        if text.startswith("{"):
            _take_line(log, done, at, text)
        elif report := _REPORT.search(text):
            if found := done.get(report["id"]):
                found.duration, found.memory = float(report["duration"]), int(report["memory"])
                found.init = float(report["init"]) if report["init"] else None
        elif failed := _FAILED.search(text):
            log.errors.append(failed["error"] or failed["timeout"] or failed["exit"])
    log.invocations = sorted(
        (each for each in done.values() if each.duration), key=lambda each: each.at
    )
    return log


def _take_line(log: Log, done: dict[str, Invocation], at: int, text: str) -> None:
    try:
        line = json.loads(text)
    except ValueError:
        return
    if line.get("message") in _DONE and "function_request_id" in line:
        done[line["function_request_id"]] = _invocation(line, at)
    elif "Lag" in line:
        log.lags += _numbers(line["Lag"])
    elif line.get("level") in ("ERROR", "CRITICAL"):
        log.errors.append(str(line.get("exception_name") or line.get("message")))


def _invocation(line: Mapping[str, Any], at: int) -> Invocation:
    own = ("stored", "duplicates", "stale_versions", "quarantined", "failed_records")
    records = line.get("records", sum(line.get(name, 0) for name in own))
    return Invocation(
        at,
        records=records,
        duplicates=line.get("duplicates", 0),
        shard=line.get("shard", ""),
        first=int(line.get("first_sequence_number", 0)),
        last=int(line.get("last_sequence_number", 0)),
        requests={name: (count, ms) for name, (count, ms) in line.get("requests", {}).items()},
    )


def _numbers(given: Any) -> Iterator[float]:
    """The values of a metric in EMF: a number or a list of numbers."""
    yield from map(float, given if isinstance(given, list) else [given])
