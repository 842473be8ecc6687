"""Reads, decides and writes in one transaction, and repeats all three until the transaction is committed.

A transaction may fail because of a conflict or a condition, and its answer may be lost after it was committed. The next
attempt reads the rows again and decides again. So `attempt` must recognize what an earlier attempt has written.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.backoff import full_jitter
from leda.aws.transactions import Verdict, verdict
from leda.shop.refusals import busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

T = TypeVar("T")

# No attempt begins after this time, because a customer or an operator waits. With the client's limits
# (leda.shop.http.api) the answer comes within 20 s.
MOST_SECONDS = 6.0
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """The actions to commit, and the result to return after that. Without actions there is nothing to write."""

    result: T
    actions: list["TransactWriteItemTypeDef"] = field(default_factory=list)


def decide_and_write(client: "DynamoDBClient", attempt: Callable[[], Decision[T]]) -> T:
    """Repeat `attempt`, which reads and decides, until its actions are committed; return its result.

    Raises RefusedError (Busy after MOST_SECONDS, or what `attempt` raises) and client errors that no retry corrects.
    """
    began, tries = time.monotonic(), 0
    last: Exception
    while True:
        decision = attempt()
        if not decision.actions:
            return decision.result
        try:
            client.transact_write_items(TransactItems=decision.actions)
            return decision.result
        except ClientError as error:
            if verdict(error) in (Verdict.FATAL, Verdict.REFUSED):
                raise
            last = error
        except (HTTPClientError, NoConnection) as error:
            last = error
        tries += 1
        if time.monotonic() - began > MOST_SECONDS:
            raise busy() from last
        time.sleep(full_jitter(tries, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
