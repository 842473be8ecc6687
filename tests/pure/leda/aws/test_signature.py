"""Signatures equal botocore's; the signing key is derived again when the day or the credentials change."""

import datetime
import itertools
from pathlib import Path
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from leda.aws.signature import CONTENT_TYPE, Credentials, Signer, credentials_from_environment

TARGET = "DynamoDB_20120810.BatchExecuteStatement"
NOON = datetime.datetime(2026, 11, 29, 12, 0, 1, tzinfo=datetime.UTC)

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
moments = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.UTC)
)


def headers_of(head: bytes) -> dict[str, str]:
    first, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert first == "POST / HTTP/1.1"
    return dict(line.split(": ", 1) for line in lines)


def botocores(
    credentials: Credentials,
    region: str,
    host: str,
    target: str,
    body: bytes,
    now: datetime.datetime,
) -> dict[str, str]:
    """The headers that botocore signs the same request with."""
    request = AWSRequest(
        "POST", f"https://{host}/", {"Content-Type": CONTENT_TYPE, "X-Amz-Target": target}, body
    )
    signer = SigV4Auth(BotocoreCredentials(*credentials), "dynamodb", region)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        signer.add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


@given(
    credentials=st.builds(Credentials, words, words, st.none() | words),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    host=st.sampled_from(["dynamodb.us-east-1.amazonaws.com", "127.0.0.1:4566"]),
    target=st.sampled_from([TARGET, "DynamoDB_20120810.GetItem"]),
    body=st.binary(max_size=300),
    now=moments,
)
def test_a_request_is_signed_as_botocore_signs_it(
    credentials: Credentials,
    region: str,
    host: str,
    target: str,
    body: bytes,
    now: datetime.datetime,
) -> None:
    signer = Signer(lambda: credentials, region, "dynamodb", host)

    headers = headers_of(signer.head(target, body, now.timestamp()))

    expected = botocores(credentials, region, host, target, body, now)
    assert headers == {
        **expected,
        "Host": host,
        "User-Agent": "LEDA",
        "Content-Length": str(len(body)),
    }


def test_signatures_stay_valid_after_midnight_and_with_new_credentials() -> None:
    first, second = Credentials("A", "secret", "t1"), Credentials("B", "another", "t2")
    current = itertools.chain([first] * 3, [second] * 2)
    signer = Signer(lambda: next(current), "eu-west-1", "dynamodb", "h")
    tomorrow = NOON + datetime.timedelta(days=1)
    for credentials, now in ((first, NOON), (first, tomorrow), (first, NOON), (second, NOON)):
        headers = headers_of(signer.head(TARGET, b"{}", now.timestamp()))

        expected = botocores(credentials, "eu-west-1", "h", TARGET, b"{}", now)
        assert headers["Authorization"] == expected["Authorization"]


def test_the_signing_key_is_derived_once_a_day() -> None:
    signer = Signer(lambda: Credentials("A", "secret", None), "eu-west-1", "dynamodb", "h")
    with mock.patch("leda.aws.signature._hmac", return_value=b"key") as derive:
        for _ in range(10):
            signer.head(TARGET, b"{}", NOON.timestamp())

    # Four steps to the key, and one signature a request.
    assert derive.call_count == 4 + 10


def test_by_default_a_request_is_signed_with_the_current_time() -> None:
    signer = Signer(lambda: Credentials("A", "secret", None), "eu-west-1", "dynamodb", "h")
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)

    stamp = headers_of(signer.head(TARGET, b"{}"))["X-Amz-Date"]

    at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    assert before <= at <= datetime.datetime.now(datetime.UTC)


# -- credentials


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing that this machine has; the file that credentials may be written to."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "CREDENTIAL_EXPIRATION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    return file


@pytest.mark.parametrize("token", [None, "token"])
def test_a_functions_credentials_come_from_its_environment(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)

    assert credentials_from_environment()() == Credentials("A", "secret", token)


def test_other_credentials_are_found_by_botocore(no_credentials: Path) -> None:
    no_credentials.write_text(
        "[default]\naws_access_key_id = F\naws_secret_access_key = of a file\n"
    )

    assert credentials_from_environment()() == Credentials("F", "of a file", None)


def test_credentials_that_expire_are_refreshed_by_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_credentials(key: str, minutes: int) -> None:
        expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", expiry.isoformat())

    set_credentials("OLD", minutes=5)
    credentials = credentials_from_environment()
    set_credentials("NEW", minutes=60)

    # Less than a quarter of an hour is left, so botocore looks again.
    assert credentials() == Credentials("NEW", "secret", "token")


def test_missing_credentials_are_an_error() -> None:
    with pytest.raises(NoCredentialsError):
        credentials_from_environment()
