"""Random requests to DynamoDB of every kind that LEDA makes, from its own code where it builds them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from leda.checkpoints import Checkpoints, Position
from leda.lanes import Lane
from leda.map_stage import MapStage
from leda.messages import Message
from leda.reduce_stage import ReduceStage
from leda.schema import Schema
from leda.state_store import StateStore
from leda.streams import StreamRecord

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026"
# -- random requests

KEYS = ["a", "b", "c"]
NAMES = {"#a": "a", "#b": "b", "#v": "Value", "#id": "id"}
NUMBERS = ["0", "1", "-1", "1.50", "0.1", "00012", "5e3", "-0.0", "1e30", "1e-10", "9" * 38]
NUMBERS += ["9.9e125", "-9.9e125", "1e-130", "12345678901234567.25"]
STRINGS = ["", "a", "ab", "b", "\uffff", "\U0001f600"]

numbers = st.sampled_from(NUMBERS).map(lambda text: {"N": text})
strings = st.sampled_from(STRINGS).map(lambda text: {"S": text})
scalars = st.one_of(
    numbers, strings, st.booleans().map(lambda it: {"BOOL": it}), st.just({"NULL": True})
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("xyz"), inner, max_size=2).map(lambda it: {"M": it}),
        st.lists(inner, max_size=2).map(lambda it: {"L": it}),
    ),
    max_leaves=3,
)
unfit = st.sampled_from(["1" * 39, "1e126", "1e-131", "x", "", "NaN", " 1"]).map(
    lambda it: {"N": it}
)
some_values = st.one_of(numbers, numbers, strings, values)
paths = st.sampled_from(["#a", "#b", "#v", "a", "b"])
literals = st.sampled_from([":n", ":m", ":s", ":t", ":x"])
operands = st.one_of(paths, paths, literals)

keys = st.sampled_from(KEYS).map(lambda name: {"id": {"S": name}})
items = st.builds(
    lambda key, rest: {**rest, **key},
    keys,
    st.dictionaries(st.sampled_from(["a", "b", "Value"]), some_values, max_size=3),
)


def _in_parentheses(text: str) -> str:
    return f"({text})" if re.search(r" (AND|OR|and) |^NOT", text) else text


terms = st.one_of(
    st.builds("attribute_exists({})".format, paths),
    st.builds("attribute_not_exists({})".format, paths),
    st.builds(
        "{} {} {}".format, operands, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), operands
    ),
    st.builds("{} BETWEEN {} AND {}".format, operands, operands, operands),
    st.builds("begins_with({}, {})".format, paths, operands),
)
conditions = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds(
            lambda left, word, right: f"{_in_parentheses(left)} {word} {_in_parentheses(right)}",
            inner,
            st.sampled_from(["AND", "OR", "and"]),
            inner,
        ),
        st.builds("{} {} {}".format, terms, st.sampled_from(["AND", "OR"]), inner),
        inner.map(lambda text: f"NOT {_in_parentheses(text)}"),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=4,
)
addends = st.one_of(operands, st.builds("if_not_exists({}, {})".format, paths, operands))
assigned = st.one_of(addends, st.builds("{} {} {}".format, addends, st.sampled_from("+-"), addends))
updates = st.builds(
    lambda sets, adds, removes: " ".join(
        f"{word} {', '.join(parts)}"
        for word, parts in (("SET", sets), ("ADD", adds), ("REMOVE", removes))
        if parts
    )
    or "REMOVE #a",
    st.lists(st.builds("{} = {}".format, paths, assigned), max_size=2),
    st.lists(
        st.builds("{} {}".format, paths, st.sampled_from([":n", ":n", ":m", ":s"])), max_size=1
    ),
    st.lists(paths, max_size=1),
)
literal_values = st.fixed_dictionaries(
    {
        ":n": numbers,
        ":m": numbers,
        ":s": strings,
        ":t": strings,
        ":x": st.one_of(values, values, unfit),
    }
)


def filled(request: dict[str, Any], literal: Mapping[str, Any]) -> dict[str, Any]:
    """The request with just the placeholders that its expressions use."""
    texts = " ".join(text for name, text in request.items() if name.endswith("Expression"))
    if names := set(re.findall(r"#\w+", texts)):
        request["ExpressionAttributeNames"] = {name: NAMES[name] for name in sorted(names)}
    if used := set(re.findall(r":\w+", texts)):
        request["ExpressionAttributeValues"] = {name: literal[name] for name in sorted(used)}
    return request


def _write(
    kind: str, what: Any, condition: str | None, update: str, literal: Any, old: bool
) -> Any:
    request: dict[str, Any] = {"TableName": "StateTable", **what}
    if condition:
        request["ConditionExpression"] = condition
    if kind == "Update":
        request["UpdateExpression"] = update
    if old:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return kind, filled(request, literal)


def writes(kind: str, conditions: Any) -> Any:
    what = items.map(lambda it: {"Item": it}) if kind == "Put" else keys.map(lambda it: {"Key": it})
    return st.builds(
        _write, st.just(kind), what, conditions, updates, literal_values, st.booleans()
    )


maybe = st.one_of(st.none(), conditions)
single_writes = st.one_of(writes("Put", maybe), writes("Update", maybe), writes("Delete", maybe))
actions = st.one_of(single_writes, writes("ConditionCheck", conditions)).map(
    lambda it: {it[0]: it[1]}
)

Call = Callable[[Any, StateStore], Any]
"""An operation on a store; StateStore writes to the same."""


@dataclass(frozen=True)
class Operation:
    """A call, with a text of it for the report of a failure."""

    text: str
    call: Call = field(repr=False)


def _single(write: tuple[str, dict[str, Any]], returned: str) -> Operation:
    kind, request = write
    if kind != "Update" and returned not in ("NONE", "ALL_OLD"):
        returned = "ALL_OLD"
    name = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
    request = {**request, "ReturnValues": returned}
    return Operation(f"{name} {request}", lambda store, _: getattr(store, name)(**request))


def _transaction(parts: Sequence[Any], token: int | None) -> Operation:
    def call(store: Any, _: StateStore) -> Any:
        more = {} if token is None else {"ClientRequestToken": f"{run.number}-{token}"}
        return store.transact_write_items(TransactItems=parts, **more)

    return Operation(f"transaction {token} {parts}", call)


@dataclass
class Run:
    """Tokens are remembered from one example to the next, so each example has its own."""

    number: int = 0


run = Run()

# -- what LEDA's own code asks

SHARDS = ["shardId-1", "shardId-2"]
lanes = st.sampled_from([*SHARDS, STREAM]).map(lambda name: Lane(STREAM, name))
sequences = st.integers(1, 6)
maybe_sequences = st.one_of(st.none(), sequences)
positions = st.builds(
    Position,
    maybe_sequences,
    maybe_sequences,
    st.one_of(st.none(), st.integers(1, 2)),
    st.one_of(st.none(), st.tuples(st.sampled_from(SHARDS), sequences)),
)
nodes = st.sampled_from(["PV:a:EMEA", "PV:a:APAC", "PV:b:EMEA"])
amounts = st.sampled_from(["1", "-0.10", "123456789012.12345678901234567", "0"])


def _record(sequence: int, old: Any, new: Any) -> StreamRecord:
    return StreamRecord(sequence, str(sequence), "INSERT", old, new, False, None, {})


def _state_row(path: str, value: str) -> dict[str, Any]:
    return {"Path": {"S": path}, "Value": {"N": value}, "Timestamp": {"N": "1616413258.90"}}


def _delta_row(path: str, value: str) -> dict[str, Any]:
    return {"Totals": {"M": {path: {"N": value}}}}


state_records = st.lists(
    st.builds(_record, sequences, st.none(), st.builds(_state_row, nodes, amounts)),
    min_size=1,
    max_size=3,
)
delta_records = st.lists(
    st.builds(_record, sequences, st.none(), st.builds(_delta_row, nodes, amounts)),
    min_size=1,
    max_size=3,
)
map_stage = MapStage("ReduceTable", Schema(), 1, 3600, clock=lambda: 1616413258.0)
reduce_stage = ReduceStage("AggregateTable")


def _advance(lane: Lane, position: Position | None, last: int, planned: Any) -> Operation:
    """The transaction of a Map or Reduce: from `position`, or (None) from where the lane is."""

    def call(store: Any, _: StateStore) -> Any:
        checkpoints = Checkpoints(store, "CheckpointTable", "MapLambda")
        start = position or checkpoints.read(lane)
        return store.transact_write_items(
            TransactItems=checkpoints.advance(lane, start, last) + planned(lane).actions
        )

    return Operation(f"advance {lane} {position} {last}", call)


def _read(lane: Lane) -> Operation:
    def call(store: Any, _: StateStore) -> Any:
        found = Checkpoints(store, "CheckpointTable", "MapLambda").read(lane)
        return found.own, found.stream, found.shards, found.highest

    return Operation(f"read {lane}", call)


messages = st.builds(
    lambda name, version, value, deleted: Message(
        name,
        version,
        None if deleted else Decimal(value),
        None if deleted else "PV:a:EMEA",
        None if deleted else "{}",
        Decimal("1616413258.8997078"),
    ),
    st.sampled_from(KEYS),
    st.integers(0, 3),
    amounts,
    st.booleans(),
)


def _store(batch: Sequence[Message]) -> Operation:
    def call(_: Any, store: StateStore) -> Any:
        found = [(stored.message.id, stored.result.name) for stored in store.write(batch)]
        return tuple(sorted(found))

    return Operation(f"store {batch}", call)


def _statements(batch: Sequence[tuple[Message, bool]]) -> Operation:
    """Statements as StateStore writes them, also such as it never puts in one batch."""

    def call(client: Any, store: StateStore) -> Any:
        made = [store._statement(*each) for each in batch]
        return client.batch_execute_statement(Statements=made)

    return Operation(f"statements {batch}", call)


def _query(condition: str, low: Any, high: Any, limit: int, forward: bool) -> Operation:
    given = {":lane": {"N": "0.0"}, ":low": low, ":high": high}
    used = {name: given[name] for name in re.findall(r":\w+", condition)}

    def call(store: Any, _: StateStore) -> Any:
        pages = store.get_paginator("query").paginate(
            TableName="ReduceTable",
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#Lane": "Lane", "#Delta": "Delta"},
            ExpressionAttributeValues=used,
            ProjectionExpression="#Lane, #Delta",
            ScanIndexForward=forward,
            ConsistentRead=True,
            Limit=limit,
        )
        return [(page["Items"], page["Count"], page.get("LastEvaluatedKey")) for page in pages]

    return Operation(f"query {condition} {used} {limit} {forward}", call)


deltas = st.sampled_from(["", "a", "aa", "ab", "b", "\uffff", "\U0001f600"]).map(
    lambda text: {"S": text}
)
delta_rows = st.builds(
    lambda lane, delta: (
        "Put",
        {
            "TableName": "ReduceTable",
            "Item": {"Lane": {"N": lane}, "Delta": delta, "v": {"N": "1"}},
        },
    ),
    st.sampled_from(["0", "0", "1"]),
    deltas,
)
operations = st.one_of(
    st.builds(
        _single,
        single_writes,
        st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]),
    ),
    st.builds(_single, delta_rows, st.just("ALL_OLD")),
    st.builds(
        _transaction,
        st.lists(actions, min_size=1, max_size=4),
        st.one_of(st.none(), st.integers(1, 2)),
    ),
    st.builds(
        _advance,
        lanes,
        st.one_of(st.none(), positions),
        sequences,
        st.one_of(
            state_records.map(lambda found: lambda lane: map_stage.plan(lane, found)),
            delta_records.map(lambda found: lambda lane: reduce_stage.plan(lane, found)),
        ),
    ),
    st.builds(_read, lanes),
    st.builds(_store, st.lists(messages, min_size=1, max_size=3, unique_by=lambda it: it.id)),
    st.builds(_statements, st.lists(st.tuples(messages, st.booleans()), min_size=1, max_size=4)),
    st.builds(
        _query,
        st.sampled_from(
            [
                "#Lane = :lane AND begins_with(#Delta, :low)",
                "#Lane = :lane AND #Delta >= :low",
                "#Delta < :high AND #Lane = :lane",
                "#Lane = :lane AND (#Delta BETWEEN :low AND :high)",
                "#Lane = :lane AND #Delta = :low",
            ]
        ),
        deltas,
        deltas,
        st.integers(1, 3),
        st.booleans(),
    ),
)
