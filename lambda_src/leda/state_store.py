"""StateTable's write path: the newest version of each trade, in few requests.

BatchExecuteStatement carries 25 conditional statements a request. There is no upsert in PartiQL, so a
statement guesses whether the row is there, and the answer to a wrong guess says which statement is right:

    INSERT  DuplicateItem                      the row is there           -> UPDATE
    UPDATE  ConditionalCheckFailed, no item    the row is not there       -> INSERT
    UPDATE  ConditionalCheckFailed, an item    that version or a newer one is stored: nothing to do

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
"""

import enum
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda import images
from leda.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_STATEMENTS = 25

# A wrong guess takes a second round; throttled or failed statements are tried again after pauses of up to 0.1,
# 0.2, 0.4 ... seconds. What is left then is reported, and Lambda delivers it again.
MAX_ROUNDS = 6
FIRST_PAUSE_SECONDS = 0.1

# No retry mends these: they are raised, not tried again.
_FATAL = frozenset({"AccessDenied", "ResourceNotFound"})


class Result(enum.Enum):
    """What became of a message."""

    STORED = "stored"
    DUPLICATE = "that version is stored already"
    STALE = "a newer version is stored"
    REFUSED = "DynamoDB refuses the row"
    FAILED = "not stored; try again"


class StoreError(RuntimeError):
    """A statement failed for a reason that is the same for every message."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of `message`; `reason` is DynamoDB's, for REFUSED and FAILED."""

    message: Message
    result: Result
    reason: str = ""


def newest(messages: Iterable[Message]) -> tuple[list[Message], int, int]:
    """The highest version of each id, and how many messages were equal to it or older: (messages, duplicates, stale).

    Of two messages with one version the first stays, as it would if they came in two batches. A batch must
    not name a key twice: DynamoDB then refuses the whole call after it has applied some of it.
    """
    best: dict[str, Message] = {}
    duplicates = stale = 0
    for message in messages:
        other = best.setdefault(message.id, message)
        if other is message:
            continue
        if message.version == other.version:
            duplicates += 1
            continue
        stale += 1
        if message.version > other.version:
            best[message.id] = message
    return list(best.values()), duplicates, stale


class StateStore:
    """Writes messages to StateTable with `threads` requests at a time."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        threads: int,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(threads)
        self._pause = pause or time.sleep
        columns = ", ".join(f"'{name}': ?" for name in images.ATTRIBUTES)
        assignments = " ".join(f'SET "{name}" = ?' for name in images.ATTRIBUTES)
        self._insert = f"INSERT INTO \"{table}\" VALUE {{'id': ?, {columns}}}"
        self._update = f'UPDATE "{table}" {assignments} WHERE "id" = ? AND "Version" < ?'

    def write(self, messages: Sequence[Message]) -> list[Stored]:
        """Store each message unless its version or a newer one is there; one result a message, in any order.

        The messages' ids differ (`newest`). Raises StoreError or the client's error where no message can be
        stored at all: a missing table, missing permissions.
        """
        batches = [
            messages[start : start + MAX_STATEMENTS]
            for start in range(0, len(messages), MAX_STATEMENTS)
        ]
        return [stored for batch in self._pool.map(self._write, batches) for stored in batch]

    def _write(self, batch: Sequence[Message]) -> list[Stored]:
        done: list[Stored] = []
        # A trade's first version is 0 or 1 with every producer that counts.
        todo = [(message, message.version <= 1) for message in batch]
        reasons: dict[str, str] = {}
        for this_round in range(MAX_ROUNDS):
            again: list[tuple[Message, bool]] = []
            is_busy = False
            for (message, insert), error in zip(todo, self._execute(todo), strict=True):
                code, text = error.get("Code", ""), error.get("Message", "")
                if not error:
                    done.append(Stored(message, Result.STORED))
                elif code == "DuplicateItem" or (
                    code == "ConditionalCheckFailed" and not error.get("Item")
                ):
                    again.append((message, not insert))
                    reasons[message.id] = "its row comes and goes"
                elif code == "ConditionalCheckFailed":
                    done.append(_not_newer(message, error["Item"]))
                elif code == "ValidationError":
                    done.append(
                        Stored(message, Result.REFUSED, f"DynamoDB refuses the row: {text}")
                    )
                elif code in _FATAL:
                    raise StoreError(f"{code}: {text}")
                else:
                    is_busy = True
                    again.append((message, insert))
                    reasons[message.id] = f"{code}: {text}"
            todo = again
            if not todo:
                break
            if is_busy:
                self._pause(random.uniform(0, FIRST_PAUSE_SECONDS * 2**this_round))
        return done + [Stored(message, Result.FAILED, reasons[message.id]) for message, _ in todo]

    def _execute(self, todo: Sequence[tuple[Message, bool]]) -> list[dict[str, Any]]:
        """Each statement's error, {} where it was applied."""
        statements = [self._statement(message, insert) for message, insert in todo]
        try:
            answer = self._client.batch_execute_statement(Statements=statements)  # type: ignore[arg-type]
        except (HTTPClientError, NoConnection) as error:
            return [{"Code": type(error).__name__, "Message": str(error)}] * len(todo)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500 and not _throttled(error):
                raise
            return [dict(error.response["Error"])] * len(todo)
        return [dict(response.get("Error", {})) for response in answer["Responses"]]

    def _statement(self, message: Message, insert: bool) -> dict[str, Any]:
        key = {"S": message.id}
        row = images.values(message)
        if insert:
            return {"Statement": self._insert, "Parameters": [key, *row]}
        return {
            "Statement": self._update,
            "Parameters": [*row, key, {"N": str(message.version)}],
            # Tells a newer row from none.
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _not_newer(message: Message, row: dict[str, Any]) -> Stored:
    version = row.get("Version", {}).get("N")
    if version is None:
        return Stored(
            message, Result.REFUSED, "StateTable's row of that id has no Version, so none is newer"
        )
    # Decimal: a row that LEDA did not write may have 1.5.
    is_same = Decimal(version) == message.version
    return Stored(message, Result.DUPLICATE if is_same else Result.STALE)


def _throttled(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in {
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
