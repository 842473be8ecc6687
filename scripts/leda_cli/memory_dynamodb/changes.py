"""A DynamoDB in memory that records the changes of some tables, as their streams would have them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from leda_cli.memory_dynamodb.attribute_values import Item
from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB


class StreamedDynamoDB(MemoryDynamoDB):
    """A store with the tables `keys` (name: key attributes, all strings); records the changes of `streamed` tables.

    `changes` has the recorded changes by table, as (old, new) in order, until `taken` removes them.
    """

    def __init__(
        self, keys: Mapping[str, tuple[str, ...]], streamed: frozenset[str] = frozenset()
    ) -> None:
        self.changes: dict[str, list[tuple[Item | None, Item | None]]] = {
            name: [] for name in streamed
        }
        super().__init__(time.time, self._keep)
        for table, names in keys.items():
            self.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in names
                ],
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
                ],
            )

    def _keep(self, change: Change) -> None:
        if change.table in self.changes:
            self.changes[change.table].append((change.old, change.new))

    def taken(self, table: str) -> list[tuple[Item | None, Item | None]]:
        """Remove and return the recorded changes of a table."""
        changes, self.changes[table] = self.changes[table], []
        return changes

    def describe_stream(self, *, StreamArn: str) -> dict[str, Any]:
        """A stream without shards, so that the shards in events have no ancestors."""
        self.has_been_called("DescribeStream")
        return {"StreamDescription": {"StreamArn": StreamArn, "Shards": []}}
