"""Writes the newest version of each trade to StateTable, in few requests and few write units.

BatchExecuteStatement carries 25 conditional statements a request. PartiQL has no upsert, so the first request about a
message is a guess: from the trade's version in a cache (`recent_versions`), or else from other messages with the same
version number (`statement_guess`). The answer to a wrong guess says what to ask next:

    INSERT  applied                            stored
            DuplicateItem                      a row is there: LOOK
    UPDATE  applied                            stored
            ConditionalCheckFailed, no item    no row is there: INSERT
            ConditionalCheckFailed, an item    that version or a newer one is stored: nothing to do
    LOOK    no row                             INSERT
            an older row                       UPDATE
            any other row                      that version or a newer one is stored: nothing to do

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html

A statement that does not apply costs a write unit all the same. To read the row (LOOK) costs a fifth of that, and
BatchGetItem reads 100 rows a request, where a batch of PartiQL's SELECTs would read 25. Only the statements' conditions
decide what is stored: if a row has changed since it was read, the answer to the next statement says so.
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

# A wrong guess takes a second round or a third. Requests that were throttled or failed are sent again after pauses of
# up to 0.1, 0.2, 0.4 ... seconds. Messages that are left after the last round are reported, and Lambda delivers them
# again.
MAX_ROUNDS = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 3.2

_CONCURRENT = "row inserted and deleted concurrently"

# No retry corrects these: they are raised, not tried again.
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


@dataclass(frozen=True, slots=True)
class _Open:
    """A message that is not decided yet: the next request about it, and why it is still open.

    `is_busy`: the last request was throttled or failed, so the next one waits.
    """

    message: Message
    ask: Request
    reason: str = ""
    is_busy: bool = False


class StateStore:
    """Writes messages to StateTable with `threads` requests at a time; learns from batch to batch what to ask first."""

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
        """Store each message unless its version or a newer one is there; one result a message, in any order.

        The messages' ids differ (`newest`). Raises StoreError or the client's error where no message can be
        stored at all: a missing table, missing permissions.
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
            # A round sends all requests before the next round begins, so that messages that are left over from
            # several requests share the requests of the next round.
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
                    self._recent.met(message.id, message.version)
                    # Only messages whose version was not in the cache count: the guess is for such messages.
                    if known[message.id] is None:
                        found[message.version, what] += 1
            if not todo:
                break
            if any(each.is_busy for each in todo):
                self._pause(full_jitter(this_round, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
        self._guess.learn(found)
        return done + [Stored(each.message, Result.FAILED, each.reason) for each in todo]

    def _ask(self, asked: Sequence[_Open]) -> list[Stored | _Open]:
        """Send the request; returns what became of each message, in their order."""
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
        """Read the rows, consistently. Keys that were not processed are open as they were."""
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
            # Without the item, a newer row and a missing row give the same error.
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _first(message: Message, known: int | None, usual: Request) -> Request:
    """Pick the first request about a message whose row was met with the version `known`, or was not met."""
    if known is None:
        return usual
    return Request.UPDATE if known < message.version else Request.LOOK


def _requests(todo: Sequence[_Open]) -> list[Sequence[_Open]]:
    """Divide the messages into requests: reads apart from statements."""
    looks = [each for each in todo if each.ask is Request.LOOK]
    statements = [each for each in todo if each.ask is not Request.LOOK]
    return [
        part[start : start + most]
        for part, most in ((statements, MAX_STATEMENTS), (looks, MAX_KEYS))
        for start in range(0, len(part), most)
    ]


def _found(last: Request, result: Result) -> Found | None:
    """Return what the table had for the message, by the last request about it."""
    match result:
        case Result.STORED:
            return Found.ABSENT if last is Request.INSERT else Found.OLDER
        case Result.DUPLICATE | Result.STALE:
            return Found.NOT_OLDER
    return None


def _answered(each: _Open, error: Mapping[str, Any]) -> Stored | _Open:
    """Decide what follows from a statement's error ({}: applied). Raises StoreError for one that concerns all."""
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
    """Decide what follows for the message from the row, as it was just read."""
    if not row:
        return _Open(message, Request.INSERT, _CONCURRENT)
    text = row.get("Version", {}).get("N")
    if text is None:
        return Stored(
            message, Result.REFUSED, "StateTable's row of that id has no Version, so none is newer"
        )
    # Decimal: a row that LEDA did not write may have 1.5.
    version = Decimal(text)
    if version < message.version:
        return _Open(message, Request.UPDATE, _CONCURRENT)
    return Stored(message, Result.DUPLICATE if version == message.version else Result.STALE)
