"""The console's figures, read from logs or CloudWatch, for the last ten minutes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda.engine.group_by.configuration import Configuration
from leda_cli.console.figures import SPAN_SECONDS, Figures, Sample, rates
from leda_cli.console.samples import LogSource, MessageSize, MetricSource, queries, samples_of
from support.console import Calling, at, site
from support.pipeline import CONFIGURATION

LIVE = Configuration.from_json(CONFIGURATION)


def line(at_seconds: float, message: str, identifier: str = "") -> dict[str, Any]:
    return {
        "timestamp": at_seconds * 1000,
        "message": message,
        "eventId": identifier or f"{at_seconds} {message}",
    }


def metrics(**values: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": 1}, "service": "MapLambda", **values})


def test_log_lines_give_counts_invocations_and_failures() -> None:
    lines = [
        line(10.5, "START RequestId: 1 Version: $LATEST"),
        line(10.5, metrics(Records=[40.0], Duplicates=[3.0], StaleVersions=[1.0])),
        line(10.6, "REPORT RequestId: 1\tDuration: 12.50 ms\tBilled Duration: 13 ms"),
        line(11.0, "[ERROR] InjectedFaultError: injected failure: FAILURE_STATE_LAMBDA_PCT in T"),
        line(11.2, "2026 1 Error: Task timed out after 3.00 seconds"),
        line(12.0, '{"level": "INFO", "message": "stored", "Records": 7}'),
        line(12.0, "{ not JSON"),
    ]
    found = {(each.name, each.at): each.value for each in samples_of("state", lines)}
    assert found[("records", 10.5)] == 40
    assert found[("duplicates", 10.5)] == 3
    assert found[("stale", 10.5)] == 1
    assert found[("batches", 10.5)] == 1
    assert found[("milliseconds", 10.6)] == 12.5
    assert found[("invocations", 10.6)] == 1
    assert found[("errors", 11.0)] == found[("injected", 11.0)] == found[("errors", 11.2)] == 1
    assert ("injected", 11.2) not in found
    assert not [each for each in found if each[1] == 12.0]


def test_records_of_state_are_counted_for_the_stream_too() -> None:
    lines = [line(1, metrics(Records=[4.0]))]
    assert {each.stage for each in samples_of("state", lines)} == {"state", "stream"}
    assert {each.stage for each in samples_of("map", lines)} == {"map"}


class Logs(Calling):
    """The log groups of functions; pages of one line each."""

    def __init__(self, **groups: list[dict[str, Any]]) -> None:
        super().__init__()
        self.groups = groups
        self.asked: list[int] = []

    def get_paginator(self, name: str) -> Any:
        assert name == "filter_log_events"
        return self

    def paginate(self, logGroupName: str, startTime: int) -> Iterator[Any]:
        function = logGroupName.rpartition("/")[2]
        if function not in self.groups:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
        self.asked.append(startTime)
        for line in self.groups[function]:
            yield {"events": [line] if line["timestamp"] >= startTime else []}


def test_each_log_line_counts_once_even_if_it_arrives_late() -> None:
    logs = Logs(
        StateLambda=[line(1000, metrics(Records=[1.0])), line(1001, metrics(Records=[2.0]))]
    )
    source = LogSource(site(LIVE, logs=logs))
    figures = Figures(source.step)
    figures.add(source.read(1001))
    # A line with an earlier time, and one that was read before.
    logs.groups["StateLambda"].append(line(999, metrics(Records=[4.0])))
    figures.add(source.read(1002))
    figures.add(source.read(1003))
    assert figures.recent(1003)["state.records"] == 7
    assert logs.asked[0] == (1001 - SPAN_SECONDS - 5) * 1000, "ten minutes at first"
    assert logs.asked[-1] == (1001 - 5) * 1000, "and then what is new"


def test_the_memory_of_a_log_source_is_bounded() -> None:
    logs = Logs(MapLambda=[])
    source = LogSource(site(LIVE, logs=logs))
    for second in range(3000):
        logs.groups["MapLambda"] = [line(second, metrics(Records=[1.0]))]
        source.read(second)
    assert sum(map(len, source._seen.values())) <= 20


def test_figures_are_kept_for_ten_minutes() -> None:
    figures = Figures(1)
    for second in range(24 * 3600):
        figures.add([Sample(second, "map", "records", 1), Sample(second, "map", "lag", second)])
        figures.forget(second)
    assert len(figures) == SPAN_SECONDS
    assert figures.recent(24 * 3600 - 1, 9) == {"map.records": 10, "map.lag": 24 * 3600 - 1}


def test_a_rate_excludes_the_current_second() -> None:
    figures = Figures(1)
    figures.add([Sample(100 + second, "map", "records", 10) for second in range(6)])
    figures.add([Sample(103, "map", "batches", 1), Sample(104, "map", "batches", 1)])
    found = rates(figures, 105.2)
    assert found["map.records"] == 10
    assert found["map.batch"] == 25


class CloudWatch(Calling):
    """Metrics that answer each query with its number."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **request: Any) -> Iterator[Any]:
        self.asked.append(request)
        yield {
            "MetricDataResults": [
                {"Id": each["Id"], "Timestamps": [at(600)], "Values": [5.0]}
                for each in request["MetricDataQueries"]
            ]
        }


