"""Figures of the functions: on local AWS from the lines that they log, on an account from CloudWatch.

A function logs its counts in CloudWatch's embedded metric format, and Lambda ends each invocation with a REPORT line.
Local AWS keeps these lines but makes no metrics of them, so the console reads the lines.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from leda_cli.console.figures import SPAN_SECONDS, Sample
from leda_cli.console.site import Site

LOCAL_STEP, ACCOUNT_STEP = 1, 60
# A line may be stored some time after the time that it carries.
OVERLAP_SECONDS = 5.0
# CloudWatch shows a metric of a minute up to some minutes later.
LATE_SECONDS = 300
# GetMetricData takes so many metrics a call.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
MAX_QUERIES = 500
# How often, and from how many records, the size of a message is determined.
SIZE_SECONDS, SIZE_RECORDS = 15.0, 100

_COUNTS = {
    "Records": "records",
    "Duplicates": "duplicates",
    "StaleVersions": "stale",
    "Quarantined": "quarantined",
    "DeltasApplied": "applied",
    "Waiting": "waiting",
    "Lag": "lag",
}
_REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: ([\d.]+) ms")
_INJECTED = "injected failure:"
_FAILED = re.compile(r"^\[ERROR\]|Task timed out after|Runtime\.ExitError")


class LogSource:
    """Reads the functions' logs on local AWS."""

    step = LOCAL_STEP
    replaces = False
    """Whether a read returns whole sums for a bucket, which replace the former ones."""

    def __init__(self, site: Site) -> None:
        self._logs: Any = site.account.logs
        self._functions = site.functions
        self._since: dict[str, float] = {}
        self._seen: dict[str, dict[str, float]] = {stage: {} for stage in site.functions}

    def read(self, now: float) -> list[Sample]:
        """The samples in new lines."""
        found: list[Sample] = []
        for stage, function in self._functions.items():
            since = self._since.get(stage, now - SPAN_SECONDS) - OVERLAP_SECONDS
            seen = self._seen[stage]
            lines = self._lines(function, since)
            new = {each["eventId"]: each for each in lines if each["eventId"] not in seen}
            found += samples_of(stage, new.values())
            seen |= {name: each["timestamp"] / 1000 for name, each in new.items()}
            self._since[stage] = max([self._since.get(stage, 0.0), *seen.values()], default=now)
            oldest = self._since[stage] - 2 * OVERLAP_SECONDS
            self._seen[stage] = {name: at for name, at in seen.items() if at >= oldest}
        return found

    def _lines(self, function: str, since: float) -> list[dict[str, Any]]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", startTime=max(0, int(since * 1000))
        )
        try:
            return [event for page in pages for event in page["events"]]
        except ClientError as error:
            # Nobody has invoked the function yet.
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []
            raise


