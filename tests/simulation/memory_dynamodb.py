"""DynamoDB in memory, behind boto3's calls: conditions, transactions with tokens, PartiQL batches, changes.

It answers as the real service does, with the same errors, for what LEDA's functions and an ordinary user call; for
anything else it raises (TypeError, NotImplementedError), so that no test rests on a guess. tests/handlers/
test_memory_dynamodb.py holds it to Amazon's own DynamoDB Local; measure_stores.py says how fast each is.
"""

import json
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from simulation import expressions, partiql
from simulation.attribute_values import Invalid, Item, copied, size, stored, stored_item
from simulation.expressions import Names, Parsed, Values

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_ITEM_BYTES = 400 * 1024
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_PAGE_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ACTIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_TOKEN_CHARACTERS = 36
TOKEN_SECONDS = 600.0
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25

Answer = dict[str, Any]
Place = tuple[str, str]
_NewRow = Callable[[Item | None], Item | None]
"""The row after a write, from the row before it."""

_CONDITION_FAILED = "The conditional request failed"


@dataclass(frozen=True, slots=True)
class Change:
    """An item that really changed, as the table's stream tells it; None: there is no such item."""

    table: str
    keys: Item
    old: Item | None
    new: Item | None


class _ConditionFailed(Exception):
    """A condition does not hold; `item` is the row where ALL_OLD asked for it."""

    def __init__(self, item: Item | None) -> None:
        self.item = item


class _NoTable(Exception):
    """The request names a table that is not there."""


@dataclass(slots=True)
class _Table:
    """Rows by partition key, then by sort key ("" in a table without one)."""

    name: str
    keys: dict[str, str]
    """The type of each key attribute, the partition key first."""
    rows: dict[str, dict[str, Item]] = field(default_factory=lambda: defaultdict(dict))

    def place(self, item: Mapping[str, Any]) -> Place:
        """Where the item belongs. Raises Invalid."""
        found = []
        for name, kind in self.keys.items():
            value = item.get(name)
            if value is None:
                raise Invalid("One of the required keys was not given a value")
            if kind not in value:
                raise Invalid("One or more parameter values were invalid: Type mismatch for key")
            text = value[kind]
            if not text:
                raise Invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
                    f"contain an empty string value. Key: {name}"
                )
            found.append(text)
        return found[0], found[1] if len(found) > 1 else ""

    def place_of_key(self, key: Mapping[str, Any]) -> tuple[Place, Item]:
        """Where the item of that key belongs, and the key as it is stored. Raises Invalid."""
        if len(key) != len(self.keys):
            raise Invalid("The number of conditions on the keys is invalid")
        kept = stored_item(key)
        return self.place(kept), kept

    def get(self, place: Place) -> Item | None:
        """The row that is there."""
        partition = self.rows.get(place[0])
        return partition.get(place[1]) if partition else None

    def set(self, place: Place, item: Item | None) -> None:
        """Put the row there, or take it away."""
        if item is not None:
            self.rows[place[0]][place[1]] = item
        elif place[0] in self.rows:
            self.rows[place[0]].pop(place[1], None)
            if not self.rows[place[0]]:
                del self.rows[place[0]]

    def key(self, item: Item) -> Item:
        """The key's part of the item."""
        return {name: item[name] for name in self.keys}

    def partition(self, partition_key: str) -> list[Item]:
        """The partition's rows in the order of their sort keys."""
        rows = self.rows.get(partition_key, {})
        numeric = list(self.keys.values())[1:] == ["N"]
        return [rows[key] for key in sorted(rows, key=Decimal if numeric else None)]


@dataclass(slots=True)
class _Action:
    """A write that is understood but not made: `change` gives the row after it, or raises Invalid."""

    table: _Table
    place: Place
    change: _NewRow
    condition: Callable[[Item], bool] | None
    wants_old: bool
    """Whether a failed condition shows the row."""
    refusal: str | None = None
    """Why the action is refused whatever the row is."""
    writes: bool = True

    def run(self) -> tuple[Item | None, Item | None, int]:
        """The row before and after, and the bytes written. Raises Invalid or _ConditionFailed."""
        if self.refusal:
            raise Invalid(self.refusal)
        _require_key_length(self.place)
        old = self.table.get(self.place)
        if self.condition is not None and not self.condition(old or {}):
            raise _ConditionFailed(copied(old) if self.wants_old and old else None)
        new = self.change(old)
        return old, new, _size(new) if self.writes and new is not None else 0


