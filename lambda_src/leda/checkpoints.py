"""CheckpointTable: how far each lane's effects are applied, moved in the transaction of the effects themselves.

A row is {Source: "<function>|<stream ARN>", Lane: "<shard ID>" or "<stream ARN>", Sequence: "<56 digits>"};
the row whose Lane is the stream's ARN also counts the shards that have rows (Lanes).

A record can come under two names: its shard's, and the stream's ARN when the mapping has no tumbling window.
Either name's checkpoint covers it. So that no two deliveries apply it, each under its own name, a transaction
moves its own name's row and holds the other's still:

- A shard's delivery requires the stream's row to be as it was read. The first of a shard writes to it (it
  counts the shard), so that a delivery under the stream's ARN, which has not seen the shard's row, fails.
- A delivery under the stream's ARN requires its row, the count included, to be as it was read, and the
  highest shard's row too. Shards of a chain are read one after the other, so only the highest, or a new one,
  can move.
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
        """The transaction's actions that move the lane from `position` to `last`, if that is where it still is."""
        if lane.is_whole_stream:
            actions = [
                self._update(
                    self._key(lane, lane.stream),
                    "SET #Sequence = :last",
                    {"Sequence": position.own, "Lanes": position.shards},
                    last,
                )
            ]
            if position.highest:
                name, sequence = position.highest
                actions.append(self._check(self._key(lane, name), {"Sequence": sequence}))
            return actions
        own = self._update(
            self._key(lane, lane.name),
            "SET #Sequence = :last",
            {"Sequence": position.own},
            last,
        )
        stream_key, unchanged = self._key(lane, lane.stream), {"Sequence": position.stream}
        if position.own is None:
            return [own, self._update(stream_key, "ADD #Lanes :one", unchanged)]
        return [own, self._check(stream_key, unchanged)]

    @staticmethod
    def moved(lane: Lane, position: Position, last: int) -> Position:
        """The position after `advance` was committed."""
        if lane.is_whole_stream:
            return replace(position, own=last, stream=last)
        return replace(position, own=last)

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

    def _update(
        self,
        key: dict[str, Any],
        expression: str,
        unchanged: dict[str, int | None],
        last: int | None = None,
    ) -> dict[str, Any]:
        values = {":one": {"N": "1"}} if last is None else {":last": {"S": padded(last)}}
        condition = _condition(unchanged)
        names = condition["ExpressionAttributeNames"] | (
            {"#Lanes": "Lanes"} if last is None else {"#Sequence": "Sequence"}
        )
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": expression,
                "ConditionExpression": condition["ConditionExpression"],
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values | condition["ExpressionAttributeValues"],
            }
        }

    def _check(self, key: dict[str, Any], unchanged: dict[str, int | None]) -> dict[str, Any]:
        condition = _condition(unchanged)
        if not condition["ExpressionAttributeValues"]:
            del condition["ExpressionAttributeValues"]
        return {"ConditionCheck": {"TableName": self._table, "Key": key, **condition}}


def _condition(unchanged: dict[str, int | None]) -> dict[str, Any]:
    """The condition that the row's attributes are as they were read; None: the attribute was not there."""
    terms = [
        f"attribute_not_exists(#{name})" if value is None else f"#{name} = :{name}"
        for name, value in unchanged.items()
    ]
    values = {
        f":{name}": {"S": padded(value)} if name == "Sequence" else {"N": str(value)}
        for name, value in unchanged.items()
        if value is not None
    }
    return {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": {f"#{name}": name for name in unchanged},
        "ExpressionAttributeValues": values,
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
