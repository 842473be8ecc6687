"""Writes the newest version of each trade to StateTable, in few requests and few write units.

A BatchExecuteStatement request has up to 25 conditional statements. PartiQL has no upsert, so the first request about a
message is a guess: by the trade's version in a cache (`recent_versions`), or else by earlier messages with the same
version number (`statement_guess`). The answer to a wrong guess determines the next request:

    INSERT  applied                            stored
            DuplicateItem                      a row exists: LOOK
    UPDATE  applied                            stored
            ConditionalCheckFailed, no item    no row exists: INSERT
            ConditionalCheckFailed, an item    that version or a newer one is stored: nothing to do
    LOOK    no row                             INSERT
            an older row                       UPDATE
            any other row                      that version or a newer one is stored: nothing to do

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html

A statement whose condition fails costs a write unit too. To read the row (LOOK) costs a fifth of that, and BatchGetItem
reads 100 rows in a request, while a batch of PartiQL SELECTs reads 25. Only the conditions of the statements decide
what is stored: if a row has changed since it was read, the condition of the next statement fails.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

import enum
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.backoff import full_jitter, is_throttle, is_unanswered
from leda.pipeline import state_rows
from leda.pipeline.messages import Message
from leda.pipeline.recent_versions import RecentVersions
from leda.pipeline.statement_guess import Found, Guess, Request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef

MAX_STATEMENTS = 25
MAX_KEYS = 100

# A wrong guess needs a second or third round. Requests that were throttled or failed are sent again after pauses of up
# to 0.1, 0.2, 0.4 ... seconds. Messages that are left after the last round are reported as failed, and Lambda delivers
# them again.
MAX_ROUNDS = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 3.2

_CONCURRENT = "row inserted and deleted concurrently"

# Errors that no retry corrects.
_FATAL = frozenset({"AccessDenied", "ResourceNotFound"})


class Result(enum.Enum):
    """The outcome of a message."""

    STORED = "stored"
    DUPLICATE = "that version is stored already"
    STALE = "a newer version is stored"
    REFUSED = "DynamoDB refuses the row"
    FAILED = "not stored; try again"


class StoreError(RuntimeError):
    """A statement has failed for a reason that concerns every message."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of `message`; `reason` is DynamoDB's reason for REFUSED and FAILED."""

    message: Message
    result: Result
    reason: str = ""


