"""GameScoreRecords, GameScoresByUser and AggregateScoresByUser over DynamoDB Local; random changes of records."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from support.deliveries import Environment, Record, Schedule
from support.faults import Faults, FaultyClient
from support.pipeline import Function, Tables, event

RECORDS, TOTALS, INDEX = "GameScoreRecords", "GameScoresByUser", "ByScore"
FUNCTION = "AggregateScoresByUser"

Row = dict[str, Any]


def text_event(stream_arn: str) -> dict[str, Any]:
    """The test event of the text that the system comes from, with a stream's own ARN for its placeholder."""
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
    """A score record without its key; anything that is no string or number is taken as DynamoDB's JSON."""
    return {
        "Username": {"S": username} if isinstance(username, str) else username,
        "Score": score if isinstance(score, dict) else {"N": str(score)},
    }


BAD = [
    record({"N": "7"}, 5),
    record("u0", {"S": "5"}),
    record("u0", "1E+12"),
    record("u1", "1E-18"),
    record("x" * 2049, 5),
    {"Username": {"S": "u1"}},
    {"Score": {"N": "5"}},
]


@dataclass
class ScoreTables(Tables):
    """The system's tables and function; `state` is what was written, by RecordID."""

    state: dict[str, Row] = field(default_factory=dict)

    def create(self) -> None:
        self.settings = {
            "AWS_LAMBDA_FUNCTION_NAME": self.prefix + FUNCTION,
            "SCORES_TABLE": self.prefix + TOTALS,
            **self.settings,
        }
        self._create(RECORDS, {"RecordID": "S"}, "NEW_AND_OLD_IMAGES")
        self._create("CheckpointTable", {"Source": "S", "Lane": "S"})
        self.dynamodb.create_table(
            TableName=self.prefix + TOTALS,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in (("Username", "S"), ("Board", "S"), ("Score", "N"))
            ],
            KeySchema=[{"AttributeName": "Username", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": INDEX,
                    "KeySchema": [
                        {"AttributeName": "Board", "KeyType": "HASH"},
                        {"AttributeName": "Score", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )

    def put(self, record_id: str, row: Row) -> None:
        """Write a score record, new or over the old one."""
        item = {"RecordID": {"S": record_id}, **row}
        self.dynamodb.put_item(TableName=self.prefix + RECORDS, Item=item)
        self.state[record_id] = row

    def delete(self, record_id: str) -> None:
        """Delete a score record."""
        key = {"RecordID": {"S": record_id}}
        self.dynamodb.delete_item(TableName=self.prefix + RECORDS, Key=key)
        self.state.pop(record_id, None)

    def records(self) -> list[Record]:
        """The stream of the score records so far."""
        return self.stream_records(RECORDS)

    def aggregate(self, client_wrapper: Any = None) -> Function:
        """A cold environment of the function."""
        return self.function("aggregate_scores", client_wrapper)

    def run(self) -> dict[str, tuple[Any, int]]:
        """Deliver the whole stream to a cold environment, and give the totals."""
        assert self.aggregate()(event(self.records())) == {"state": {}}
        return self.totals()

    def totals(self) -> dict[str, tuple[Any, int]]:
        """Score and number of records of each user who has any."""
        found = {
            row["Username"]["S"]: (Decimal(row["Score"]["N"]), int(row["Records"]["N"]))
            for row in self.rows(TOTALS)
        }
        return {username: total for username, total in found.items() if any(total)}


def fold(rows: Sequence[Row]) -> dict[str, tuple[Any, int]]:
    """Score and number of the rows of each user, by one plain pass; what cannot be read is left out."""
    points: dict[str, Fraction] = {}
    records: dict[str, int] = {}
    for row in rows:
        if row not in BAD:
            username = row["Username"]["S"]
            points[username] = points.get(username, Fraction(0)) + Fraction(row["Score"]["N"])
            records[username] = records.get(username, 0) + 1
    wide = Context(prec=100)
    return {
        username: (
            wide.divide(Decimal(total.numerator), Decimal(total.denominator)),
            records[username],
        )
        for username, total in points.items()
    }


def change_some(tables: ScoreTables, draw: random.Random, times: int) -> None:
    """New records, changed ones, ones that go to another user, deletions, and some that cannot be read."""
    for _ in range(times):
        known = sorted(tables.state)
        kind = draw.random()
        if known and kind < 0.25:
            tables.delete(draw.choice(known))
            continue
        fresh = f"r{draw.randrange(10**6)}"
        record_id = draw.choice(known) if known and kind < 0.6 else fresh
        if draw.random() < 0.1:
            tables.put(record_id, draw.choice(BAD))
            continue
        places = draw.choice([0, 2, 17])
        score = Decimal(draw.randint(-(10**11), 10**12 - 1)).scaleb(-places)
        tables.put(record_id, record(f"u{draw.randrange(6)}", score))


class Play:
    """One random play; `seed` reproduces it."""

    def __init__(
        self, tables: ScoreTables, seed: int, windowed: Sequence[bool] = (True, False)
    ) -> None:
        self.tables = tables
        self.random = random.Random(seed)
        self.schedule = Schedule(self.random, self._environment(), windowed)

    def __call__(self, bursts: int = 2, changes: int = 20) -> None:
        """Change records and deliver the stream in any way; the totals must be exact after each burst."""
        for _ in range(bursts):
            change_some(self.tables, self.random, changes)
            self.schedule.run(self.tables.records())
            found, expected = self.tables.totals(), fold(list(self.tables.state.values()))
            assert found == expected, f"after {self.schedule.log}"

    def _environment(self) -> Callable[[], Environment]:
        def new() -> Environment:
            faults = Faults()
            function = self.tables.aggregate(lambda client: FaultyClient(client, faults))
            shard = self.tables.shard(RECORDS)

            def deliver(batch: Sequence[Record], windowed: bool) -> None:
                assert function(event(batch, shard if windowed else None)) == {"state": {}}

            return Environment(deliver, faults)

        return new
