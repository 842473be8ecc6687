"""Clients of boto3 that are made at their first call, for what most invocations never need.

To import boto3 and make a client takes longer than all the rest of a cold start; docs/decisions has the figures.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_s3 import S3Client

# boto3's default session makes one client at a time.
# https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_one_at_a_time = threading.Lock()


def s3() -> "S3Client":
    """S3, for the quarantine."""
    return cast("S3Client", _LazyClient("s3"))


def dynamodb_streams() -> "DynamoDBStreamsClient":
    """DynamoDB Streams, for the shape of a stream."""
    return cast("DynamoDBStreamsClient", _LazyClient("dynamodbstreams"))


class _LazyClient:
    """Has the methods of the service's client; for any number of threads."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @cached_property
    def _client(self) -> Any:
        import boto3

        from leda.aws import sdk

        with _one_at_a_time:
            made: Any = boto3.client(self._service, config=sdk.CLIENT)  # type: ignore[call-overload]
        return made
