"""The client of the replica's table: its Region, and the credentials of an assumed role."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from leda.aws import assumed_role, clients

ROLE = "arn:aws:iam::222222222222:role/writer"


class Sts:
    """Gives credentials with a number, for `minutes`."""

    def __init__(self, minutes: int) -> None:
        self.calls: list[dict[str, Any]] = []
        self.minutes = minutes

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.calls.append(request)
        return {
            "Credentials": {
                "AccessKeyId": f"KEY{len(self.calls)}",
                "SecretAccessKey": "secret",
                "SessionToken": f"token{len(self.calls)}",
                "Expiration": datetime.now(UTC) + timedelta(minutes=self.minutes),
            }
        }


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "FUNCTION",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def sent_by(client: Any, calls: int = 1) -> list[AWSPreparedRequest]:
    """What the client would send."""
    sent: list[AWSPreparedRequest] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request)

        class Raw:
            def stream(self) -> Any:
                yield b"{}"

        return AWSResponse(request.url, 200, HTTPHeaders(), Raw())

    client.meta.events.register("before-send.dynamodb.PutItem", answer)
    for _ in range(calls):
        client.put_item(TableName="Copy", Item={"id": {"S": "1"}})
    return sent


def key_of(request: AWSPreparedRequest) -> str:
    """The access key that the request is signed with."""
    authorization: Any = request.headers["Authorization"]
    return str(authorization.decode().partition("Credential=")[2].partition("/")[0])


def made(sts: Sts | None, role: str | None) -> Any:
    real: Any = boto3.client

    def client(service: str, **arguments: Any) -> Any:
        return sts if service == "sts" else real(service, **arguments)

    # A session that an earlier test has made remembers its credentials.
    with mock.patch("boto3.client", client), mock.patch("boto3.DEFAULT_SESSION", None):
        session = assumed_role.session_of(role, "replica") if role else None
        return clients.sdk("dynamodb", session=session, region_name="ap-southeast-2")


def test_without_a_role_the_functions_own_credentials_sign_requests() -> None:
    (request,) = sent_by(made(None, None))

    assert "dynamodb.ap-southeast-2.amazonaws.com" in request.url
    assert key_of(request) == "FUNCTION"


def test_a_role_is_assumed_once_while_its_credentials_are_valid() -> None:
    sts = Sts(minutes=60)
    requests = sent_by(made(sts, ROLE), calls=3)

    assert sts.calls == [{"RoleArn": ROLE, "RoleSessionName": "replica"}]
    for request in requests:
        assert "dynamodb.ap-southeast-2.amazonaws.com" in request.url
        assert key_of(request) == "KEY1"
        assert request.headers["X-Amz-Security-Token"] == b"token1"


def test_a_role_is_assumed_again_before_its_credentials_expire() -> None:
    first, second = sent_by(made(Sts(minutes=5), ROLE), calls=2)

    assert key_of(first) != key_of(second)


def test_a_role_is_assumed_only_when_a_request_is_sent() -> None:
    sts = Sts(minutes=60)
    made(sts, ROLE)
    assert sts.calls == []
