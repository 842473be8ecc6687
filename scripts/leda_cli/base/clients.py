"""Creates boto3's clients for every command, of local AWS or of the caller's account."""

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
"""An invocation may take 15 minutes. boto3 must not repeat one without an answer, because it may have run."""


def local_client(service: str, variables: Mapping[str, str], config: Config | None = None) -> Any:
    """Create a client of local AWS that ignores the caller's AWS settings and proxies.

    variables: the AWS_* settings of that local AWS (`instance.client_variables`).
    config: overrides the defaults.
    """
    # Not boto3's default session, which is not safe for threads.
    session: Any = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    merged = _config(service, config).merge(Config(proxies={}))
    client = session.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"], config=merged)
    return _with_fast_scans(client, service)


def callers_client(service: str) -> Any:
    """Create a client of the account, Region and endpoint that the caller's AWS settings name; boto3 reads them."""
    # boto3 reads only AWS_DEFAULT_REGION; the other SDKs read AWS_REGION, and read it first.
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return _with_fast_scans(session.client(service, config=_config(service, None)), service)


def _config(service: str, config: Config | None) -> Config:
    found = _DEFAULTS.merge(_LONG_INVOCATION) if service == "lambda" else _DEFAULTS
    return found.merge(config) if config else found


def _with_fast_scans(client: Any, service: str) -> Any:
    """Let a client of DynamoDB return the rows of a Scan as the JSON of the answer has them.

    botocore parses each value of each row, which takes most of the time of reading a table (docs/performance.md,
    Backfill). A version of botocore without this event parses the rows as before.
    """
    if service == "dynamodb":
        client.meta.events.register("before-parse.dynamodb.Scan", _take_rows)
    return client


def _take_rows(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Move the rows of an answer past the parser, unless they have bytes, which the parser decodes from base 64."""
    body: bytes = response_dict["body"]
    if response_dict["status_code"] != 200 or b'"B":' in body or b'"BS":' in body:
        return
    answer = json.loads(body)
    customized_response_dict["Items"] = answer.pop("Items", [])
    response_dict["body"] = json.dumps(answer).encode()
