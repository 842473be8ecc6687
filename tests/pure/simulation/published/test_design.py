"""The published design is exact if a retry is the same batch and comes soon enough, and wrong otherwise.

The simulation compares LEDA with it (simulation/published), so its errors must be the design's own.
"""

import base64
import itertools
import json
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB
from support.pipeline import SOURCES, load
from support.tables import definition

TABLES = {
    "StateTable": {"id": "S"},
    "ReduceTable": {"Lane": "N", "Delta": "S"},
    "AggregateTable": {"Identifier": "S"},
}
PUBLISHED = SOURCES.parent / "simulation" / "published"

Record = dict[str, Any]


class Design:
    """The three functions over a DynamoDB in memory. `records` has each table's stream; `now` is the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.records: dict[str, list[Record]] = {name: [] for name in TABLES}
        self.store = MemoryDynamoDB(lambda: self.now, self._changed)
        for name, keys in TABLES.items():
            self.store.create_table(**definition(name, keys))
        variables = {f"{name.removesuffix('Table').upper()}_TABLE": name for name in TABLES}
        with (
            mock.patch.dict("os.environ", {**variables, "SCHEMA": "{}"}),
            mock.patch("boto3.client", return_value=self.store),
        ):
            self._state, self._map, self._reduce = (
                load(PUBLISHED / f"{name}.py") for name in ("state", "map", "reduce")
            )

    def _changed(self, change: Change) -> None:
        name = "INSERT" if change.old is None else "MODIFY"
        images = {"OldImage": change.old, "NewImage": change.new}
        number = sum(len(found) for found in self.records.values())
        self.records[change.table].append(
            {
                "eventID": f"e{number}",
                "eventName": name,
                "dynamodb": {kind: image for kind, image in images.items() if image},
            }
        )

    def state(self, *messages: dict[str, Any] | bytes) -> None:
        numbers = itertools.count()
        records = [
            {
                "eventID": f"shardId-0:{next(numbers)}",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
                "kinesis": {
                    "sequenceNumber": "1",
                    "partitionKey": "key",
                    "data": base64.b64encode(
                        message if isinstance(message, bytes) else json.dumps(message).encode()
                    ).decode(),
                },
            }
            for message in messages
        ]
        answer = self._state.lambda_handler({"Records": records}, None)
        assert answer == {"batchItemFailures": []}

    def map(self, *records: Record) -> None:
        assert self._map.lambda_handler({"Records": list(records)}, None) == {"state": {}}

    def reduce(self, *records: Record) -> None:
        assert self._reduce.lambda_handler({"Records": list(records)}, None) == {"state": {}}

    def totals(self) -> dict[str, Decimal]:
        rows = self.store.scan(TableName="AggregateTable", ConsistentRead=True)["Items"]
        return {row["Identifier"]["S"]: Decimal(row["Value"]["N"]) for row in rows}


def trade(identifier: str, version: int, value: float, region: str = "EMEA") -> dict[str, Any]:
    levels = {"RiskType": "PV", "TradeDesk": "FX", "Region": region}
    return {"TradeID": identifier, "Version": version, "Value": value, "Hierarchy": levels}


def total(value: str) -> dict[str, Decimal]:
    return dict.fromkeys(("PV", "PV:FX", "PV:FX:EMEA"), Decimal(value))


@pytest.fixture
def design() -> Design:
    return Design()


@pytest.fixture
def two_changes(design: Design) -> Design:
    """A design whose StateTable has had two changes, not yet mapped."""
    design.state(trade("a", 1, 1), trade("b", 1, 2))
    return design


@pytest.fixture
def two_deltas(two_changes: Design) -> Design:
    """A design whose ReduceTable has two delta rows, not yet reduced."""
    for record in two_changes.records["StateTable"]:
        two_changes.map(record)
    return two_changes


def test_only_the_newest_version_of_a_trade_counts(design: Design) -> None:
    design.state(trade("a", 1, 1, "APAC"), trade("b", 1, 2), b"not json")
    design.state(trade("a", 3, 4), trade("a", 2, 7), trade("a", 3, 4))
    design.map(*design.records["StateTable"])
    design.reduce(*design.records["ReduceTable"])

    assert design.totals() == {**total("6"), "PV:FX:APAC": Decimal(0)}


FIRST, SECOND, BOTH = [0], [1], [0, 1]


@pytest.mark.parametrize(
    ("deliveries", "expected"),
    [([BOTH, BOTH], "3"), ([BOTH, FIRST, SECOND], "6")],
    ids=["the same batch", "other batch boundaries"],
)
def test_map_counts_a_retry_twice_if_its_batch_boundaries_differ(
    two_changes: Design, deliveries: list[list[int]], expected: str
) -> None:
    for batch in deliveries:
        two_changes.map(*(two_changes.records["StateTable"][number] for number in batch))
        two_changes.now += 24 * 3600
    two_changes.reduce(*two_changes.records["ReduceTable"])

    assert two_changes.totals() == total(expected)


@pytest.mark.parametrize(
    ("deliveries", "seconds", "expected"),
    [([BOTH, BOTH], 599, "3"), ([BOTH, SECOND], 0, "5"), ([BOTH, BOTH], 600, "6")],
    ids=["the same batch", "other batch boundaries", "after ten minutes"],
)
def test_reduce_counts_a_retry_twice_if_its_batch_boundaries_differ_or_it_is_late(
    two_deltas: Design, deliveries: list[list[int]], seconds: float, expected: str
) -> None:
    for batch in deliveries:
        two_deltas.reduce(*(two_deltas.records["ReduceTable"][number] for number in batch))
        two_deltas.now += seconds

    assert two_deltas.totals() == total(expected)
