"""The DynamoDB in memory answers like Amazon's DynamoDB Local, and has the same tables and stream records.

Where DynamoDB Local differs from AWS's documentation, the store follows AWS, and the comparison allows for that:

- It keeps a number's text as an update gave it ("1.50"); AWS trims zeros at the ends.
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number
- It refuses a transaction whole, with a ValidationException, when an action's operand does not suit the row; AWS
  cancels it, with a ValidationError among the reasons.
  https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
- Of a transaction that would update a key attribute it lists one reason, not one an action.
- It finds out that a transaction names an item twice only when every condition holds; AWS, before it looks.
  https://repost.aws/knowledge-center/dynamodb-transactwriteitems
- It leaves the table's name out of some of a batch's errors.
- DeleteItem with ALL_OLD of no item answers a ConsumedCapacity that nobody asked for.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from support import dynamodb_local
from support.edge_requests import NUMBERS, Call, edges, put
from support.random_requests import Operation, batches, queries, requests
from support.tables import definition, index

TABLES = {
    "StateTable": {"id": "S"},
    "NumberTable": {"Lane": "N", "Delta": "S"},
    "ReduceTable": {"Lane": "S", "Source": "S"},
    "AggregateTable": {"Identifier": "S"},
    "RegistryTable": {"Scope": "S", "Name": "S"},
}
# The local secondary indexes' sort keys, by table.
INDEXES = {"NumberTable": "Never", "ReduceTable": "Never"}
# The ValidationErrors that DynamoDB Local raises instead of listing them.
OF_OPERANDS = (
    "An operand in the update expression has an incorrect data type",
    "The provided expression refers to an attribute that does not exist in the item",
    "DynamoDB only supports precision up to 38 digits",
    "Number overflow",
    "Number underflow",
)
PATIENCE_SECONDS = 10
OF_A_KEY = "One or more parameter values were invalid: Cannot update attribute"


class Pair:
    """Both stores with the same empty tables, and the changes in each since they were last compared."""

    def __init__(self, endpoint: str) -> None:
        self.local = dynamodb_local.client("dynamodb", endpoint)
        self._streams = dynamodb_local.client("dynamodbstreams", endpoint)
        self._changes: list[Change] = []
        self.memory = MemoryDynamoDB(lambda: 0.0, self._changes.append)
        self._shards: dict[str, dict[str, str]] = {}
        self._seen: dict[str, str] = {}
        for name, keys in TABLES.items():
            request = definition(name, keys)
            if name in INDEXES:
                of_index = index(
                    "Index", *list(keys)[:1], INDEXES[name], ProjectionType="KEYS_ONLY"
                )
                request = definition(
                    name, keys, {INDEXES[name]: "S"}, LocalSecondaryIndexes=[of_index]
                )
            self.memory.create_table(**request)
            stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            created = self.local.create_table(**request, StreamSpecification=stream)
            arn = created["TableDescription"]["LatestStreamArn"]
            (shard,) = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
            self._shards[name] = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        self.stores: tuple[Any, Any] = self.memory, self.local

    def drop(self) -> None:
        for name in TABLES:
            self.local.delete_table(TableName=name)

    def _records(self, table: str) -> list[dict[str, Any]]:
        """The records of the table's stream since the last one seen."""
        start = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._seen[table]}
            if table in self._seen
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        request = {**self._shards[table], **start}
        iterator = self._streams.get_shard_iterator(**request)["ShardIterator"]
        found: list[dict[str, Any]] = [
            record["dynamodb"]
            for record in self._streams.get_records(ShardIterator=iterator)["Records"]
        ]
        if found:
            self._seen[table] = found[-1]["SequenceNumber"]
        return found

    def empty(self) -> None:
        """Delete every row in both."""
        for name, keys in TABLES.items():
            for store in self.stores:
                for row in rows(store, name):
                    store.delete_item(TableName=name, Key={key: row[key] for key in keys})

    def forget_changes(self) -> None:
        """Do not compare the changes made so far."""
        self._changes.clear()
        for table in TABLES:
            self._records(table)

    def require_same_changes(self) -> None:
        """The changes that the store reports equal DynamoDB Local's stream records, for each item in order.

        Stream records come a little later than the writes. The next call would find one too many.
        """
        told, recorded = defaultdict(list), defaultdict(list)
        for change in self._changes:
            told[change.table, plain(change.keys)].append((plain(change.old), plain(change.new)))
        missing = len(self._changes)
        self._changes.clear()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for table in TABLES:
                for record in self._records(table):
                    missing -= 1
                    recorded[table, plain(record["Keys"])].append(
                        (plain(record.get("OldImage")), plain(record.get("NewImage")))
                    )
            if missing <= 0 or time.monotonic() > deadline:
                differing = {
                    item: (told[item], recorded[item])
                    for item in {*told, *recorded}
                    if told[item] != recorded[item]
                }
                assert not differing, f"told, and recorded by DynamoDB Local: {differing}"
                return


def rows(store: Any, table: str) -> list[dict[str, Any]]:
    pages = store.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, Limit=3)
    return [row for page in pages for row in page["Items"]]


