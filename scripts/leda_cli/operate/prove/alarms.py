"""Checks that the metrics of failures have alarms, and that somebody is notified by each alarm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leda_cli.operate.prove.findings import Finding, advice

_SUBSCRIBED = "arn:"
"""A subscription that nobody has confirmed has `PendingConfirmation` in the place of its ARN.
https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric that must have an alarm, by one of its dimensions."""

    namespace: str
    metric: str
    dimension: str
    value: str

    def is_of(self, alarm: Mapping[str, Any]) -> bool:
        """Whether the alarm watches the metric, alone or in an expression."""
        terms = [each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", [])]
        return any(
            metric.get("Namespace") == self.namespace
            and metric.get("MetricName") == self.metric
            and {"Name": self.dimension, "Value": self.value} in metric.get("Dimensions", [])
            for metric in (alarm, *terms)
        )


def of_function(function: str, mappings: Iterable[str]) -> list[Watched]:
    """The metrics to watch for a function with these event source mappings (UUIDs)."""
    return [
        *(
            Watched("AWS/Lambda", metric, "FunctionName", function)
            for metric in ("Errors", "Throttles", "IteratorAge")
        ),
        Watched("LEDA", "Quarantined", "function_name", function),
        *(
            Watched("AWS/Lambda", "DroppedEventCount", "EventSourceMappingUUID", uuid)
            for uuid in mappings
        ),
    ]


def every_alarm(cloudwatch: Any) -> list[Mapping[str, Any]]:
    """The Region's metric alarms (DescribeAlarms). Raises the client's error."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def unwatched(alarms: Iterable[Mapping[str, Any]], watched: Iterable[Watched]) -> Iterator[Finding]:
    """The metrics that have no alarm."""
    alarms = list(alarms)
    for each in watched:
        if not any(each.is_of(alarm) for alarm in alarms):
            yield advice(f"no alarm watches {each.metric} of {each.value}", "run `terraform apply`")


def unheard(sns: Any, alarms: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Alarms that notify nobody, and alarms in the state ALARM. Raises the client's error."""
    silent: dict[str, list[str]] = {}
    listeners: dict[str, bool] = {}
    for alarm in alarms:
        reason = _silence(sns, alarm, listeners)
        if reason:
            silent.setdefault(reason, []).append(alarm["AlarmName"])
        if alarm.get("StateValue") == "ALARM":
            yield advice(f"{alarm['AlarmName']} is in the state ALARM", "docs/runbook.md")
    for reason, names in silent.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield advice(
            f"nobody is notified by the alarm {names[0]}{more}: {reason}",
            "set `alarm_actions` to an SNS topic, subscribe to it, and confirm the subscription",
        )


def _silence(sns: Any, alarm: Mapping[str, Any], listeners: dict[str, bool]) -> str:
    """Why nobody is notified by the alarm; empty if somebody is."""
    if not alarm.get("ActionsEnabled", True):
        return "its actions are switched off"
    actions = alarm.get("AlarmActions", [])
    if not actions:
        return "it has no action"
    for action in actions:
        if ":sns:" not in action:
            return ""
        if action not in listeners:
            listeners[action] = _has_listener(sns, action)
        if listeners[action]:
            return ""
    return f"nobody has subscribed to {actions[0].rpartition(':')[2]}"


def _has_listener(sns: Any, topic: str) -> bool:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return any(
        each["SubscriptionArn"].startswith(_SUBSCRIBED)
        for page in pages
        for each in page["Subscriptions"]
    )
