"""Why the simulation has a DynamoDB of its own: how long calls take there, in moto and in DynamoDB Local.

    PYTHONPATH=scripts:lambda_src:tests:. python -m support.measure_stores

prints a table in Markdown: a read, a transaction of 12 updates, State's batch of 25 statements.
"""

import itertools
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import moto

from leda.pipeline.messages import Message
from leda.pipeline.state_store import MAX_STATEMENTS, StateStore
from leda_cli.develop import toolchain
from leda_cli.memory_dynamodb.store import MemoryDynamoDB
from support import dynamodb_local
from support.tables import definition

SECONDS = 2.0
"""How long each call is repeated."""
ACTIONS = 12
ROWS = 1_000
"""So many rows are in the tables of the transaction, when it is measured again."""

TABLES = {
    "StateTable": ["id"],
    "AggregateTable": ["Identifier"],
}


@contextmanager
def _memory() -> Iterator[Any]:
    yield MemoryDynamoDB(time.time, lambda _change: None)


@contextmanager
def _moto() -> Iterator[Any]:
    with moto.mock_aws():
        sdk: Any = boto3
        yield sdk.client("dynamodb", **dynamodb_local.CREDENTIALS)


@contextmanager
def _dynamodb_local() -> Iterator[Any]:
    folder = toolchain.dynamodb_local_folder(toolchain.install_emulators(toolchain.find_node()))
    with ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "dynamodb.log"
        java = toolchain.find_java()
        endpoint = stack.enter_context(dynamodb_local.running(java, folder, log))
        yield dynamodb_local.client("dynamodb", endpoint)


STORES = {"in memory": _memory, "moto": _moto, "DynamoDB Local": _dynamodb_local}


def _time(call: Callable[[], object]) -> str:
    """The mean time of a call, or what it fails with."""
    try:
        # Java takes a while to get fast.
        _repeat(call)
    except Exception as error:
        return f"fails: {type(error).__name__}"
    return f"{_repeat(call) * 1e6:,.0f} µs"


def _repeat(call: Callable[[], object]) -> float:
    """Call for SECONDS, at least once; the mean time."""
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS:
        call()
        count += 1
    return passed / count


def _create(client: Any) -> None:
    for name, keys in TABLES.items():
        client.create_table(**definition(name, dict.fromkeys(keys, "S")))


def _transaction(client: Any) -> Callable[[], object]:
    """A transaction that adds to some rows."""
    actions = [
        {
            "Update": {
                "TableName": "AggregateTable",
                "Key": {"Identifier": {"S": f"PV:desk{number}:EMEA"}},
                "UpdateExpression": "ADD #Value :value",
                "ExpressionAttributeNames": {"#Value": "Value"},
                "ExpressionAttributeValues": {":value": {"N": "34624.51"}},
            }
        }
        for number in range(ACTIONS)
    ]
    return lambda: client.transact_write_items(TransactItems=actions)


def _read(client: Any) -> Callable[[], object]:
    key = {"Identifier": {"S": "PV:desk0:EMEA"}}
    return lambda: client.get_item(TableName="AggregateTable", Key=key, ConsistentRead=True)


def _batches(client: Any) -> Callable[[], object]:
    """State's batches: each of 25 new trades."""
    store = StateStore(client, "StateTable", 1)
    names = itertools.count()

    def write() -> None:
        value, at = Decimal("34624.51"), Decimal("1616413258.8997078")
        batch = [
            Message(f"trade-{next(names)}", 1, value, "PV:FXSpot:EMEA", "{}", at)
            for _ in range(MAX_STATEMENTS)
        ]
        store.write(batch)

    return write


def _fill(client: Any) -> None:
    for number in range(ROWS):
        item = {"Identifier": {"S": f"row{number}"}, "Value": {"N": str(number)}}
        client.put_item(TableName="AggregateTable", Item=item)


def _sum_of_38_digits(client: Any) -> str:
    """What is stored of 10^20 + 10^-17, a sum of 38 digits."""
    for number in ("100000000000000000000", "0.00000000000000001"):
        client.update_item(
            TableName="AggregateTable",
            Key={"Identifier": {"S": "sum"}},
            UpdateExpression="ADD #Value :value",
            ExpressionAttributeNames={"#Value": "Value"},
            ExpressionAttributeValues={":value": {"N": number}},
        )
    answer = client.get_item(
        TableName="AggregateTable", Key={"Identifier": {"S": "sum"}}, ConsistentRead=True
    )
    kept = Decimal(answer["Item"]["Value"]["N"])
    return "exact" if kept == Decimal("100000000000000000000.00000000000000001") else "rounded"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def main() -> None:
    """Measure each store, and print the table."""
    rows: dict[str, list[str]] = {
        "get_item": [],
        f"transaction of {ACTIONS} actions": [],
        f"the same beside {ROWS:,} rows": [],
        f"batch of {MAX_STATEMENTS} statements": [],
        "a sum of 38 digits": [],
    }
    before = _load()
    for store in STORES.values():
        with store() as client:
            _create(client)
            transaction = _transaction(client)
            commit, read = _time(transaction), _time(_read(client))
            batch = _time(_batches(client))
            total = _sum_of_38_digits(client)
            _fill(client)
            figures = [read, commit, _time(transaction), batch, total]
        for cells, figure in zip(rows.values(), figures, strict=True):
            cells.append(figure)
    print(f"| | {' | '.join(STORES)} |")
    print(f"|---|{'---:|' * len(STORES)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")
    versions = (
        f"Python {platform.python_version()}, boto3 {boto3.__version__}, moto {moto.__version__}"
    )
    print(f"\nMeans over {SECONDS:.0f} s, after as long uncounted; {versions};")
    print(f"{os.cpu_count()} cores, load {before} before and {_load()} after.")


if __name__ == "__main__":
    main()
