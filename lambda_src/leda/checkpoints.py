"""CheckpointTable: how far each lane's effects are applied, moved in the transaction of the effects themselves.

A row is {Source: "<function>|<stream ARN>", Lane: "<shard ID>" or "<stream ARN>", Sequence: "<56 digits>"};
the row whose Lane is the stream's ARN also counts the shards that have rows (Lanes).

A record can come under two names: its shard's, and the stream's ARN when the mapping has no tumbling window.
Either name's checkpoint covers it. So that no two deliveries apply it, each under its own name, whoever applies a
record of a shard that has a row moves that row:

- A shard's delivery moves its row, on condition that it is as it was read, and touches no other: shards do not meet.
- A shard's first delivery, which has no row yet, writes to the stream's row too (it counts the shard), on condition
  that the stream's checkpoint is as it was read.
- A delivery under the stream's ARN moves its row, on condition that it is as it was read, the count included; and it
  moves the highest shard's row as far, on condition that that is as it was read.

Why the highest shard's row is enough: the shards are a chain here, read one after the other, with rising sequence
numbers. Let H be the youngest shard that has a row.

- H's row is the highest. An older shard's row is at a record of its own, or where a delivery under the ARN has moved it
  together with the stream's row; H got its row for a record that is beyond both.
- What a delivery under the ARN applies is beyond the highest row, so of H or of a younger shard. A record of H: H's row
  moves with it, so a delivery under H's name that has read less fails. A record of a younger shard: that has no row,
  so its first delivery under its own name requires the stream's row to be as it was read, and that has moved; or it
  came first, was counted, and the delivery under the ARN fails.
- The rows of shards older than H stay; all of their records are below H's row, and none of them is applied any more.
- H's row is now perhaps beyond H's last record. It stays below the rows of younger shards, which begin beyond the
  stream's checkpoint, and for a delivery under H's name everything is covered, as it is.

A delivery under the ARN reads the rows in the order of their names, in which the ARN comes before the shards: a shard
that is counted when its row is read has the row that is read after it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leda.lanes import Lane

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A Kinesis sequence number has 56 digits and a DynamoDB stream's at most 40; a Number holds 38. As strings of
# one length they order as numbers do.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
SEQUENCE_DIGITS = 56


class BadCheckpoint(RuntimeError):
    """A checkpoint that LEDA did not write; the text says which row, and how to mend it."""


def padded(sequence: int) -> str:
    """The sequence number as a string that orders as the number does."""
    return f"{sequence:0{SEQUENCE_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane is, under both of its names, as it was read.

    `own` is the lane's own checkpoint, `stream` that of the stream's ARN, `shards` the count in that row, and
    `highest` the shard that is farthest (only for a delivery under the stream's ARN); None: there is no row.
    """

    own: int | None = None
    stream: int | None = None
    shards: int | None = None
    highest: tuple[str, int] | None = None

    @property
    def floor(self) -> int:
        """The last sequence number that is applied under either name; -1 where nothing is."""
        return max(
            -1 if self.own is None else self.own,
            -1 if self.stream is None else self.stream,
            self.highest[1] if self.highest else -1,
        )


