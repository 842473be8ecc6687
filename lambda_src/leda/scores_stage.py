"""The effect of score records: an ADD to the total of every user that a prefix of changes touches."""

from collections.abc import Sequence

from leda import scores
from leda.exactly_once import Prefix, Rejected
from leda.lanes import Lane
from leda.streams import StreamRecord

# Every total is on one board: the index that orders them has it as its partition key.
BOARD = "all"


class ScoresStage:
    """Plans the updates of GameScoresByUser. Its rows are {Username, Score, Records, Board}."""

    def __init__(self, table: str) -> None:
        self._table = table

    def plan(self, _lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        """The longest prefix whose users fit a transaction."""
        folded = scores.fold(records)
        return Prefix(
            folded.count,
            [
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": {"Username": {"S": username}},
                        "UpdateExpression": "SET #Board = :board ADD #Score :points, #Records :records",
                        "ExpressionAttributeNames": {
                            "#Board": "Board",
                            "#Score": "Score",
                            "#Records": "Records",
                        },
                        "ExpressionAttributeValues": {
                            ":board": {"S": BOARD},
                            ":points": {"N": str(change.points)},
                            ":records": {"N": str(change.records)},
                        },
                    }
                }
                for username, change in folded.users.items()
                if change
            ],
            [Rejected(record, reason) for record, reason in folded.unreadable],
        )
