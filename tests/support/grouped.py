"""An applied example of modules/aggregation with a DynamoDB in memory, for the tests of its demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leda_cli.demos.grouped_table import GroupedTable

Row = dict[str, Any]


class Service:
    """DynamoDB with the source table and the totals table, and Lambda with Map's environment."""

    def __init__(self, configuration: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        self.rows: dict[tuple[str, ...], Row] = {}
        self.totals: list[Row] = []
        self._configuration = configuration
        self._keys = keys

    def put_item(self, *, TableName: str, Item: Row) -> None:
        assert TableName == "Source"
        self.rows[self._key(Item)] = Item

    def delete_item(self, *, TableName: str, Key: Row) -> None:
        assert TableName == "Source"
        del self.rows[self._key(Key)]

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> Any:
        """Takes all but the last of several, as a table that is written to much."""
        ((table, requests),) = RequestItems.items()
        assert len(requests) <= 25
        taken = max(1, len(requests) - 1)
        for request in requests[:taken]:
            self.put_item(TableName=table, Item=request["PutRequest"]["Item"])
        return {"UnprocessedItems": {table: requests[taken:]} if requests[taken:] else {}}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Any:
        wanted = RequestItems["Totals"]["Keys"]
        found = [row for row in self.totals if {"Identifier": row["Identifier"]} in wanted]
        return {"Responses": {"Totals": found}}

    def get_paginator(self, name: str) -> Service:
        assert name == "scan"
        return self

    def paginate(self, *, TableName: str, ConsistentRead: bool) -> Any:
        assert ConsistentRead
        rows = list(self.rows.values()) if TableName == "Source" else self.totals
        return [{"Items": [row]} for row in rows]

    def get_function_configuration(self, *, FunctionName: str) -> Any:
        assert FunctionName == "Map"
        return {"Environment": {"Variables": {"CONFIGURATION": json.dumps(self._configuration)}}}

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(row[name]["S"] for name in self._keys)


class Aws:
    """What of ExampleAws the demos use."""

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
