"""Requests at the limits of what DynamoDB accepts, which random requests seldom reach."""

from collections.abc import Iterator
from typing import Any

Request = dict[str, Any]
Call = tuple[str, Request]

TABLE = {"TableName": "StateTable"}
NAMES = {"ExpressionAttributeNames": {"#it": "it"}}
ONE = {"ExpressionAttributeValues": {":n": {"N": "1"}}}
LONG = "x" * 2049
BIG = {"S": "x" * 410_000}
DIGITS = "9" * 38
ADD_TO = {
    "it": 'UPDATE "StateTable" SET "it" = "it" + ? SET "b" = ? WHERE "id" = ? AND ("b" IS MISSING OR "b" < ?)',
    "is": 'UPDATE "StateTable" SET "is" = "is" + ? SET "b" = ? WHERE "id" = ? AND ("b" IS MISSING OR "b" < ?)',
}
SET_ON = 'UPDATE "StateTable" SET "it" = ? WHERE "id" = ? AND '

NUMBERS = [
    "1.50",
    "-2E3",
    "-0",
    "0e10",
    "00012",
    "+5",
    "5.",
    ".5",
    "1e-130",
    "9.99e125",
    "123e37",
    DIGITS,
]
NOT_NUMBERS = [
    "",
    "x",
    " 1",
    "1_0",
    "NaN",
    "Infinity",
    "1" * 39,
    "0." + "1" * 39,
    "1e126",
    "1e-131",
]


def put(name: str, **attributes: Any) -> Call:
    return "put_item", {**TABLE, "Item": {**_key(name), **attributes}}


def get(name: str) -> Call:
    return "get_item", {**TABLE, "Key": _key(name), "ConsistentRead": True}


def look(*names: str, table: str = "StateTable", **more: Any) -> Call:
    asked: Request = {"Keys": [_key(name) for name in names], "ConsistentRead": True, **more}
    return "batch_get_item", {"RequestItems": {table: asked}}


def update(name: str, expression: str, **more: Any) -> Call:
    return "update_item", {**TABLE, "Key": _key(name), "UpdateExpression": expression, **more}


def add(name: str, number: str, attribute: str = "it") -> Request:
    return {
        **TABLE,
        "Key": _key(name),
        "UpdateExpression": "ADD #it :n",
        "ExpressionAttributeNames": {"#it": attribute},
        "ExpressionAttributeValues": {":n": {"N": number}},
    }


def transact(*actions: Request, token: str | None = None) -> Call:
    more = {} if token is None else {"ClientRequestToken": token}
    return "transact_write_items", {"TransactItems": list(actions), **more}


def batch(*statements: Request) -> Call:
    return "batch_execute_statement", {"Statements": list(statements)}


def statement(text: str, *parameters: Any, **more: Any) -> Request:
    return {"Statement": text, "Parameters": list(parameters), **more}


def insert(name: str, number: str = "1", table: str = "StateTable") -> Request:
    text = f"INSERT INTO \"{table}\" VALUE {{'id': ?, 'Version': ?}}"
    return statement(text, {"S": name}, {"N": number})


def _key(name: str) -> Request:
    return {"id": {"S": name}}


def _put(name: str, **attributes: Any) -> Request:
    return {"Put": put(name, **attributes)[1]}


def _absent(name: str) -> Request:
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    return {"ConditionCheck": {**TABLE, "Key": _key(name), **condition}}


def _in_number_table(**attributes: Any) -> Call:
    return "put_item", {"TableName": "NumberTable", "Item": attributes}


