"""GameScoreRecords, GameScoresByUser and the two functions between them, over DynamoDB Local."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from support.lambda_events import event
from support.pipeline import Tables
from support.tables import definition, index

RECORDS, TOTALS, INDEX = "GameScoreRecords", "GameScoresByUser", "TopScore"

# As modules/score-aggregation sets it.
CONFIGURATION = {
    "group_by": {"users": {"keys": ["Username"]}},
    "identifiers": "plain",
    "measures": {"Score": {"op": "sum", "field": "Score"}, "Records": {"op": "count"}},
    "on_expiry": "keep",
}

Row = dict[str, Any]


def text_event(stream_arn: str) -> dict[str, Any]:
    """The test event of docs/scores.md, with the ARN of this stream."""
    return {
        "Records": [
            {
                "eventID": "1",
                "eventVersion": "1.0",
                "dynamodb": {
                    "Keys": {"RecordID": {"S": "2"}},
                    "NewImage": {
                        "RecordID": {"S": "2"},
                        "Username": {"S": "Jane Doe"},
                        "Score": {"N": "100"},
                        "Nickname": {"S": "JaneD"},
                    },
                    "StreamViewType": "NEW_IMAGE",
                    "SequenceNumber": "111",
                    "SizeBytes": 26,
                },
                "awsRegion": "us-west-2",
                "eventName": "INSERT",
                "eventSourceARN": stream_arn,
                "eventSource": "aws:dynamodb",
            }
        ]
    }


def record(username: Any, score: Any) -> Row:
    """A score record without its key; values that are not strings or numbers are in DynamoDB's JSON."""
    return {
        "Username": {"S": username} if isinstance(username, str) else username,
        "Score": score if isinstance(score, dict) else {"N": str(score)},
    }


@dataclass
class ScoreTables(Tables):
    """The system's tables and functions."""

    def create(self) -> None:
        self.settings = {
            "CONFIGURATION": json.dumps(CONFIGURATION),
            "LIMITS": "{}",
            "BACKFILL": "none",
            "TOTALS_KEY": "Username",
            "REDUCE_TABLE": self.prefix + "GameScoreDeltas",
            "REGISTRY_TABLE": self.prefix + "GameScoreRegistry",
            "AGGREGATE_TABLE": self.prefix + TOTALS,
            **self.settings,
        }
        self._create(RECORDS, {"RecordID": "S"}, "NEW_AND_OLD_IMAGES")
        self._create("GameScoreDeltas", {"Lane": "S", "Source": "S"}, "NEW_IMAGE")
        self._create("GameScoreRegistry", {"Scope": "S", "Name": "S"})
        self.dynamodb.create_table(
            **definition(
                self.prefix + TOTALS,
                {"Username": "S"},
                {"Parent": "S", "Score": "N"},
                GlobalSecondaryIndexes=[index(INDEX, "Parent", "Score")],
            )
        )

    def put(self, record_id: str, row: Row) -> None:
        """Write a score record, new or over the old one."""
        item = {"RecordID": {"S": record_id}, **row}
        self.dynamodb.put_item(TableName=self.prefix + RECORDS, Item=item)

    def delete(self, record_id: str) -> None:
        """Delete a score record."""
        self.dynamodb.delete_item(
            TableName=self.prefix + RECORDS, Key={"RecordID": {"S": record_id}}
        )

    def aggregate(self, given: dict[str, Any]) -> None:
        """Deliver an event to a cold environment of AggregateScoresByUser."""
        assert self.function("map")(given) == {"state": {}}

    def reduce(self) -> dict[str, tuple[Any, int]]:
        """Deliver the rows that AggregateScoresByUser has written so far, and return the totals."""
        shard = self.shard("GameScoreDeltas")
        changes = self.stream_records("GameScoreDeltas")
        assert self.function("reduce")(event(changes, shard)) == {"state": {}}
        return self.totals()

    def run(self) -> dict[str, tuple[Any, int]]:
        """Deliver all streams whole to cold environments, and return the totals."""
        self.aggregate(event(self.stream_records(RECORDS), self.shard(RECORDS)))
        return self.reduce()

    def totals(self) -> dict[str, tuple[Any, int]]:
        """Score and number of records of each user who has any."""
        return {
            row["Username"]["S"]: (Decimal(row["Score"]["N"]), int(row["Records"]["N"]))
            for row in self.rows(TOTALS)
            if row["Records"]["N"] != "0"
        }
