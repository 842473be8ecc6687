"""The benchmark's stub answers both designs as DynamoDB does, and both add up to the same totals over it."""

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
ADD = 'UPDATE "Trades" SET "Value" = "Value" + ? SET "At" = ? WHERE "id" = ? AND ("At" IS MISSING OR "At" < ?)'
COMPLETE = 'UPDATE "Trades" SET "Value" = ? WHERE "id" = ? AND "Value" IS MISSING'
INSERT = "INSERT INTO \"Trades\" VALUE {'id': ?, 'Version': ?}"
UPDATE = 'UPDATE "Trades" SET "Version" = ? WHERE "id" = ? AND "Version" < ?'


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
    """A key that no other test has."""
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


def test_an_update_writes_on_its_condition_only(dynamodb: Any, trade: dict[str, str]) -> None:
    store(dynamodb, trade, 9)
    store(dynamodb, trade, 10)
    with pytest.raises(ClientError) as raised:
        store(dynamodb, trade, 10)

    assert raised.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    row = dynamodb.get_item(TableName="Trades", Key={"id": trade})["Item"]
    assert row == {"id": trade, "Version": number(10), "Count": number(2)}


def execute(
    dynamodb: Any, statement: str, *parameters: dict[str, str], **more: str
) -> dict[str, Any]:
    given = {"Statement": statement, "Parameters": list(parameters), **more}
    [response] = dynamodb.batch_execute_statement(Statements=[given])["Responses"]
    return dict(response)


def test_statements_say_which_rows_are_there_and_which_are_newer(
    dynamodb: Any, trade: dict[str, str]
) -> None:
    absent = execute(dynamodb, UPDATE, number(1), trade, number(1))
    first = execute(dynamodb, INSERT, trade, number(1))
    again = execute(dynamodb, INSERT, trade, number(1))
    newer = execute(dynamodb, UPDATE, number(2), trade, number(2))
    older = execute(
        dynamodb, UPDATE, number(1), trade, number(1), ReturnValuesOnConditionCheckFailure="ALL_OLD"
    )
    read = execute(dynamodb, 'SELECT "Version" FROM "Trades" WHERE "id" = ?', trade)

    assert absent["Error"]["Code"] == "ConditionalCheckFailed"
    assert "Item" not in absent["Error"]
    assert "Error" not in first | newer
    assert again["Error"]["Code"] == "DuplicateItem"
    assert older["Error"]["Item"] == {"id": trade, "Version": number(2)}
    assert read["Item"] == {"Version": number(2)}


def test_a_total_s_checkpoint_decides_whether_a_statement_adds(
    dynamodb: Any, trade: dict[str, str]
) -> None:
    def add(value: int, at: str) -> str:
        answer = execute(dynamodb, ADD, number(value), {"S": at}, trade, {"S": at})
        return str(answer.get("Error", {}).get("Code", "applied"))

    dynamodb.put_item(TableName="Trades", Item={"id": trade})
    assert add(5, "1") == "ValidationError"
    assert "Error" not in execute(dynamodb, COMPLETE, number(0), trade)
    assert (
        execute(dynamodb, COMPLETE, number(0), trade)["Error"]["Code"] == "ConditionalCheckFailed"
    )
    assert [add(5, "1"), add(5, "1"), add(2, "2")] == [
        "applied",
        "ConditionalCheckFailed",
        "applied",
    ]
    row = dynamodb.get_item(TableName="Trades", Key={"id": trade})["Item"]
    assert row == {"id": trade, "Value": number(7), "At": {"S": "2"}}


def test_a_put_that_a_row_refuses_gives_the_row_back(dynamodb: Any, trade: dict[str, str]) -> None:
    def put(sequence: str) -> Any:
        return dynamodb.put_item(
            TableName="Rows",
            Item={"Lane": trade, "Source": trade, "Sequence": {"S": sequence}},
            ConditionExpression="attribute_not_exists(#Sequence) OR #Sequence < :first",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":first": {"S": sequence}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ReturnItemCollectionMetrics="SIZE",
        )

    metrics = put("2")["ItemCollectionMetrics"]
    assert metrics == {"ItemCollectionKey": {"Lane": trade}, "SizeEstimateRangeGB": [0.0, 1.0]}
    with pytest.raises(ClientError) as raised:
        put("2")
    response: dict[str, Any] = dict(raised.value.response)
    assert response["Item"]["Sequence"] == {"S": "2"}


def test_a_counter_begins_where_it_is_told_and_rises(dynamodb: Any, trade: dict[str, str]) -> None:
    drawn = [
        dynamodb.update_item(
            TableName="Trades",
            Key={"id": trade},
            UpdateExpression="SET #Last = if_not_exists(#Last, :now) + :one",
            ExpressionAttributeNames={"#Last": "Last"},
            ExpressionAttributeValues={":now": number(start), ":one": number(1)},
            ReturnValues="UPDATED_NEW",
        )["Attributes"]
        for start in (100, 500)
    ]
    assert drawn == [{"Last": number(101)}, {"Last": number(102)}]


