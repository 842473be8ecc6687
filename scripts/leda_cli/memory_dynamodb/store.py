"""DynamoDB in memory, behind boto3's calls: conditions, transactions with tokens, PartiQL batches, changes.

It answers the calls of LEDA's functions and commands as DynamoDB does, with the same errors. For any other
call it raises TypeError or NotImplementedError, so that no test relies on a guess.
tests/emulated/test_memory_dynamodb.py compares it with Amazon's DynamoDB Local.
"""

import json
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import wraps
from types import SimpleNamespace
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ParamValidationError

from leda_cli.memory_dynamodb import expression_parser, partiql
from leda_cli.memory_dynamodb.attribute_values import (
    Invalid,
    Item,
    copied,
    size,
    stored,
    stored_item,
)
from leda_cli.memory_dynamodb.expressions import Names, Values
from leda_cli.memory_dynamodb.partitions import Partitions
from leda_cli.memory_dynamodb.reads import page, partition_key, projection, require_consistent
from leda_cli.memory_dynamodb.tables import (
    Action,
    ConditionFailed,
    Place,
    Table,
    require_key_length,
)
from leda_cli.memory_dynamodb.writes import understood

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ACTIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_TOKEN_CHARACTERS = 36
TOKEN_SECONDS = 600.0
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100
MAX_READ_BYTES = 16 * 1024 * 1024
_GIGABYTE = 1024**3
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
LONGEST_EXPIRED_SECONDS = 5 * 365 * 24 * 3600

Answer = dict[str, Any]
_READ = {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}
_STATEMENT = {"Statement", "Parameters", "ReturnValuesOnConditionCheckFailure"}
_CONDITION_FAILED = "The conditional request failed"
_THROTTLED = "Throughput exceeds the limit of a partition"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an item, as in the table's stream; `old` or `new` is None where there is no item."""

    table: str
    keys: Item
    old: Item | None
    new: Item | None
    by_time_to_live: bool = False
    """Whether DynamoDB deleted the item because its time to live had ended."""


class _Throttled(Exception):
    """A partition lacks the units for the request."""


class _NoTable(Exception):
    """The request names a table that does not exist."""


