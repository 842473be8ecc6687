"""The names, keys and rows on which the workshop's tools rely, and the mappings' settings that exact totals need."""

import json
import re
import time
from typing import Any

import pytest

from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades

TABLES = {
    "StateTable": ({"id": "S"}, "NEW_AND_OLD_IMAGES", None),
    "ReduceTable": ({"Lane": "S", "Source": "S"}, "NEW_IMAGE", "ExpiresAt"),
    "AggregateTable": ({"Identifier": "S"}, None, None),
    "ParameterTable": ({"parameter": "S"}, None, None),
    "RegistryTable": ({"Scope": "S", "Name": "S"}, None, "ExpiresAt"),
}
LOCAL_INDEX_KEYS = {"ReduceTable": {"Never": "S"}}


def test_the_stack_has_exactly_the_documented_tables_streams_and_functions(
    stack: LiveStack,
) -> None:
    functions = {each["FunctionName"] for each in stack.functions.list_functions()["Functions"]}
    # The tests turn the audit on.
    assert functions - {"AuditLambda"} == {
        "StateLambda",
        "MapLambda",
        "ReduceLambda",
        "GeneratorLambda",
        "HealthLambda",
    }
    assert set(stack.dynamodb.list_tables()["TableNames"]) == set(TABLES)
    assert stack.kinesis.list_streams()["StreamNames"] == ["IncomingDataStream"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_keys_stream_and_time_to_live(stack: LiveStack, name: str) -> None:
    keys, view, expires = TABLES[name]
    table = stack.dynamodb.describe_table(TableName=name)["Table"]
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    assert types == {**keys, **LOCAL_INDEX_KEYS.get(name, {})}
    assert [(each["AttributeName"], each["KeyType"]) for each in table["KeySchema"]] == list(
        zip(keys, ("HASH", "RANGE"), strict=False)
    )
    assert table.get("StreamSpecification", {}).get("StreamViewType") == view
    found = stack.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert found.get("AttributeName") == expires


@pytest.mark.parametrize("part", FUNCTIONS)
def test_mappings_have_the_settings_that_exact_totals_need(stack: LiveStack, part: str) -> None:
    mapping = stack.mapping(part)
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BatchSize"] == 1000
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ParallelizationFactor"] == 1
    if part == "state":
        # Unlimited retries, until an hour before the record expires.
        assert mapping["MaximumRetryAttempts"] == -1
        assert mapping["MaximumRecordAgeInSeconds"] == 23 * 3600
        assert mapping["BisectBatchOnFunctionError"] is False
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith(stack.bucket)
        return
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == -1
    assert mapping["BisectBatchOnFunctionError"] is False
    assert mapping["TumblingWindowInSeconds"] == 900
    if part == "reduce":
        (only,) = mapping["FilterCriteria"]["Filters"]
        assert json.loads(only["Pattern"]) == {"eventName": ["INSERT", "MODIFY"]}


def test_rows_have_the_documented_attributes_and_types(stack: LiveStack, trades: Trades) -> None:
    sent = int(time.time()) - 0.1002922
    message = trades.message("t1", 3, "34624.51", region="AMER", Timestamp=sent)
    stack.put([message])
    stack.settle(trades)

    def row(table: str, **key: Any) -> dict[str, Any]:
        return dict(stack.dynamodb.get_item(TableName=table, Key=key).get("Item", {}))

    state = row("StateTable", id={"S": f"{trades.root}/t1"})
    hierarchy = {"Region": "AMER", "RiskType": trades.root, "TradeDesk": "FXSpot"}
    assert state["Version"] == {"N": "3"}
    assert state["Value"] == {"N": "34624.51"}
    assert state["Path"] == {"S": f"{trades.root}:FXSpot:AMER"}
    assert state["Hierarchy"] == {"S": json.dumps(hierarchy, sort_keys=True)}
    assert state["Timestamp"] == {"N": str(sent)}
    assert state.get("Deleted", {"BOOL": False}) == {"BOOL": False}

    nodes = [trades.root, f"{trades.root}:FXSpot", f"{trades.root}:FXSpot:AMER"]
    for node in nodes:
        found = row("AggregateTable", Identifier={"S": node})
        applied = [name for name in found if re.fullmatch(r"Applied[0-9a-f]{8}_1", name)]
        assert set(found) == {"Identifier", "Value", "Count", *applied}
        assert found["Value"] == {"N": "34624.51"}
        assert found["Count"] == {"N": "1"}
        (checkpoint,) = applied
        assert re.fullmatch(r"\d{10}\.\d{40}", found[checkpoint]["S"])


def test_reduce_table_has_a_local_index_without_entries(stack: LiveStack) -> None:
    table = stack.dynamodb.describe_table(TableName="ReduceTable")["Table"]
    [index] = table["LocalSecondaryIndexes"]
    assert index["IndexName"] == "OneCollection"
    assert index["KeySchema"] == [
        {"AttributeName": "Lane", "KeyType": "HASH"},
        {"AttributeName": "Never", "KeyType": "RANGE"},
    ]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    rows = stack.dynamodb.scan(TableName="ReduceTable", IndexName="OneCollection")
    assert rows["Items"] == []
