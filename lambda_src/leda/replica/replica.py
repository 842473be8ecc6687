"""Writes the replica: a table that has each item as it was after its last change, whatever is delivered again.

Every row carries the place of the change that it shows: the label of the source's stream and the sequence number,
padded so that places order as strings as the changes of an item do.

- Sequence numbers of an item grow: within its shard, and from a shard to its children. So the change with the highest
  one is the item's last.
- The label is the time at which the stream was switched on. A stream that is switched on again may number from the
  start; its changes are later all the same.

A write is made on condition that the row is absent, has no place, or has a lower one. So a change that is repeated, or
delivered after a later one, changes nothing, whatever the batch boundaries and the order of batches.

A removed item leaves a tombstone: its key, its place, and a time at which DynamoDB removes it. Without one, an older
change that is delivered again would bring the item back.

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
from leda.values.plain import canonical_row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Rows that are written at a time.
THREADS = 8

# Places are compared as texts, and replicas have places of so many digits.
_PLACE_DIGITS = 56


class WrongReplicaError(RuntimeError):
    """The replica's table cannot hold the source's items; the text says why."""


class Result(enum.Enum):
    """What became of a change."""

    WRITTEN = "the row shows it"
    PASSED = "the row shows it already, or a later one"
    REFUSED = "DynamoDB does not take the row"
    FAILED = "not written; try again"


@dataclass(slots=True)
class Report:
    """What became of a batch: `superseded` changes were followed by a later one of the same item within it.

    `refused` holds changes that no retry can write, with the reason, `failed` those that must be delivered again.
    """

    written: int = 0
    passed: int = 0
    superseded: int = 0
    refused: list[tuple[ItemChange, str]] = field(default_factory=list)
    failed: list[ItemChange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Marks:
    """The attributes that the replica adds: the place on every row, the end (epoch seconds) on tombstones."""

    place: str
    end: str


def place(change: ItemChange) -> str:
    """Return the change's position among all changes of its item, as a string that orders."""
    label = str(change.record.raw["eventSourceARN"]).rpartition("/")[2]
    return f"{label}#{change.record.sequence:0{_PLACE_DIGITS}d}"


def last_of_each(changes: Iterable[ItemChange]) -> list[ItemChange]:
    """Return the last change of each item: earlier ones would be overwritten at once."""
    found: dict[Hashable, ItemChange] = {}
    for change in changes:
        name = canonical_row(change.keys)
        other = found.get(name)
        if other is None or place(other) < place(change):
            found[name] = change
    return list(found.values())


def _sendable(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the attributes as the SDK takes them: with bytes where Lambda's events have base64.

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
    """Writes changes to one table; a tombstone stays for `retention` seconds."""

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
        """Write the changes. Raises WrongReplicaError or the client's error where no row can be written."""
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
        taken = {self._marks.place, self._marks.end} & {*change.keys, *(change.record.new or {})}
        if taken:
            return Result.REFUSED, (
                f"the item has the attribute {min(taken)}, which the replica needs for itself: "
                "give the replica other place_attribute and end_attribute"
            )
        try:
            row = self._row(change)
        except ValueError as error:
            return Result.REFUSED, f"the item has binary data that is no base64: {error}"
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
        """Raise WrongReplicaError unless the table has the item's key: it would refuse every item without it."""
        table = self._client.describe_table(TableName=self._table)["Table"]
        types = {
            each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]
        }
        wanted = {name: kind for name, value in keys.items() for kind in value}
        found = {each["AttributeName"]: types[each["AttributeName"]] for each in table["KeySchema"]}
        if wanted != found:
            raise WrongReplicaError(
                f"{self._table} has the key {found}, and the source's items have {wanted}: "
                "the replica's table needs the source's key, names and types"
            )
