"""The errors of AWS's clients, and the end of an execution environment."""

from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


class Killed(BaseException):
    """The execution environment ends. A BaseException, so that the function's code does not catch it."""


def client_error(code: str, status: int = 400, **more: Any) -> ClientError:
    """DynamoDB's error with this code."""
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(answer, "Call")


def cancelled(*codes: str) -> ClientError:
    """The error of a cancelled transaction, with the reason of each action."""
    reasons = [{"Code": code} for code in codes]
    return client_error("TransactionCanceledException", CancellationReasons=reasons)


def timed_out() -> ReadTimeoutError:
    """The error of a call without an answer."""
    return ReadTimeoutError(endpoint_url="http://dynamodb")
