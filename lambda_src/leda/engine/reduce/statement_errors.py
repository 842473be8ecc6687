"""Decides what to do about a total whose statement was not applied, by the error of the statement.

UPDATE  applied                            done
        ConditionalCheckFailed, no item    the total does not exist: INSERT
        ConditionalCheckFailed, an item    drop the rows that the total's checkpoint covers, and UPDATE
        ValidationError                    the sum does not fit 38 digits, or the total lacks a measure: UPDATE with
                                           half of the rows. If only one row is left: MOVE the checkpoint if the row
                                           adds 0; add a missing measure with 0 and UPDATE; if no measure is missing,
                                           UPDATE once more, because another delivery may have added it meanwhile; at
                                           last quarantine the row for this total, and MOVE the checkpoint
INSERT  applied                            done
        DuplicateItem                      another delivery has made the total meanwhile: UPDATE
        ValidationError                    INSERT with half of the rows. If only one row is left: drop it, and
                                           quarantine it for this total unless it adds 0. There is no checkpoint to MOVE

The rule is Reduce's in docs/exactly-once.md: an amount and the checkpoint that covers it are written by one statement.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from leda.engine.reduce.reduce_batch import CheckpointBatch, PendingTotal, StatementKind
from leda.engine.rejects import Reject
from leda.engine.shards import Shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef

_FATAL = frozenset({"AccessDenied", "ResourceNotFound"})


class TotalsError(RuntimeError):
    """A statement failed for a reason that no retry corrects (rights, a missing table), or a checkpoint was edited."""


class StatementErrors:
    """Handles the errors of one totals table's statements; `reject` quarantines a row that cannot be added."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        key: str,
        reject: Callable[[Shard, Reject], None],
    ) -> None:
        self._client = client
        self._table = table
        self._key = key
        self._reject = reject

    def decide(
        self,
        batch: CheckpointBatch,
        each: PendingTotal,
        error: Mapping[str, Any],
        rejected: list[Reject],
    ) -> None:
        """Decide the next statement for a total whose statement had this error.

        Adds quarantined rows to `rejected`. Raises TotalsError.
        """
        code = error.get("Code", "")
        each.is_busy = False
        if code == "DuplicateItem":
            each.kind = StatementKind.UPDATE
        elif code == "ConditionalCheckFailed":
            row = error.get("Item")
            if row:
                batch.drop_covered(each, _checkpoint(self._table, each, batch, row))
            else:
                each.kind = StatementKind.INSERT
        elif code == "ValidationError" and each.kind is not StatementKind.MOVE:
            self._decide_refused(batch, each, str(error.get("Message")), rejected)
        elif code in _FATAL or code == "ValidationError":
            raise TotalsError(
                f"{self._table} refuses the statement for the total {each.node}: {code}: {error.get('Message')}"
            )
        else:
            # A throttle, a failure of the service, or no answer. If the statement was applied nevertheless, the
            # condition of the next one fails.
            each.is_busy, each.reason = True, f"{code}: {error.get('Message')}"

    def _decide_refused(
        self, batch: CheckpointBatch, each: PendingTotal, message: str, rejected: list[Reject]
    ) -> None:
        rows = batch.rows_of(each)
        if each.rows_to_add > 1:
            each.rows_to_add //= 2
            return
        row = rows[0]
        texts = row.delta.totals[each.node]
        # If the row adds 0, an existing total lacks a measure. A rebuild writes such rows only to move a checkpoint, so
        # they must not write a measure that a later configuration does not have.
        if any(map(Decimal, texts)):
            if each.kind is StatementKind.UPDATE and self._add_missing_measures(
                batch, each, row.position
            ):
                return
            if each.kind is StatementKind.UPDATE and not each.is_refused:
                each.is_refused = True
                return
            amounts = ", ".join(
                f"{name} {text}" for name, text in zip(batch.measures, texts, strict=True)
            )
            reason = f"DynamoDB refuses to add {amounts} to {each.node}: {message}"
            reject = Reject(row.record, reason, each.node)
            rejected.append(reject)
            self._reject(batch.shard, reject)
        if each.kind is StatementKind.INSERT:
            # There is no total whose checkpoint could move. DynamoDB will refuse the row at each delivery.
            each.rows = rows[1:]
            each.rows_to_add = len(each.rows)
        else:
            each.kind = StatementKind.MOVE

    def _add_missing_measures(self, batch: CheckpointBatch, each: PendingTotal, first: str) -> bool:
        """Write 0 for each measure that the total lacks; return whether it lacked one.

        A total of an older configuration, or one that was edited by hand, may lack a measure, and DynamoDB refuses to
        add to a missing attribute. The 0 is written on condition that the total's checkpoint is below `first`, the
        position of the row that needs the measure: a late statement must not write a measure that a backfill has
        removed meanwhile. If DynamoDB throttles the statement or fails, the total is marked as busy. Raises
        TotalsError.
        """
        key = {self._key: {"S": each.node}}
        row = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        lacking = [name for name in batch.measures if row and name not in row]
        for name in lacking:
            statement: BatchStatementRequestTypeDef = {
                "Statement": batch.statements.add_measure(name),
                "Parameters": [{"N": "0"}, {"S": each.node}, {"S": first}],
            }
            answer = self._client.batch_execute_statement(Statements=[statement])
            error = answer["Responses"][0].get("Error")
            if not error:
                continue
            code = error.get("Code")
            if code in _FATAL or code == "ValidationError":
                raise TotalsError(
                    f"{self._table} refuses to give the total {each.node} a {name} of 0: {error}"
                )
            if code != "ConditionalCheckFailed":
                each.is_busy, each.reason = True, f"{code}: {error.get('Message')}"
        return bool(lacking)


def _checkpoint(
    table: str, each: PendingTotal, batch: CheckpointBatch, row: Mapping[str, Any]
) -> str:
    stored = row.get(batch.applied, {}).get("S")
    if not isinstance(stored, str):
        raise TotalsError(
            f"{table}'s row {each.node} has a {batch.applied} that is not LEDA's (a string), so somebody has "
            "edited it: remove the attribute and run `leda rebuild`"
        )
    return stored