def _calls(operation: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """A call of the API: one at a time, its refusals as botocore raises them."""

    def decorate(method: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(method)
        def call(self: "MemoryDynamoDB", **request: Any) -> Answer:
            with self._lock:
                try:
                    answer = method(self, **request)
                except Invalid as error:
                    _fail(operation, "ValidationException", str(error))
                except _NoTable:
                    _fail(operation, "ResourceNotFoundException", "Requested resource not found")
                except _ConditionFailed as error:
                    shown = {"Item": error.item} if error.item else {}
                    _fail(operation, "ConditionalCheckFailedException", _CONDITION_FAILED, **shown)
            answer["ResponseMetadata"] = _metadata(200)
            return answer

        return call

    return decorate


class MemoryDynamoDB:
    """A client whose tables are its own. `clock` gives seconds, for the tokens of transactions.

    `on_change` is told of each change when it is committed, in the order of the actions of a transaction; a write
    that leaves the item as it was is no change.
    """

    def __init__(self, clock: Callable[[], float], on_change: Callable[[Change], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._tables: dict[str, _Table] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.RLock()

    # -- tables

    @_calls("CreateTable")
    def create_table(
        self,
        *,
        TableName: str,
        AttributeDefinitions: Sequence[Mapping[str, str]],
        KeySchema: Sequence[Mapping[str, str]],
        BillingMode: str,
    ) -> Answer:
        """A table with keys, and nothing else: no index, no stream (`on_change` tells of every change)."""
        if TableName in self._tables:
            _fail("CreateTable", "ResourceInUseException", f"Table already exists: {TableName}")
        types = {each["AttributeName"]: each["AttributeType"] for each in AttributeDefinitions}
        kinds = [each["KeyType"] for each in KeySchema]
        names = [each["AttributeName"] for each in KeySchema]
        if kinds != ["HASH", "RANGE"][: len(kinds)] or set(names) != types.keys():
            raise NotImplementedError(f"a table with {KeySchema} of {AttributeDefinitions}")
        if not set(types.values()) <= {"S", "N"} or BillingMode != "PAY_PER_REQUEST":
            raise NotImplementedError(f"a table with {types}, {BillingMode}")
        self._tables[TableName] = _Table(TableName, {name: types[name] for name in names})
        return {"TableDescription": {"TableName": TableName, "TableStatus": "ACTIVE"}}

    def _table(self, name: str) -> _Table:
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
        _require_consistent(ConsistentRead)
        table = self._table(TableName)
        place, _ = table.place_of_key(Key)
        _require_key_length(place)
        shown = _projection(ProjectionExpression, ExpressionAttributeNames)
        item = table.get(place)
        return {} if item is None else {"Item": shown(item)}

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
        _require_consistent(ConsistentRead)
        table = self._table(TableName)
        values = stored_item(ExpressionAttributeValues)
        condition = expressions.key_condition(KeyConditionExpression)
        shown = _projection(ProjectionExpression, ExpressionAttributeNames, [condition], values)
        partition_key, holds = _key_condition(
            table, condition.terms, ExpressionAttributeNames or {}, values
        )
        rows = [row for row in table.partition(partition_key) if holds(row)]
        return _page(
            table, rows if ScanIndexForward else rows[::-1], shown, Limit, ExclusiveStartKey
        )

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
        _require_consistent(ConsistentRead)
        table = self._table(TableName)
        shown = _projection(ProjectionExpression, ExpressionAttributeNames)
        rows = [
            row
            for partition_key in sorted(table.rows)
            if zlib.crc32(partition_key.encode()) % TotalSegments == Segment
            for row in table.partition(partition_key)
        ]
        return _page(table, rows, shown, Limit, ExclusiveStartKey)

    def get_paginator(self, name: str) -> "_Paginator":
        """A paginator of `query` or `scan`."""
        if name not in ("query", "scan"):
            raise NotImplementedError(f"a paginator of {name}")
        return _Paginator(getattr(self, name))

    # -- writes of one item

    @_calls("PutItem")
    def put_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Answer:
        """Write an item, in place of the one that is there."""
        return self._write("Put", request, ReturnValues, ("NONE", "ALL_OLD"))

    @_calls("UpdateItem")
    def update_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Answer:
        """Change attributes of an item, which comes to be if it is not there."""
        return self._write(
            "Update",
            request,
            ReturnValues,
            ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
        )

    @_calls("DeleteItem")
    def delete_item(self, *, ReturnValues: str = "NONE", **request: Any) -> Answer:
        """Take an item away."""
        return self._write("Delete", request, ReturnValues, ("NONE", "ALL_OLD"))

    def _write(
        self, kind: str, request: Mapping[str, Any], wanted: str, allowed: Collection[str]
    ) -> Answer:
        if wanted not in allowed:
            raise Invalid("Return values set to invalid value")
        action = self._action(kind, request)
        old, new, _ = action.run()
        self._commit([(action, old, new)])
        shown = old if wanted in ("ALL_OLD", "UPDATED_OLD") else new
        if wanted == "NONE" or not shown:
            return {}
        if wanted.startswith("UPDATED"):
            expression = expressions.update(request["UpdateExpression"])
            written = expression.written(request.get("ExpressionAttributeNames") or {})
            shown = {name: shown[name] for name in written if name in shown}
        return {"Attributes": copied(shown)} if shown else {}

    def _action(self, kind: str, request: Mapping[str, Any]) -> _Action:
        """Understand a write. Raises Invalid and _NoTable for what no row has to be read for."""
        if strange := request.keys() - _PARAMETERS[kind]:
            raise NotImplementedError(f"{kind} with {sorted(strange)}")
        table = self._table(request["TableName"])
        condition_text, update_text = (
            request.get("ConditionExpression"),
            request.get("UpdateExpression"),
        )
        if kind == "ConditionCheck" and condition_text is None:
            raise Invalid("The expression can not be empty;")
        condition = None if condition_text is None else expressions.condition(condition_text)
        update = None if update_text is None else expressions.update(update_text)
        names: Names | None = request.get("ExpressionAttributeNames")
        given = request.get("ExpressionAttributeValues")
        values = None if given is None else stored_item(given)
        expressions.bind([each for each in (condition, update) if each], names, values)
        refusal = None
        if kind == "Put":
            item = stored_item(request["Item"])
            _size(item)
            place, change = table.place(item), _putting(item)
        else:
            place, key = table.place_of_key(request["Key"])
            if kind == "Delete":
                change = _putting(None)
            elif kind == "ConditionCheck":
                change = _keeping(None)
            elif update is None:
                change = _keeping(key)
            else:
                refusal = _key_refusal(table, update.written(names or {}))
                change = _updating(update, key, names or {}, values or {})
        return _Action(
            table,
            place,
            change,
            None if condition is None else _bound(condition.holds, names or {}, values or {}),
            request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
            refusal,
            kind != "ConditionCheck",
        )

    def _commit(self, done: Sequence[tuple[_Action, Item | None, Item | None]]) -> None:
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
        """All of the actions or none.

        Why each action would fail is in CancellationReasons, in order, as AWS documents it; DynamoDB Local answers
        some of the errors in an action's data (an operand's type, a digit too many) with a ValidationException
        of the whole call instead.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        if not 1 <= len(TransactItems) <= MAX_ACTIONS:
            raise Invalid(f"a transaction has 1 to {MAX_ACTIONS} actions")
        actions = []
        for each in TransactItems:
            ((kind, request),) = each.items()
            actions.append(self._action(kind, request))
        if len({(action.table.name, action.place) for action in actions}) < len(actions):
            raise Invalid("Transaction request cannot include multiple operations on one item")
        request_text = ""
        if ClientRequestToken is not None:
            request_text = json.dumps(TransactItems, sort_keys=True)
            if self._is_repeated(ClientRequestToken, request_text):
                return {}
        done, reasons, total = [], [], 0
        for action in actions:
            reason: Answer = {"Code": "None"}
            try:
                old, new, written = action.run()
                done.append((action, old, new))
                total += written
            except _ConditionFailed as error:
                reason = {"Code": "ConditionalCheckFailed", "Message": _CONDITION_FAILED}
                if error.item:
                    reason["Item"] = error.item
            except Invalid as error:
                reason = {"Code": "ValidationError", "Message": str(error)}
            reasons.append(reason)
        if len(done) < len(actions):
            codes = ", ".join(reason["Code"] for reason in reasons)
            text = (
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{codes}]"
            )
            _fail(
                "TransactWriteItems",
                "TransactionCanceledException",
                text,
                Message=text,
                CancellationReasons=reasons,
            )
        if total > MAX_TRANSACTION_BYTES:
            raise Invalid("Transaction payload size cannot exceed 4MB")
        if ClientRequestToken is not None:
            self._tokens[ClientRequestToken] = request_text, self._clock()
        self._commit(done)
        return {}

    def _is_repeated(self, token: str, request: str) -> bool:
        """Whether the token has done just this; it is forgotten ten minutes after the request that first used it."""
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
        """Each statement by itself; its error is in its place of the answer.

        A key that comes a second time refuses the whole call, when what stood before it is done already.
        """
        if not 1 <= len(Statements) <= MAX_STATEMENTS:
            raise Invalid(f"a batch has 1 to {MAX_STATEMENTS} statements")
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
        return {"Responses": [self._statement(*each, seen) for each in parsed]}

    def _statement(
        self,
        statement: partiql.Insert | partiql.Update,
        parameters: list[Any],
        shows: bool,
        seen: set[tuple[str, Place]],
    ) -> Answer:
        table = self._tables.get(statement.table)
        if table is None:
            return {
                "Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}
            }
        error: Answer
        try:
            if isinstance(statement, partiql.Insert):
                action = _insert(table, statement, parameters)
            else:
                action = _update(table, statement, parameters, shows)
            if (table.name, action.place) in seen:
                raise _DuplicateKey
            seen.add((table.name, action.place))
            old, new, _ = action.run()
            self._commit([(action, old, new)])
            return {"TableName": table.name}
        except _DuplicateKey:
            _fail(
                "BatchExecuteStatement",
                "ValidationException",
                "Provided list of item keys contains duplicates",
            )
        except _ConditionFailed as failed:
            if isinstance(statement, partiql.Insert):
                error = {
                    "Code": "DuplicateItem",
                    "Message": "Duplicate primary key exists in table",
                }
            else:
                error = {"Code": "ConditionalCheckFailed", "Message": _CONDITION_FAILED}
                if failed.item:
                    error["Item"] = failed.item
        except Invalid as invalid:
            error = {"Code": "ValidationError", "Message": str(invalid)}
        return {"Error": error, "TableName": table.name}


class _DuplicateKey(Exception):
    """A batch of statements names an item twice."""


class _Paginator:
    """The pages of `query` or `scan`, one call each."""

    def __init__(self, call: Callable[..., Answer]) -> None:
        self._call = call

    def paginate(self, **request: Any) -> Iterator[Answer]:
        """Call until there is no LastEvaluatedKey."""
        while True:
            page = self._call(**request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


_EXPRESSION = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_PARAMETERS: dict[str, set[str]] = {
    "Put": {"TableName", "Item"} | _EXPRESSION,
    "Update": {"TableName", "Key", "UpdateExpression"} | _EXPRESSION,
    "Delete": {"TableName", "Key"} | _EXPRESSION,
    "ConditionCheck": {"TableName", "Key"} | _EXPRESSION,
}
_STATEMENT = {"Statement", "Parameters", "ReturnValuesOnConditionCheckFailure"}


def _putting(item: Item | None) -> _NewRow:
    return lambda old: item


def _keeping(without: Item | None) -> _NewRow:
    return lambda old: without if old is None else old


def _bound(holds: expressions.Test, names: Names, values: Values) -> Callable[[Item], bool]:
    return lambda item: holds(item, names, values)


def _updating(update: expressions.Update, key: Item, names: Names, values: Values) -> _NewRow:
    return lambda old: update.apply(key if old is None else old, names, values)


def _key_refusal(table: _Table, written: Collection[str]) -> str | None:
    for name in written:
        if name in table.keys:
            return (
                f"One or more parameter values were invalid: Cannot update attribute {name}. This attribute is "
                "part of the key"
            )
    return None


def _insert(table: _Table, statement: partiql.Insert, parameters: list[Any]) -> _Action:
    item = dict(zip(statement.attributes, parameters, strict=True))
    return _Action(table, table.place(item), lambda _old: item, lambda old: not old, False)


def _update(
    table: _Table, statement: partiql.Update, parameters: list[Any], shows: bool
) -> _Action:
    """The row must be there and meet the terms; those that are not of the key are the condition."""
    count = len(statement.attributes)
    assigned = dict(zip(statement.attributes, parameters, strict=False))
    if len(assigned) < count:
        raise Invalid("Two document paths overlap with each other")
    key: Item = {}
    tests = []
    for (name, operator), value in zip(statement.terms, parameters[count:], strict=True):
        if name in table.keys and operator == "=" and name not in key:
            key[name] = value
            continue
        if operator not in ("=", "<>") and not any(
            kind in value for kind in expressions.ORDERED_KINDS
        ):
            raise Invalid("Incorrect operand type for operator or function")
        tests.append((name, expressions.COMPARISONS[operator], value))
    if key.keys() != table.keys.keys():
        raise Invalid("Where clause does not contain a mandatory equality on all key attributes")
    return _Action(
        table,
        table.place(key),
        lambda old: {**(old or {}), **assigned},
        lambda old: bool(old)
        and all(compare(old.get(name), value) for name, compare, value in tests),
        shows,
        _key_refusal(table, statement.attributes),
    )


def _key_condition(
    table: _Table, terms: Sequence[expressions.KeyTerm], names: Names, values: Values
) -> tuple[str, Callable[[Item], bool]]:
    """The partition key that a query asks for, and what it asks of the sort key."""
    (hash_name, hash_kind), *sort = table.keys.items()
    by_name = {names[term.path] if term.path[0] == "#" else term.path: term for term in terms}
    equal = by_name.pop(hash_name, None)
    if equal is None or len(by_name) != len(terms) - 1 or not by_name.keys() <= dict(sort).keys():
        raise Invalid("Query condition missed key schema element")
    if equal.operator != "=":
        raise Invalid("Query key condition not supported")
    tests: list[Callable[[Item], bool]] = []
    for name, term in [(hash_name, equal), *by_name.items()]:
        operands = [values[operand] for operand in term.operands]
        if any(table.keys[name] not in operand for operand in operands):
            raise Invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if any(operand.get("S") == "" for operand in operands):
            raise Invalid(
                "The AttributeValue for a key attribute cannot contain an empty string value"
            )
        tests.append(_key_test(name, term.operator, operands))
    return values[equal.operands[0]][hash_kind], lambda row: all(test(row) for test in tests)


def _key_test(name: str, operator: str, operands: list[Any]) -> Callable[[Item], bool]:
    if operator == "BETWEEN":
        return lambda row: expressions.between(row[name], *operands)
    if operator == "begins_with":
        return lambda row: expressions.begins_with(row[name], operands[0])
    compare = expressions.COMPARISONS[operator]
    return lambda row: compare(row[name], operands[0])


def _projection(
    text: str | None,
    names: Names | None,
    others: Sequence[Parsed] = (),
    values: Values | None = None,
) -> Callable[[Item], Item]:
    """How a row is shown; checks the placeholders of the request, of which `others` are the other expressions."""
    if text is None:
        expressions.bind([*others], names, values)
        return copied
    projection = expressions.projection(text)
    expressions.bind([projection, *others], names, values)
    wanted = [(names or {})[path] if path[0] == "#" else path for path in projection.paths]
    return lambda row: copied({name: row[name] for name in wanted if name in row})


def _page(
    table: _Table,
    rows: list[Item],
    shown: Callable[[Item], Item],
    limit: int | None,
    after: Mapping[str, Any] | None,
) -> Answer:
    """The rows from `after` on, up to `limit` of them or 1 MB."""
    if after is not None:
        start = table.place_of_key(after)[0]
        places = [table.place(row) for row in rows]
        if start not in places:
            raise NotImplementedError(f"a page after {after}, which is gone")
        rows = rows[places.index(start) + 1 :]
    page: list[Item] = []
    total = 0
    for row in rows:
        page.append(row)
        total += size(row)
        if len(page) == limit or total >= MAX_PAGE_BYTES:
            break
    answer: Answer = {
        "Items": [shown(row) for row in page],
        "Count": len(page),
        "ScannedCount": len(page),
    }
    if page and (len(page) == limit or total >= MAX_PAGE_BYTES):
        answer["LastEvaluatedKey"] = copied(table.key(page[-1]))
    return answer


def _require_consistent(asked: bool) -> None:
    if not asked:
        raise NotImplementedError(
            "a read without ConsistentRead: it may be late, and this store's never is"
        )


def _require_key_length(place: Place) -> None:
    for text, most in zip(place, (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES), strict=True):
        # A character has at most four bytes.
        if len(text) * 4 > most and len(text.encode()) > most:
            raise Invalid(
                "Hash primary key values must be under 2048 bytes, and range primary key values must be under "
                "1024 bytes"
            )


def _size(item: Item) -> int:
    found = size(item)
    if found > MAX_ITEM_BYTES:
        raise Invalid("Item size has exceeded the maximum allowed size")
    return found


def _metadata(status: int) -> Answer:
    return {
        "RequestId": "in-memory",
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }


def _fail(operation: str, code: str, message: str, **more: Any) -> NoReturn:
    answer: Any = {
        "Error": {"Message": message, "Code": code},
        "ResponseMetadata": _metadata(400),
        **more,
    }
    raise ClientError(answer, operation)
