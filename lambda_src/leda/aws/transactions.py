"""The limit of a DynamoDB transaction, and what to do after an error.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import enum

from botocore.exceptions import ClientError

from leda.aws.backoff import THROTTLES

MAX_ACTIONS = 100


class Verdict(enum.Enum):
    """What to do after a transaction that DynamoDB has not confirmed."""

    MOVED = "a condition failed, because a row has changed: read again and decide again"
    BUSY = "a conflict or a throttle, and nothing was written: send the same transaction again after a pause"
    UNKNOWN = "no answer, so the transaction may be committed: read again and decide again"
    REFUSED = "the writes are not valid, and a retry does not help"
    FATAL = "permissions or a missing table, so no transaction will succeed"


_BUSY = THROTTLES | {"TransactionInProgressException", "LimitExceededException"}
_REFUSED = frozenset(
    {"ValidationError", "ValidationException", "ItemCollectionSizeLimitExceeded", "DuplicateItem"}
)


def verdict(error: ClientError) -> Verdict:
    """Return what to do after the error."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == "TransactionCanceledException":
        reasons = error.response.get("CancellationReasons", [])
        codes = {reason.get("Code") for reason in reasons} - {"None", None}
        if "ConditionalCheckFailed" in codes:
            return Verdict.MOVED
        if codes & _BUSY:
            return Verdict.BUSY
        if codes & _REFUSED:
            return Verdict.REFUSED
        # No reason has a code. Nothing was written, and the answer to the next try may have one.
        return Verdict.BUSY if not codes else Verdict.FATAL
    if code in _BUSY:
        return Verdict.BUSY
    if code in _REFUSED:
        return Verdict.REFUSED
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Verdict.UNKNOWN if status >= 500 else Verdict.FATAL
