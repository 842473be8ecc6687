"""Pauses between the tries of one write, and the error that ends them."""

import random
from collections.abc import Callable

from botocore.exceptions import ClientError

# The longest pause doubles from 50 ms to 1.6 s, which makes at most eight seconds in all; then the invocation fails and
# Lambda delivers the batch again.
MAX_TRIES = 10
FIRST_PAUSE_SECONDS = 0.025
LONGEST_PAUSE_SECONDS = 1.6


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
    }
)


def is_throttle(error: ClientError) -> bool:
    """Whether the service has refused the request for now, and has written nothing."""
    return error.response["Error"]["Code"] in THROTTLES


def is_unanswered(error: ClientError) -> bool:
    """Whether the service has failed: the request may have been carried out or not."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


class GaveUpError(RuntimeError):
    """A write did not succeed within its tries. Nothing is lost: Lambda delivers the batch again."""


class Backoff:
    """Counts the tries of one write and pauses after each, with full jitter.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """

    def __init__(self, what: str, pause: Callable[[float], None]) -> None:
        self._what = what
        self._pause = pause
        self._tries = 0

    def succeeded(self) -> None:
        """Begin to count anew: the write has made progress."""
        self._tries = 0

    def failed(self, reason: object) -> None:
        """Pause before the next try. Raises GaveUpError after MAX_TRIES without progress."""
        self._tries += 1
        if self._tries == MAX_TRIES:
            raise GaveUpError(
                f"{self._what}: no success in {MAX_TRIES} tries. Lambda delivers the batch again; what was written by "
                f"now is not written twice. The last failure: {reason}"
            )
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self._tries)
        self._pause(random.uniform(0, longest))
