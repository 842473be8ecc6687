"""The functions' logs: counts and shards as JSON, and metrics in CloudWatch's embedded metric format."""

import json
from typing import Any

import pytest

from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades

METRICS = {
    "state": {"Records", "Duplicates", "StaleVersions", "Quarantined"},
    "map": {"Records", "Duplicates", "Quarantined", "LaneGigabytes"},
    "reduce": {"Records", "Duplicates", "Quarantined", "DeltasApplied", "Lag"},
}
COUNTS = {
    "state": {"stored", "duplicates", "stale_versions", "quarantined"},
    "map": {"shard", "records", "rows", "duplicates"},
    "reduce": {"shard", "records", "applied", "duplicates", "totals_written"},
}


def _lines(stack: LiveStack, part: str) -> list[dict[str, Any]]:
    """The JSON lines of a function's log group."""
    pages = stack.logs.get_paginator("filter_log_events").paginate(
        logGroupName=stack.outputs["functions"][part]["log_group_name"]
    )
    messages = (event["message"].strip() for page in pages for event in page["events"])
    return [json.loads(message) for message in messages if message.startswith("{")]


def _names(line: dict[str, Any]) -> set[str]:
    return {
        metric["Name"]
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


@pytest.mark.parametrize("part", METRICS)
def test_a_function_logs_its_metrics_and_counts(
    stack: LiveStack, trades: Trades, part: str
) -> None:
    messages = list(trades.load(20, seed=9))
    stack.put([*messages, messages[0], b"bad"])
    stack.settle(trades)
    seen = wait_for(
        f"metrics and counts in the log of {stack.function(part)}",
        lambda: _lines(stack, part),
        lambda lines: METRICS[part]
        <= {name for line in lines if "_aws" in line for name in _names(line)}
        and any(line.keys() >= COUNTS[part] for line in lines),
    )
    metrics = [line for line in seen if "_aws" in line]
    for line in metrics:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "LEDA"
            assert [sorted(names) for names in directive["Dimensions"]] == [
                ["function_name", "service"]
            ]
        assert line["function_name"] == line["service"] == stack.function(part)
    records = [line["Records"] for line in metrics if "Records" in line]
    assert sum(sum(values) for values in records) >= 1
