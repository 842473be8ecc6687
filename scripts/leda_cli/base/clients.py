"""Clients of AWS's services. Every command makes its clients here: of local AWS, or of the caller's account."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

_DEFAULTS = Config(
    max_pool_connections=32,
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 5},
)
_LONG_INVOCATION = Config(read_timeout=900, retries={"total_max_attempts": 1})
"""An invocation may take Lambda's 15 minutes; one that got no answer is not made again by itself."""
_PATH_STYLE = Config(s3={"addressing_style": "path"})
"""An emulator's host has no name for each bucket."""


def local_client(service: str, variables: Mapping[str, str], config: Config | None = None) -> Any:
    """Make a client of local AWS; nothing of the caller's AWS settings or proxies has a part in it.

    variables: the AWS_* settings of that local AWS (`instance.client_variables`).
    config: goes before the defaults.
    """
    # A session of its own: boto3's default one must not be used by several threads.
    session: Any = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    merged = _config(service, config).merge(_PATH_STYLE).merge(Config(proxies={}))
    client = session.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"], config=merged)
    return _with_fast_scans(client, service)


def callers_client(service: str, config: Config | None = None) -> Any:
    """Make a client of the account, Region and endpoint that the caller's AWS settings name; boto3 reads them."""
    merged = _config(service, config)
    if os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3"):
        merged = merged.merge(_PATH_STYLE)
    # boto3 itself reads AWS_DEFAULT_REGION alone; the AWS CLI and the other SDKs read AWS_REGION, and read it first.
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return _with_fast_scans(session.client(service, config=merged), service)


def _config(service: str, config: Config | None) -> Config:
    found = _DEFAULTS.merge(_LONG_INVOCATION) if service == "lambda" else _DEFAULTS
    return found.merge(config) if config else found


def _with_fast_scans(client: Any, service: str) -> Any:
    """Let a client take a page's rows as DynamoDB's JSON has them.

    botocore looks at each value of each row, which is most of the time of reading a table (docs/performance.md,
    Backfill). A botocore that has no such event parses the rows as ever.
    """
    if service == "dynamodb":
        client.meta.events.register("before-parse.dynamodb.Scan", _take_rows)
    return client


def _take_rows(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Take the rows out of an answer before it is parsed, unless there are bytes, which JSON has in base 64."""
    body: bytes = response_dict["body"]
    if response_dict["status_code"] != 200 or b'"B":' in body or b'"BS":' in body:
        return
    answer = json.loads(body)
    customized_response_dict["Items"] = answer.pop("Items", [])
    response_dict["body"] = json.dumps(answer).encode()
