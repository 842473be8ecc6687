"""A DynamoDB in memory that keeps what the streams of some tables would hold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from leda_cli.memory_dynamodb.attribute_values import Item
from leda_cli.memory_dynamodb.store import Change, MemoryDynamoDB


class StreamedDynamoDB(MemoryDynamoDB):
    """Tables whose key attributes are strings, named by `keys`; the changes of those in `streamed` are kept.

    `changes` has them by table, (old, new) in order, for as long as nobody takes them.
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
        """The changes of a table since they were last taken."""
        changes, self.changes[table] = self.changes[table], []
        return changes

    def describe_stream(self, *, StreamArn: str) -> dict[str, Any]:
        """A stream without shards: those that the events name have no ancestors."""
        self.has_been_called("DescribeStream")
        return {"StreamDescription": {"StreamArn": StreamArn, "Shards": []}}