def newest(messages: Iterable[Message]) -> tuple[list[Message], int, int]:
    """Return the newest message of each id, and how many others were duplicates of it or stale versions.

    Of two messages with the same version, the first is kept, as it would be if they came in two batches. If a batch of
    statements named a key twice, DynamoDB would refuse the whole request after it had applied a part.
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


@dataclass(frozen=True, slots=True)
class _Open:
    """A message without an outcome: the next request about it, and the reason why it has no outcome yet.

    `is_busy`: the last request was throttled or failed, so the next one waits.
    """

    message: Message
    ask: Request
    reason: str = ""
    is_busy: bool = False


class StateStore:
    """Writes messages to StateTable with `threads` requests at a time, and learns which first request is cheapest."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        threads: int,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._pool = ThreadPoolExecutor(threads)
        self._pause = pause or time.sleep
        self._guess = Guess()
        self._recent = RecentVersions()
        columns = ", ".join(f"'{name}': ?" for name in state_rows.ATTRIBUTES)
        assignments = " ".join(f'SET "{name}" = ?' for name in state_rows.ATTRIBUTES)
        self._insert = f"INSERT INTO \"{table}\" VALUE {{'id': ?, {columns}}}"
        self._update = f'UPDATE "{table}" {assignments} WHERE "id" = ? AND "Version" < ?'

    def write(self, messages: Sequence[Message]) -> list[Stored]:
        """Store each message unless its version or a newer one is stored; return one outcome a message, in any order.

        The messages must have different ids (`newest`). Raises StoreError or the client's error if no message can be
        stored, because of permissions or a missing table.
        """
        done: list[Stored] = []
        found: Counter[tuple[int, Found]] = Counter()
        known = {message.id: self._recent.get(message.id) for message in messages}
        usual = {version: self._guess.best(version) for version in {m.version for m in messages}}
        todo = [
            _Open(message, _first(message, known[message.id], usual[message.version]))
            for message in messages
        ]
        for this_round in range(MAX_ROUNDS):
            # All requests of a round are sent before the next round begins, so that messages left over from several
            # requests share the requests of the next round.
            requests = _requests(todo)
            answers = chain.from_iterable(self._pool.map(self._ask, requests))
            todo = []
            for before, after in zip(chain.from_iterable(requests), answers, strict=True):
                if isinstance(after, _Open):
                    todo.append(after)
                    continue
                done.append(after)
                message = after.message
                if what := _found(before.ask, after.result):
                    self._recent.note(message.id, message.version)
                    # The guess is for messages that are not in the cache, so only those count.
                    if known[message.id] is None:
                        found[message.version, what] += 1
            if not todo:
                break
            if any(each.is_busy for each in todo):
                self._pause(full_jitter(this_round, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
        self._guess.learn(found)
        return done + [Stored(each.message, Result.FAILED, each.reason) for each in todo]

    def _ask(self, asked: Sequence[_Open]) -> list[Stored | _Open]:
        """Send a request; return the outcome or the next request of each message, in their order."""
        ask = self._look if asked[0].ask is Request.LOOK else self._execute
        try:
            return ask(asked)
        except (HTTPClientError, NoConnection) as error:
            reason = f"{type(error).__name__}: {error}"
        except ClientError as error:
            if not is_unanswered(error) and not is_throttle(error):
                raise
            reason = str(error)
        return [replace(each, reason=reason, is_busy=True) for each in asked]

    def _execute(self, asked: Sequence[_Open]) -> list[Stored | _Open]:
        statements = [self._statement(each.message, each.ask) for each in asked]
        answer = self._client.batch_execute_statement(Statements=statements)
        errors = [response.get("Error", {}) for response in answer["Responses"]]
        return [_answered(each, error) for each, error in zip(asked, errors, strict=True)]

    def _look(self, asked: Sequence[_Open]) -> list[Stored | _Open]:
        """Read the messages' rows. Messages whose keys DynamoDB has not processed keep their request."""
        answer = self._client.batch_get_item(
            RequestItems={
                self._table: {
                    "Keys": [{"id": {"S": each.message.id}} for each in asked],
                    "ConsistentRead": True,
                    "ProjectionExpression": "#id, #Version",
                    "ExpressionAttributeNames": {"#id": "id", "#Version": "Version"},
                }
            }
        )
        left = answer.get("UnprocessedKeys", {}).get(self._table)
        unread = {key["id"]["S"] for key in left["Keys"]} if left else set()
        rows = {row["id"]["S"]: row for row in answer["Responses"].get(self._table, ())}
        return [
            (
                replace(each, reason="its row was not read", is_busy=True)
                if each.message.id in unread
                else _seen(each.message, rows.get(each.message.id))
            )
            for each in asked
        ]

    def _statement(self, message: Message, kind: Request) -> "BatchStatementRequestTypeDef":
        key = {"S": message.id}
        row = state_rows.values(message)
        if kind is Request.INSERT:
            return {"Statement": self._insert, "Parameters": [key, *row]}
        return {
            "Statement": self._update,
            "Parameters": [*row, key, {"N": str(message.version)}],
            # Without ALL_OLD, a newer row and a missing row would give the same answer.
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _first(message: Message, known: int | None, usual: Request) -> Request:
    """Choose the first request about a message whose row has the version `known` in the cache (None: not cached)."""
    if known is None:
        return usual
    return Request.UPDATE if known < message.version else Request.LOOK


def _requests(todo: Sequence[_Open]) -> list[Sequence[_Open]]:
    """Divide the messages into requests, separately for reads and statements."""
    looks = [each for each in todo if each.ask is Request.LOOK]
    statements = [each for each in todo if each.ask is not Request.LOOK]
    return [
        part[start : start + most]
        for part, most in ((statements, MAX_STATEMENTS), (looks, MAX_KEYS))
        for start in range(0, len(part), most)
    ]


def _found(last: Request, result: Result) -> Found | None:
    """Return what the table had for the message; None for messages that were not stored."""
    match result:
        case Result.STORED:
            return Found.ABSENT if last is Request.INSERT else Found.OLDER
        case Result.DUPLICATE | Result.STALE:
            return Found.NOT_OLDER
    return None


def _answered(each: _Open, error: Mapping[str, Any]) -> Stored | _Open:
    """Return the outcome or the next request after a statement's error ({}: none).

    Raises StoreError for an error that concerns all messages.
    """
    message, code, text = each.message, error.get("Code", ""), error.get("Message", "")
    if not error:
        return Stored(message, Result.STORED)
    if code == "DuplicateItem":
        return _Open(message, Request.LOOK, _CONCURRENT)
    if code == "ConditionalCheckFailed":
        return _seen(message, error.get("Item"))
    if code == "ValidationError":
        return Stored(message, Result.REFUSED, f"DynamoDB refuses the row: {text}")
    if code in _FATAL:
        raise StoreError(f"{code}: {text}")
    return replace(each, reason=f"{code}: {text}", is_busy=True)


def _seen(message: Message, row: Mapping[str, Any] | None) -> Stored | _Open:
    """Return the outcome or the next request of the message, by its row as it was just read."""
    if not row:
        return _Open(message, Request.INSERT, _CONCURRENT)
    text = row.get("Version", {}).get("N")
    if text is None:
        return Stored(
            message, Result.REFUSED, "StateTable's row of that id has no Version (a number)"
        )
    # A Decimal, because a row that was not written by LEDA may have a fraction.
    version = Decimal(text)
    if version < message.version:
        return _Open(message, Request.UPDATE, _CONCURRENT)
    return Stored(message, Result.DUPLICATE if version == message.version else Result.STALE)
