"""A DynamoDB client that keeps its tables in memory and counts the units of each call.

LEDA's own code runs over it (`pipeline_units`), so that what is counted are the calls and items of that code as it
is today. It knows the calls that the pipeline makes and raises NotImplementedError for any other. Conditions of a
transaction are taken as met: there is one delivery at a time here, in order, so they are.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leda_cli.units import read_units, write_units

Row = dict[str, Any]
Change = tuple[Row | None, Row]

_NAMES = {
    "INSERT": re.compile(r"'(\w+)': \?"),
    "UPDATE": re.compile(r'SET "(\w+)" = \?'),
}
_TABLE = re.compile(r'"([^"]+)"')
_CONDITION = 'WHERE "id" = ? AND "Version" < ?'
_ASSIGNMENT = re.compile(r"(SET) (#\w+) = (:\w+)|(ADD) (#\w+) (:\w+)")


@dataclass(slots=True)
class Meter:
    """`keys` names each table's key attributes. `changes` holds what each table's stream would: (old, new)."""

    keys: Mapping[str, tuple[str, ...]]
    rows: dict[str, dict[tuple[str, ...], Row]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    reads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start with empty tables."""
        for table in self.keys:
            self.rows[table], self.changes[table] = {}, []

    def forget(self) -> None:
        """Set the counts to nothing; the rows stay."""
        for counts in (self.writes, self.reads, self.requests):
            counts.clear()

    def taken(self, table: str) -> list[Change]:
        """The table's changes since they were last taken."""
        changes, self.changes[table] = self.changes[table], []
        return changes

    def get_item(self, *, TableName: str, Key: Row, ConsistentRead: bool) -> dict[str, Any]:
        """The call of that name."""
        row = self.rows[TableName].get(self._key(TableName, Key))
        self.requests["get_item"] += 1
        self.reads[TableName] += read_units(row, ConsistentRead)
        return {"Item": row} if row else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Row]) -> dict[str, Any]:
        """The call of that name. Each row is charged by itself and whole, whatever of it is asked for."""
        self.requests["batch_get_item"] += 1
        found: dict[str, list[Row]] = {}
        for table, asked in RequestItems.items():
            rows = [self.rows[table].get(self._key(table, key)) for key in asked["Keys"]]
            self.reads[table] += sum(read_units(row, asked["ConsistentRead"]) for row in rows)
            found[table] = [row for row in rows if row]
        return {"Responses": found, "UnprocessedKeys": {}}

    def batch_execute_statement(self, *, Statements: Sequence[Row]) -> dict[str, Any]:
        """The call of that name, for the two statements of `leda.state_store`."""
        self.requests["batch_execute_statement"] += 1
        return {"Responses": [self._statement(**statement) for statement in Statements]}

    def transact_write_items(self, *, TransactItems: Sequence[Row]) -> dict[str, Any]:
        """The call of that name, for puts, updates and checks of conditions."""
        self.requests["transact_write_items"] += 1
        for entry in TransactItems:
            ((kind, action),) = entry.items()
            table = action["TableName"]
            key = self._key(table, action.get("Item") or action["Key"])
            old = self.rows[table].get(key)
            if kind == "ConditionCheck":
                new = None
            elif kind == "Put":
                new = action["Item"]
            elif kind == "Update":
                new = _updated(old or action["Key"], action)
            else:
                raise NotImplementedError(f"{kind} in a transaction")
            self.writes[table] += write_units(old, new, transaction=True)
            if new:
                self._store(table, key, old, new)
        return {}

    def _statement(
        self,
        Statement: str,
        Parameters: Sequence[Row],
        ReturnValuesOnConditionCheckFailure: str = "NONE",
    ) -> dict[str, Any]:
        kind, table = Statement.split()[0], _TABLE.findall(Statement)[0]
        columns = _NAMES[kind].findall(Statement)
        values = dict(zip(columns, Parameters, strict=False))
        if kind == "UPDATE":
            if not Statement.endswith(_CONDITION) or len(Parameters) != len(columns) + 2:
                raise NotImplementedError(f"the statement {Statement!r}")
            values["id"] = Parameters[-2]
        key = self._key(table, values)
        old = self.rows[table].get(key)
        is_met = old is None if kind == "INSERT" else _is_older(old, Parameters[-1])
        new = {**(old or {}), **values} if is_met else None
        self.writes[table] += write_units(old, new)
        if new:
            self._store(table, key, old, new)
            return {}
        error: dict[str, Any] = {
            "Code": "DuplicateItem" if kind == "INSERT" else "ConditionalCheckFailed"
        }
        if old and ReturnValuesOnConditionCheckFailure == "ALL_OLD":
            error["Item"] = old
        return {"Error": error}

    def _key(self, table: str, values: Row) -> tuple[str, ...]:
        return tuple(next(iter(values[name].values())) for name in self.keys[table])

    def _store(self, table: str, key: tuple[str, ...], old: Row | None, new: Row) -> None:
        self.rows[table][key] = new
        if old != new:
            self.changes[table].append((old, new))


def _is_older(old: Row | None, version: Row) -> bool:
    return old is not None and Decimal(old["Version"]["N"]) < Decimal(version["N"])


def _updated(old: Row, action: Row) -> Row:
    match = _ASSIGNMENT.fullmatch(action["UpdateExpression"])
    if not match:
        raise NotImplementedError(f"the update {action['UpdateExpression']!r}")
    verb, placeholder, name_of_value = [part for part in match.groups() if part]
    name = action["ExpressionAttributeNames"][placeholder]
    value = action["ExpressionAttributeValues"][name_of_value]
    if verb == "ADD" and name in old:
        value = {"N": str(Decimal(old[name]["N"]) + Decimal(value["N"]))}
    return {**old, name: value}
