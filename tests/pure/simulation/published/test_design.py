"""The published design counts right while a retry is the same batch, soon enough; and wrong otherwise.

It is a test subject of the simulation (simulation/published); its weakness must be the design's own.
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
    """The three functions over a store in memory. `records` has each table's stream; `now` is the clock."""

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


def test_the_newest_version_of_a_trade_counts_wherever_it_was(design: Design) -> None:
    design.state(trade("a", 1, 1, "APAC"), trade("b", 1, 2), b"not json")
    design.state(trade("a", 3, 4), trade("a", 2, 7), trade("a", 3, 4))
    design.map(*design.records["StateTable"])
    design.reduce(*design.records["ReduceTable"])

    assert design.totals() == {**total("6"), "PV:FX:APAC": Decimal(0)}


def test_a_deleted_trade_counts_no_more(two_changes: Design) -> None:
    two_changes.state({"TradeID": "a", "Version": 2, "Deleted": True})
    two_changes.map(*two_changes.records["StateTable"])
    two_changes.reduce(*two_changes.records["ReduceTable"])

    assert two_changes.totals() == total("2")


def test_no_digit_is_lost(design: Design) -> None:
    number = "123456789012.12345678901234567"
    levels = '{"RiskType": "PV", "TradeDesk": "FX", "Region": "EMEA"}'
    for version, value in ((1, number), (2, "1")):
        text = f'{{"TradeID": "a", "Version": {version}, "Value": {value}, "Hierarchy": {levels}}}'
        design.state(text.encode())
    design.map(*design.records["StateTable"])
    design.reduce(*design.records["ReduceTable"])

    assert design.totals() == total("1")


def test_a_window_without_records_changes_nothing(design: Design) -> None:
    design.map()
    design.reduce()

    assert not any(design.records.values())


def test_a_batch_that_is_delivered_again_as_it_was_is_mapped_once(two_changes: Design) -> None:
    batch = two_changes.records["StateTable"]
    two_changes.map(*batch)
    two_changes.now = 24 * 3600
    two_changes.map(*batch)
    two_changes.reduce(*two_changes.records["ReduceTable"])

    assert two_changes.totals() == total("3")


def test_a_batch_that_is_delivered_again_as_it_was_within_ten_minutes_is_reduced_once(
    two_deltas: Design,
) -> None:
    batch = two_deltas.records["ReduceTable"]
    two_deltas.reduce(*batch)
    two_deltas.now = 599
    two_deltas.reduce(*batch)

    assert two_deltas.totals() == total("3")


def test_the_same_records_in_another_cut_are_mapped_twice(two_changes: Design) -> None:
    first, second = two_changes.records["StateTable"]
    two_changes.map(first, second)
    two_changes.map(first)
    two_changes.map(second)
    two_changes.reduce(*two_changes.records["ReduceTable"])

    assert two_changes.totals() == total("6")


def test_the_same_records_in_another_cut_are_reduced_twice(two_deltas: Design) -> None:
    first, second = two_deltas.records["ReduceTable"]
    two_deltas.reduce(first, second)
    two_deltas.reduce(second)

    assert two_deltas.totals() == total("5")


def test_a_batch_that_is_delivered_again_after_the_token_is_forgotten_is_reduced_twice(
    two_deltas: Design,
) -> None:
    batch = two_deltas.records["ReduceTable"]
    two_deltas.reduce(*batch)
    two_deltas.now = 600
    two_deltas.reduce(*batch)

    assert two_deltas.totals() == total("6")
