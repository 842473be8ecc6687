"""A local AWS for the deployed tests: clients, waiting, and a list of everything in the account."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from botocore.config import Config

from leda_cli.base.clients import local_client
from leda_cli.develop.local import StartedAws

POLL_SECONDS = 0.1

_T = TypeVar("_T")
_Aws = TypeVar("_Aws", bound=StartedAws)


def wait_for(
    what: str, look: Callable[[], _T], done: Callable[[_T], object] = bool, limit: float = 300
) -> _T:
    """Call `look` until `done` is true of its result, and return the result; fail after `limit` seconds."""
    deadline = time.monotonic() + limit
    began = time.monotonic()
    while not done(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {limit} s; seen last: {str(seen)[:2000]}")
        pause(began)
        began = time.monotonic()
    return seen


def pause(began: float) -> None:
    """Sleep three times as long as the last look took, so that looking does not slow the system down."""
    time.sleep(max(POLL_SECONDS, 3 * (time.monotonic() - began)))


class LiveAws(Generic[_Aws]):
    """One local AWS."""

    def __init__(self, aws: _Aws) -> None:
        self.aws = aws

    def client(self, service: str) -> Any:
        """A client that sends each call once, so that failures show."""
        once = Config(read_timeout=180, retries={"total_max_attempts": 1})
        return local_client(service, self.aws.variables, once)

    @cached_property
    def kinesis(self) -> Any:
        return self.client("kinesis")

    @cached_property
    def dynamodb(self) -> Any:
        return self.client("dynamodb")

    @cached_property
    def streams(self) -> Any:
        return self.client("dynamodbstreams")

    @cached_property
    def functions(self) -> Any:
        return self.client("lambda")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def logs(self) -> Any:
        return self.client("logs")

    def everything(self) -> dict[str, list[Any]]:
        """All resources of the kinds that the modules make, by kind, without empty kinds."""
        events, iam, cloudwatch, sns = (
            self.client(name) for name in ("events", "iam", "cloudwatch", "sns")
        )
        found = {
            "tables": self.dynamodb.list_tables()["TableNames"],
            "streams": self.kinesis.list_streams()["StreamNames"],
            "functions": [
                each["FunctionName"] for each in self.functions.list_functions()["Functions"]
            ],
            "mappings": self.functions.list_event_source_mappings()["EventSourceMappings"],
            "log groups": [
                each["logGroupName"] for each in self.logs.describe_log_groups()["logGroups"]
            ],
            "roles": [
                each["RoleName"]
                for each in iam.list_roles()["Roles"]
                if not each["Path"].startswith("/aws-service-role/")
            ],
            "policies": [
                each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]
            ],
            "buckets": [each["Name"] for each in self.s3.list_buckets()["Buckets"]],
            "alarms": [each["AlarmName"] for each in cloudwatch.describe_alarms()["MetricAlarms"]],
            "dashboards": [
                each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]
            ],
            "topics": [each["TopicArn"] for each in sns.list_topics()["Topics"]],
            "rules": [each["Name"] for each in events.list_rules()["Rules"]],
        }
        return {kind: names for kind, names in found.items() if names}


BareAws: TypeAlias = LiveAws[StartedAws]
"""A local AWS without the stack."""
