"""DynamoDB's answers to the calls that the functions make, from tables in memory.

The benchmark serves them by HTTP (`benchmarks/stub.py`), and `metering` counts their units. The store is made to be
fast, so that what is measured are the functions: expressions and statements are compiled once. It knows conditions of
comparisons and attribute_(not_)exists joined by AND and OR, the updates SET, ADD and REMOVE, and PartiQL's INSERT,
UPDATE and SELECT of one item by its key; anything else it refuses. It throttles nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]
Value = Mapping[str, Any]
Key = tuple[str, ...]

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ACTIONS = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100

_38_DIGITS = Context(prec=38)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FUNCTION = re.compile(r"attribute_(not_)?exists\s*\(\s*([#\w]+)\s*\)")
_COMPARISON = re.compile(r"([#\w]+)\s*(=|<>|<=|>=|<|>)\s*(:\w+)")
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE)\b")
_STEPS = {
    "SET": re.compile(
        r"(?P<name>[#\w]+)\s*=\s*(?:if_not_exists\((?P=name),\s*(?P<first>:\w+)\)\s*\+\s*)?(?P<value>:\w+)"
    ),
    "ADD": re.compile(r"(?P<name>[#\w]+)\s+(?P<value>:\w+)"),
    "REMOVE": re.compile(r"(?P<name>[#\w]+)"),
}
_COMMA = re.compile(r",(?![^(]*\))")
_NAME = re.compile(r"\w+")
_TABLE = re.compile(r'(?:INTO|UPDATE|FROM)\s+"?([\w.-]+)"?')
_ASSIGNED = re.compile(r"""["'](\w+)["']\s*(?::|=(\s*"\1"\s*\+)?)\s*\?""")
_COMPARED = re.compile(r'"?(\w+)"?\s*(=|<>|<=|>=|<|>)\s*\?')
_MISSING = re.compile(r'"(\w+)" IS MISSING')
_MISSING_OR_COMPARED = re.compile(r'\("(\w+)" IS MISSING OR ("\1" .*)\)')


class Refused(Exception):
    """DynamoDB's error `code`; `more` is what its answer holds beside code and message."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.more = more


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a condition: a comparison with `value`, or (`value` None) whether the attribute `is_there`."""

    name: str
    compare: Callable[[Any, Any], bool]
    value: str | None
    is_there: bool = False

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        """Whether it is true of the item; a comparison with an attribute that is not there is false."""
        found = item.get(names.get(self.name, self.name))
        if self.value is None:
            return (found is not None) == self.is_there
        return found is not None and compare(self.compare, found, values[self.value])


def compare(by: Callable[[Any, Any], bool], left: Value, right: Value) -> bool:
    """Two attribute values; those of different types are not equal, and have no order."""
    ((kind, one),), ((other_kind, other),) = left.items(), right.items()
    if kind != other_kind:
        return by is operator.ne
    return by(Decimal(one), Decimal(other)) if kind == "N" else by(one, other)


@lru_cache(maxsize=1000)
def condition(text: str) -> list[list[Term]]:
    """The condition's terms: of the outer list one must hold, of an inner one all. Raises Refused."""
    return [
        [_term(part.strip()) for part in all_of.split(" AND ")] for all_of in text.split(" OR ")
    ]


def _term(text: str) -> Term:
    if match := _FUNCTION.fullmatch(text):
        return Term(match[2], operator.eq, None, is_there=match[1] is None)
    if match := _COMPARISON.fullmatch(text):
        return Term(match[1], _OPERATORS[match[2]], match[3])
    raise Refused("ValidationException", f"the stub knows no condition {text!r}")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an update: `value` (REMOVE: None) is set or added at `name`.

    With `first`, what is set is the attribute as it is, or else `first`, plus the value.
    """

    verb: str
    name: str
    value: str | None
    first: str | None


@lru_cache(maxsize=1000)
def update(text: str) -> list[Step]:
    """The update's steps. Raises Refused."""
    _, *clauses = _CLAUSE.split(text)
    steps = []
    for verb, body in zip(clauses[::2], clauses[1::2], strict=True):
        for part in _COMMA.split(body):
            if not (match := _STEPS[verb].fullmatch(part.strip())):
                raise Refused("ValidationException", f"the stub knows no update {text!r}")
            found = match.groupdict()
            steps.append(Step(verb, match["name"], found.get("value"), found.get("first")))
    return steps


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term of a statement's WHERE: `compare` with the next parameter, or (None) that the attribute is missing.

    `or_missing`: the term holds where the attribute is missing, too.
    """

    name: str
    compare: Callable[[Any, Any], bool] | None
    or_missing: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A PartiQL statement: its parameters go first to `assigned`, and then to the terms of `where` that compare.

    `added` are the assigned attributes to which the parameter is added; `columns` those that a SELECT asks for, none:
    all.
    """

    kind: str
    table: str
    columns: tuple[str, ...]
    assigned: tuple[str, ...]
    added: frozenset[str]
    where: tuple[Comparison, ...]


@lru_cache(maxsize=1000)
def statement(text: str) -> Statement:
    """The statement, taken apart. Raises Refused."""
    head, _, where = text.partition(" WHERE ")
    kind, table = text.split()[0].upper(), _TABLE.search(head)
    if kind not in ("INSERT", "UPDATE", "SELECT") or table is None:
        raise Refused("ValidationException", f"the stub knows no statement {text!r}")
    found = _ASSIGNED.findall(head)
    terms = tuple(_where(part, text) for part in where.split(" AND ") if part)
    compared = sum(term.compare is not None for term in terms)
    if len(found) + compared != text.count("?"):
        raise Refused("ValidationException", f"the stub knows no statement {text!r}")
    columns = tuple(_NAME.findall(head.split(" FROM ")[0])[1:]) if kind == "SELECT" else ()
    added = frozenset(name for name, is_added in found if is_added)
    return Statement(kind, table[1], columns, tuple(name for name, _ in found), added, terms)


def _where(part: str, text: str) -> Comparison:
    if match := _MISSING.fullmatch(part):
        return Comparison(match[1], None)
    either = _MISSING_OR_COMPARED.fullmatch(part)
    if match := _COMPARED.fullmatch(either[2] if either else part):
        return Comparison(match[1], _OPERATORS[match[2]], either is not None)
    raise Refused("ValidationException", f"the stub knows no statement {text!r}")


@dataclass(slots=True)
class Store:
    """The tables. `keys` names the key attributes of each table; `changes` has what the streams of some would hold.

    `streamed` says which tables have a stream; theirs are (old, new) in order, for as long as nobody takes them.
    """

    keys: Mapping[str, tuple[str, ...]]
    streamed: frozenset[str] = frozenset()
    tables: dict[str, dict[Key, Item]] = field(default_factory=dict)
    changes: dict[str, list[tuple[Item | None, Item]]] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin with empty tables."""
        self.tables = {name: {} for name in self.keys}
        self.changes = {name: [] for name in self.streamed}

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call by its name in the API. Raises Refused."""
        known = _CALLS.get(operation)
        if known is None:
            raise Refused("UnknownOperationException", f"the stub does not answer {operation}")
        return known(self, request)

    def taken(self, table: str) -> list[tuple[Item | None, Item]]:
        """The changes of a table since they were last taken."""
        changes, self.changes[table] = self.changes[table], []
        return changes

    def has_read(self, table: str, item: Item | None, is_consistent: bool) -> None:
        """Called for each item that a call reads, and does nothing: a subclass may count it."""

    def has_written(
        self, table: str, old: Item | None, new: Item | None, is_transaction: bool = False
    ) -> None:
        """Called for each write (`new` None: its condition failed), and does nothing: a subclass may count it."""

    # -- calls

    def _get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        table = request["TableName"]
        item = self._table(table).get(self._key(table, request["Key"]))
        self.has_read(table, item, request.get("ConsistentRead", False))
        return {} if item is None else {"Item": _projected(item, request)}

    def _batch_get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if sum(len(asked["Keys"]) for asked in request["RequestItems"].values()) > MAX_KEYS:
            raise Refused(
                "ValidationException", "Too many items requested for the BatchGetItem call"
            )
        found = {}
        for name, asked in request["RequestItems"].items():
            rows = [self._table(name).get(self._key(name, key)) for key in asked["Keys"]]
            for row in rows:
                # Each is charged by itself and whole, whatever of it is asked for.
                self.has_read(name, row, asked.get("ConsistentRead", False))
            found[name] = [_projected(row, asked) for row in rows if row is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        terms = condition(request["KeyConditionExpression"])
        given = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        rows = [
            _projected(row, request)
            for row in self._table(request["TableName"]).values()
            if _holds(terms, row, *given)
        ]
        for row in rows:
            self.has_read(request["TableName"], row, request.get("ConsistentRead", False))
        return {"Items": rows, "Count": len(rows), "ScannedCount": len(rows)}

    def _put_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        table, item = request["TableName"], request["Item"]
        self._require(request, item)
        self._store(table, item)
        if request.get("ReturnItemCollectionMetrics") != "SIZE":
            return {}
        name = self.keys[table][0]
        sizes = {"ItemCollectionKey": {name: item[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}
        return {"ItemCollectionMetrics": sizes}

    def _update_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._require(request, request["Key"])
        item = self._updated(request)
        self._store(request["TableName"], item)
        if request.get("ReturnValues", "NONE") == "NONE":
            return {}
        names = request.get("ExpressionAttributeNames", {})
        steps = update(request["UpdateExpression"])
        changed = [names.get(step.name, step.name) for step in steps]
        return {"Attributes": {name: item[name] for name in changed if name in item}}

    def _describe_stream(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A stream without shards: those that the events name have no ancestors."""
        return {"StreamDescription": {"StreamArn": request["StreamArn"], "Shards": []}}

    def _transact_write_items(self, request: Mapping[str, Any]) -> dict[str, Any]:
        actions = [next(iter(entry.items())) for entry in request["TransactItems"]]
        if len(actions) > MAX_ACTIONS:
            raise Refused(
                "ValidationException",
                f"Member must have length less than or equal to {MAX_ACTIONS}",
            )
        if (token := request.get("ClientRequestToken")) in self._tokens:
            return {}
        reasons = [self._reason(action) for _, action in actions]
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            raise Refused(
                "TransactionCanceledException",
                f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
                CancellationReasons=reasons,
            )
        for kind, action in actions:
            if kind == "Put":
                self._store(action["TableName"], action["Item"], is_transaction=True)
            elif kind == "Update":
                self._store(action["TableName"], self._updated(action), is_transaction=True)
            elif kind != "ConditionCheck":
                raise Refused("ValidationException", f"the stub knows no {kind} in a transaction")
        if token:
            self._tokens.add(token)
        return {}

    def _batch_execute_statement(self, request: Mapping[str, Any]) -> dict[str, Any]:
        statements = request["Statements"]
        if len(statements) > MAX_STATEMENTS:
            raise Refused(
                "ValidationException",
                f"Member must have length less than or equal to {MAX_STATEMENTS}",
            )
        return {"Responses": [self._execute(each) for each in statements]}

    def _execute(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One statement's answer, which may be an error, as it stands in the batch's answer."""
        asked, given = statement(request["Statement"]), iter(request.get("Parameters", []))
        table = self._table(asked.table)
        values = dict(zip(asked.assigned, given, strict=False))
        terms = [(each, next(given) if each.compare else None) for each in asked.where]
        named = {**values, **{each.name: value for each, value in terms if value is not None}}
        old = table.get(self._key(asked.table, named))
        answer: dict[str, Any] = {"TableName": asked.table}
        if asked.kind == "SELECT":
            self.has_read(asked.table, old, is_consistent=False)
            wanted = (
                {name: old[name] for name in asked.columns or old if name in old} if old else None
            )
            return {**answer, "Item": wanted} if wanted else answer
        if asked.kind == "INSERT":
            if old is not None:
                self.has_written(asked.table, old, None)
                return _failed(answer, "DuplicateItem", "Duplicate primary key exists in table")
        elif old is None or not all(_is_met(each, old, value) for each, value in terms):
            self.has_written(asked.table, old, None)
            keeps = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
            more = {"Item": old} if keeps else {}
            return _failed(
                answer, "ConditionalCheckFailed", "The conditional request failed", **more
            )
        for name in asked.added:
            assert old is not None
            if name not in old:
                reason = "The provided expression refers to an attribute that does not exist"
                return _failed(answer, "ValidationError", f"{reason} in the item")
            values[name] = _sum(old[name], values[name])
        self._store(asked.table, {**(old or {}), **values})
        return answer

    # -- items

    def _table(self, name: str) -> dict[Key, Item]:
        if name not in self.tables:
            raise Refused("ResourceNotFoundException", f"Requested resource not found: {name}")
        return self.tables[name]

    def _key(self, table: str, item: Mapping[str, Value]) -> Key:
        try:
            return tuple(next(iter(item[name].values())) for name in self.keys[table])
        except KeyError as error:
            raise Refused("ValidationException", f"the key misses {error} or its table") from error

    def _store(self, table: str, new: Item, is_transaction: bool = False) -> None:
        rows, key = self._table(table), self._key(table, new)
        old = rows.get(key)
        rows[key] = new
        self.has_written(table, old, new, is_transaction)
        # A write that changes nothing makes no stream record.
        if table in self.streamed and old != new:
            self.changes[table].append((old, new))

    def _updated(self, request: Mapping[str, Any]) -> Item:
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        table, key = request["TableName"], self._key(request["TableName"], request["Key"])
        item = dict(self.tables[table].get(key, request["Key"]))
        for step in update(request["UpdateExpression"]):
            name = names.get(step.name, step.name)
            if step.value is None:
                item.pop(name, None)
                continue
            value = values[step.value]
            if step.first is not None:
                item[name] = _sum(item.get(name, values[step.first]), value)
            elif step.verb == "ADD" and name in item:
                item[name] = _sum(item[name], value)
            else:
                item[name] = value
        return item

    def _require(self, request: Mapping[str, Any], key: Mapping[str, Value]) -> None:
        reason = self._reason({**request, "Key": key})
        if reason["Code"] != "None":
            table = request["TableName"]
            self.has_written(table, self._table(table).get(self._key(table, key)), None)
            more = {"Item": reason["Item"]} if "Item" in reason else {}
            raise Refused("ConditionalCheckFailedException", reason["Message"], **more)

    def _reason(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Why the action cannot be taken, as in a cancelled transaction; the code None: it can."""
        item = self._table(action["TableName"]).get(
            self._key(action["TableName"], action.get("Key") or action["Item"])
        )
        text = action.get("ConditionExpression")
        if text is None or _holds(
            condition(text),
            item or {},
            action.get("ExpressionAttributeNames", {}),
            action.get("ExpressionAttributeValues", {}),
        ):
            return {"Code": "None"}
        failed: dict[str, Any] = {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
        }
        if item and action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            failed["Item"] = item
        return failed


_CALLS: Mapping[str, Callable[[Store, Mapping[str, Any]], dict[str, Any]]] = {
    "GetItem": Store._get_item,
    "BatchGetItem": Store._batch_get_item,
    "Query": Store._query,
    "PutItem": Store._put_item,
    "UpdateItem": Store._update_item,
    "TransactWriteItems": Store._transact_write_items,
    "BatchExecuteStatement": Store._batch_execute_statement,
    "DescribeStream": Store._describe_stream,
}


def _is_met(term: Comparison, item: Item, value: Any) -> bool:
    if term.name not in item:
        return term.or_missing or term.compare is None
    return term.compare is not None and compare(term.compare, item[term.name], value)


def _sum(one: Value, other: Value) -> Value:
    return {"N": str(_38_DIGITS.add(Decimal(one["N"]), Decimal(other["N"])))}


def _holds(
    any_of: Sequence[Sequence[Term]],
    item: Item,
    names: Mapping[str, str],
    values: Mapping[str, Value],
) -> bool:
    return any(all(term.holds(item, names, values) for term in all_of) for all_of in any_of)


def _projected(item: Item, request: Mapping[str, Any]) -> Item:
    expression = request.get("ProjectionExpression")
    if expression is None:
        return item
    names = request.get("ExpressionAttributeNames", {})
    wanted = [part.strip() for part in expression.split(",")]
    return {name: item[name] for name in (names.get(part, part) for part in wanted) if name in item}


def _failed(answer: dict[str, Any], code: str, message: str, **more: Any) -> dict[str, Any]:
    return {**answer, "Error": {"Code": code, "Message": message, **more}}
