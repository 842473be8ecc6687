"""Uploads built packages to S3, for Terraform configurations without a checkout."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leda_cli.base.clients import callers_client
from leda_cli.base.errors import LedaError
from leda_cli.base.output import info

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket and a prefix in S3; the prefix neither begins nor ends with a slash."""

    bucket: str
    prefix: str

    def key(self, name: str) -> str:
        """Return the key of the object `name` under the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name


def parse(url: str) -> Target:
    """Parse s3://bucket or s3://bucket/prefix. Raises LedaError for anything else."""
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket) or "//" in prefix or set(prefix) & set("?#"):
        raise LedaError(
            f"{url!r} is no place in S3.", "Write it as s3://bucket or s3://bucket/prefix"
        )
    return Target(bucket, prefix)


def upload(zips: Mapping[str, bytes], manifest: bytes, target: Target) -> None:
    """Upload each zip that is not there yet, then the manifest.

    The manifest comes last, so that its readers find every zip that it names. Zips of earlier builds stay, because a
    deployed stack may name them.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
    )

    try:
        client: S3Client = callers_client("s3")
        for name, content in zips.items():
            key = target.key(name)
            if _is_there(client, target.bucket, key, len(content)):
                info(f"s3://{target.bucket}/{key} is there already")
            else:
                _put(client, target.bucket, key, content, "application/zip")
        _put(client, target.bucket, target.key("packages.json"), manifest, "application/json")
    except NoCredentialsError:
        raise LedaError(
            f"No AWS credentials to write to s3://{target.bucket}.",
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. For the local stack: "
            "source .local/env",
        ) from None
    except EndpointConnectionError as error:
        raise LedaError(
            str(error), "Check the network and AWS_ENDPOINT_URL. Local AWS starts with: make up"
        ) from None
    except ClientError as error:
        raise _refused(error.response["Error"], target) from None
    except BotoCoreError as error:
        raise LedaError(
            f"Cannot write to s3://{target.bucket}: {error}",
            "Check AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL.",
        ) from None


def _is_there(client: S3Client, bucket: str, key: str, size: int) -> bool:
    from botocore.exceptions import ClientError

    try:
        return client.head_object(Bucket=bucket, Key=key)["ContentLength"] == size
    except ClientError as error:
        # S3 answers 403 for an absent key to a caller that may not list the bucket.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        if error.response["Error"]["Code"] in {"404", "403", "NoSuchKey", "NotFound"}:
            return False
        raise


def _put(client: S3Client, bucket: str, key: str, content: bytes, content_type: str) -> None:
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    client.put_object(
        Bucket=bucket, Key=key, Body=content, ContentType=content_type, ChecksumSHA256=checksum
    )
    info(f"s3://{bucket}/{key} written")


def _refused(error: Mapping[str, object], target: Target) -> LedaError:
    code, message = error.get("Code"), error.get("Message")
    where = f"s3://{target.bucket}/{target.prefix}"
    fixes = {
        "NoSuchBucket": f"Create it (aws s3 mb s3://{target.bucket}), or name another.",
        "AccessDenied": "The caller needs s3:PutObject and s3:GetObject on "
        f"the objects {target.bucket}/{target.key('*')}",
        "PermanentRedirect": "The bucket is in another region: set AWS_REGION to it.",
        "AuthorizationHeaderMalformed": "The bucket is in another region: set AWS_REGION to it.",
    }
    fix = fixes.get(str(code), "Check the credentials (aws sts get-caller-identity).")
    return LedaError(f"S3 refused to take the packages at {where}: {code}: {message}", fix)