def test_all_cloudwatch_metrics_are_read_in_one_call() -> None:
    cloudwatch = CloudWatch()
    source = MetricSource(site(LIVE, is_local=False, cloudwatch=cloudwatch))
    found = source.read(660)
    assert len(cloudwatch.asked) == 1
    assert {(each.stage, each.name) for each in found} >= {
        ("stream", "records"),
        ("stream", "bytes"),
        ("state", "iterator_age"),
        ("map", "errors"),
        ("reduce", "lag"),
        ("AggregateTable", "write_units"),
    }
    # CloudWatch gives a minute again while it grows: the newer figure takes the place of the older one.
    figures = Figures(source.step)
    figures.replace(found)
    figures.replace(source.read(720))
    assert figures.recent(720, 180)["map.errors"] == 5
    assert cloudwatch.asked[1]["StartTime"] == at(420)


def test_the_units_of_a_users_table_are_not_counted() -> None:
    tables = {
        metric["Metric"]["Dimensions"][0]["Value"]
        for _, _, metric in queries(site(LIVE, is_local=False, is_pipeline=False))
        if metric["Metric"]["Namespace"] == "AWS/DynamoDB"
    }
    assert tables == {"ReduceTable", "AggregateTable"}


class Kinesis(Calling):
    """A stream of two shards, of which one has records."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def list_shards(self, **_: Any) -> Any:
        return {"Shards": [{"ShardId": "0"}, {"ShardId": "1"}]}

    def get_shard_iterator(self, **request: Any) -> Any:
        self.calls += 1
        return {"ShardIterator": request["ShardId"]}

    def get_records(self, **request: Any) -> Any:
        records = (
            [{"Data": b"1234"}, {"Data": b"123456"}] if request["ShardIterator"] == "1" else []
        )
        return {"Records": records}


def test_bytes_are_estimated_from_the_mean_size_of_sampled_messages() -> None:
    now = [100.0]
    kinesis = Kinesis()
    size = MessageSize(site(LIVE, kinesis=kinesis), lambda: now[0])
    samples = [Sample(99, "stream", "records", 10), Sample(99, "state", "records", 10)]
    assert size.bytes_of([samples[1]]) == []
    assert size.bytes_of(samples) == [Sample(99, "stream", "bytes", 50)]
    now[0] += 1
    size.bytes_of(samples)
    assert kinesis.calls == 1, "not looked at each time"
    now[0] += 60
    assert size.bytes_of(samples) == [
        Sample(99, "stream", "bytes", 50)
    ], "an empty shard tells nothing"


@pytest.mark.parametrize("name", ["a.b", "a.b.records"])
def test_a_tables_name_may_contain_dots(name: str) -> None:
    figures = Figures(60)
    figures.replace([Sample(60, name, "write_units", 3), Sample(60, name, "lag", 4)])
    assert figures.recent(61) == {f"{name}.write_units": 3, f"{name}.lag": 4}
