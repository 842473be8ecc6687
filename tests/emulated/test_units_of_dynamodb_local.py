"""The sizes by AWS's rules, against what DynamoDB Local charges for single writes and reads.

For transactions it reports 2 units a table whatever they hold, and for PartiQL nothing: those are not compared.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from leda_cli.models.load_model import Workload, state_row
from leda_cli.models.units import item_bytes, read_units, write_units
from support import dynamodb_local
from support.tables import definition

TABLE = "Units"


@pytest.fixture
def client(dynamodb_endpoint: str) -> Iterator[Any]:
    """A client of DynamoDB Local with an empty table."""
    found = dynamodb_local.client("dynamodb", dynamodb_endpoint)
    found.create_table(**definition(TABLE, {"id": "S"}))
    yield found
    found.delete_table(TableName=TABLE)


def row_of(size: int) -> dict[str, Any]:
    """A row of StateTable of so many bytes."""
    row = state_row(Workload(1))
    row["Hierarchy"] = {"S": row["Hierarchy"]["S"] + "x" * (size - item_bytes(row))}
    assert item_bytes(row) == size
    return row


# The size of a number is approximate, so a row is a few bytes from where the next unit begins.
@pytest.mark.parametrize("size", [500, 1020, 1030, 2044, 2054, 4090, 4106, 9000])
def test_a_row_takes_the_units_that_its_size_says(client: Any, size: int) -> None:
    row = row_of(size)
    put = client.put_item(TableName=TABLE, Item=row, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["CapacityUnits"] == write_units(None, row)
    for consistent in (True, False):
        got = client.get_item(
            TableName=TABLE,
            Key={"id": row["id"]},
            ConsistentRead=consistent,
            ReturnConsumedCapacity="TOTAL",
        )
        assert got["ConsumedCapacity"]["CapacityUnits"] == read_units(row, consistent)


def test_an_update_is_charged_by_the_larger_of_before_and_after(client: Any) -> None:
    row = row_of(3000)
    client.put_item(TableName=TABLE, Item=row)
    shorter = {**row, "Hierarchy": {"S": "x"}}
    found = client.update_item(
        TableName=TABLE,
        Key={"id": row["id"]},
        UpdateExpression="SET Hierarchy = :short",
        ExpressionAttributeValues={":short": {"S": "x"}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert found["ConsumedCapacity"]["CapacityUnits"] == write_units(row, shorter) == 3
