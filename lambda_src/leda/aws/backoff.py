"""Decides which errors to try again, how long to pause before a try, and when to give up."""

import random
from collections.abc import Callable

from botocore.exceptions import ClientError

# Of `Backoff`: the longest possible pause doubles from 50 ms to 1.6 s, so all pauses together take at most 8 s. After
# that the invocation fails, and Lambda delivers the batch again.
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
    """Return whether the service has throttled the request, so that nothing was written."""
    return error.response["Error"]["Code"] in THROTTLES


def is_unanswered(error: ClientError) -> bool:
    """Return whether the service has failed (5xx), so that the request may or may not have had its effect."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def full_jitter(tries: int, first: float, longest: float) -> float:
    """Return a random pause in seconds: up to `first`, doubled with each of the tries, and never above `longest`.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    return random.uniform(0, min(longest, first * 2 ** min(tries, 30)))


class GaveUpError(RuntimeError):
    """A write has failed MAX_TRIES times. Nothing is lost, because Lambda delivers the batch again."""


class Backoff:
    """Counts the tries of one write, pauses after each, and gives up after MAX_TRIES without progress."""

    def __init__(self, what: str, pause: Callable[[float], None]) -> None:
        self._what = what
        self._pause = pause
        self._tries = 0

    def succeeded(self) -> None:
        """Reset the count, because the write has made progress."""
        self._tries = 0

    def failed(self, reason: object) -> None:
        """Pause before the next try. Raises GaveUpError after MAX_TRIES without progress."""
        self._tries += 1
        if self._tries == MAX_TRIES:
            raise GaveUpError(
                f"{self._what}: no success in {MAX_TRIES} tries. Lambda delivers the batch again, and no change is "
                f"counted twice. The last failure: {reason}"
            )
        self._pause(full_jitter(self._tries, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
