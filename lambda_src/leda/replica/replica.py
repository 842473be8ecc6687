"""Writes the replica: a table that has each item as it was after its last change.

Every row has the place of the change that it shows: the label of the source's stream, and the sequence number, padded
so that the places of an item's changes sort as strings in the order of the changes.

- The sequence numbers of an item increase, within a shard and from a shard to its children. So the change with the
  highest number is the item's last.
- The label is the time at which the stream was enabled. A stream that is disabled and enabled again has a later label,
  and its changes are later, even if its sequence numbers are lower.

A row is written on condition that the table has no such row, or a row without a place or with a lower one. So a change
that is delivered again, or after a later change, has no effect.

A deleted item leaves a tombstone: its key, its place, and the time at which DynamoDB removes the tombstone. Without the
tombstone, an older change that is delivered again would write the item again.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

import base64
import enum
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.transactions import Verdict, verdict
from leda.streams.item_changes import ItemChange
from leda.values.dynamodb_json import canonical_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# How many rows are written at a time.
THREADS = 8

# More than a sequence number has today. Existing replicas have places of this length, so it must not change.
_PLACE_DIGITS = 56


class WrongReplicaError(RuntimeError):
    """The replica's table does not have the source table's key; the text names both keys."""


class Result(enum.Enum):
    """The outcome of a change."""

    WRITTEN = "the row shows the change"
    PASSED = "the row shows this change already, or a later one"
    REFUSED = "no retry can write the row"
    FAILED = "not written; try again"


@dataclass(slots=True)
class Report:
    """The outcome of a batch.

    superseded: how many changes were not written because the batch has a later change of the same item.
    refused: changes that no retry can write, with the reason. failed: changes that Lambda must deliver again.
    """

    written: int = 0
    passed: int = 0
    superseded: int = 0
    refused: list[tuple[ItemChange, str]] = field(default_factory=list)
    failed: list[ItemChange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Marks:
    """The names of the attributes that the replica adds: the place, and a tombstone's end (epoch seconds)."""

    place: str
    end: str


def place(change: ItemChange) -> str:
    """Return a string that sorts the changes of an item in their order."""
    label = str(change.record.raw["eventSourceARN"]).rpartition("/")[2]
    return f"{label}#{change.record.sequence:0{_PLACE_DIGITS}d}"


def last_of_each(changes: Iterable[ItemChange]) -> list[ItemChange]:
    """Return the last change of each item, because earlier ones would be overwritten at once."""
    found: dict[Hashable, ItemChange] = {}
    for change in changes:
        name = canonical_item(change.keys)
        other = found.get(name)
        if other is None or place(other) < place(change):
            found[name] = change
    return list(found.values())


def _sendable(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the attributes in the SDK's form, with bytes for the base64 of Lambda's events.

    Raises ValueError for text that is not base64.
    """
    return {name: _value(value) for name, value in attributes.items()}


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64decode(content, validate=True)}
        case "BS":
            return {"BS": [base64.b64decode(each, validate=True) for each in content]}
        case "M":
            return {"M": _sendable(content)}
        case "L":
            return {"L": [_value(each) for each in content]}
        case _:
            return dict(value)


class Replica:
    """Writes changes to one table. DynamoDB removes a tombstone after `retention` seconds."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        marks: Marks,
        retention: int,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._marks = marks
        self._retention = retention
        self._clock = clock or time.time
        self._pool = ThreadPoolExecutor(THREADS)

    def apply(self, changes: Iterable[ItemChange]) -> Report:
        """Write the changes. Raises WrongReplicaError or the client's error if no row can be written."""
        changes = list(changes)
        last = last_of_each(changes)
        report = Report(superseded=len(changes) - len(last))
        for change, (result, reason) in zip(last, self._pool.map(self._write, last), strict=True):
            match result:
                case Result.WRITTEN:
                    report.written += 1
                case Result.PASSED:
                    report.passed += 1
                case Result.REFUSED:
                    report.refused.append((change, reason))
                case Result.FAILED:
                    report.failed.append(change)
        return report

    def _row(self, change: ItemChange) -> dict[str, Any]:
        row: dict[str, Any] = {self._marks.place: {"S": place(change)}}
        if change.record.new is None:
            end = int(self._clock()) + self._retention
            return {**_sendable(change.keys), **row, self._marks.end: {"N": str(end)}}
        return {**_sendable(change.record.new), **row}

    def _write(self, change: ItemChange) -> tuple[Result, str]:
        reserved = {self._marks.place, self._marks.end}
        if conflict := reserved & {*change.keys, *(change.record.new or {})}:
            return Result.REFUSED, (
                f"the item has the attribute {min(conflict)}, which the replica adds: "
                "set another place_attribute or end_attribute"
            )
        try:
            row = self._row(change)
        except ValueError as error:
            return Result.REFUSED, f"the item has binary data that is not base64: {error}"
        try:
            self._client.put_item(
                TableName=self._table,
                Item=row,
                ConditionExpression="attribute_not_exists(#place) OR #place < :place",
                ExpressionAttributeNames={"#place": self._marks.place},
                ExpressionAttributeValues={":place": {"S": place(change)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return Result.PASSED, ""
            match verdict(error):
                case Verdict.REFUSED:
                    self._require_keys(change.keys)
                    return Result.REFUSED, f"DynamoDB refuses the row: {error}"
                case Verdict.FATAL:
                    raise
                case _:
                    return Result.FAILED, str(error)
        except (HTTPClientError, NoConnection) as error:
            return Result.FAILED, str(error)
        return Result.WRITTEN, ""

    def _require_keys(self, keys: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise WrongReplicaError unless the table has the item's key, because it then refuses every item."""
        table = self._client.describe_table(TableName=self._table)["Table"]
        types = {
            each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]
        }
        wanted = {name: kind for name, value in keys.items() for kind in value}
        found = {each["AttributeName"]: types[each["AttributeName"]] for each in table["KeySchema"]}
        if wanted != found:
            raise WrongReplicaError(
                f"{self._table} has the key {found}, and the source table {wanted}: "
                "make the replica's table with the names and types of the source table's key"
            )
