"""The benchmark's stub of DynamoDB answers both designs, and both have the same totals over it.

tests/emulated/test_memory_dynamodb.py tests the store behind the stub.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks import stub
from benchmarks.designs import DESIGNS, LEDA
from benchmarks.environment import Failed
from benchmarks.events import Messages
from benchmarks.stages import pipelines
from benchmarks.stub import Stub

KEYS = {"Trades": ("id",), "Rows": ("Lane", "Source")}


@pytest.fixture(scope="module")
def server() -> Iterator[Stub]:
    with stub.running(KEYS, frozenset({"Trades"})) as server:
        yield server


@pytest.fixture
def dynamodb(server: Stub) -> Any:
    make: Any = boto3.client
    return make(
        "dynamodb",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def trade(request: pytest.FixtureRequest) -> dict[str, str]:
    """A key of this test."""
    return {"S": request.node.name}


def number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def store(dynamodb: Any, trade: dict[str, str], version: int) -> None:
    dynamodb.update_item(
        TableName="Trades",
        Key={"id": trade},
        UpdateExpression="SET #Version = :Version ADD #Count :one",
        ConditionExpression="attribute_not_exists(#id) OR #Version < :Version",
        ExpressionAttributeNames={"#id": "id", "#Version": "Version", "#Count": "Count"},
        ExpressionAttributeValues={":Version": number(version), ":one": number(1)},
    )


def test_a_failed_condition_returns_the_row(dynamodb: Any, trade: dict[str, str]) -> None:
    def put(sequence: str) -> Any:
        return dynamodb.put_item(
            TableName="Rows",
            Item={"Lane": trade, "Source": trade, "Sequence": {"S": sequence}},
            ConditionExpression="attribute_not_exists(#Sequence) OR #Sequence < :first",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":first": {"S": sequence}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    put("2")
    with pytest.raises(ClientError) as raised:
        put("2")
    response: dict[str, Any] = dict(raised.value.response)
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Item"]["Sequence"] == {"S": "2"}


def test_requests_that_the_stub_does_not_implement_are_refused(
    dynamodb: Any, trade: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="the stub does not know"):
        dynamodb.put_item(
            TableName="Trades",
            Item={"id": trade},
            ConditionExpression="#Count IN (:one)",
            ExpressionAttributeNames={"#Count": "Count"},
            ExpressionAttributeValues={":one": number(1)},
        )
    with pytest.raises(ClientError, match=r"the stub does not know .*IndexName"):
        dynamodb.query(TableName="Trades", IndexName="none", KeyConditionExpression="id = id")
    with pytest.raises(ClientError, match="UnknownOperation"):
        dynamodb.list_tables()
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="Nowhere", Key={"id": trade}, ConsistentRead=True)


def test_calls_are_counted_and_changes_recorded(
    server: Stub, dynamodb: Any, trade: dict[str, str]
) -> None:
    server.take_counts()
    server.take_changes("Trades")
    store(dynamodb, trade, 1)
    asked = {"Keys": [{"id": trade}, {"id": {"S": "x"}}], "ConsistentRead": True}
    answer = dynamodb.batch_get_item(RequestItems={"Trades": asked})
    row = {"id": trade, "Version": number(1), "Count": number(1)}

    assert answer["Responses"] == {"Trades": [row]}
    assert server.take_counts() == {"UpdateItem": 1, "BatchGetItem": 1}
    assert server.take_counts() == {}
    assert server.take_changes("Trades") == [(None, row)]
    # A write that changes nothing makes no record.
    dynamodb.put_item(TableName="Trades", Item=row)
    assert server.take_changes("Trades") == []


def test_both_designs_have_the_same_totals() -> None:
    messages = Messages(seed=1, modified=30)
    batches = [messages.batch(100) for _ in range(2)]
    found: dict[str, dict[str, Decimal]] = {}
    with pipelines() as both:
        for design in DESIGNS:
            pipeline = both[design.name]
            for batch in batches:
                pipeline.play(batch)
                # Repeating the batch must not change anything.
                again = pipeline.invoke("state", pipeline.events.kinesis(batch))
                assert again.requests > 0
                assert pipeline.stub.take_changes(design.table("StateTable")) == []
            keys: Any = boto3.client
            client = keys(
                "dynamodb",
                endpoint_url=pipeline.stub.endpoint,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            rows = client.scan(TableName=design.table("AggregateTable"), ConsistentRead=True)[
                "Items"
            ]
            found[design.name] = {
                row["Identifier"]["S"]: round(Decimal(row["Value"]["N"]), 2) for row in rows
            }

    assert len(found[LEDA.name]) == 18
    assert found[LEDA.name] == found["published"]


def test_an_error_of_a_handler_is_reported() -> None:
    with (
        stub.running(LEDA.tables(), LEDA.streamed()) as server,
        LEDA.environment("map", server.endpoint) as environment,
    ):
        assert environment.started.cpu_ms > 0
        with pytest.raises(Failed, match="KeyError: 'Records'"):
            environment.invoke({})
