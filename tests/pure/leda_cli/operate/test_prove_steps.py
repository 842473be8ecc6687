"""The steps of a proof, over a pipeline in memory whose totals change with each message."""

from __future__ import annotations

from decimal import Decimal
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda_cli.base.errors import LedaError
from leda_cli.operate.prove.proof import Pipeline, Proof
from leda_cli.operate.prove.trades import IDS, ROOT, SINGLES, Trades
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.comparison import EXACT
from leda_cli.operate.totals.oracle import Oracle, Total
from support.aggregations import aggregation

OTHERS = {"Delta": Total(3, Decimal("7.5"))}


class MemoryPipeline:
    """Kinesis, DynamoDB and the three functions: the highest version of a trade wins, and totals are sums of these."""

    def __init__(self) -> None:
        self.schema = Schema()
        self.lock = Lock()
        self.rows: dict[str, dict[str, Any]] = {}
        self.oracle = Oracle()
        self.lost = Decimal(0)
        self.may_delete = True
        self.now = 0.0
        stack = Stack()
        vars(stack).update(dynamodb=self, kinesis=self)
        pipeline = Pipeline(aggregation(stack), stack, Schema())
        self.proof = Proof(pipeline, patience=5, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # -- Kinesis

    def put_records(self, Records: list[Any], **_: Any) -> Any:
        for record in Records:
            self.put_record(record["Data"])
        return {"FailedRecordCount": 0}

    def put_record(self, Data: bytes, **_: Any) -> None:
        message = parse(Data, self.schema)
        # A proof puts from several threads.
        with self.lock:
            self.oracle.see_bytes(Data)
            known = self.rows.get(message.id)
            if known is None or int(known["Version"]["N"]) < message.version:
                self.rows[message.id] = {
                    "id": {"S": message.id},
                    "Version": {"N": str(message.version)},
                    "Deleted": {"BOOL": message.deleted},
                }

    # -- DynamoDB

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:
        ((table, request),) = RequestItems.items()
        rows = self._table(table)
        keys = [next(iter(key.values()))["S"] for key in request["Keys"]]
        found = [rows[key] for key in keys if key in rows]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def delete_item(self, Key: dict[str, Any], **_: Any) -> None:
        if not self.may_delete:
            error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(error, "DeleteItem")
        del self.rows[Key["id"]["S"]]

    def _table(self, name: str) -> dict[str, dict[str, Any]]:
        if name == "StateTable":
            return self.rows
        totals = {**OTHERS, **self.oracle.totals()}
        if self.lost:
            count, value = totals.get(ROOT, Total(0, Decimal(0)))
            totals[ROOT] = Total(count, EXACT.subtract(value, self.lost))
        return {
            name: {
                "Identifier": {"S": name},
                "Count": {"N": str(total.trades)},
                "Value": {"N": str(total.value)},
            }
            for name, total in totals.items()
        }


@pytest.fixture
def memory() -> MemoryPipeline:
    return MemoryPipeline()


def test_a_run_ends_with_exact_totals_then_zeros_and_no_rows(memory: MemoryPipeline) -> None:
    assert memory.proof.clear(100) == 0
    assert len(list(memory.proof.singles())) == SINGLES
    burst = memory.proof.burst()
    assert (burst.wrong, burst.totals) == ([], 9)
    assert memory.oracle.totals()[ROOT].trades > 900
    assert not memory.proof.is_disturbed()
    assert memory.proof.delete().wrong == []
    assert memory.oracle.totals() == {}
    assert {row["Version"]["N"] for row in memory.rows.values()} == {str(memory.proof.last_version)}
    assert memory.proof.remove_rows() == 0
    assert memory.rows == {}


def test_rows_of_a_killed_run_are_removed_first(memory: MemoryPipeline) -> None:
    for record in list(Trades(Schema(), 10**6).burst())[:300]:
        memory.put_record(record.data)
    left = sum(row["Deleted"] == {"BOOL": False} for row in memory.rows.values())
    assert memory.proof.clear(100) == left > 100
    assert memory.oracle.totals() == {}
    assert memory.proof.burst().wrong == []


def test_a_wrong_total_is_found_and_totals_that_do_not_become_0_are_an_error(
    memory: MemoryPipeline,
) -> None:
    memory.proof.clear(100)
    memory.lost = Decimal("0.01")
    (wrong,) = memory.proof.burst().wrong
    assert (wrong.identifier, wrong.off) == (ROOT, Decimal("-0.01"))
    assert [each.identifier for each in memory.proof.delete().wrong] == [ROOT]
    with pytest.raises(LedaError, match="totals under leda-prove are not 0"):
        memory.proof.clear(100)


def test_another_run_at_the_same_time_is_detected(memory: MemoryPipeline) -> None:
    memory.proof.clear(100)
    memory.proof.burst()
    for record in Trades(Schema(), 10**9).burst():
        memory.put_record(record.data)
    assert memory.proof.is_disturbed()


def test_rows_that_may_not_be_deleted_are_counted(memory: MemoryPipeline) -> None:
    memory.proof.clear(100)
    memory.may_delete = False
    assert memory.proof.remove_rows() == len(IDS)


def test_a_message_that_does_not_arrive_is_an_error(memory: MemoryPipeline) -> None:
    memory.proof.clear(100)
    memory.put_record = lambda **_: None  # type: ignore[method-assign]
    with pytest.raises(LedaError, match="did not reach StateTable in 5 s"):
        list(memory.proof.singles())
