"""AggregateTable's rows as a rebuild needs them: whole, to be mended and cleaned up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.engine.delta_rows import RESERVED
from leda.engine.registry import EPOCH_DIGITS, condition_failed
from leda.engine.totals import KEY
from leda.streams import LONGEST_SEQUENCE_NUMBER
from leda_cli.lane_rows import Lanes, run_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Row = Mapping[str, Any]

THREADS = 8

# `m` stands for records that no stream has (leda.engine.totals).
_APPLIED = re.compile(r"Applied([0-9a-z]{8})_([0-9]+)m?")
_CHECKPOINT = re.compile(rf"([0-9]{{{EPOCH_DIGITS}}})\.[0-9]{{{LONGEST_SEQUENCE_NUMBER}}}")


def lanes_of(attribute: str) -> Lanes | None:
    """The lanes whose checkpoint the attribute of a total is; None: it is no checkpoint."""
    match = _APPLIED.fullmatch(attribute)
    return Lanes(match[1], int(match[2])) if match else None


def epoch_of(checkpoint: Mapping[str, Any]) -> int | None:
    """The epoch in a total's checkpoint (DynamoDB's JSON); None: Reduce has not written it."""
    match = _CHECKPOINT.fullmatch(checkpoint.get("S", ""))
    return int(match[1]) if match else None


class StoredTotals:
    """The totals in one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self) -> dict[str, Row]:
        """Every total's row in DynamoDB's JSON, by node."""
        rows = self.read_all()
        return {node: row for node, row in rows.items() if not node.startswith(RESERVED)}

    def read_all(self) -> dict[str, Row]:
        """The same with the rows that are no totals."""
        found: dict[str, Row] = {}
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            page = self._client.scan(**request)
            found |= {row[KEY]["S"]: row for row in page["Items"]}
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def is_there(self, node: str) -> bool:
        """Whether there is a row of that name."""
        answer = self._client.get_item(
            TableName=self._table, Key={KEY: {"S": node}}, ConsistentRead=True
        )
        return "Item" in answer

    def set_to_0(self, rows: Mapping[str, tuple[Row, Sequence[str]]]) -> None:
        """Set these measures of the rows to 0, of those rows that are still as they were read."""
        self._change_each(
            (
                node,
                row,
                names,
                "SET " + ", ".join(f"#a{place} = :zero" for place in range(len(names))),
            )
            for node, (row, names) in rows.items()
        )

    def remove(self, rows: Mapping[str, tuple[Row, Sequence[str]]]) -> None:
        """Remove these attributes of the rows, of those rows that still have them as they were read."""
        self._change_each(
            (node, row, names, "REMOVE " + ", ".join(f"#a{place}" for place in range(len(names))))
            for node, (row, names) in rows.items()
        )

    def remove_markers(self, nodes: Iterable[str], last_run: int) -> None:
        """Delete those of the rows that are markers of the rebuilds up to this one."""
        for node in nodes:
            run = run_of(node)
            if run is not None and run <= last_run:
                self._client.delete_item(TableName=self._table, Key={KEY: {"S": node}})

    def _change_each(self, changes: Iterable[tuple[str, Row, Sequence[str], str]]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda change: self._change(*change), changes))

    def _change(self, node: str, row: Row, names: Sequence[str], update: str) -> None:
        """Update the row if the named attributes are as they were read, absent ones too."""
        terms, values = ["attribute_exists(#key)"], {}
        for place, name in enumerate(names):
            if name in row:
                terms.append(f"#a{place} = :a{place}")
                values[f":a{place}"] = row[name]
            else:
                terms.append(f"attribute_not_exists(#a{place})")
        if ":zero" in update:
            values[":zero"] = {"N": "0"}
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": {KEY: {"S": node}},
            "UpdateExpression": update,
            "ConditionExpression": " AND ".join(terms),
            "ExpressionAttributeNames": {"#key": KEY}
            | {f"#a{place}": name for place, name in enumerate(names)},
        }
        if values:
            request["ExpressionAttributeValues"] = values
        try:
            self._client.update_item(**request)
        except ClientError as error:
            if not condition_failed(error):
                raise
