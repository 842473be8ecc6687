"""What Reduce does about a total whose statement DynamoDB refuses."""

from typing import cast
from unittest.mock import Mock

from leda.engine.delta_rows import Delta, Lane
from leda.engine.reduce_batch import Kind, Line, Pending, Row
from leda.engine.rejects import Reject
from leda.engine.shards import Shard
from leda.engine.statement_errors import StatementErrors
from leda.engine.total_statements import TotalStatements
from leda.streams.stream_records import StreamRecord


def test_a_row_that_adds_0_is_done_where_dynamodb_refuses_to_make_its_total() -> None:
    lane = Lane("0123abcd", 1, 0)
    row = Row("1", Delta(lane, ("Count",), {"node": ("0",)}, None), cast(StreamRecord, None))
    statements = TotalStatements("totals", "Identifier", lane.applied, ("Count",))
    shard = Shard("stream", "shard")
    line = Line(shard, lane.applied, ("Count",), [row], statements, lane.version, Mock())
    total = Pending("node", "1", "1", ("0",), kind=Kind.INSERT)
    rejected: list[Reject] = []

    errors = StatementErrors(Mock(), "totals", "Identifier", Mock())
    errors.decide(line, total, {"Code": "ValidationError", "Message": "key too long"}, rejected)

    # A move of the checkpoint would find no total, and so lead to the same INSERT again, without end.
    assert (total.rows, total.take, rejected) == ([], 0, [])
