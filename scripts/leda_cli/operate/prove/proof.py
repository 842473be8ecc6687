"""One run of a proof: deletes what an earlier run left, sends messages, compares the totals, and deletes everything.

However large the tables are, a run reads and writes by key only: rows of StateTable with the ids of its trades, and
totals under its root.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from leda.pipeline.game import Record
from leda.pipeline.schema import Schema
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.functions import mappings_of
from leda_cli.operate.deployed.refusals import denied_action
from leda_cli.operate.deployed.rows import is_written, rows_by_text
from leda_cli.operate.prove.trades import IDS, ROOT, SINGLES, VERSIONS, Trades, totals_of
from leda_cli.operate.putting import Putting, regroup
from leda_cli.operate.quarantine.state_events import Deployed
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.comparison import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    Difference,
    Phase,
    Settling,
)
from leda_cli.operate.totals.oracle import Oracle, Total

LOOK_SECONDS = 0.02
"""The interval at which a row is read while the run measures how long the row takes to appear."""
_DELETING_THREADS = 8

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Pipeline:
    """The aggregation, the stack that it is a part of, and the schema of the stack's messages."""

    aggregation: Aggregation
    stack: Stack
    schema: Schema

    @classmethod
    def of(cls, aggregation: Aggregation) -> Pipeline:
        """The aggregation's pipeline. Raises LedaError where it has none, or another table than its own is counted."""
        stack = aggregation.account
        if not isinstance(stack, Stack):
            raise LedaError(
                f"{aggregation.map_function} counts the rows of {aggregation.source.name}, and no StateLambda with the "
                "same prefix writes them",
                f"for an aggregation without a pipeline, pass --map-function {aggregation.map_function}",
            )
        state = stack.functions["state"]
        mappings = sum(1 for _ in mappings_of(stack.lambdas, FunctionName=state))
        if mappings != 1 or stack.state_table != aggregation.source.name:
            raise LedaError(
                f"{state} has {mappings} event source mappings and writes to {stack.state_table}; a pipeline's has one "
                f"and writes to {aggregation.source.name}, whose rows {aggregation.map_function} counts",
                "run `terraform apply`; an aggregation without a pipeline is checked with --map-function",
            )
        return cls(aggregation, stack, Deployed.of(stack).schema)


