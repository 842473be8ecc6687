"""The errors for missing permissions, expired credentials, and a wrong Region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.account import Account, answering
from leda_cli.operate.deployed.refusals import denied_action

ROLE = "User: arn:aws:sts::111122223333:assumed-role/ops/ann is not authorized to perform: "
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/StateTable"


def refused(code: str, message: str = "why", operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


REFUSALS: list[tuple[ClientError | BotoCoreError, str, str]] = [
    (
        refused(
            "AccessDeniedException",
            f"{ROLE}dynamodb:Scan on resource: {TABLE} because no identity-based policy allows it",
        ),
        f"your credentials lack the right dynamodb:Scan on {TABLE}",
        "docs/runbook.md",
    ),
    (
        refused("AccessDenied", "Access Denied", "ListObjectsV2"),
        "your credentials lack the right ListObjectsV2",
        "docs/runbook.md",
    ),
    (refused("ExpiredTokenException"), "your credentials have expired", "sign in again"),
    (refused("ExpiredToken"), "your credentials have expired", "sign in again"),
    (refused("UnrecognizedClientException"), "does not know your credentials", "AWS_PROFILE"),
    (UnauthorizedSSOTokenError(), "you are not signed in", "aws sso login"),
    (ProfileNotFound(profile="ops"), "profile (ops) could not be found", "AWS_PROFILE"),
    (NoCredentialsError(), "there are no credentials", "without --aws"),
    (NoRegionError(), "no Region is set", "AWS_REGION"),
    (
        EndpointConnectionError(endpoint_url="https://lambda.eu-wst-1.amazonaws.com"),
        "eu-wst-1",
        "AWS_REGION",
    ),
]


def raises(error: Exception) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize(("error", "said", "fix"), REFUSALS)
def test_a_refusal_names_what_is_missing_and_a_fix(
    error: ClientError | BotoCoreError, said: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "_account", raises(error))
    with pytest.raises(LedaError) as first, Account().reached("no stack", "the command"):
        pass
    with pytest.raises(LedaError) as later, answering(None):
        raise error
    for found in (first.value, later.value):
        assert said in found.what
        assert fix in found.fix
    assert first.value.what.startswith("no stack: ")


def test_another_error_of_the_first_call_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused("ResourceNotFoundException", "Function not found: T-MapLambda")
    monkeypatch.setattr(Account, "_account", raises(error))
    with pytest.raises(LedaError) as found, Account().reached("T-MapLambda is not there", "it"):
        pass
    assert found.value.what == "T-MapLambda is not there: Function not found: T-MapLambda"
    assert "the account and the Region" in found.value.fix
    assert denied_action(error) is None


def test_a_refusal_of_local_aws_names_local_aws() -> None:
    with pytest.raises(LedaError) as found, answering("http://127.0.0.1:4566"):
        raise refused("ExpiredTokenException")
    assert "local AWS at http://127.0.0.1:4566" in found.value.what