class Checkpoints:
    """The checkpoints of one function in one table."""

    def __init__(self, client: "DynamoDBClient", table: str, function: str) -> None:
        self._client = client
        self._table = table
        self._function = function

    def read(self, lane: Lane) -> Position:
        """The lane's position, read consistently."""
        if lane.is_whole_stream:
            return self._read_all(lane)
        own, stream = (self._get(self._key(lane, name)) for name in (lane.name, lane.stream))
        return Position(_sequence(own), _sequence(stream), _shards(stream))

    def advance(self, lane: Lane, position: Position, last: int) -> list[dict[str, Any]]:
        """The transaction's actions that move the lane from `position` to `last`, if that is where it still is.

        One, or two (`transactions.CHECKPOINT_ACTIONS`).
        """
        own, stream = self._key(lane, lane.name), self._key(lane, lane.stream)
        if lane.is_whole_stream:
            unchanged = {"Sequence": position.own, "Lanes": position.shards}
            actions = [self._move(stream, unchanged, last)]
            if position.highest:
                name, sequence = position.highest
                actions.append(self._move(self._key(lane, name), {"Sequence": sequence}, last))
            return actions
        actions = [self._move(own, {"Sequence": position.own}, last)]
        if position.own is None:
            actions.append(self._count(stream, {"Sequence": position.stream}))
        return actions

    @staticmethod
    def moved(lane: Lane, position: Position, last: int) -> Position:
        """The position after `advance` was committed."""
        if not lane.is_whole_stream:
            return replace(position, own=last)
        highest = position.highest and (position.highest[0], last)
        return replace(position, own=last, stream=last, highest=highest)

    def _key(self, lane: Lane, name: str) -> dict[str, Any]:
        return {"Source": {"S": f"{self._function}|{lane.stream}"}, "Lane": {"S": name}}

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _read_all(self, lane: Lane) -> Position:
        stream = None
        highest: tuple[str, int] | None = None
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#Source = :source",
            ExpressionAttributeNames={"#Source": "Source"},
            ExpressionAttributeValues={":source": self._key(lane, lane.stream)["Source"]},
            ConsistentRead=True,
        )
        for page in pages:
            for row in page["Items"]:
                name, sequence = row["Lane"]["S"], _sequence(row)
                if name == lane.stream:
                    stream = row
                elif sequence is not None and (highest is None or sequence > highest[1]):
                    highest = name, sequence
        own = _sequence(stream)
        return Position(own, own, _shards(stream), highest)

    def _move(
        self, key: dict[str, Any], unchanged: dict[str, int | None], last: int
    ) -> dict[str, Any]:
        """The action that sets the row's checkpoint, while its attributes are as they were read."""
        return self._update(
            key,
            "SET #Sequence = :last",
            {"#Sequence": "Sequence"},
            {":last": {"S": padded(last)}},
            unchanged,
        )

    def _count(self, key: dict[str, Any], unchanged: dict[str, int | None]) -> dict[str, Any]:
        """The action that counts a shard more, while the row's attributes are as they were read."""
        return self._update(
            key, "ADD #Lanes :one", {"#Lanes": "Lanes"}, {":one": {"N": "1"}}, unchanged
        )

    def _update(
        self,
        key: dict[str, Any],
        expression: str,
        names: dict[str, str],
        values: dict[str, Any],
        unchanged: dict[str, int | None],
    ) -> dict[str, Any]:
        """The update, on condition that the attributes are as they were read; None: one was not there."""
        terms = [
            f"attribute_not_exists(#{name})" if value is None else f"#{name} = :{name}"
            for name, value in unchanged.items()
        ]
        expected = {
            f":{name}": {"S": padded(value)} if name == "Sequence" else {"N": str(value)}
            for name, value in unchanged.items()
            if value is not None
        }
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": expression,
                "ConditionExpression": " AND ".join(terms),
                "ExpressionAttributeNames": names | {f"#{name}": name for name in unchanged},
                "ExpressionAttributeValues": values | expected,
            }
        }


def _sequence(row: dict[str, Any] | None) -> int | None:
    if not row or "Sequence" not in row:
        return None
    text = row["Sequence"].get("S", "")
    if len(text) != SEQUENCE_DIGITS or not text.isdecimal():
        # Somebody wrote it by hand; the conditions could never be met, and every batch would fail without saying why.
        raise BadCheckpoint(
            f"CheckpointTable's row {row['Source']['S']}, {row['Lane']['S']} has the Sequence {text!r}, not "
            f"{SEQUENCE_DIGITS} digits: pad the sequence number with zeros on the left"
        )
    return int(text)


def _shards(row: dict[str, Any] | None) -> int | None:
    return int(row["Lanes"]["N"]) if row and "Lanes" in row else None
