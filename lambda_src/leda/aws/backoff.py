"""How long to pause between the tries of a call, which errors are worth another try, and when to give up."""

import random
from collections.abc import Callable

from botocore.exceptions import ClientError

# Of `Backoff`: the longest pause doubles from 50 ms to 1.6 s, which makes at most eight seconds in all. Then the
# invocation fails, and Lambda delivers the batch again.
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


def full_jitter(tries: int, first: float, longest: float) -> float:
    """The seconds to pause after so many tries: random, up to `first` doubled with each try, and up to `longest`.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    return random.uniform(0, min(longest, first * 2 ** min(tries, 30)))


class GaveUpError(RuntimeError):
    """A write did not succeed within its tries. Nothing is lost: Lambda delivers the batch again."""


class Backoff:
    """Counts the tries of one write, pauses after each, and gives up after MAX_TRIES without progress."""

    def __init__(self, what: str, pause: Callable[[float], None]) -> None:
        self._what = what
        self._pause = pause
        self._tries = 0

    def succeeded(self) -> None:
        """Begin to count again: the write has made progress."""
        self._tries = 0

    def failed(self, reason: object) -> None:
        """Pause before the next try. Raises GaveUpError after MAX_TRIES without progress."""
        self._tries += 1
        if self._tries == MAX_TRIES:
            raise GaveUpError(
                f"{self._what}: no success in {MAX_TRIES} tries. Lambda delivers the batch again; what was written by "
                f"now is not written twice. The last failure: {reason}"
            )
        self._pause(full_jitter(self._tries, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
