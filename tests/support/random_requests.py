"""Random requests to DynamoDB: conditional writes, transactions, statements, queries."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

KEYS = ["a", "b", "c"]
ATTRIBUTES = ["a", "b", "Value"]
NAMES = {"#a": "a", "#b": "b", "#v": "Value"}
# Few, so that values are often equal; edge_requests has the extreme ones.
NUMBERS = ["0", "1", "1.0", "2", "10", "-1", "0.1", "1e30", "1e-10", "9" * 38]
STRINGS = ["", "a", "ab", "b", "\uffff", "\U0001f600"]
OF_EVERY_KIND: list[Any] = [
    {"BOOL": True},
    {"BOOL": False},
    {"NULL": True},
    {"M": {"x": {"N": "1.0"}, "y": {"S": "a"}}},
    {"M": {"x": {"N": "1"}}},
    {"L": [{"N": "1"}, {"S": "a"}]},
]

numbers = st.sampled_from(NUMBERS).map(lambda text: {"N": text})
strings = st.sampled_from(STRINGS).map(lambda text: {"S": text})
# Without empty maps and lists, which DynamoDB Local's streams show without their type.
others = st.sampled_from(OF_EVERY_KIND)
values = st.one_of(numbers, numbers, strings, others)
literal_values = st.fixed_dictionaries(
    {":n": numbers, ":m": numbers, ":s": strings, ":t": strings, ":x": others}
)
paths = st.sampled_from(["#a", "#b", "#v", "a", "b"])
literals = st.sampled_from([":n", ":m", ":s", ":t"])
operands = st.one_of(paths, literals)
keys = st.sampled_from(KEYS).map(lambda name: {"id": {"S": name}})
items = st.builds(
    lambda key, rest: {**rest, **key},
    keys,
    st.dictionaries(st.sampled_from(ATTRIBUTES), values, max_size=3),
)


def _in_parentheses(text: str) -> str:
    return f"({text})" if re.search(r" (AND|OR|and) ", text) else text


comparisons = st.one_of(
    st.builds(
        "{} {} {}".format, paths, st.sampled_from(["=", "<>"]), st.one_of(literals, st.just(":x"))
    ),
    st.builds("{} {} {}".format, paths, st.sampled_from(["<", "<=", ">", ">="]), literals),
    st.builds("{} {} {}".format, operands, st.sampled_from(["=", "<>", "<", ">="]), operands),
)
terms = st.one_of(
    comparisons,
    comparisons,
    st.builds("attribute_exists({})".format, paths),
    st.builds("attribute_not_exists({})".format, paths),
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
    ),
    max_leaves=4,
)
addends = st.one_of(
    operands,
    st.sampled_from([":n", ":m"]),
    st.builds("if_not_exists({}, {})".format, paths, st.sampled_from([":n", ":s", "#b"])),
)
assigned = st.one_of(
    st.one_of(addends, st.just(":x")),
    st.builds("{} {} {}".format, addends, st.sampled_from("+-"), addends),
)


def _update(targets: Sequence[str], parts: Sequence[str], addend: str) -> str:
    """An update expression with SET, and sometimes ADD and REMOVE."""
    sections = {"SET": parts[:-1], "ADD": [addend] * (len(parts) == 1), "REMOVE": parts[2:]}
    free = iter(targets)
    shapes = {"SET": "{} = {}", "ADD": "{} {}", "REMOVE": "{}"}
    return " ".join(
        f"{word} {', '.join(shapes[word].format(next(free), part) for part in section)}"
        for word, section in sections.items()
        if section
    )


updates = st.builds(
    _update,
    st.permutations(["#a", "#b", "#v"]),
    st.lists(assigned, min_size=1, max_size=3),
    st.sampled_from([":n", ":m"]),
)


def filled(request: dict[str, Any], literal: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the placeholders that its expressions use."""
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


maybe = st.one_of(st.none(), st.none(), conditions)
single_writes = st.one_of(
    writes("Put", maybe),
    writes("Update", maybe),
    writes("Update", conditions),
    writes("Delete", conditions),
)
actions = st.one_of(single_writes, writes("ConditionCheck", conditions)).map(
    lambda it: {it[0]: it[1]}
)


def _item(action: dict[str, Any]) -> str:
    ((_, request),) = action.items()
    name: str = request.get("Key", request.get("Item"))["id"]["S"]
    return name


@dataclass(frozen=True)
class Operation:
    """A call of a store, with a text of it for the report of a failure.

    The call's second argument is a prefix for client request tokens, which DynamoDB remembers.
    """

    text: str
    call: Callable[[Any, str], Any] = field(repr=False)


