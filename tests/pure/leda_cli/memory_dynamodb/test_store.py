"""The DynamoDB in memory: time, isolation of its rows, pages, throughput, and requests that it does not implement.

tests/emulated/test_memory_dynamodb.py compares its answers with those of DynamoDB Local.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda_cli.memory_dynamodb.partitions import Partitions
from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from leda_cli.memory_dynamodb.tables import Table
from support.edge_requests import ONE, Call, add, batch, get, insert, look, put, transact, update
from support.tables import definition, index


class Alone:
    """The store with a clock to set, and the changes that it has reported."""

    def __init__(self, *, is_limited: bool = False) -> None:
        self.now = 1000.0
        self.changes: list[Change] = []
        self.partitions = Partitions(lambda: self.now, count=1)
        self.store = MemoryDynamoDB(
            lambda: self.now, self.changes.append, self.partitions if is_limited else None
        )
        never = index("OneCollection", "Lane", "Never", ProjectionType="KEYS_ONLY")
        keys = {"Lane": "S", "Source": "S"}
        self.store.create_table(
            **definition("ReduceTable", keys, {"Never": "S"}, LocalSecondaryIndexes=[never])
        )
        self.store.create_table(**definition("StateTable", {"id": "S"}))

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


@pytest.fixture
def limited() -> Alone:
    """A store whose tables have one partition each, with the throughput of a partition of DynamoDB."""
    return Alone(is_limited=True)


def test_a_transactions_token_is_forgotten_after_ten_minutes(alone: Alone) -> None:
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


def test_changing_a_request_or_an_answer_does_not_change_the_row(alone: Alone) -> None:
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


def test_a_transaction_reports_its_changes_in_order_and_a_cancelled_one_none(alone: Alone) -> None:
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


def test_a_batch_of_reads_ends_at_16_megabytes_and_returns_the_unprocessed_keys(
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


def test_pages_continue_after_a_row_that_was_deleted(alone: Alone) -> None:
    for name in "abcd":
        alone.call(put(name))
    pages = alone.pages(Limit=2)
    last = next(pages)[-1]
    alone.store.delete_item(TableName="StateTable", Key=last)

    assert [row["id"]["S"] for page in pages for row in page] == ["c", "d"]


def test_the_segments_of_a_scan_return_every_row_once(alone: Alone) -> None:
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


def delta(lane: str, source: str, bytes_: int = 10, **more: Any) -> Call:
    item = {"Lane": {"S": lane}, "Source": {"S": source}, "it": {"S": "x" * bytes_}}
    return "put_item", {"TableName": "ReduceTable", "Item": item, **more}


def test_a_put_reports_the_size_of_an_item_collection_of_a_table_with_a_local_index(
    alone: Alone,
) -> None:
    answer = alone.call(delta("1.0", "a", ReturnItemCollectionMetrics="SIZE"))

    assert answer["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"Lane": {"S": "1.0"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    assert "ItemCollectionMetrics" not in alone.call(delta("1.0", "a"))
    name, request = put("a")
    request["ReturnItemCollectionMetrics"] = "SIZE"
    assert "ItemCollectionMetrics" not in alone.call((name, request))


def test_a_partition_accepts_a_thousand_write_units_a_second(limited: Alone) -> None:
    big = 300 * 1024
    for source in "abc":
        limited.call(delta("1.0", source, big))
    with pytest.raises(ClientError, match="ThrottlingException"):
        limited.call(delta("1.0", "d", big))
    refused = limited.call(batch(insert("a")))["Responses"]
    assert "Error" not in refused[0]  # another table has partitions of its own

    limited.now += 0.5
    limited.call(delta("1.0", "d", big))

    assert len(limited.changes) == 5


def test_replacing_a_row_or_failing_its_condition_costs_the_larger_size(limited: Alone) -> None:
    limited.partitions.units_per_second = 450
    limited.call(delta("1.0", "a", 300 * 1024))
    with pytest.raises(ClientError, match="ThrottlingException"):
        limited.call(delta("1.0", "a"))
    with pytest.raises(ClientError, match="ThrottlingException"):
        limited.call(delta("1.0", "a", ConditionExpression="attribute_not_exists(Lane)"))

    limited.now += 1
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        limited.call(delta("1.0", "a", ConditionExpression="attribute_not_exists(Lane)"))


def test_only_the_statement_that_exceeds_the_throughput_is_throttled(limited: Alone) -> None:
    limited.partitions.units_per_second = 2

    answers = limited.call(batch(*(insert(f"a{number}") for number in range(4))))["Responses"]

    assert [answer.get("Error", {}).get("Code") for answer in answers] == [
        *(None, None, "ThrottlingError", "ThrottlingError")
    ]


def test_a_transaction_larger_than_a_partitions_throughput_is_always_refused(
    limited: Alone,
) -> None:
    rows = [delta("1.0", f"a{number}", 30 * 1024)[1] for number in range(20)]
    for _ in range(3):
        limited.now += 1000
        with pytest.raises(ClientError) as refused:
            limited.call(transact(*({"Put": row} for row in rows)))
        response: Any = refused.value.response
        assert {reason["Code"] for reason in response["CancellationReasons"]} == {"ThrottlingError"}
    assert limited.changes == []

    # Twice 15 times 31 units.
    limited.call(transact(*({"Put": row} for row in rows[:15])))


def test_only_a_local_index_keeps_an_item_collection_in_one_partition(alone: Alone) -> None:
    alone.partitions.count = 8
    with_index, without = alone.store._tables["ReduceTable"], Table("Other", {"a": "S", "b": "S"})
    places = [("1.0", f"shardId-{number}") for number in range(50)]

    assert len({alone.partitions.of(with_index, place) for place in places}) == 1
    assert len({alone.partitions.of(without, place) for place in places}) == 8


def test_rows_expire_and_their_changes_are_marked_as_expiries(alone: Alone) -> None:
    specification = {"Enabled": True, "AttributeName": "ExpiresAt"}
    alone.store.update_time_to_live(TableName="StateTable", TimeToLiveSpecification=specification)
    alone.now = 10.0**9
    ends = {
        "past": {"N": str(10**9 - 1)},
        "now": {"N": str(10**9)},
        "text": {"S": "1"},
        "six years ago": {"N": str(10**9 - 6 * 365 * 24 * 3600)},
    }
    for name, value in ends.items():
        alone.call(put(name, ExpiresAt=value))
    alone.call(put("for ever"))
    alone.changes.clear()

    assert alone.store.delete_expired("StateTable") == 1
    (change,) = alone.changes
    assert change.keys == {"id": {"S": "past"}}
    assert change.old == {"id": {"S": "past"}, "ExpiresAt": ends["past"]}
    assert change.new is None
    assert change.by_time_to_live
    assert alone.store.delete_expired("StateTable") == 0


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
        put("a", it={"BS": [b"x"]}),
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
        *(
            batch({"Statement": f'UPDATE "StateTable" {rest}', "Parameters": [{"S": "a"}]})
            for rest in (
                'SET "a" = "b" + ? WHERE "id" = ?',
                'SET "a" = "a" - ? WHERE "id" = ?',
                'SET "a" = ? WHERE "id" = ? OR "a" IS MISSING',
                'SET "a" = ? WHERE "id" = ? AND "a" IS NOT MISSING',
                'SET "a" = ? WHERE "id" = ? AND "a" IS NULL',
                'SET "a" = ? WHERE "id" = ? AND ("a" IS MISSING',
                'SET "a" = ? WHERE "id" = ? AND begins_with("a", ?)',
            )
        ),
        batch(
            {
                "Statement": 'UPDATE "StateTable" SET "a" = ? WHERE ("id" = ?)',
                "Parameters": [{"S": "a"}, {"S": "a"}],
            }
        ),
    ],
    ids=lambda call: f"{call[0]} {call[1]}"[:120],
)
def test_requests_that_the_store_does_not_implement_are_refused(alone: Alone, call: Call) -> None:
    with pytest.raises(NotImplementedError):
        alone.call(call)
