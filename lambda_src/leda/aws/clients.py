"""The one place where the functions' boto3 clients are made, with limits on how long a call may take.

To import boto3 and make a client takes longer than all the rest of a cold start (docs/decisions has the figures). So
boto3 is imported when the first client needs it, and what most invocations never need is made at its first call. The
calls to DynamoDB and its streams have clients of LEDA's own: `leda.aws.dynamodb_client`.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client

# boto3's default session makes one client at a time.
# https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_one_at_a_time = threading.Lock()


class CallLimits(NamedTuple):
    """The most seconds that one try of a call takes, and how many times the SDK tries it."""

    connect_seconds: float
    read_seconds: float
    tries: int


# A call that hangs ends well before the function's timeout, 60 s.
STANDARD = CallLimits(connect_seconds=2, read_seconds=10, tries=3)


def sdk(
    service: str, limits: CallLimits = STANDARD, session: "Session | None" = None, **options: Any
) -> Any:
    """A client of boto3, with a session of its own or boto3's default one; `options` are boto3's."""
    # Not at the top, like all of boto3: it is 170 ms of a cold start.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=limits.connect_seconds,
        read_timeout=limits.read_seconds,
        retries={"mode": "standard", "total_max_attempts": limits.tries},
        tcp_keepalive=True,
        max_pool_connections=16,
        # Requests are built by code, and the service checks them: to check them here too is a fifth of a call's CPU.
        parameter_validation=False,
    )
    with _one_at_a_time:
        make: Any = (session or boto3).client
        return make(service, config=config, **options)


def s3() -> "S3Client":
    """S3, for the quarantine; made at its first call."""
    return cast("S3Client", _LazyS3())


class _LazyS3:
    """Has the methods of boto3's client of S3; for any number of threads."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @cached_property
    def _client(self) -> Any:
        return sdk("s3")