def edges() -> Iterator[tuple[str, list[Call]]]:
    """Each case: its name, and the calls (operation, request) to make one after the other."""
    for text in NUMBERS:
        yield f"the number {text}", [put("a", it={"N": text}), get("a")]
    for text in NOT_NUMBERS:
        yield f"the number {text!r}", [
            put("a", it={"N": text}),
            update("a", "SET #it = :n", **NAMES, ExpressionAttributeValues={":n": {"N": text}}),
            ("update_item", add("a", text)),
            transact({"Update": add("a", text)}),
            batch(insert("a", text), insert("b")),
        ]
    for start, addend in (
        (DIGITS, "1"),
        (DIGITS, DIGITS),
        (DIGITS, "0.1"),
        ("1e30", "1e-10"),
        ("9.9e125", "9.9e125"),
        ("1.1e-129", "-1e-129"),
        ("1.1e-130", "-1e-130"),
    ):
        yield f"{start} + {addend}", [
            put("a", it={"N": start}),
            ("update_item", {**add("a", addend), "ReturnValues": "ALL_NEW"}),
            transact({"Update": add("b", "1")}, {"Update": add("a", addend)}),
            update(
                "a", "SET #it = #it - :n", **NAMES, ExpressionAttributeValues={":n": {"N": addend}}
            ),
        ]
    for name in ("", LONG):
        key = "no key" if not name else "a long key"
        yield key, [
            put(name),
            get(name),
            ("delete_item", {**TABLE, "Key": _key(name)}),
            ("update_item", add(name, "1")),
            batch(insert(name), insert("b")),
        ]
    yield "a long key in a transaction", [
        transact(_put("a"), _put(LONG)),
        transact(_put(LONG), _absent("a")),
    ]
    yield "no key in a transaction", [transact(_put("a"), _put(""))]
    yield "a key of the full length", [put(LONG[:-1]), get(LONG[:-1])]
    for length in (1024, 1025):
        yield f"a sort key of {length}", [
            _in_number_table(Lane={"N": "1.0"}, Delta={"S": "x" * length})
        ]
    yield "keys that are not the table's", [
        ("put_item", {**TABLE, "Item": {"it": {"S": "a"}}}),
        ("put_item", {**TABLE, "Item": {"id": {"N": "1"}}}),
        ("get_item", {**TABLE, "Key": {"it": {"S": "a"}}, "ConsistentRead": True}),
        ("get_item", {**TABLE, "Key": {**_key("a"), "it": {"S": "a"}}, "ConsistentRead": True}),
        ("get_item", {**TABLE, "Key": {"id": {"N": "1"}}, "ConsistentRead": True}),
    ]
    yield "an item that is too big", [
        put("a", it=BIG),
        transact(_put("a", it=BIG)),
        batch({**insert("a"), "Parameters": [{"S": "a"}, BIG]}, insert("b")),
    ]
    grow = update("a", "SET b = :n", ExpressionAttributeValues={":n": {"S": "x" * 20_000}})
    yield "an item that grows too big", [
        put("a", it={"S": "x" * 400_000}),
        grow,
        transact(_absent("b"), {"Update": grow[1]}),
    ]
    yield "a transaction of more than 4 MB", [
        transact(*(_put(f"a{number}", it={"S": "x" * 400_000}) for number in range(11)))
    ]
    yield "a transaction of 0, 100 and 101 actions", [
        transact(*(_put(f"a{number}") for number in range(count))) for count in (0, 100, 101)
    ]
    yield "a transaction with an item twice", [
        transact(_put("a"), {"Update": add("a", "1")}),
        get("a"),
    ]
    yield "a transaction of a missing table", [
        transact(_put("a"), {"Put": {"TableName": "Nowhere", "Item": _key("a")}}),
        get("a"),
    ]
    yield "a transaction that changes a key", [
        transact({"Update": add("a", "1", attribute="id")}),
        transact(_put("b"), {"Update": add("a", "1", attribute="id")}),
        ("update_item", add("a", "1", attribute="id")),
    ]
    yield "a transaction that fails for several reasons", [
        put("a", it={"S": "x"}),
        transact(_absent("a"), {"Update": add("a1", "1")}, _put(LONG)),
        transact({"Update": add("a", "1")}, _absent("b")),
    ]
    yield "a token", [
        transact({"Update": add("a", "1")}, token="token of this"),
        transact({"Update": add("a", "1")}, token="token of this"),
        get("a"),
        transact({"Update": add("a", "2")}, token="token of this"),
        transact(_absent("a"), token="token of a failure"),
        transact({"Update": add("a", "2")}, token="token of a failure"),
        transact({"Update": add("a", "2")}, token="x" * 37),
    ]
    yield "a batch of 0, 25 and 26 statements", [
        batch(*(insert(f"a{number}") for number in range(count))) for count in (0, 25, 26)
    ]
    yield "a batch with a missing table", [
        batch(insert("a"), insert("a", table="Nowhere"), insert("b"))
    ]
    a, b = {"S": "a"}, {"S": "b"}
    yield "a batch that changes a key", [
        batch(
            statement('UPDATE "StateTable" SET "id" = ? WHERE "id" = ?', b, a),
            statement('UPDATE "StateTable" SET "it" = ? WHERE "it" = ?', b, a),
            statement('UPDATE "StateTable" SET "a" = ? SET "a" = ? WHERE "id" = ?', b, b, b),
        )
    ]
    old: Request = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    for attribute, added in (("it", {"N": "1"}), ("it", {"S": "x"}), ("is", {"N": "1"})):
        for before in ({"N": DIGITS}, {"S": "x"}, {"N": "2"}):
            yield f"a statement that adds {added} to {attribute} where it is {before}", [
                put("a", it=before),
                batch(statement(ADD_TO[attribute], added, {"S": "2"}, a, {"S": "1"}, **old)),
                get("a"),
            ]
    yield "statements on what is missing", [
        put("a", it={"N": "1"}),
        *(
            batch(statement(SET_ON + condition, {"N": "2"}, {"S": name}, **old))
            for condition in ('"is" IS MISSING', '"it" IS MISSING', '"id" IS MISSING')
            for name in "ab"
        ),
    ]
    for never in ({"S": "x"}, {"N": "1"}, {"S": ""}):
        yield f"a local index's key {never}", [
            _in_number_table(Lane={"N": "0"}, Delta=a, Never=never)
        ]
    yield "a batch of 0, 1, 100 and 101 keys", [
        put("a7", it={"N": "1"}, Value={"N": "2"}),
        *(look(*(f"a{number}" for number in range(count))) for count in (0, 1, 100, 101)),
    ]
    yield "a batch of keys with a projection", [
        put("a", it={"N": "1"}, Value={"N": "2"}),
        look("a", "b", ProjectionExpression="#it", ExpressionAttributeNames={"#it": "it"}),
        look("a", ProjectionExpression="#it, id", ExpressionAttributeNames={"#it": "it"}),
        look("a", ProjectionExpression="Value"),
        look("a", ProjectionExpression="id", ExpressionAttributeNames={"#it": "it"}),
    ]
    yield "a batch of keys that are refused", [
        put("a"),
        look("a", "a"),
        look("a", ""),
        look("a", LONG),
        look("a", table="NumberTable"),
        look("a", table="Nowhere"),
    ]
    yield "missing tables", [
        ("put_item", {"TableName": "Nowhere", "Item": {"id": {"N": "x"}}}),
        ("get_item", {"TableName": "Nowhere", "Key": _key("a"), "ConsistentRead": True}),
        ("scan", {"TableName": "Nowhere", "ConsistentRead": True}),
        ("update_item", {**add("a", "1"), "TableName": "Nowhere"}),
    ]
    yield "placeholders that are not used, or not defined", [
        update(
            "a",
            "SET #it = :n",
            **NAMES,
            ExpressionAttributeValues={":n": {"N": "1"}, ":m": {"N": "1"}},
        ),
        update("a", "SET #it = :n", ExpressionAttributeNames={"#it": "it", "#is": "is"}, **ONE),
        update("a", "SET #it = :n", **NAMES),
        update("a", "SET #it = :n", **ONE),
        update("a", "REMOVE it", **ONE),
        update("a", "REMOVE it", ExpressionAttributeNames={}),
        update("a", "REMOVE it", ConditionExpression="attribute_exists(#no)"),
        update("a", ""),
        update("a", " "),
    ]
    yield "reserved words", [
        update("a", f"SET {name} = :n", **ONE)
        for name in ("Value", "name", "SOURCE", "version", "id_", "Lane")
    ]
    yield "expressions that are refused", [
        update("a", expression, **ONE)
        for expression in (
            "SET a = :n SET b = :n",
            "SET a = :n, a = :n",
            "SET a = :n REMOVE a",
            "SET b = missing + :n",
            "SET b = missing, a = :n",
            "SET b = if_not_exists(missing, :n) + :n",
            "set b = if_not_exists(missing, :n) - b remove a",
        )
    ]
    yield "an unneeded default that the item lacks", [
        put("a", it={"N": "1"}),
        update("a", "SET it = if_not_exists(it, absent)"),
    ]
    yield "conditions with parentheses", [
        update("a", "SET b = :n", ConditionExpression=condition, **ONE)
        for condition in (
            "((attribute_exists(b)))",
            "(attribute_exists(b)) OR ((attribute_not_exists(b)))",
            "(attribute_exists(b) OR (attribute_not_exists(b)))",
        )
    ]
    yield "answers of writes", [
        put("a", it={"N": "1"}),
        *(
            ("update_item", {**add("a", "1"), "ReturnValues": wanted})
            for wanted in ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "SOME")
        ),
        ("put_item", {**put("a")[1], "ReturnValues": "ALL_NEW"}),
        ("put_item", {**put("a")[1], "ReturnValues": "ALL_OLD"}),
        ("delete_item", {**TABLE, "Key": _key("a"), "ReturnValues": "ALL_OLD"}),
        ("delete_item", {**TABLE, "Key": _key("a"), "ReturnValues": "ALL_OLD"}),
        ("update_item", {**TABLE, "Key": _key("a")}),
        update("b", "REMOVE it"),
    ]
    for condition in (
        "#Lane = :zero",
        "#Delta = :text",
        "#Lane = :text",
    ):
        given = {":zero": {"N": "0"}, ":text": {"S": "a"}}
        names = {"#Lane": "Lane", "#Delta": "Delta"}
        yield f"query {condition}", [
            (
                "query",
                {
                    "TableName": "NumberTable",
                    "KeyConditionExpression": condition,
                    "ExpressionAttributeNames": {k: v for k, v in names.items() if k in condition},
                    "ExpressionAttributeValues": {k: v for k, v in given.items() if k in condition},
                    "ConsistentRead": True,
                },
            )
        ]
