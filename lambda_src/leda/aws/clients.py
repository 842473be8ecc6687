"""Makes the functions' boto3 clients, with limits on how long a call may take.

To import boto3 and make a client takes longer than the rest of a cold start (docs/decisions has the figures). So boto3
is imported for the first client, and S3's client, which most invocations do not need, is made at its first call. The
engine and the pipeline call DynamoDB and its streams with LEDA's own clients: `leda.aws.dynamodb_client`.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client

# boto3's default session is not safe for threads that make clients.
# https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_one_at_a_time = threading.Lock()


class CallLimits(NamedTuple):
    """The timeouts of one try of a call, in seconds, and the number of the SDK's tries."""

    connect_seconds: float
    read_seconds: float
    tries: int


# A call that hangs ends well before the function's timeout of 60 s.
STANDARD = CallLimits(connect_seconds=2, read_seconds=10, tries=3)


def sdk(
    service: str, limits: CallLimits = STANDARD, session: "Session | None" = None, **options: Any
) -> Any:
    """Make a boto3 client, in the given session or boto3's default session; `options` are those of boto3."""
    # Not at the top, because the import takes 170 ms of a cold start.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=limits.connect_seconds,
        read_timeout=limits.read_seconds,
        retries={"mode": "standard", "total_max_attempts": limits.tries},
        tcp_keepalive=True,
        max_pool_connections=16,
        # The service checks the requests. To check them here too would take a fifth of a call's processor time.
        parameter_validation=False,
    )
    with _one_at_a_time:
        make: Any = (session or boto3).client
        return make(service, config=config, **options)


def s3() -> "S3Client":
    """Return a client of S3 that is made at its first call."""
    return cast("S3Client", _LazyS3())


class _LazyS3:
    """Has the methods of boto3's S3 client; for any number of threads."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @cached_property
    def _client(self) -> Any:
        return sdk("s3")