def test_a_cancelled_transaction_writes_nothing_and_says_why(
    dynamodb: Any, trade: dict[str, str]
) -> None:
    store(dynamodb, trade, 1)
    new = {"Lane": {"S": "0"}, "Source": trade}
    check = {
        "TableName": "Trades",
        "Key": {"id": trade},
        "ConditionExpression": "#Version = :one AND attribute_exists(#Count)",
        "ExpressionAttributeNames": {"#Version": "Version", "#Count": "Nothing"},
        "ExpressionAttributeValues": {":one": number(1)},
    }
    with pytest.raises(ClientError) as raised:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": "Rows", "Item": new}}, {"ConditionCheck": check}]
        )

    codes = [reason["Code"] for reason in raised.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName="Rows", Key=new)


def test_a_transaction_whose_token_is_known_is_not_made_again(
    dynamodb: Any, trade: dict[str, str]
) -> None:
    action = {
        "TableName": "Trades",
        "Key": {"id": trade},
        "UpdateExpression": "ADD #Count :one",
        "ExpressionAttributeNames": {"#Count": "Count"},
        "ExpressionAttributeValues": {":one": {"N": "0.1"}},
    }
    for token in ("first", "first", "second"):
        dynamodb.transact_write_items(TransactItems=[{"Update": action}], ClientRequestToken=token)

    row = dynamodb.get_item(TableName="Trades", Key={"id": trade})["Item"]
    assert Decimal(row["Count"]["N"]) == Decimal("0.2")


def test_a_transaction_of_more_than_100_actions_is_refused(dynamodb: Any) -> None:
    rows = [
        {"Put": {"TableName": "Rows", "Item": {"Lane": {"S": str(place)}, "Source": {"S": "a"}}}}
        for place in range(101)
    ]
    with pytest.raises(ClientError, match="less than or equal to 100"):
        dynamodb.transact_write_items(TransactItems=rows)


def test_what_the_stub_does_not_know_it_refuses(dynamodb: Any, trade: dict[str, str]) -> None:
    for expression in ("size(#Count) > :one", "NOT (#Count = :one OR #Count = :one)"):
        with pytest.raises(ClientError, match="knows no condition"):
            dynamodb.put_item(
                TableName="Trades",
                Item={"id": trade},
                ConditionExpression=expression,
                ExpressionAttributeNames={"#Count": "Count"},
                ExpressionAttributeValues={":one": number(1)},
            )
    with pytest.raises(ClientError, match="knows no update"):
        dynamodb.update_item(
            TableName="Trades",
            Key={"id": trade},
            UpdateExpression="SET #Count = list_append(#Count, :one)",
            ExpressionAttributeNames={"#Count": "Count"},
            ExpressionAttributeValues={":one": number(1)},
        )
    with pytest.raises(ClientError, match="UnknownOperation"):
        dynamodb.list_tables()
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="Nowhere", Key={"id": trade})


def test_calls_are_counted_and_changes_kept_until_they_are_taken(
    server: Stub, dynamodb: Any, trade: dict[str, str]
) -> None:
    server.take_counts()
    server.take_changes("Trades")
    store(dynamodb, trade, 1)
    dynamodb.batch_get_item(RequestItems={"Trades": {"Keys": [{"id": trade}, {"id": {"S": "x"}}]}})
    row = {"id": trade, "Version": number(1), "Count": number(1)}

    assert server.take_counts() == {"UpdateItem": 1, "BatchGetItem": 1}
    assert server.take_counts() == {}
    assert server.take_changes("Trades") == [(None, row)]
    # The same once more changes nothing, and makes no record.
    dynamodb.put_item(TableName="Trades", Item=row)
    assert server.take_changes("Trades") == []


def test_both_designs_add_up_to_the_same_totals() -> None:
    messages = Messages(seed=1, modified=30)
    batches = [messages.batch(100) for _ in range(2)]
    found: dict[str, dict[str, Decimal]] = {}
    with pipelines() as both:
        for design in DESIGNS:
            pipeline = both[design.name]
            for batch in batches:
                pipeline.play(batch)
                # All of it once more: nothing may change.
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
            rows = client.query(
                TableName=design.table("AggregateTable"),
                KeyConditionExpression="attribute_exists(Identifier)",
                ExpressionAttributeValues={":unused": {"N": "0"}},
            )["Items"]
            found[design.name] = {
                row["Identifier"]["S"]: round(Decimal(row["Value"]["N"]), 2) for row in rows
            }

    assert len(found[LEDA.name]) == 18
    assert found[LEDA.name] == found["published"]


def test_a_handler_that_raises_is_reported_with_its_error() -> None:
    with (
        stub.running(LEDA.tables(), LEDA.streamed()) as server,
        LEDA.environment("map", server.endpoint) as environment,
    ):
        assert environment.started.cpu_ms > 0
        with pytest.raises(Failed, match="KeyError: 'Records'"):
            environment.invoke({})
