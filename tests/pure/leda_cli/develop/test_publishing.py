"""Publishing packages to S3: a manifest is only there when all packages that it names are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from leda_cli.base.errors import LedaError
from leda_cli.develop import publishing
from leda_cli.develop.publishing import Target

ZIPS = {"map-0123.zip": b"map", "state-4567.zip": b"state"}
MANIFEST = json.dumps({"map": {"key": "map-0123.zip"}}).encode()
TARGET = Target("packages-bucket", "leda/v1")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=TARGET.bucket)
        yield client


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that are written, in order."""
    written: list[str] = []
    put = publishing._put

    def record(client: Any, bucket: str, key: str, *rest: Any) -> None:
        put(client, bucket, key, *rest)
        written.append(key)

    monkeypatch.setattr(publishing, "_put", record)
    return written


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("s3://bucket", Target("bucket", "")),
        ("s3://bucket/", Target("bucket", "")),
        ("s3://my.bucket-1/a/b/", Target("my.bucket-1", "a/b")),
    ],
)
def test_an_s3_url_is_parsed(url: str, target: Target) -> None:
    assert publishing.parse(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "bucket/prefix",
        "s3:/bucket",
        "s3://",
        "s3://B/x",
        "https://bucket/x",
        "s3://ab",
        "s3://b-t/a//b",
        "s3://bucket?x=1",
        "s3://bucket/a?b",
    ],
)
def test_an_invalid_url_is_refused_and_the_form_named(url: str) -> None:
    with pytest.raises(LedaError) as raised:
        publishing.parse(url)
    assert "s3://bucket/prefix" in raised.value.fix


def test_without_a_prefix_a_key_has_no_slash() -> None:
    assert Target("bucket", "").key("a.zip") == "a.zip"


def test_the_manifest_is_written_last(s3: Any, puts: list[str]) -> None:
    publishing.upload(ZIPS, MANIFEST, TARGET)
    assert puts == ["leda/v1/map-0123.zip", "leda/v1/state-4567.zip", "leda/v1/packages.json"]
    for name, content in {**ZIPS, "packages.json": MANIFEST}.items():
        found = s3.get_object(Bucket=TARGET.bucket, Key=f"leda/v1/{name}")
        assert found["Body"].read() == content
    assert found["ContentType"] == "application/json"


def test_an_object_that_is_there_is_not_uploaded_again(s3: Any, puts: list[str]) -> None:
    publishing.upload(ZIPS, MANIFEST, TARGET)
    puts.clear()
    publishing.upload({**ZIPS, "new.zip": b"new"}, MANIFEST, TARGET)
    assert puts == ["leda/v1/new.zip", "leda/v1/packages.json"]


def test_an_object_of_another_size_is_replaced(s3: Any) -> None:
    s3.put_object(Bucket=TARGET.bucket, Key="leda/v1/map-0123.zip", Body=b"half")
    publishing.upload(ZIPS, MANIFEST, TARGET)
    found = s3.get_object(Bucket=TARGET.bucket, Key="leda/v1/map-0123.zip")
    assert found["Body"].read() == b"map"


def test_an_interrupted_upload_leaves_the_old_manifest(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = publishing._put

    def break_off(client: Any, bucket: str, key: str, *rest: Any) -> None:
        if "state" in key:
            raise ConnectionError
        put(client, bucket, key, *rest)

    s3.put_object(Bucket=TARGET.bucket, Key="leda/v1/packages.json", Body=b"old")
    monkeypatch.setattr(publishing, "_put", break_off)
    with pytest.raises(ConnectionError):
        publishing.upload(ZIPS, MANIFEST, TARGET)
    found = s3.get_object(Bucket=TARGET.bucket, Key="leda/v1/packages.json")
    assert found["Body"].read() == b"old"


def test_a_missing_bucket_is_named(s3: Any) -> None:
    with pytest.raises(LedaError, match="NoSuchBucket") as raised:
        publishing.upload(ZIPS, MANIFEST, Target("another-bucket", ""))
    assert "aws s3 mb s3://another-bucket" in raised.value.fix


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # A session of an earlier test remembers its credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(LedaError, match="No AWS credentials") as raised:
        publishing.upload(ZIPS, MANIFEST, TARGET)
    assert "AWS_PROFILE" in raised.value.fix


def test_an_endpoint_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(LedaError, match=r"127\.0\.0\.1:9") as raised:
        publishing.upload(ZIPS, MANIFEST, TARGET)
    assert "AWS_ENDPOINT_URL" in raised.value.fix


class MayNotList:
    """An empty S3 for a caller that may not list the bucket; `put` has the keys that are written."""

    def __init__(self) -> None:
        self.put: list[str] = []

    def head_object(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    def put_object(self, **request: Any) -> None:
        self.put.append(request["Key"])


def test_objects_are_uploaded_by_a_caller_that_may_not_see_that_they_are_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = MayNotList()
    monkeypatch.setattr(publishing, "callers_client", lambda _service: client)
    publishing.upload(ZIPS, MANIFEST, TARGET)
    assert client.put == [f"leda/v1/{name}" for name in (*ZIPS, "packages.json")]
