"""The store in memory by itself: time, the sharing of objects, pages, and what it does not know.

What it answers is compared with DynamoDB Local in tests/handlers/test_memory_dynamodb.py.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulation.edge_requests import (
    ONE,
    Call,
    add,
    batch,
    get,
    insert,
    look,
    put,
    transact,
    update,
)
from simulation.memory_dynamodb import Change, MemoryDynamoDB


class Alone:
    """The store by itself: a clock to set, and the changes that were told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.changes: list[Change] = []
        self.store = MemoryDynamoDB(lambda: self.now, self.changes.append)
        self.store.create_table(
            TableName="StateTable",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    def call(self, call: Call) -> Any:
        name, request = call
        return getattr(self.store, name)(**request)

    def pages(self, **more: Any) -> Iterator[list[dict[str, Any]]]:
        paginator = self.store.get_paginator("scan")
        for page in paginator.paginate(TableName="StateTable", ConsistentRead=True, **more):
            yield page["Items"]


@pytest.fixture
def alone() -> Alone:
    return Alone()


def test_a_token_is_forgotten_ten_minutes_after_its_transaction(alone: Alone) -> None:
    same, other = (transact({"Update": add("a", number)}, token="t") for number in "12")
    alone.call(same)
    alone.now += 599.9
    alone.call(same)
    assert len(alone.changes) == 1
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        alone.call(other)

    alone.now += 0.1
    alone.call(other)

    assert [change.new and change.new["it"] for change in alone.changes] == [{"N": "1"}, {"N": "3"}]


def test_no_row_is_changed_through_what_was_handed_in_or_out(alone: Alone) -> None:
    given = {"it": {"M": {"x": {"L": [{"N": "1"}]}}}}
    request = put("a", **given)
    alone.call(request)
    failing = _absent_or_shown()
    with pytest.raises(ClientError) as refused:
        alone.call(failing)
    shown: Any = refused.value.response
    handed = [
        request[1]["Item"],
        alone.call(get("a"))["Item"],
        next(alone.pages())[0],
        alone.changes[0].new,
        shown["CancellationReasons"][0]["Item"],
    ]
    for item in handed:
        item["it"]["M"]["x"]["L"][0]["N"] = "2"
        item["it"]["M"].clear()

    assert alone.call(get("a"))["Item"] == {
        "id": {"S": "a"},
        "it": {"M": {"x": {"L": [{"N": "1"}]}}},
    }


def _absent_or_shown() -> Call:
    check = {
        "TableName": "StateTable",
        "Key": {"id": {"S": "a"}},
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return transact({"ConditionCheck": check})


def test_a_transaction_tells_its_changes_in_order_and_a_cancelled_one_none(alone: Alone) -> None:
    alone.call(put("b"))
    alone.changes.clear()
    alone.call(transact(*({"Update": add(name, "1")} for name in "cba")))
    assert [change.keys["id"]["S"] for change in alone.changes] == ["c", "b", "a"]

    alone.changes.clear()
    with pytest.raises(ClientError, match="TransactionCanceled"):
        alone.call(transact({"Update": add("d", "1")}, *_absent_or_shown()[1]["TransactItems"]))
    assert alone.changes == []


def test_a_page_ends_at_one_megabyte(alone: Alone) -> None:
    for number in range(7):
        alone.call(put(f"a{number}", it={"S": "x" * 300_000}))

    assert [len(page) for page in alone.pages()] == [4, 3]


def test_a_batch_of_keys_ends_at_16_megabytes_and_names_the_keys_that_are_left(
    alone: Alone,
) -> None:
    names = [f"a{number}" for number in range(50)]
    for name in names[1:]:
        alone.call(put(name, it={"S": "x" * 400_000}))

    answer = alone.call(look(*names, ProjectionExpression="id"))

    found = [row["id"]["S"] for row in answer["Responses"]["StateTable"]]
    left = answer["UnprocessedKeys"]["StateTable"]
    assert found == names[1:42]
    assert left.pop("Keys") == [{"id": {"S": name}} for name in names[42:]]
    assert left == {"ConsistentRead": True, "ProjectionExpression": "id"}


def test_pages_go_on_after_a_row_that_is_gone(alone: Alone) -> None:
    for name in "abcd":
        alone.call(put(name))
    pages = alone.pages(Limit=2)
    last = next(pages)[-1]
    alone.store.delete_item(TableName="StateTable", Key=last)

    assert [row["id"]["S"] for page in pages for row in page] == ["c", "d"]


def test_the_segments_of_a_scan_have_every_row_once(alone: Alone) -> None:
    for number in range(20):
        alone.call(put(f"a{number}"))
    segments = [
        [row["id"]["S"] for page in alone.pages(Segment=each, TotalSegments=3) for row in page]
        for each in range(3)
    ]

    assert all(segments)
    assert sorted(row for rows in segments for row in rows) == sorted(
        f"a{number}" for number in range(20)
    )


@pytest.mark.parametrize(
    "call",
    [
        update("a", "DELETE it :n", **ONE),
        update("a", "SET it = list_append(it, :n)", **ONE),
        update("a", "SET it.is = :n", **ONE),
        update("a", "SET it[0] = :n", **ONE),
        update("a", "SET it = :n,", **ONE),
        *(
            update("a", "SET it = :n", ConditionExpression=text, **ONE)
            for text in ("size(it) > :n", "it IN (:n)", "contains(it, :n)", "it = :n OR", "it ~ :n")
        ),
        put("a", it={"SS": ["x"]}),
        put("a", it={"B": b"x"}),
        ("put_item", {**put("a")[1], "ReturnConsumedCapacity": "TOTAL"}),
        ("put_item", {**put("a")[1], "Expected": {}}),
        ("get_item", {"TableName": "StateTable", "Key": {"id": {"S": "a"}}}),
        ("scan", {"TableName": "StateTable"}),
        look("a", ConsistentRead=False),
        look("a", AttributesToGet=["id"]),
        ("batch_get_item", {"RequestItems": {name: {"Keys": []} for name in "ab"}}),
        batch({"Statement": 'SELECT * FROM "StateTable"', "Parameters": []}),
        batch({"Statement": 'DELETE FROM "StateTable" WHERE "id" = ?', "Parameters": [{"S": "a"}]}),
        batch({**insert("a"), "Parameters": [{"S": "a"}]}),
    ],
    ids=lambda call: f"{call[0]} {call[1]}"[:120],
)
def test_what_the_store_does_not_know_it_refuses(alone: Alone, call: Call) -> None:
    with pytest.raises(NotImplementedError):
        alone.call(call)
