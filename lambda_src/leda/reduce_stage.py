"""Reduce's effect: an ADD to every total that a prefix of delta rows touches."""

from collections.abc import Sequence

from leda import totals
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.streams import StreamRecord


class ReduceStage:
    """Plans the updates of AggregateTable. A prefix's note is its `totals.Sum`."""

    def __init__(self, table: str) -> None:
        self._table = table

    def plan(self, _lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose totals fit a transaction."""
        summed = totals.add_up(records)
        return Prefix(
            summed.count,
            [
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": {"Identifier": {"S": path}},
                        "UpdateExpression": "ADD #Value :delta",
                        "ExpressionAttributeNames": {"#Value": "Value"},
                        "ExpressionAttributeValues": {":delta": {"N": str(value)}},
                    }
                }
                for path, value in summed.totals.items()
            ],
            [Rejected(record, reason) for record, reason in summed.unreadable],
            note=summed,
        )
