"""Reduce's handling of a total whose statement DynamoDB refuses."""

from collections.abc import Iterator, Sequence
from typing import cast
from unittest.mock import Mock

from leda.engine.delta_rows import Delta, Lane
from leda.engine.reduce.reduce_batch import CheckpointBatch, PendingTotal, Row, StatementKind
from leda.engine.reduce.statement_errors import StatementErrors
from leda.engine.reduce.total_statements import TotalStatements
from leda.engine.rejects import Reject
from leda.engine.shards import Shard
from leda.streams.stream_records import StreamRecord

LANE = Lane("0123abcd", 1, 0)


def row(position: str, totals: dict[str, tuple[str, ...]]) -> Row:
    return Row(position, Delta(LANE, ("Count",), totals, None), cast(StreamRecord, None))


def batch_of(rows: Sequence[Row]) -> CheckpointBatch:
    statements = TotalStatements("totals", "Identifier", LANE.applied, ("Count",))
    shard = Shard("stream", "shard")
    return CheckpointBatch(shard, LANE.applied, ("Count",), rows, statements, LANE.version, Mock())


def test_a_row_that_adds_0_is_dropped_when_dynamodb_refuses_to_insert_its_total() -> None:
    total = PendingTotal("node", "1", "1", ("0",), kind=StatementKind.INSERT)
    rejected: list[Reject] = []

    errors = StatementErrors(Mock(), "totals", "Identifier", Mock())
    error = {"Code": "ValidationError", "Message": "key too long"}
    errors.decide(batch_of([row("1", {"node": ("0",)})]), total, error, rejected)

    # A move of the checkpoint would find no total, and so lead to the same INSERT again, without end.
    assert (total.rows, total.rows_to_add, rejected) == ([], 0, [])


def test_throttling_while_a_missing_measure_is_added_makes_the_total_busy() -> None:
    client = Mock()
    client.get_item.return_value = {"Item": {"Identifier": {"S": "node"}}}
    throttle = {"Code": "ThrottlingError", "Message": "slow down"}
    client.batch_execute_statement.return_value = {"Responses": [{"Error": throttle}]}
    total = PendingTotal("node", "1", "1", ("1",))

    errors = StatementErrors(client, "totals", "Identifier", Mock())
    errors.decide(batch_of([row("1", {"node": ("1",)})]), total, {"Code": "ValidationError"}, [])

    # Reduce pauses before it sends the UPDATE again.
    assert (total.is_busy, total.reason) == (True, "ThrottlingError: slow down")


def test_the_rows_of_all_totals_are_found_in_one_pass_over_the_batch() -> None:
    class Rows(list[Row]):
        reads = 0

        def __iter__(self) -> Iterator[Row]:
            self.reads += 1
            return super().__iter__()

    rows = Rows([row("1", {"a": ("1",), "b": ("1",)}), row("2", {"b": ("1",), "c": ("1",)})])
    batch = batch_of(rows)
    found = {node: batch.rows_of(PendingTotal(node, "1", "2", ("1",))) for node in "abc"}

    assert found == {"a": [rows[0]], "b": [rows[0], rows[1]], "c": [rows[1]]}
    assert rows.reads == 1
