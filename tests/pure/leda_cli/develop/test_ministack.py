"""MiniStack's environment, local addresses, and the permissions that it needs because it checks them wrongly."""

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from leda_cli.base.paths import REQUIREMENTS, ROOT
from leda_cli.develop import toolchain
from leda_cli.develop.instance import REGION
from leda_cli.develop.ministack import MiniStack, allow_what_ministack_mistakes, local_addresses

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-01-01T00:00:00.000"


def test_all_files_are_written_to_its_folder_and_it_listens_on_this_machine_alone() -> None:
    variables = MiniStack(Path("/folder"), "unused").environment(1, Path("/tools/bin/python"))
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "S3_DATA_DIR", "STATE_DIR"):
        assert variables[name].startswith("/folder/")
    assert (variables["GATEWAY_PORT"], variables["BIND_HOST"]) == ("1", "127.0.0.1")


def test_the_users_aws_settings_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    variables = MiniStack(Path("/folder"), "unused").environment(4600, Path("/tools/bin/python"))
    assert not [name for name in variables if name.startswith("AWS_")]


def test_the_lock_file_has_the_pinned_version() -> None:
    lock = (REQUIREMENTS / "ministack.lock").read_text()
    assert f"ministack=={toolchain.MINISTACK_VERSION} " in lock
    assert "\nboto3==" in f"\n{lock}", "the functions run in its interpreter"


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (
            "https://7b283f2a.execute-api.us-east-1.amazonaws.com",
            "http://127.0.0.1:4600/_aws/execute-api/7b283f2a",
        ),
        (
            "http://7b283f2a.execute-api.127.0.0.1:4600",
            "http://127.0.0.1:4600/_aws/execute-api/7b283f2a",
        ),
        (
            "https://shop-0.auth.us-east-1.amazoncognito.com/oauth2/token",
            "http://127.0.0.1:4600/oauth2/token",
        ),
        ("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x",) * 2,
    ],
)
def test_addresses_become_local_except_the_issuer_of_tokens(there: str, here: str) -> None:
    assert local_addresses(json.dumps({"url": there}), 4600) == json.dumps({"url": here})


@pytest.fixture
def aws() -> Iterator[Any]:
    def client(service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION)

    with mock_aws():
        yield client


def test_bucket_policies_are_replaced_and_only_the_site_is_public(aws: Any) -> None:
    s3 = aws("s3")
    for bucket in ("site", "lake"):
        s3.create_bucket(Bucket=bucket)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*"}]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    for _ in range(2):
        allow_what_ministack_mistakes(aws, "site")

    (statement,) = json.loads(s3.get_bucket_policy(Bucket="site")["Policy"])["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["s3:GetObject"])
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="lake")


def test_roles_that_read_streams_or_run_statements_get_these_permissions_on_all_resources(
    aws: Any,
) -> None:
    aws("s3").create_bucket(Bucket="site")
    iam = aws("iam")
    for role, resource, action in (
        ("reader", STREAM, "dynamodb:GetRecords"),
        ("writer", STREAM.partition("/stream")[0], "dynamodb:PutItem"),
        ("adder", STREAM.partition("/stream")[0], "dynamodb:PartiQLUpdate"),
        (
            "checker",
            "arn:aws:lambda:us-east-1:1:event-source-mapping:m",
            "lambda:GetEventSourceMapping",
        ),
    ):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        statement = {"Effect": "Allow", "Action": [action], "Resource": [resource]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="function", PolicyDocument=document)

    for _ in range(2):
        allow_what_ministack_mistakes(aws, "site")

    assert iam.list_role_policies(RoleName="writer")["PolicyNames"] == ["function"]
    for role, action in (
        ("reader", "dynamodb:GetRecords"),
        ("adder", "dynamodb:BatchExecuteStatement"),
        ("checker", "lambda:ListEventSourceMappings"),
    ):
        added = iam.get_role_policy(RoleName=role, PolicyName="mistaken")["PolicyDocument"]
        assert added["Statement"] == [{"Effect": "Allow", "Action": [action], "Resource": "*"}]


def test_alternatives_are_removed_from_the_condition_that_a_key_is_read_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[Any] = []
    dynamodb: Any = SimpleNamespace(_pq_conditions=looked_at.append)
    monkeypatch.setitem(sys.modules, "ministack", ModuleType("ministack"))
    monkeypatch.setitem(sys.modules, "ministack.services", SimpleNamespace(dynamodb=dynamodb))
    runpy.run_path(str(ROOT / "scripts" / "leda_cli" / "develop" / "ministack_server.py"))
    key, other, new = ("cmp", "=", 1), ("cmp", "<", 2), ("is", "MISSING")

    for where in (
        ("and", key, ("or", new, other)),
        ("and", ("or", new, other), ("and", key, other)),
        ("or", key, other),
        key,
        None,
    ):
        dynamodb._pq_conditions(where)

    assert looked_at == [key, ("and", key, other), None, key, None]
