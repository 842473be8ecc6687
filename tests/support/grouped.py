"""An applied example of modules/aggregation over a DynamoDB in memory, for the tests of its demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leda_cli.demos.grouped_table import GroupedTable
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB

Row = dict[str, Any]


class Service(StreamedDynamoDB):
    """DynamoDB with the source table and the totals table, and Lambda with MapLambda's settings."""

    def __init__(
        self,
        configuration: Mapping[str, Any],
        keys: tuple[str, ...],
        totals_key: str = "Identifier",
    ) -> None:
        super().__init__({"Source": keys, "Totals": (totals_key,)})
        self._configuration = configuration
        self._keys = keys

    @property
    def rows(self) -> dict[tuple[str, ...], Row]:
        """The source table's rows by their key."""
        found = self.scan(TableName="Source", ConsistentRead=True)["Items"]
        return {tuple(row[name]["S"] for name in self._keys): row for row in found}

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> Any:
        """Write all items but the last one of several, as a throttled table does."""
        ((table, requests),) = RequestItems.items()
        assert len(requests) <= 25
        taken = max(1, len(requests) - 1)
        for request in requests[:taken]:
            self.put_item(TableName=table, Item=request["PutRequest"]["Item"])
        return {"UnprocessedItems": {table: requests[taken:]} if requests[taken:] else {}}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Any:
        """Read consistently, because the store in memory has no other reads."""
        asked = {name: {**each, "ConsistentRead": True} for name, each in RequestItems.items()}
        return super().batch_get_item(RequestItems=asked)

    def get_function_configuration(self, *, FunctionName: str) -> Any:
        assert FunctionName == "Map"
        return {"Environment": {"Variables": {"CONFIGURATION": json.dumps(self._configuration)}}}


class Aws:
    """The part of ExampleAws that the demos use."""

    def __init__(self, service: Service) -> None:
        self.outputs = {
            "table": {"name": "Source"},
            "totals_table": {"name": "Totals"},
            "functions": {"map": {"name": "Map"}},
        }
        self._service = service

    def client(self, _service: str) -> Service:
        return self._service


def grouped_table(service: Service) -> GroupedTable:
    aws: Any = Aws(service)
    return GroupedTable(aws)


def total(identifier: str, **measures: object) -> Row:
    """A row of the totals table."""
    return {"Identifier": {"S": identifier}} | {n: {"N": str(x)} for n, x in measures.items()}
