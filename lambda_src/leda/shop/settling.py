"""A change that somebody waits for: read, decide, write in one transaction, and again while that is not settled.

Whatever the last try came to (a conflict, a condition that failed, an answer that was lost), the next one reads what is
there now and decides again. So `attempt` must know its own work when it meets it.
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

# No try begins after this time, since somebody waits. With the client's limits (leda.shop.http.api) the answer
# comes within 20 s.
MOST_SECONDS = 6.0
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """What a try comes to: `result`, once the actions are committed; without actions there is nothing to write."""

    result: T
    actions: list["TransactWriteItemTypeDef"] = field(default_factory=list)


def settle(client: "DynamoDBClient", attempt: Callable[[], Step[T]]) -> T:
    """Try until it is settled. Raises RefusedError (Busy, or what `attempt` raises), or the client's error."""
    began, tries = time.monotonic(), 0
    last: Exception
    while True:
        step = attempt()
        if not step.actions:
            return step.result
        try:
            client.transact_write_items(TransactItems=step.actions)
            return step.result
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