def _single(write: tuple[str, dict[str, Any]], returned: str) -> Operation:
    kind, request = write
    if kind != "Update" and returned not in ("NONE", "ALL_OLD"):
        returned = "ALL_OLD"
    name = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
    request = {**request, "ReturnValues": returned}
    return Operation(f"{name} {request}", lambda store, _: getattr(store, name)(**request))


def _transaction(parts: Sequence[Any], token: int | None) -> Operation:
    def call(store: Any, prefix: str) -> Any:
        more = {} if token is None else {"ClientRequestToken": f"{prefix}{token}"}
        return store.transact_write_items(TransactItems=parts, **more)

    return Operation(f"transaction {token} {parts}", call)


def _query(limit: int, forward: bool) -> Operation:
    def call(store: Any, _: str) -> Any:
        pages = store.get_paginator("query").paginate(
            TableName="NumberTable",
            KeyConditionExpression="#Lane = :lane",
            ExpressionAttributeNames={"#Lane": "Lane", "#Delta": "Delta"},
            ExpressionAttributeValues={":lane": {"N": "0.0"}},
            ProjectionExpression="#Lane, #Delta",
            ScanIndexForward=forward,
            ConsistentRead=True,
            Limit=limit,
        )
        # An empty page may follow the last row: LastEvaluatedKey does not promise more rows.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
        return [(page["Items"], page["Count"]) for page in pages if page["Items"]]

    return Operation(f"query {limit} {forward}", call)


deltas = st.sampled_from(["a", "aa", "ab", "b", "\uffff", "\U0001f600"]).map(
    lambda text: {"S": text}
)
delta_rows = st.builds(
    lambda lane, delta: (
        "Put",
        {
            "TableName": "NumberTable",
            "Item": {"Lane": {"N": lane}, "Delta": delta, "v": {"N": "1"}},
        },
    ),
    st.sampled_from(["0", "0", "1"]),
    deltas,
)
requests = st.one_of(
    st.builds(
        _single,
        single_writes,
        st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]),
    ),
    st.builds(
        _transaction,
        # Each item once: DynamoDB Local's answer to an item twice depends on the conditions.
        st.lists(actions, min_size=1, max_size=3, unique_by=_item),
        st.one_of(st.none(), st.integers(1, 2)),
    ),
)
"""Writes of any kind, on conditions of any kind."""

assignments = st.lists(
    st.tuples(st.sampled_from(ATTRIBUTES), st.booleans()), min_size=1, max_size=3
)
where = st.sampled_from(
    [
        "",
        ' AND ("b" IS MISSING OR "b" < ?)',
        ' AND ("a" IS MISSING OR "a" < ?) AND "b" IS MISSING',
        ' AND "Value" IS MISSING',
        ' AND ("b" >= ? AND ("a" = ? OR "a" IS MISSING))',
        ' AND "a" <> ?',
    ]
)


def _statement(
    name: Any, assigned: Sequence[tuple[str, bool]], where: str, given: Sequence[Any], old: bool
) -> dict[str, Any]:
    """An UPDATE in PartiQL that sets values or adds to numbers; `given` has enough parameters for any of them."""
    sets = " ".join(
        f'SET "{attribute}" = "{attribute}" + ?' if is_sum else f'SET "{attribute}" = ?'
        for attribute, is_sum in assigned
    )
    after = where.count("?")
    statement: dict[str, Any] = {
        "Statement": f'UPDATE "StateTable" {sets} WHERE "id" = ?{where}',
        "Parameters": [
            *given[: len(assigned)],
            name,
            *given[len(assigned) : len(assigned) + after],
        ],
    }
    if old:
        statement["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return statement


def _batch(statements: Sequence[dict[str, Any]]) -> Operation:
    return Operation(
        f"statements {statements}",
        lambda store, _: store.batch_execute_statement(Statements=statements),
    )


batches = st.builds(
    _batch,
    st.lists(
        st.builds(
            _statement,
            st.sampled_from(KEYS).map(lambda name: {"S": name}),
            assignments,
            where,
            st.lists(st.one_of(numbers, numbers, strings, others), min_size=5, max_size=5),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
)
"""UPDATEs in PartiQL, an item sometimes twice in a batch."""

queries = st.one_of(
    st.builds(_single, delta_rows, st.just("ALL_OLD")),
    st.builds(_query, st.integers(1, 3), st.booleans()),
)
"""Rows of a partition, and queries for them."""
