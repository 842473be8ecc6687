"""Reduce: adds the rows of ReduceTable to the totals, with a checkpoint in every total.

    AggregateTable {Identifier, <measures>, Applied<version>_<lanes>: "<epoch, 10 digits>.<sequence number, 40 digits>",
                    Grouping?, Keys?, Parent?, ExpiresAt?}

The last four attributes are the total's labels (`total_labels`), which the statement that makes the total sets.

A total's checkpoint for a version and a number of lanes is the position of the last row of its lane that the total
covers. For a batch and each total, one statement adds the sum of the batch's rows and moves the checkpoint to the last
row, on condition that the checkpoint is below the first row (docs/exactly-once.md, "Reduce: one checkpoint for each
total"). `statement_errors` decides what follows if DynamoDB does not apply that statement.

Each total is written independently of the others: there is no transaction, no limit to their number, and no conflict.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.aws.backoff import Backoff, is_throttle, is_unanswered
from leda.engine.delta_rows import RESERVED, UnreadableDeltaError, read
from leda.engine.reduce.epochs import IGNORED, Epochs, position
from leda.engine.reduce.reduce_batch import CheckpointBatch, PendingTotal, Row, pending_totals
from leda.engine.reduce.statement_errors import StatementErrors
from leda.engine.reduce.total_statements import TotalStatements
from leda.engine.registry import Configurations
from leda.engine.rejects import Reject
from leda.engine.shards import Shard, time_of_youngest
from leda.streams.stream_records import IMAGES, StreamRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The default name of the totals table's key attribute.
KEY = "Identifier"

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25


@dataclass(slots=True)
class Outcome:
    """The outcome of a batch: rows added, rows that every total covered already (duplicates), and totals written."""

    applied: int = 0
    duplicates: int = 0
    written: int = 0
    oldest: Decimal | None = None
    rejected: list[Reject] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """The metrics by name."""
        return {"Duplicates": self.duplicates, "DeltasApplied": self.applied}

    @property
    def summary(self) -> dict[str, int]:
        """The fields of the log line."""
        return {
            "applied": self.applied,
            "duplicates": self.duplicates,
            "totals_written": self.written,
        }


class Totals:
    """Adds to the totals of one table, with `threads` requests at a time."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        epochs: Epochs,
        configurations: Configurations,
        reject: Callable[[Shard, Reject], None],
        threads: int = 4,
        key: str = KEY,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._epochs = epochs
        self._configurations = configurations
        self._reject = reject
        self._key = key
        self._errors = StatementErrors(client, table, key, reject)
        self._pool = ThreadPoolExecutor(threads)
        self._pause = pause or time.sleep
        self._statements: dict[tuple[str, tuple[str, ...]], TotalStatements] = {}

    def apply(self, shard: Shard, records: Sequence[StreamRecord]) -> Outcome:
        """Add the rows (records of one shard of ReduceTable's stream, in their order) to the totals that lack them.

        Raises GaveUpError, TotalsError or the client's error. Totals that were written before the error stay, and their
        checkpoints cover the rows at the next delivery.
        """
        outcome = Outcome()
        batches: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        for row in self._rows(shard, records, outcome):
            # A total has one lane, and one checkpoint, for each version and number of lanes.
            applied = row.delta.lane.applied + ("m" if shard.is_made_up else "")
            batches.setdefault((applied, row.delta.measures), []).append(row)
        # In parallel, because a batch with only such records would otherwise take longer than the function's timeout.
        list(self._pool.map(partial(self._reject, shard), outcome.rejected))
        for (applied, measures), rows in batches.items():
            pending = pending_totals(rows)
            batch = CheckpointBatch(
                shard,
                applied,
                measures,
                rows,
                self._statements_of(applied, measures),
                rows[0].delta.lane.version,
                self._configurations,
            )
            for is_reserved in (False, True):
                self._write(
                    batch,
                    [each for each in pending if each.node.startswith(RESERVED) is is_reserved],
                    outcome,
                )
            duplicates = sum(row.covered == len(row.delta.totals) for row in rows)
            outcome.duplicates += duplicates
            outcome.applied += len(rows) - duplicates
        return outcome

    def _rows(
        self, shard: Shard, records: Sequence[StreamRecord], outcome: Outcome
    ) -> Iterable[Row]:
        epoch = self._epochs.of(shard, time_of_youngest(records)) if records else IGNORED
        if epoch == IGNORED:
            return
        for record in records:
            # Time to live has removed the row of ReduceTable. Its amounts stay in the totals.
            if record.event_name == "REMOVE":
                continue
            if record.event_name not in IMAGES:
                reason = f"eventName is not one of {', '.join(IMAGES)}"
                outcome.rejected.append(Reject(record, reason))
                continue
            try:
                delta = read(record.new)
            except UnreadableDeltaError as error:
                outcome.rejected.append(Reject(record, str(error)))
                continue
            if delta.oldest is not None:
                known = delta.oldest if outcome.oldest is None else outcome.oldest
                outcome.oldest = min(known, delta.oldest)
            yield Row(position(epoch, record.sequence), delta, record)

    def _statements_of(self, applied: str, measures: tuple[str, ...]) -> TotalStatements:
        # The cache is small: one entry for each configuration and number of lanes in use.
        found = self._statements.get((applied, measures))
        if found is None:
            found = self._statements[applied, measures] = TotalStatements(
                self._table, self._key, applied, measures
            )
        return found

    def _write(self, batch: CheckpointBatch, todo: list[PendingTotal], outcome: Outcome) -> None:
        backoff = Backoff(f"totals of {self._table} for {batch.shard.id}", self._pause)
        while todo:
            requests = [
                todo[at : at + MAX_STATEMENTS] for at in range(0, len(todo), MAX_STATEMENTS)
            ]
            if len(requests) == 1:
                answers: Iterable[list[Any]] = [self._ask(batch, requests[0])]
            else:
                answers = self._pool.map(self._ask, [batch] * len(requests), requests)
            left: list[PendingTotal] = []
            for each, error in zip(todo, chain.from_iterable(answers), strict=True):
                if error:
                    self._errors.decide(batch, each, error, outcome.rejected)
                else:
                    each.note_applied()
                    outcome.written += 1
                if each.rows_to_add or (error and each.rows is None):
                    left.append(each)
            if len(left) < len(todo):
                backoff.succeeded()
            if any(each.is_busy for each in left):
                backoff.failed(next(each.reason for each in left if each.is_busy))
            todo = left

    def _ask(self, batch: CheckpointBatch, part: Sequence[PendingTotal]) -> list[Mapping[str, Any]]:
        """Send the statements; return the error of each, in their order; an empty one if it was applied."""
        statements = [batch.statement(each) for each in part]
        try:
            answer = self._client.batch_execute_statement(Statements=statements)
        except (HTTPClientError, NoConnection) as error:
            return [{"Code": "NoAnswer", "Message": str(error)}] * len(part)
        except ClientError as error:
            if is_throttle(error) or is_unanswered(error):
                return [{"Code": "NoAnswer", "Message": str(error)}] * len(part)
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            if len(part) == 1:
                return [{"Code": "ValidationError", "Message": error.response["Error"]["Message"]}]
            # DynamoDB refuses the whole call if one parameter is not valid.
            return list(chain.from_iterable(self._ask(batch, [each]) for each in part))
        return [response.get("Error", {}) for response in answer["Responses"]]
