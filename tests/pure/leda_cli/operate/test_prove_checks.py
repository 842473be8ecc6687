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
from leda_cli.operate.prove import alarms, mapping_checks, rights, versions
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


# -- mappings, tables and quotas


def _map(**changes: Any) -> Iterable[Finding]:
    return mapping_checks.exactly_once_mapping("MapLambda", MAPPING | changes)


def _state(**changes: Any) -> Iterable[Finding]:
    return mapping_checks.state_mapping("StateLambda", STATE | changes, 168)


def _table(view: str | None, **more: Any) -> dict[str, Any]:
    stream = {"StreamSpecification": {"StreamViewType": view}} if view else {}
    return {"TableName": "T", **stream, **more}


def _concurrency(limit: int, free: int, **reserved: int) -> Iterable[Finding]:
    account = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}
    wanted = {"State": 4, "Map": 4, "Reduce": 1}
    return mapping_checks.concurrency({"AccountLimit": account}, wanted, reserved)


INDEX = {"LocalSecondaryIndexes": [{"IndexName": "OneCollection"}]}
STREAM = "arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2026"
INSERTS, ROWS = (_filter({"eventName": names}) for names in (["INSERT"], ["INSERT", "MODIFY"]))
# Lists, because a generator of findings is empty when a test looks at it again.
RIGHT = [
    [*findings]
    for findings in (
        _map(),
        _state(),
        mapping_checks.map_filter("M", MAPPING),
        mapping_checks.reduce_filter("R", MAPPING | ROWS),
        mapping_checks.source_stream(_table("NEW_AND_OLD_IMAGES")),
        mapping_checks.reduce_table(_table("NEW_IMAGE", **INDEX)),
        mapping_checks.readers(STREAM, ["A", "B"]),
        _concurrency(1000, 900),
        _concurrency(10, 5, State=4),
    )
]
FOUND = [
    (_map(TumblingWindowInSeconds=0), Level.WRONG, "MapLambda has no tumbling window"),
    (_map(ParallelizationFactor=2), Level.WRONG, "2 batches of a shard at a time"),
    (_map(MaximumRetryAttempts=10), Level.WRONG, "drops records after 10 retries"),
    (_map(MaximumRecordAgeInSeconds=60), Level.WRONG, "after 60 seconds"),
    (_map(BisectBatchOnFunctionError=True), Level.ADVICE, "splits failed batches"),
    (_map(StartingPosition="LATEST"), Level.WRONG, "began at LATEST"),
    (_map(DestinationConfig={}), Level.ADVICE, "no failure destination"),
    (_map(LastProcessingResult="PROBLEM: Function call failed"), Level.WRONG, "call failed"),
    (_state(TumblingWindowInSeconds=900), Level.WRONG, "every batch fails"),
    (_state(FunctionResponseTypes=[]), Level.WRONG, "messages that were not stored are lost"),
    (_state(**_filter({"data": {"a": ["b"]}})), Level.WRONG, "a filter"),
    (_state(MaximumRetryAttempts=10), Level.ADVICE, "after 10 retries"),
    (_state(MaximumRecordAgeInSeconds=-1), Level.ADVICE, "for as long as the stream keeps it"),
    (_state(MaximumRecordAgeInSeconds=604800), Level.ADVICE, "for as long as the stream keeps it"),
    (_state(BisectBatchOnFunctionError=True), Level.ADVICE, "splits failed batches"),
    (mapping_checks.map_filter("M", MAPPING | INSERTS), Level.WRONG, "drops changes"),
    (mapping_checks.reduce_filter("R", MAPPING | INSERTS), Level.WRONG, "has the filter"),
    (mapping_checks.reduce_filter("R", MAPPING), Level.ADVICE, "has no filter"),
    (mapping_checks.source_stream(_table("NEW_IMAGE")), Level.WRONG, "has NEW_IMAGE"),
    (mapping_checks.source_stream(_table(None)), Level.WRONG, "has nothing"),
    (mapping_checks.reduce_table(_table("KEYS_ONLY", **INDEX)), Level.WRONG, "Reduce needs"),
    (mapping_checks.reduce_table(_table("NEW_IMAGE")), Level.WRONG, "no local secondary"),
    (mapping_checks.readers(STREAM, ["A", "B", "C"]), Level.ADVICE, "A, B, C"),
    (_concurrency(10, 8), Level.ADVICE, "need 9 executions"),
    (_concurrency(1000, 900, Map=0), Level.WRONG, "Map has a reserved concurrency of 0"),
    (_concurrency(1000, 900, Map=2), Level.ADVICE, "may need 4 executions"),
]


@pytest.mark.parametrize("findings", RIGHT)
def test_what_the_modules_deploy_has_no_findings(findings: list[Finding]) -> None:
    assert findings == []


@pytest.mark.parametrize(("findings", "level", "said"), FOUND, ids=[said for _, _, said in FOUND])
def test_a_setting_that_breaks_exactly_once_or_loses_messages_is_found(
    findings: Iterable[Finding], level: Level, said: str
) -> None:
    found = _one(findings)
    assert found.level is level
    assert said in found.what
    assert found.fix


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
