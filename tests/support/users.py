"""The table Users with its stream, and its replica, over DynamoDB Local."""

from dataclasses import dataclass
from typing import Any

from support.pipeline import Pipeline

PLACE, END = "_place", "_end"
MARKS = {PLACE, END}


@dataclass
class Users:
    """The table of one test; items are {user_id, timestamp, ...}."""

    pipeline: Pipeline

    def __post_init__(self) -> None:
        for name in ("Users", "Replica"):
            self.pipeline._create(
                name,
                {"user_id": "S", "timestamp": "N"},
                "NEW_AND_OLD_IMAGES" if name == "Users" else None,
            )
        self.pipeline.settings |= {
            "REPLICA_TABLE": f"{self.pipeline.prefix}Replica",
            "REPLICA_REGION": "us-east-1",
            "PLACE_ATTRIBUTE": PLACE,
            "END_ATTRIBUTE": END,
        }

    @property
    def table(self) -> str:
        return f"{self.pipeline.prefix}Users"

    def put(self, user: str, timestamp: int = 1, **attributes: Any) -> None:
        """Write an item; attributes are in DynamoDB's JSON."""
        self.pipeline.dynamodb.put_item(
            TableName=self.table, Item={**key(user, timestamp), **attributes}
        )

    def delete(self, user: str, timestamp: int = 1) -> None:
        self.pipeline.dynamodb.delete_item(TableName=self.table, Key=key(user, timestamp))

    def records(self) -> list[dict[str, Any]]:
        """The stream's records so far, as Lambda delivers them."""
        return self.pipeline.stream_records("Users")

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The items of the table, by key."""
        return _by_key(self.pipeline.rows("Users"))

    def replica(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The items of the replica, by key: no tombstones, and no attributes that the replica adds."""
        rows = [row for row in self.pipeline.rows("Replica") if END not in row]
        return _by_key([{name: row[name] for name in row.keys() - MARKS} for row in rows])

    def tombstones(self) -> list[dict[str, Any]]:
        return [row for row in self.pipeline.rows("Replica") if END in row]


def key(user: str, timestamp: int = 1) -> dict[str, Any]:
    return {"user_id": {"S": user}, "timestamp": {"N": str(timestamp)}}


def _by_key(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["user_id"]["S"], row["timestamp"]["N"]): row for row in rows}