@dataclass(frozen=True, slots=True)
class Single:
    """How many seconds one message took until its row was in StateTable, and from there until it was in its totals."""

    to_state: float
    to_totals: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a wait for exact totals: how long it took, and what is still wrong."""

    seconds: float
    wrong: list[Difference]
    totals: int


class Proof:
    """The steps of a run, in the order in which they are to be called."""

    def __init__(
        self,
        pipeline: Pipeline,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        """`patience`: after so many seconds without a change, totals that differ count as wrong."""
        self._of = pipeline
        self._aggregation = pipeline.aggregation
        self._stack = pipeline.stack
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._rng = random.Random()
        self._nodes = totals_of(pipeline.schema)
        self._oracle = Oracle(pipeline.stack.names)
        self._trades = Trades(pipeline.schema, 0)

    def clear(self, versions_from: int) -> int:
        """Delete what an unfinished run left; returns how many trades were there.

        Every trade gets a deletion, whether its row exists or not: all messages of a trade are in one shard, so once
        the deletions are stored, no message of an earlier run is on its way any more. This run's versions begin at
        `versions_from`, or above the highest version found. Raises LedaError if the totals under the root are not 0
        after that.
        """
        rows = self._rows()
        highest = max((int(row["Version"]["N"]) for row in rows.values()), default=0)
        self._trades.first_version = max(versions_from, highest + 1)
        self._put(self._trades.deletions())
        self._trades.first_version += VERSIONS
        self._until("StateTable", self._is_cleared, POLL_SECONDS)
        if self._wait_for({}).wrong:
            raise LedaError(
                f"totals under {ROOT} are not 0, although nothing of an earlier run is left",
                f"let another run of `leda prove` end; otherwise `{self._aggregation.command('verify')}` says whether "
                f"the totals are wrong; a hierarchy of yours must not begin with {ROOT}",
            )
        return sum(not _is_deleted(row) for row in rows.values())

    @property
    def last_version(self) -> int:
        """The version of the messages that delete this run's trades."""
        return self._trades.last_version

    def _is_cleared(self) -> bool:
        rows = self._rows()
        return len(rows) == len(IDS) and all(map(_is_deleted, rows.values()))

    def singles(self) -> Iterator[Single]:
        """Send messages one by one and time each. Raises LedaError where one does not reach its totals."""
        return map(self._single, range(SINGLES))

    def _single(self, number: int) -> Single:
        # At a random moment between two polls.
        self._sleep(self._rng.random())
        record = self._trades.single(number)
        self._oracle.see_bytes(record.data)
        self._stack.kinesis.put_record(
            StreamName=self._stack.stream, Data=record.data, PartitionKey=record.partition_key
        )
        put = self._clock()
        self._until("StateTable", lambda: self._is_stored(record.partition_key))
        stored = self._clock()
        wanted = self._oracle.totals()[ROOT]
        self._until("the totals", lambda: self._totals([ROOT]) == {ROOT: wanted})
        return Single(stored - put, self._clock() - stored)

    def burst(self) -> Outcome:
        """Send all other messages at once, and wait until every total is exact."""
        putting = self._put(self._trades.burst())
        return self._wait_for(self._oracle.totals(), putting.ended)

    def delete(self) -> Outcome:
        """Delete every trade, and wait until every total is 0."""
        putting = self._put(self._trades.deletions())
        return self._wait_for({}, putting.ended)

    def is_disturbed(self) -> bool:
        """Whether another run has written the same trades in the meantime, so that neither run can be exact."""
        beyond = self._trades.first_version + VERSIONS
        return any(int(row["Version"]["N"]) >= beyond for row in self._rows().values())

    def remove_rows(self) -> int:
        """Delete the rows of the deleted trades from StateTable; returns how many the credentials may not delete.

        These rows change no total. A message that is delivered once more inserts its row again; the next run deletes
        it.
        """
        deleted = {each: row["Version"] for each, row in self._rows().items() if _is_deleted(row)}
        with ThreadPoolExecutor(_DELETING_THREADS) as pool:
            return sum(not done for done in pool.map(self._remove_row, deleted, deleted.values()))

    def _remove_row(self, identifier: str, version: Any) -> bool:
        try:
            # Where the condition fails, another run has written the row in the meantime, and will delete it.
            is_written(
                self._stack.dynamodb.delete_item,
                TableName=self._stack.state_table,
                Key={"id": {"S": identifier}},
                ConditionExpression="#Deleted = :yes AND #Version = :version",
                ExpressionAttributeNames={"#Deleted": "Deleted", "#Version": "Version"},
                ExpressionAttributeValues={":yes": {"BOOL": True}, ":version": version},
            )
        except ClientError as error:
            if denied_action(error) is None:
                raise
            return False
        return True

    def _put(self, records: Iterable[Record]) -> Putting:
        """Put records into the stream; returns when the stream has all of them."""
        putting = Putting(
            self._stack.kinesis,
            self._stack.stream,
            regroup([record] for record in records),
            seen=lambda record: self._oracle.see_bytes(record.data),
            clock=self._clock,
        )
        putting.start()
        try:
            while putting.running(POLL_SECONDS):
                pass
        except BaseException:
            putting.stop()
            raise
        return putting

    def _wait_for(self, expected: Mapping[str, Total], began: float | None = None) -> Outcome:
        """Wait until the totals under the root are the expected ones, or do not change any more."""
        began = self._clock() if began is None else began
        settling = Settling(expected, self._clock(), patience=self._patience)
        while True:
            phase = settling.look(self._totals(self._nodes), self._clock())
            if phase is Phase.SETTLED:
                assert settling.matched is not None
                return Outcome(settling.matched - began, [], len(expected) or len(self._nodes))
            if phase is Phase.STUCK:
                return Outcome(self._clock() - began, settling.wrong, len(self._nodes))
            self._sleep(POLL_SECONDS)

    def _until(self, where: str, look: Callable[[], bool], every: float = LOOK_SECONDS) -> None:
        deadline = self._clock() + self._patience
        while not look():
            if self._clock() > deadline:
                raise LedaError(
                    f"messages did not reach {where} in {self._patience:.0f} s",
                    f"look at the functions' logs; `{self._aggregation.command('verify')}` says whether the mappings "
                    "are on; the next run deletes the messages",
                )
            self._sleep(every)

    def _rows(self, ids: Iterable[str] = IDS) -> dict[str, dict[str, Any]]:
        wanted = ("id", "Version", "Deleted")
        return rows_by_text(self._stack.dynamodb, self._stack.state_table, "id", ids, wanted)

    def _totals(self, nodes: Iterable[str]) -> dict[str, Total]:
        """Those of the totals that are not 0."""
        table, key = self._aggregation.totals_table, self._aggregation.totals_key
        rows = rows_by_text(self._stack.dynamodb, table, key, nodes, (key, "Count", "Value"))
        found = {
            name: Total(int(row["Count"]["N"]), Decimal(row["Value"]["N"]))
            for name, row in rows.items()
        }
        return {name: total for name, total in found.items() if any(total)}

    def _is_stored(self, identifier: str) -> bool:
        """Whether the trade's row exists and is not one that `clear` deleted."""
        return not all(map(_is_deleted, self._rows([identifier]).values()))


def _is_deleted(row: Mapping[str, Any]) -> bool:
    return bool(row["Deleted"] == {"BOOL": True})
