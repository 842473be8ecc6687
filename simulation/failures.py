"""What AWS's clients raise when a call fails, and the end of an execution environment."""

from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


class Killed(BaseException):
    """The execution environment ends here: no handler of the function's code may catch it."""


def client_error(code: str, status: int = 400, **more: Any) -> ClientError:
    """DynamoDB's answer with that code."""
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(answer, "Call")


def cancelled(*codes: str) -> ClientError:
    """A cancelled transaction, with the reason of each of its actions."""
    reasons = [{"Code": code} for code in codes]
    return client_error("TransactionCanceledException", CancellationReasons=reasons)


def timed_out() -> ReadTimeoutError:
    """No answer."""
    return ReadTimeoutError(endpoint_url="http://dynamodb")