def samples_of(stage: str, lines: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """The samples in a function's log lines, each with its timestamp in milliseconds."""
    for line in lines:
        at, text = line["timestamp"] / 1000, line["message"].strip()
        if text.startswith("{"):
            yield from _embedded(stage, at, text)
        elif report := _REPORT.match(text):
            yield Sample(at, stage, "invocations", 1)
            yield Sample(at, stage, "milliseconds", float(report[1]))
        elif _FAILED.search(text):
            yield Sample(at, stage, "errors", 1)
            if _INJECTED in text:
                yield Sample(at, stage, "injected", 1)


def _embedded(stage: str, at: float, text: str) -> Iterator[Sample]:
    """The metrics in a line of the embedded metric format; other lines of JSON have none."""
    try:
        line = json.loads(text)
    except ValueError:
        return
    if not isinstance(line, dict) or "_aws" not in line:
        return
    for name, figure in _COUNTS.items():
        values = line.get(name, [])
        values = values if isinstance(values, list) else [values]
        for value in values:
            yield Sample(at, stage, figure, float(value))
        if name == "Records" and values:
            yield Sample(at, stage, "batches", 1)
            if stage == "state":
                # Local AWS has no metrics of the stream, so the records that State reads stand for those put into it.
                yield from (Sample(at, "stream", "records", float(value)) for value in values)


class MetricSource:
    """Reads CloudWatch's metrics of an account, a minute at a time."""

    step = ACCOUNT_STEP
    replaces = True

    def __init__(self, site: Site) -> None:
        self._cloudwatch: Any = site.account.cloudwatch
        self._queries = list(queries(site))
        self._has_read = False

    def read(self, now: float) -> list[Sample]:
        """First the samples of the last ten minutes, then those of the minutes that may still change."""
        since = now - (LATE_SECONDS if self._has_read else SPAN_SECONDS)
        found: list[Sample] = []
        for first in range(0, len(self._queries), MAX_QUERIES):
            found += self._part(self._queries[first : first + MAX_QUERIES], since, now)
        self._has_read = True
        return found

    def _part(
        self, part: Sequence[tuple[str, str, dict[str, Any]]], since: float, now: float
    ) -> Iterator[Sample]:
        names = {f"m{place}": (stage, name) for place, (stage, name, _) in enumerate(part)}
        request: dict[str, Any] = {
            "MetricDataQueries": [
                {"Id": f"m{place}", "MetricStat": metric}
                for place, (_, _, metric) in enumerate(part)
            ],
            "StartTime": datetime.fromtimestamp(since // ACCOUNT_STEP * ACCOUNT_STEP, UTC),
            "EndTime": datetime.fromtimestamp(now, UTC),
        }
        for page in self._cloudwatch.get_paginator("get_metric_data").paginate(**request):
            for result in page["MetricDataResults"]:
                stage, name = names[result["Id"]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    yield Sample(at.timestamp(), stage, name, value)


def queries(site: Site) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The CloudWatch metrics to ask for: (stage, figure, metric)."""
    if site.stream:
        dimensions = {"StreamName": site.stream}
        yield "stream", "records", _metric("AWS/Kinesis", "IncomingRecords", "Sum", dimensions)
        yield "stream", "bytes", _metric("AWS/Kinesis", "IncomingBytes", "Sum", dimensions)
    for stage, function in site.functions.items():
        own = {"FunctionName": function}
        yield stage, "invocations", _metric("AWS/Lambda", "Invocations", "Sum", own)
        yield stage, "errors", _metric("AWS/Lambda", "Errors", "Sum", own)
        yield stage, "throttles", _metric("AWS/Lambda", "Throttles", "Sum", own)
        yield stage, "milliseconds", _metric("AWS/Lambda", "Duration", "Sum", own)
        yield stage, "iterator_age", _metric("AWS/Lambda", "IteratorAge", "Maximum", own)
        counted = {"service": function, "function_name": function}
        for name, figure in _COUNTS.items():
            kind = "Maximum" if figure == "lag" else "Sum"
            yield stage, figure, _metric("LEDA", name, kind, counted)
        # Each batch reports its records once.
        yield stage, "batches", _metric("LEDA", "Records", "SampleCount", counted)
    for table in site.tables:
        dimensions = {"TableName": table}
        for name, figure in (
            ("ConsumedWriteCapacityUnits", "write_units"),
            ("ConsumedReadCapacityUnits", "read_units"),
        ):
            yield table, figure, _metric("AWS/DynamoDB", name, "Sum", dimensions)


def _metric(
    namespace: str, name: str, statistic: str, dimensions: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "Metric": {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        },
        "Period": ACCOUNT_STEP,
        "Stat": statistic,
    }


class MessageSize:
    """The mean size of a message on local AWS, which has no metric for it: from the newest records, shard by shard."""

    def __init__(self, site: Site, clock: Callable[[], float] = time.time) -> None:
        self._kinesis: Any = site.account.kinesis
        self._stream = site.stream
        self._clock = clock
        self._looked = 0.0
        self._shards: list[str] = []
        self._place = 0
        self.latest: float | None = None
        """Bytes of a message; None before the first one was read."""

    def bytes_of(self, samples: Iterable[Sample]) -> list[Sample]:
        """Samples of the stream's bytes: its records among the samples, times the mean. Raises the client's error."""
        records = [each for each in samples if (each.stage, each.name) == ("stream", "records")]
        if not records:
            return []
        now = self._clock()
        if now - self._looked >= SIZE_SECONDS:
            self._looked = now
            self.latest = self._mean(now) or self.latest
        size = self.latest
        return [Sample(each.at, "stream", "bytes", each.value * size) for each in records if size]

    def _mean(self, now: float) -> float | None:
        if not self._shards:
            answer = self._kinesis.list_shards(StreamName=self._stream)
            self._shards = [each["ShardId"] for each in answer["Shards"]]
        self._place = (self._place + 1) % len(self._shards)
        iterator = self._kinesis.get_shard_iterator(
            StreamName=self._stream,
            ShardId=self._shards[self._place],
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=datetime.fromtimestamp(now - SIZE_SECONDS, UTC),
        )["ShardIterator"]
        records = self._kinesis.get_records(ShardIterator=iterator, Limit=SIZE_RECORDS)["Records"]
        sizes = [len(each["Data"]) for each in records]
        return sum(sizes) / len(sizes) if sizes else None
