"""Reads the totals table's rows for a rebuild, and changes and deletes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.engine.audit.totals_table import amount_of
from leda.engine.delta_rows import RESERVED
from leda.engine.reduce.epochs import EPOCH_DIGITS
from leda.streams.stream_records import LONGEST_SEQUENCE_NUMBER
from leda_cli.base.batches import batched
from leda_cli.operate.deployed.rows import every_row, is_written
from leda_cli.operate.rebuilding.lane_rows import Lanes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Row = Mapping[str, Any]
Old = tuple[Decimal | None, ...]
"""A total's amounts as its row has them, None for each that is not a number."""

THREADS = 8
BATCH = 1000

# `m` stands for records that no stream has (leda.engine.reduce.totals).
_APPLIED = re.compile(r"Applied([0-9a-z]{8})_([0-9]+)m?")
_CHECKPOINT = re.compile(rf"([0-9]{{{EPOCH_DIGITS}}})\.[0-9]{{{LONGEST_SEQUENCE_NUMBER}}}")


@dataclass(frozen=True, slots=True)
class Change:
    """What a row as it was read must get: a value of DynamoDB's JSON for each named attribute, None to remove it."""

    node: str
    row: Row
    values: Mapping[str, Any]


def amounts_of(row: Row, measures: Sequence[str]) -> Old:
    """A row's amounts, None for each that is not a number."""
    return tuple([amount_of(row.get(name)) for name in measures])


def lanes_of(attribute: str) -> Lanes | None:
    """The lanes whose checkpoint the attribute of a total is; None: it is no checkpoint."""
    match = _APPLIED.fullmatch(attribute)
    return Lanes(match[1], int(match[2])) if match else None


def epoch_of(checkpoint: Mapping[str, Any]) -> int | None:
    """The epoch in a total's checkpoint (DynamoDB's JSON); None: Reduce has not written it."""
    match = _CHECKPOINT.fullmatch(checkpoint.get("S", ""))
    return int(match[1]) if match else None


@dataclass(eq=False)
class StoredTotals:
    """The totals in one table, by the table's key attribute.

    `require_own` raises where another run has taken over. It is called when rows have been read and before they are
    written: a run that takes over later finds what was written, or its own write comes first and the conditional one
    here fails.
    """

    client: DynamoDBClient
    table: str
    key: str
    require_own: Callable[[], None]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Every total's node and row, in DynamoDB's JSON."""
        for node, row in self.all_rows():
            if not node.startswith(RESERVED):
                yield node, row

    def all_rows(self) -> Iterator[tuple[str, Row]]:
        """Every row's node and the row, with the rows that are not totals (reserved nodes)."""
        for row in every_row(self.client, self.table):
            yield row[self.key]["S"], row

    def is_there(self, node: str) -> bool:
        """Whether there is a row of that name."""
        answer = self.client.get_item(
            TableName=self.table, Key={self.key: {"S": node}}, ConsistentRead=True
        )
        return "Item" in answer

    def change(self, changes: Iterable[Change]) -> bool:
        """Make the changes to rows that are still as they were read; return whether every row was."""
        made = True
        with ThreadPoolExecutor(THREADS) as pool:
            # In batches: there may be as many changes as totals.
            for some in batched(changes, BATCH):
                self.require_own()
                made = all(list(pool.map(self._change, some))) and made
        return made

    def remove(self, nodes: Iterable[str]) -> None:
        """Delete the rows of these names."""
        with ThreadPoolExecutor(THREADS) as pool:
            for some in batched(nodes, BATCH):
                self.require_own()
                list(pool.map(self._remove, some))

    def _remove(self, node: str) -> None:
        self.client.delete_item(TableName=self.table, Key={self.key: {"S": node}})

    def _change(self, change: Change) -> bool:
        """Update the row if the named attributes are still as they were read (or absent); return whether they were.

        A change of attributes that are not checkpoints also requires that the row's checkpoints are as they were read:
        a run that has taken over since has moved a checkpoint of every total.
        """
        terms, sets, removes = ["attribute_exists(#key)"], list[str](), list[str]()
        names, values = {"#key": self.key}, {}
        checkpoints = [name for name in change.row if lanes_of(name)]
        if change.values.keys().isdisjoint(checkpoints):
            for place, name in enumerate(checkpoints):
                names[f"#c{place}"], values[f":c{place}"] = name, change.row[name]
                terms.append(f"#c{place} = :c{place}")
        for place, (name, value) in enumerate(change.values.items()):
            names[f"#a{place}"] = name
            if name in change.row:
                terms.append(f"#a{place} = :a{place}")
                values[f":a{place}"] = change.row[name]
            else:
                terms.append(f"attribute_not_exists(#a{place})")
            if value is None:
                removes.append(f"#a{place}")
            else:
                sets.append(f"#a{place} = :b{place}")
                values[f":b{place}"] = value
        steps = (("SET", sets), ("REMOVE", removes))
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": {self.key: {"S": change.node}},
            "UpdateExpression": " ".join(
                f"{verb} {', '.join(given)}" for verb, given in steps if given
            ),
            "ConditionExpression": " AND ".join(terms),
            "ExpressionAttributeNames": names,
        }
        if values:
            request["ExpressionAttributeValues"] = values
        return is_written(self.client.update_item, **request)
