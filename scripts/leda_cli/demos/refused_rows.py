"""Reads what a function has quarantined, and why, for demos that write broken records on purpose."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from leda_cli.base.errors import LedaError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def quarantined(client: S3Client, bucket: str, function: str) -> Iterator[dict[str, Any]]:
    """Read every object that the function has put into the quarantine bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{function}/")
    for page in pages:
        for entry in page.get("Contents", []):
            yield json.loads(client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())


def reason(client: S3Client, bucket: str, function: str, key: Mapping[str, Any]) -> str:
    """Why the function has quarantined the row with that key. Raises LedaError where it has not."""
    for body in quarantined(client, bucket, function):
        record = json.loads(base64.b64decode(body["data"]))
        if record["dynamodb"]["Keys"] == key:
            return str(body["reason"])
    raise LedaError(
        f"The row {json.dumps(key)}, which cannot be counted, is not in the quarantine bucket {bucket}.",
        f"Read the function's log: /aws/lambda/{function}",
    )