def plain(value: Any) -> Any:
    """The value in a form in which equal numbers are equal; DynamoDB Local keeps some numbers' texts as written."""
    if isinstance(value, Mapping):
        if value.keys() == {"N"}:
            return "N", Context(prec=200).create_decimal(value["N"]).normalize()
        return frozenset((name, plain(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value


def outcome_of(call: Callable[[], Any]) -> Any:
    """The outcome of a call: the answer without its metadata, or the error as a Failure."""
    try:
        found = call()
    except ParamValidationError:
        return "the client itself refuses"
    except ClientError as error:
        response: Any = error.response
        reasons = [
            (reason["Code"], reason.get("Message"), plain(reason.get("Item")))
            for reason in response.get("CancellationReasons", [])
        ]
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        failed = response["Error"]
        return Failure(
            failed["Code"], status, failed["Message"], plain(response.get("Item")), reasons
        )
    if isinstance(found, dict):
        found = {
            name: each
            for name, each in found.items()
            if name not in ("ResponseMetadata", "ConsumedCapacity")
        }
        for each in found.get("Responses", []):
            if "Error" in each:
                # Messages change from one release to the next.
                each["Error"].pop("Message")
                each.pop("TableName", None)
    return plain(found)


@dataclass(frozen=True)
class Failure:
    code: str
    status: int
    message: str = field(compare=False)
    item: Any
    reasons: list[tuple[str, str | None, Any]]

    def as_dynamodb_local_answers(self) -> "Failure":
        """The failure as DynamoDB Local answers it, which differs for some cancelled transactions."""
        for wanted, code in ((OF_A_KEY, "TransactionCanceledException"), *_RAISED):
            for reason in self.reasons:
                if reason[0] == "ValidationError" and (reason[1] or "").startswith(wanted):
                    listed = [reason] if code == "TransactionCanceledException" else []
                    return Failure(code, 400, "", None, listed)
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failure) and self._parts() == other._parts()

    def _parts(self) -> Any:
        return self.code, self.status, self.item, [(code, item) for code, _, item in self.reasons]


_RAISED = tuple((text, "ValidationException") for text in OF_OPERANDS)


# -- the tests


@pytest.fixture(scope="module")
def pair(dynamodb_endpoint: str) -> Iterator[Pair]:
    made = Pair(dynamodb_endpoint)
    yield made
    made.drop()


# Without shrinking, which takes minutes; a failure names the operation.
WITHOUT_SHRINKING = (Phase.explicit, Phase.generate)
FULL = [put(name, a={"N": "1"}, b={"S": "ab"}, Value={"N": "10"}) for name in "abc"]


@settings(max_examples=40, phases=WITHOUT_SHRINKING)
@given(sequence=st.lists(requests, min_size=8, max_size=15))
def test_both_stores_answer_random_writes_alike(pair: Pair, sequence: list[Operation]) -> None:
    _compare(pair, [*map(_operation, FULL), *sequence])


@settings(max_examples=40, phases=WITHOUT_SHRINKING)
@given(sequence=st.lists(st.one_of(batches, batches, requests), min_size=8, max_size=15))
def test_both_stores_answer_random_statements_alike(pair: Pair, sequence: list[Operation]) -> None:
    _compare(pair, [*map(_operation, FULL), *sequence])


@settings(max_examples=15, phases=WITHOUT_SHRINKING)
@given(sequence=st.lists(queries, min_size=8, max_size=15))
def test_both_stores_answer_random_queries_alike(pair: Pair, sequence: list[Operation]) -> None:
    _compare(pair, sequence)


def _compare(pair: Pair, sequence: list[Operation]) -> None:
    try:
        _play(pair, sequence)
    except AssertionError:
        # The next example begins with empty tables.
        pair.empty()
        pair.forget_changes()
        raise
    pair.empty()
    pair.require_same_changes()


def _play(pair: Pair, sequence: list[Operation]) -> None:
    prefix = uuid.uuid4().hex
    for operation in sequence:
        ours, theirs = (
            outcome_of(partial(operation.call, client, prefix)) for client in pair.stores
        )
        expected = ours.as_dynamodb_local_answers() if isinstance(ours, Failure) else ours
        assert theirs == expected, f"{operation.text}: {ours}, but DynamoDB Local: {theirs}"
    for table in TABLES:
        ours, theirs = ({plain(row) for row in rows(client, table)} for client in pair.stores)
        assert theirs == ours, f"{table}: {ours}, but DynamoDB Local: {theirs}"


@pytest.mark.parametrize("text", NUMBERS)
def test_both_stores_write_a_number_alike(pair: Pair, text: str) -> None:
    name, request = put("a", it={"N": text})
    kept = []
    for client in pair.stores:
        getattr(client, name)(**request)
        kept += [row["it"] for row in rows(client, "StateTable")]
    pair.empty()
    pair.require_same_changes()

    assert kept[0] == kept[1]


def _operation(call: Call) -> Operation:
    name, request = call
    return Operation(
        f"{name} {request}"[:500], lambda client, _prefix: getattr(client, name)(**request)
    )


@pytest.mark.parametrize("edge", [pytest.param(each, id=name) for name, each in edges()])
def test_both_stores_answer_requests_at_the_limits_alike(pair: Pair, edge: list[Call]) -> None:
    _compare(pair, [_operation(call) for call in edge])
