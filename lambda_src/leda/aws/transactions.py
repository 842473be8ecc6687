"""The limits of a DynamoDB transaction, and what its errors mean.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import enum
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from leda.aws.backoff import THROTTLES

MAX_ACTIONS = 100


class Verdict(enum.Enum):
    """What to do after a transaction was not confirmed."""

    MOVED = "a condition failed: somebody else has written; read again and decide again"
    BUSY = "a conflict or a throttle: nothing was written; try the same again after a pause"
    UNKNOWN = "no answer: it may have been committed; read again and decide again"
    REFUSED = "the writes are not valid and never will be"
    FATAL = "no retry and no other batch corrects it: permissions, a missing table"


_BUSY = THROTTLES | {"TransactionInProgressException", "LimitExceededException"}
_REFUSED = frozenset(
    {"ValidationError", "ValidationException", "ItemCollectionSizeLimitExceeded", "DuplicateItem"}
)


def verdict(error: ClientError) -> Verdict:
    """What the service's answer means for the caller."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == "TransactionCanceledException":
        codes = {reason.get("Code") for reason in reasons(error)} - {"None", None}
        if "ConditionalCheckFailed" in codes:
            return Verdict.MOVED
        if codes & _BUSY:
            return Verdict.BUSY
        if codes & _REFUSED:
            return Verdict.REFUSED
        # A reason without a name; nothing was written, and the next answer may say more.
        return Verdict.BUSY if not codes else Verdict.FATAL
    if code in _BUSY:
        return Verdict.BUSY
    if code in _REFUSED:
        return Verdict.REFUSED
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Verdict.UNKNOWN if status >= 500 else Verdict.FATAL


def reasons(error: ClientError) -> list[Mapping[str, Any]]:
    """Why each action of a cancelled transaction failed, in the order of the actions."""
    return list(error.response.get("CancellationReasons", []))
