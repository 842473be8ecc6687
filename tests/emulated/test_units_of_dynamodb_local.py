"""Units computed by AWS's rules equal those that DynamoDB Local reports for single writes and reads.

For transactions it always reports 2 units a table, and for PartiQL none, so neither is compared.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from leda_cli.models.load_model import Workload
from leda_cli.models.load_model import row_of as workload_row
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
    """A row of StateTable with a size of so many bytes."""
    row = workload_row(Workload(1))
    row["Hierarchy"] = {"S": row["Hierarchy"]["S"] + "x" * (size - item_bytes(row))}
    assert item_bytes(row) == size
    return row


# The size of a number is approximate, so each row is a few bytes away from the limit of a unit.
@pytest.mark.parametrize("size", [500, 1020, 1030, 2044, 2054, 4090, 4106, 9000])
def test_units_of_writes_and_reads_follow_from_the_size_of_the_row(client: Any, size: int) -> None:
    row = row_of(size)
    put = client.put_item(TableName=TABLE, Item=row, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["CapacityUnits"] == write_units(None, row)
    got = client.get_item(
        TableName=TABLE, Key={"id": row["id"]}, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
    )
    assert got["ConsumedCapacity"]["CapacityUnits"] == read_units(row)


def test_an_update_takes_the_units_of_the_larger_of_both_rows(client: Any) -> None:
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