def _calls(operation: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Make a method a call of the API: one call at a time, with errors as botocore raises them."""

    def decorate(method: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(method)
        def call(self: "MemoryDynamoDB", **request: Any) -> Answer:
            with self._lock:
                self.has_been_called(operation)
                try:
                    answer = method(self, **request)
                except Invalid as error:
                    _fail(operation, "ValidationException", str(error))
                except _NoTable:
                    _fail(operation, "ResourceNotFoundException", "Requested resource not found")
                except _Throttled:
                    _fail(operation, "ThrottlingException", _THROTTLED)
                except ConditionFailed as error:
                    shown = {"Item": error.item} if error.item else {}
                    _fail(operation, "ConditionalCheckFailedException", _CONDITION_FAILED, **shown)
            answer["ResponseMetadata"] = _metadata(200, self._clock())
            return answer

        return call

    return decorate


class MemoryDynamoDB:
    """A client with tables of its own. `clock` returns the time in seconds.

    `on_change` is called for each committed change, in the order of the actions of a transaction; a write that does not
    change the item makes no change. `partitions`: the limits of write units; None: no limits.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        on_change: Callable[[Change], None],
        partitions: Partitions | None = None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._partitions = partitions
        self._tables: dict[str, Table] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.RLock()

    # -- for a subclass that counts

    def has_been_called(self, operation: str) -> None:
        """Called for each call, with its name in the API; does nothing."""

    def has_read(self, table: str, item: Item | None) -> None:
        """Called for each item that a call reads (None: there is no such item); does nothing."""

    def has_written(self, table: str, old: Item | None, new: Item | None) -> None:
        """Called for each write outside of transactions; does nothing.

        new: None where the condition failed, or the item was deleted.
        """

    # -- tables

    @_calls("CreateTable")
    def create_table(
        self,
        *,
        TableName: str,
        AttributeDefinitions: Sequence[Mapping[str, str]],
        KeySchema: Sequence[Mapping[str, str]],
        BillingMode: str,
        LocalSecondaryIndexes: Sequence[Mapping[str, Any]] = (),
    ) -> Answer:
        """Create a table with keys and local indexes, and without a stream (`on_change` gets every change).

        Indexes cannot be read; they only have their effects on the table.
        """
        if TableName in self._tables:
            _fail("CreateTable", "ResourceInUseException", f"Table already exists: {TableName}")
        types = {each["AttributeName"]: each["AttributeType"] for each in AttributeDefinitions}
        kinds = [each["KeyType"] for each in KeySchema]
        names = [each["AttributeName"] for each in KeySchema]
        sorts = [each["KeySchema"][1]["AttributeName"] for each in LocalSecondaryIndexes]
        if kinds != ["HASH", "RANGE"][: len(kinds)] or {*names, *sorts} != types.keys():
            raise NotImplementedError(f"a table with {KeySchema} of {AttributeDefinitions}")
        if not set(types.values()) <= {"S", "N"} or BillingMode != "PAY_PER_REQUEST":
            raise NotImplementedError(f"a table with {types}, {BillingMode}")
        self._tables[TableName] = Table(
            TableName,
            {name: types[name] for name in names},
            {name: types[name] for name in sorts},
        )
        return {"TableDescription": {"TableName": TableName, "TableStatus": "ACTIVE"}}

    @_calls("UpdateTimeToLive")
    def update_time_to_live(
        self, *, TableName: str, TimeToLiveSpecification: Mapping[str, Any]
    ) -> Answer:
        """Let rows expire by an attribute; `delete_expired` deletes them."""
        if TimeToLiveSpecification["Enabled"] is not True:
            raise NotImplementedError("an end of the time to live")
        self._table(TableName).expires_by = TimeToLiveSpecification["AttributeName"]
        return {"TimeToLiveSpecification": dict(TimeToLiveSpecification)}

    def delete_expired(self, name: str) -> int:
        """Delete the rows whose time to live has ended; returns their number. DynamoDB does that some time later.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
        """
        table, now = self._table(name), self._clock()
        assert table.expires_by, f"{name} has no time to live"
        expired = [
            row
            for key in sorted(table.rows)
            for row in table.partition(key)
            if "N" in (ends := row.get(table.expires_by, {}))
            and now - LONGEST_EXPIRED_SECONDS < int(float(ends["N"])) < now
        ]
        for row in expired:
            table.set(table.place(row), None)
            self._on_change(Change(name, table.key(row), copied(row), None, by_time_to_live=True))
        return len(expired)

    def restore(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace the table's rows, as a restored backup does: without changes in its stream."""
        table = self._table(name)
        table.rows.clear()
        for row in map(stored_item, rows):
            table.set(table.place(row), row)

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None:
            raise _NoTable
        return table

    # -- reads

    @_calls("GetItem")
    def get_item(
        self,
        *,
        TableName: str,
        Key: Mapping[str, Any],
        ConsistentRead: bool = False,
        ProjectionExpression: str | None = None,
        ExpressionAttributeNames: Names | None = None,
    ) -> Answer:
        """The item of that key."""
        require_consistent(ConsistentRead)
        table = self._table(TableName)
        place, _ = table.place_of_key(Key)
        require_key_length(place)
        shown = projection(ProjectionExpression, ExpressionAttributeNames)
        item = table.get(place)
        self.has_read(TableName, item)
        return {} if item is None else {"Item": shown(item)}

    @_calls("BatchGetItem")
    def batch_get_item(self, *, RequestItems: Mapping[str, Mapping[str, Any]]) -> Answer:
        """The items of one table with these keys; those beyond the limit of the answer are left for another call."""
        _require_some(RequestItems, "RequestItems")
        if len(RequestItems) > 1:
            raise NotImplementedError("a BatchGetItem of several tables")
        ((name, asked),) = RequestItems.items()
        if strange := asked.keys() - _READ:
            raise NotImplementedError(f"a BatchGetItem with {sorted(strange)}")
        keys = asked["Keys"]
        _require_some(keys, f"RequestItems.{name}.Keys")
        require_consistent(asked.get("ConsistentRead", False))
        if len(keys) > MAX_KEYS:
            raise Invalid("Too many items requested for the BatchGetItem call")
        shown = projection(asked.get("ProjectionExpression"), asked.get("ExpressionAttributeNames"))
        table = self._table(name)
        places = [table.place_of_key(key)[0] for key in keys]
        for place in places:
            require_key_length(place)
        if len(set(places)) < len(places):
            raise Invalid("Provided list of item keys contains duplicates")
        found: list[Item] = []
        total = 0
        for number, place in enumerate(places):
            item = table.get(place)
            total += size(item or {})
            if total > MAX_READ_BYTES:
                left = {name: {**asked, "Keys": [copied(key) for key in keys[number:]]}}
                return {"Responses": {name: found}, "UnprocessedKeys": left}
            self.has_read(name, item)
            if item is not None:
                found.append(shown(item))
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    @_calls("Query")
    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Values,
        ExpressionAttributeNames: Names | None = None,
        ProjectionExpression: str | None = None,
        ScanIndexForward: bool = True,
        ConsistentRead: bool = False,
        Limit: int | None = None,
        ExclusiveStartKey: Mapping[str, Any] | None = None,
    ) -> Answer:
        """A page of the rows of one partition key, in the order of their sort keys."""
        require_consistent(ConsistentRead)
        table = self._table(TableName)
        values = stored_item(ExpressionAttributeValues)
        condition = expression_parser.key_condition(KeyConditionExpression)
        shown = projection(ProjectionExpression, ExpressionAttributeNames, [condition], values)
        rows = table.partition(
            partition_key(table, condition, ExpressionAttributeNames or {}, values)
        )
        shown = self._reading(TableName, shown)
        return page(table, rows, shown, Limit, ExclusiveStartKey, ScanIndexForward)

    @_calls("Scan")
    def scan(
        self,
        *,
        TableName: str,
        ProjectionExpression: str | None = None,
        ExpressionAttributeNames: Names | None = None,
        ConsistentRead: bool = False,
        Limit: int | None = None,
        ExclusiveStartKey: Mapping[str, Any] | None = None,
        Segment: int = 0,
        TotalSegments: int = 1,
    ) -> Answer:
        """A page of the table's rows, or of one of its segments."""
        require_consistent(ConsistentRead)
        table = self._table(TableName)
        shown = projection(ProjectionExpression, ExpressionAttributeNames)
        rows = [
            row
            for key in sorted(table.rows)
            if zlib.crc32(key.encode()) % TotalSegments == Segment
            for row in table.partition(key)
        ]
        return page(table, rows, self._reading(TableName, shown), Limit, ExclusiveStartKey)

    def _reading(self, table: str, shown: Callable[[Item], Item]) -> Callable[[Item], Item]:
        """A function that shows an item and reports that it was read."""

        def show(item: Item) -> Item:
            self.has_read(table, item)
            return shown(item)

        return show

    def get_paginator(self, name: str) -> Any:
        """A paginator of `query` or `scan`, whose pages are one call each."""
        if name not in ("query", "scan"):
            raise NotImplementedError(f"a paginator of {name}")
        call: Callable[..., Answer] = getattr(self, name)

        def paginate(**request: Any) -> Iterator[Answer]:
            page = call(**request)
            yield page
            while "LastEvaluatedKey" in page:
                page = call(**request, ExclusiveStartKey=page["LastEvaluatedKey"])
                yield page

        return SimpleNamespace(paginate=paginate)

    # -- writes of one item

    @_calls("PutItem")
    def put_item(
        self,
        *,
        ReturnValues: str = "NONE",
        ReturnItemCollectionMetrics: str = "NONE",
        **request: Any,
    ) -> Answer:
        """Write an item, and replace the one with the same key.

        For a table with a local index, the answer has the size of the item collection, to the gigabyte.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ItemCollectionMetrics.html
        """
        answer = self._write("Put", request, ReturnValues, ("NONE", "ALL_OLD"))
        table = self._table(request["TableName"])
        if ReturnItemCollectionMetrics == "SIZE" and table.local_indexes:
            name = next(iter(table.keys))
            key = stored(request["Item"][name])
            ((_, text),) = key.items()
            gigabytes = table.collection_bytes(text) // _GIGABYTE
            answer["ItemCollectionMetrics"] = {
                "ItemCollectionKey": {name: key},
                "SizeEstimateRangeGB": [float(gigabytes), float(gigabytes + 1)],
            }
        return answer

    @_calls("UpdateItem")
    def update_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Answer:
        """Change attributes of an item; create it if it does not exist."""
        return self._write(
            "Update",
            request,
            ReturnValues,
            ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
        )

    @_calls("DeleteItem")
    def delete_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Answer:
        """Delete an item."""
        return self._write("Delete", request, ReturnValues, ("NONE", "ALL_OLD"))

    def _write(
        self, kind: str, request: Mapping[str, Any], wanted: str, allowed: Collection[str]
    ) -> Answer:
        if wanted not in allowed:
            raise Invalid("Return values set to invalid value")
        action = self._understood(kind, request)
        old, new = self._run(action)
        self._commit([(action, old, new)])
        shown = old if wanted in ("ALL_OLD", "UPDATED_OLD") else new
        if wanted == "NONE" or not shown:
            return {}
        if wanted.startswith("UPDATED"):
            expression = expression_parser.update(request["UpdateExpression"])
            written = expression.written(request.get("ExpressionAttributeNames") or {})
            shown = {name: shown[name] for name in written if name in shown}
        return {"Attributes": copied(shown)} if shown else {}

    def _understood(self, kind: str, request: Mapping[str, Any]) -> Action:
        return understood(kind, request, self._table(request["TableName"]))

    def _run(self, action: Action) -> tuple[Item | None, Item | None]:
        """The item before and after a single write. Raises _Throttled if the partition lacks the units."""
        try:
            old, new, _ = action.run()
        except ConditionFailed:
            self._charge(action, action.table.get(action.place), None)
            raise
        self._charge(action, old, new)
        return old, new

    def _charge(self, action: Action, old: Item | None, new: Item | None) -> None:
        """Take the units of a write. Raises _Throttled if its partition lacks them."""
        if self._lacking([(action, old, new)], 1):
            raise _Throttled
        self.has_written(action.table.name, old, new)

    def _lacking(
        self, writes: Sequence[tuple[Action, Item | None, Item | None]], times: int
    ) -> set[str]:
        """Take `times` the units of each write; returns the partitions that lack them."""
        partitions = self._partitions
        if partitions is None:
            return set()
        return partitions.take(
            (
                partitions.of(action.table, action.place),
                times * partitions.units(max(size(old or {}), size(new or {}))),
            )
            for action, old, new in writes
        )

    def _commit(self, done: Sequence[tuple[Action, Item | None, Item | None]]) -> None:
        changes = []
        for action, old, new in done:
            if new == old:
                continue
            action.table.set(action.place, new)
            before, after = (None if row is None else copied(row) for row in (old, new))
            keys = action.table.key(after or before or {})
            changes.append(Change(action.table.name, keys, before, after))
        for change in changes:
            self._on_change(change)

    # -- transactions

    @_calls("TransactWriteItems")
    def transact_write_items(
        self,
        *,
        TransactItems: Sequence[Mapping[str, Mapping[str, Any]]],
        ClientRequestToken: str | None = None,
    ) -> Answer:
        """Do all actions or none.

        CancellationReasons has the reason for each action that would fail, in the order of the actions.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        _require_some(TransactItems, "TransactItems")
        if len(TransactItems) > MAX_ACTIONS:
            raise Invalid(f"a transaction has at most {MAX_ACTIONS} actions")
        actions = []
        for each in TransactItems:
            ((kind, request),) = each.items()
            actions.append(self._understood(kind, request))
        if len({(action.table.name, action.place) for action in actions}) < len(actions):
            raise Invalid("Transaction request cannot include multiple operations on one item")
        request_text = ""
        if ClientRequestToken is not None:
            request_text = json.dumps(TransactItems, sort_keys=True)
            if self._is_repeated(ClientRequestToken, request_text):
                return {}
        done, reasons, total = [], [], 0
        for action in actions:
            try:
                old, new, written = action.run()
            except (ConditionFailed, Invalid) as error:
                reasons.append(_reason(error))
                continue
            reasons.append({"Code": "None"})
            done.append((action, old, new))
            total += written
        if len(done) < len(actions):
            _cancel(reasons)
        if total > MAX_TRANSACTION_BYTES:
            raise Invalid("Transaction payload size cannot exceed 4MB")
        if self._partitions and (lacking := self._lacking(done, 2)):
            _cancel(
                [
                    (
                        {"Code": "ThrottlingError", "Message": _THROTTLED}
                        if self._partitions.of(action.table, action.place) in lacking
                        else {"Code": "None"}
                    )
                    for action, _, _ in done
                ]
            )
        if ClientRequestToken is not None:
            self._tokens[ClientRequestToken] = request_text, self._clock()
        self._commit(done)
        return {}

    def _is_repeated(self, token: str, request: str) -> bool:
        """Whether this request was made with the token in the last ten minutes."""
        if not 1 <= len(token) <= MAX_TOKEN_CHARACTERS:
            raise Invalid(f"ClientRequestToken has 1 to {MAX_TOKEN_CHARACTERS} characters")
        known, completed = self._tokens.get(token, (None, 0.0))
        if known is None or self._clock() - completed >= TOKEN_SECONDS:
            return False
        if known != request:
            _fail("TransactWriteItems", "IdempotentParameterMismatchException", "")
        return True

    # -- PartiQL

    @_calls("BatchExecuteStatement")
    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> Answer:
        """Do each statement by itself; the answer has the errors in the order of the statements.

        If a key occurs twice, the second statement is still done before the whole call is refused.
        """
        _require_some(Statements, "Statements")
        if len(Statements) > MAX_STATEMENTS:
            raise Invalid(f"a batch has at most {MAX_STATEMENTS} statements")
        parsed = []
        for each in Statements:
            if strange := each.keys() - _STATEMENT:
                raise NotImplementedError(f"a statement with {sorted(strange)}")
            statement = partiql.parse(each["Statement"])
            parameters = [stored(value) for value in each["Parameters"]]
            if len(parameters) != statement.parameters:
                raise NotImplementedError(f"{len(parameters)} parameters for {each['Statement']!r}")
            shows = each.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            parsed.append((statement, parameters, shows))
        seen: set[tuple[str, Place]] = set()
        answers = []
        for statement, values, shows in parsed:
            answer, item = self._statement(statement, values, shows)
            if item in seen:
                raise Invalid("Provided list of item keys contains duplicates")
            if item is not None:
                seen.add(item)
            answers.append(answer)
        return {"Responses": answers}

    def _statement(
        self, statement: partiql.Insert | partiql.Update, parameters: list[Any], shows: bool
    ) -> tuple[Answer, tuple[str, Place] | None]:
        """The statement's answer, and the item that it writes."""
        table = self._tables.get(statement.table)
        if table is None:
            missing = {"Code": "ResourceNotFound", "Message": "Requested resource not found"}
            return {"Error": missing}, None
        item = None
        try:
            action = partiql.planned(table, statement, parameters, shows)
            item = table.name, action.place
            old, new = self._run(action)
            self._commit([(action, old, new)])
            return {"TableName": table.name}, item
        except _Throttled:
            throttled = {"Code": "ThrottlingError", "Message": _THROTTLED}
            return {"Error": throttled, "TableName": table.name}, item
        except (ConditionFailed, Invalid) as error:
            reason = _reason(error)
            if isinstance(error, ConditionFailed) and isinstance(statement, partiql.Insert):
                reason = {
                    "Code": "DuplicateItem",
                    "Message": "Duplicate primary key exists in table",
                }
            return {"Error": reason, "TableName": table.name}, item


def _reason(error: ConditionFailed | Invalid) -> Answer:
    if isinstance(error, Invalid):
        return {"Code": "ValidationError", "Message": str(error)}
    reason: Answer = {"Code": "ConditionalCheckFailed", "Message": _CONDITION_FAILED}
    return {**reason, "Item": error.item} if error.item else reason


def _cancel(reasons: list[Answer]) -> NoReturn:
    codes = ", ".join(reason["Code"] for reason in reasons)
    text = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    _fail(
        "TransactWriteItems",
        "TransactionCanceledException",
        text,
        Message=text,
        CancellationReasons=reasons,
    )


def _require_some(given: Collection[object], name: str) -> None:
    """Raise botocore's error for an empty list, which it does not send."""
    if not given:
        raise ParamValidationError(report=f"Invalid length for parameter {name}, value: 0")


def _metadata(status: int, now: float | None = None) -> Answer:
    return {
        "RequestId": "in-memory",
        "HTTPStatusCode": status,
        "HTTPHeaders": {} if now is None else {"date": formatdate(now, usegmt=True)},
        "RetryAttempts": 0,
    }


def _fail(operation: str, code: str, message: str, **more: Any) -> NoReturn:
    answer: Any = {
        "Error": {"Message": message, "Code": code},
        "ResponseMetadata": _metadata(400),
        **more,
    }
    raise ClientError(answer, operation)
