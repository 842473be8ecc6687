"""The checks of `leda prove`: no finding for a correct deployment, and one for each fault."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from leda_cli.base.paths import ROOT
from leda_cli.operate.prove import alarms, mapping_checks, quotas, rights, versions
from leda_cli.operate.prove.findings import Finding, Level, checked

MAPPING = {
    "TumblingWindowInSeconds": 900,
    "ParallelizationFactor": 1,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "StartingPosition": "TRIM_HORIZON",
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bad"}},
    "LastProcessingResult": "OK",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
}
STATE = MAPPING | {"TumblingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": 167 * 3600}


def _filter(*patterns: Any) -> dict[str, Any]:
    return {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(each)} for each in patterns]}}


def _one(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


def _client(service: str) -> Any:
    make: Any = boto3.client
    return make(
        service, region_name="eu-west-1", aws_access_key_id="A", aws_secret_access_key="secret"
    )


# -- mappings and tables


def test_the_modules_mappings_have_no_findings() -> None:
    assert not [*mapping_checks.exactly_once_mapping("M", MAPPING)]
    assert not [*mapping_checks.map_filter("M", MAPPING)]
    rows = MAPPING | _filter({"eventName": ["INSERT", "MODIFY"]})
    assert not [*mapping_checks.reduce_filter("R", rows)]
    assert not [*mapping_checks.state_mapping("S", STATE, 168)]


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"TumblingWindowInSeconds": 0}, Level.WRONG, "no tumbling window"),
        ({"ParallelizationFactor": 2}, Level.WRONG, "2 batches of a shard at a time"),
        ({"MaximumRetryAttempts": 10}, Level.WRONG, "drops records after 10 retries"),
        ({"MaximumRecordAgeInSeconds": 60}, Level.WRONG, "after 60 seconds"),
        ({"BisectBatchOnFunctionError": True}, Level.ADVICE, "splits failed batches"),
        ({"StartingPosition": "LATEST"}, Level.WRONG, "began at LATEST"),
        ({"DestinationConfig": {}}, Level.ADVICE, "no failure destination"),
        ({"LastProcessingResult": "PROBLEM: Function call failed"}, Level.WRONG, "call failed"),
    ],
)
def test_a_setting_of_map_or_reduce_that_breaks_exactly_once_is_found(
    change: dict[str, Any], level: Level, said: str
) -> None:
    found = _one(mapping_checks.exactly_once_mapping("MapLambda", MAPPING | change))
    assert found.level is level
    assert said in found.what
    assert "MapLambda" in found.what
    assert found.fix


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"TumblingWindowInSeconds": 900}, Level.WRONG, "every batch fails"),
        ({"FunctionResponseTypes": []}, Level.WRONG, "messages that were not stored are lost"),
        (_filter({"data": {"a": ["b"]}}), Level.WRONG, "a filter"),
        ({"MaximumRetryAttempts": 10}, Level.ADVICE, "after 10 retries"),
        ({"MaximumRecordAgeInSeconds": -1}, Level.ADVICE, "for as long as the stream keeps it"),
        ({"MaximumRecordAgeInSeconds": 604800}, Level.ADVICE, "for as long as the stream keeps it"),
        ({"BisectBatchOnFunctionError": True}, Level.ADVICE, "splits failed batches"),
    ],
)
def test_a_setting_of_state_that_loses_messages_is_found(
    change: dict[str, Any], level: Level, said: str
) -> None:
    found = _one(mapping_checks.state_mapping("StateLambda", STATE | change, 168))
    assert found.level is level
    assert said in found.what


def test_a_filter_of_map_and_a_wrong_filter_of_reduce_are_found() -> None:
    some = MAPPING | _filter({"eventName": ["INSERT"]})
    assert _one(mapping_checks.map_filter("M", some)).level is Level.WRONG
    assert _one(mapping_checks.reduce_filter("R", some)).level is Level.WRONG
    assert _one(mapping_checks.reduce_filter("R", MAPPING)).level is Level.ADVICE


def test_a_stream_without_both_images_and_a_missing_index_are_found() -> None:
    def table(view: str | None, **more: Any) -> dict[str, Any]:
        stream = {"StreamSpecification": {"StreamViewType": view}} if view else {}
        return {"TableName": "T", **stream, **more}

    index = {"LocalSecondaryIndexes": [{"IndexName": "OneCollection"}]}
    assert not [*mapping_checks.source_stream(table("NEW_AND_OLD_IMAGES"))]
    assert "has NEW_IMAGE" in _one(mapping_checks.source_stream(table("NEW_IMAGE"))).what
    assert "has nothing" in _one(mapping_checks.source_stream(table(None))).what
    assert not [*mapping_checks.reduce_table(table("NEW_IMAGE", **index))]
    assert "Reduce needs" in _one(mapping_checks.reduce_table(table("KEYS_ONLY", **index))).what
    assert "no local secondary" in _one(mapping_checks.reduce_table(table("NEW_IMAGE"))).what


def test_a_third_reader_of_a_stream_is_found() -> None:
    stream = "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2026"
    assert not [*mapping_checks.readers(stream, ["A", "B"])]
    assert "A, B, C" in _one(mapping_checks.readers(stream, ["A", "B", "C"])).what


# -- rights


def test_missing_permissions_of_a_role_are_found() -> None:
    iam = _client("iam")
    needed = rights.of_map("arn:stream", "arn:reduce", "arn:registry")
    with Stubber(iam) as stub:
        for each in needed:
            decisions = [
                {
                    "EvalActionName": action,
                    "EvalDecision": ("implicitDeny" if action == "dynamodb:Query" else "allowed"),
                }
                for action in each.actions
            ]
            stub.add_response(
                "simulate_principal_policy",
                {"EvaluationResults": decisions},
                {
                    "PolicySourceArn": "arn:aws:iam::1:role/Map",
                    "ActionNames": list(each.actions),
                    "ResourceArns": [each.resource],
                },
            )
        found = _one(rights.too_few(iam, {"MapLambda": ("arn:aws:iam::1:role/Map", needed)}))
    assert found.level is Level.WRONG
    assert "the role of MapLambda may not dynamodb:Query on arn:registry" in found.what


# -- quotas


def _account(limit: int, free: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}}


def test_too_little_concurrency_is_found() -> None:
    wanted = {"State": 4, "Map": 4, "Reduce": 1}
    assert not [*quotas.concurrency(_account(1000, 900), wanted, {})]
    assert "need 9 executions" in _one(quotas.concurrency(_account(10, 8), wanted, {})).what
    assert not [*quotas.concurrency(_account(10, 5), wanted, {"State": 4})]
    found = _one(quotas.concurrency(_account(1000, 900), wanted, {"Map": 0}))
    assert (found.level, found.what) == (
        Level.WRONG,
        "Map has a reserved concurrency of 0: it never runs",
    )
    assert (
        "may need 4 executions"
        in _one(quotas.concurrency(_account(1000, 900), wanted, {"Map": 2})).what
    )


# -- alarms

TOPIC = "arn:aws:sns:eu-west-1:111122223333:alarms"


def _alarm(watched: alarms.Watched, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": f"{watched.value}-{watched.metric}",
        "Namespace": watched.namespace,
        "MetricName": watched.metric,
        "Dimensions": [
            {"Name": "service", "Value": "any"},
            {"Name": watched.dimension, "Value": watched.value},
        ],
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        **more,
    }


def _unheard(alarm: dict[str, Any], *subscriptions: str) -> list[Finding]:
    sns = _client("sns")
    with Stubber(sns) as stub:
        stub.add_response(
            "list_subscriptions_by_topic",
            {"Subscriptions": [{"SubscriptionArn": each} for each in subscriptions]},
            {"TopicArn": TOPIC},
        )
        return [*alarms.unheard(sns, [alarm])]


def test_a_metric_without_an_alarm_is_found() -> None:
    watched = alarms.of_function("MapLambda", ["uuid-1"])
    every = [_alarm(each) for each in watched]
    assert not [*alarms.unwatched(every, watched)]
    found = _one(alarms.unwatched(every[1:], watched))
    assert (found.level, found.what) == (Level.ADVICE, "no alarm watches Errors of MapLambda")
    metric = {name: every[0].pop(name) for name in ("Namespace", "MetricName", "Dimensions")}
    in_expression = {
        **every[0],
        "Metrics": [{"Expression": "a"}, {"MetricStat": {"Metric": metric}}],
    }
    assert not [*alarms.unwatched([in_expression, *every[1:]], watched)]
    others = [_alarm(each) for each in alarms.of_function("OtherLambda", ["uuid-2"])]
    assert len([*alarms.unwatched(others, watched)]) == len(watched)


def test_an_alarm_that_notifies_nobody_is_found() -> None:
    watched, *_ = alarms.of_function("MapLambda", [])
    assert not _unheard(_alarm(watched), "PendingConfirmation", f"{TOPIC}:1234")
    for alarm, subscriptions, why in (
        (_alarm(watched), ("PendingConfirmation",), "nobody has subscribed to alarms"),
        (_alarm(watched), (), "nobody has subscribed to alarms"),
        (_alarm(watched, AlarmActions=[]), (), "it has no action"),
        (_alarm(watched, ActionsEnabled=False), (), "switched off"),
    ):
        found = _one(_unheard(alarm, *subscriptions))
        assert found.level is Level.ADVICE
        assert why in found.what
        assert "MapLambda-Errors" in found.what
    assert (
        "is in the state ALARM"
        in _one(_unheard(_alarm(watched, StateValue="ALARM"), f"{TOPIC}:1")).what
    )


# -- versions


def test_an_old_python_and_a_mixture_of_versions_are_found() -> None:
    new = {"Runtime": "python3.13"}
    assert not [*versions.runtimes({"Map": new, "Reduce": new})]
    old, mixed = versions.runtimes({"Map": new, "Reduce": {"Runtime": "python3.9"}})
    assert (old.level, mixed.level) == (Level.WRONG, Level.ADVICE)
    assert "Reduce runs python3.9" in old.what


def test_a_function_with_another_packages_code_is_found(tmp_path: Path) -> None:
    running = {"map": {"FunctionName": "F-MapLambda", "CodeSha256": _digest("new")}}
    assert not [*versions.packages(tmp_path, running)], "there is no checkout here"
    manifest = tmp_path / versions.MANIFEST
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"map": {"file": "map.zip", "sha256": _hex("new")}}))
    assert not [*versions.packages(tmp_path, running)]
    manifest.write_text(json.dumps({"map": {"file": "map.zip", "sha256": _hex("other")}}))
    assert (
        "F-MapLambda does not run build/map.zip" in _one(versions.packages(tmp_path, running)).what
    )


def _hex(text: str) -> str:
    return text.encode().ljust(32).hex()


def _digest(text: str) -> str:
    return base64.b64encode(text.encode().ljust(32)).decode()


def test_an_unsuitable_version_of_the_provider_is_found(tmp_path: Path) -> None:
    assert versions.provider(tmp_path) is None
    assert _one(versions.provider_findings(None)).level is Level.NOT_CHECKED
    (tmp_path / versions.LOCK_FILE).write_text(
        'provider "registry.terraform.io/hashicorp/random" {\n  version = "3.0.0"\n}\n'
        'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n'
        '  constraints = ">= 5.100.0, < 7.0.0"\n}\n'
    )
    assert versions.provider(tmp_path) == "5.100.0"
    assert not [*versions.provider_findings("5.100.0")]
    assert "with 5.100 only" in _one(versions.provider_findings("6.40.1")).what
    for version in ("5.99.1", "6.32.1", "7.0.0"):
        found = _one(versions.provider_findings(version))
        assert found.what == f"the modules do not work with version {version} of the AWS provider"


def test_the_accepted_versions_of_the_provider_are_those_of_versions_tf() -> None:
    oldest, newest = (
        ".".join(map(str, each)) for each in (versions.OLDEST_PROVIDER, versions.PROVIDER_TOO_NEW)
    )
    text = (ROOT / "versions.tf").read_text()
    assert f">= {oldest}" in text
    assert f"< {newest}.0" in text
    assert set(re.findall(r"!= ([0-9.]+)", text)) == versions.BROKEN_PROVIDERS


# -- what cannot be read


def _denied(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeAlarms")


def test_a_check_without_permission_is_skipped_and_names_the_action() -> None:
    def refused() -> Iterator[Finding]:
        raise _denied(
            "AccessDenied",
            "User: arn:aws:iam::1:user/ops is not authorized to perform: cloudwatch:DescribeAlarms because no ...",
        )
        yield

    found = _one(checked("alarms", refused))
    assert found.level is Level.NOT_CHECKED
    assert found.fix == "your credentials lack cloudwatch:DescribeAlarms"
    assert _one(checked("alarms", list)).level is Level.RIGHT
    other = _denied("ThrottlingException", "Rate exceeded")

    def throttled() -> Iterator[Finding]:
        raise other
        yield

    with pytest.raises(ClientError):
        checked("alarms", throttled)
