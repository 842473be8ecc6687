"""Prepares a batch for Reduce: sums its rows of ReduceTable by total, and builds the statement for each total.

A `CheckpointBatch` has those rows of the batch that move the same checkpoint attribute; a `PendingTotal` is a total
that still lacks some of these rows.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leda.engine.delta_rows import Delta, UnreadableDeltaError, amounts_of
from leda.engine.group_by.configuration import Amount, Configuration
from leda.engine.reduce.total_statements import TotalStatements
from leda.engine.registry import Configurations
from leda.engine.shards import Shard
from leda.streams.stream_records import StreamRecord
from leda.values.numbers import NotExactError, exact, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef


class StatementKind(enum.Enum):
    """What the next statement for a total does."""

    UPDATE = "add to the total and move its checkpoint"
    INSERT = "make the total"
    MOVE = "move the total's checkpoint alone"


@dataclass(slots=True)
class Row:
    """A row of ReduceTable in the batch, and its position in its lane.

    `covered` is the number of totals whose checkpoint covered the row before.
    """

    position: str
    delta: Delta
    record: StreamRecord
    covered: int = 0


@dataclass(slots=True)
class PendingTotal:
    """A total that may lack rows of the batch.

    Usually one statement adds all of them: `first` and `last` are the positions of the first and the last row, `texts`
    are the amounts of a single row, and `sums` those of several rows. If DynamoDB does not apply that statement, `rows`
    become the rows that the total lacks, and the next statement adds the first `rows_to_add` of them. `is_refused`:
    DynamoDB has refused the first of these rows alone, although the total has every measure.
    """

    node: str
    first: str
    last: str
    texts: Sequence[str]
    sums: list[Amount] | None = None
    rows: list[Row] | None = None
    rows_to_add: int = 0
    kind: StatementKind = StatementKind.UPDATE
    is_busy: bool = False
    is_refused: bool = False
    reason: str = ""

    def note_applied(self) -> None:
        """Drop the rows that the applied statement has added."""
        self.is_busy = self.is_refused = False
        if self.rows is not None:
            self.rows = self.rows[self.rows_to_add :]
            self.rows_to_add, self.kind = len(self.rows), StatementKind.UPDATE


@dataclass(frozen=True, slots=True)
class CheckpointBatch:
    """The rows of a batch that move the same checkpoint attribute, and their version.

    No configuration may have that version, if the rows were written by hand.
    """

    shard: Shard
    applied: str
    measures: tuple[str, ...]
    rows: Sequence[Row]
    statements: TotalStatements
    version: str
    configurations: Configurations
    _rows_by_node: dict[str, list[Row]] = field(default_factory=dict)

    def rows_of(self, each: PendingTotal) -> list[Row]:
        """Return the rows that the total lacks; at the first call, all rows of the batch that have its node."""
        if each.rows is None:
            if not self._rows_by_node:
                self._rows_by_node.update(_by_node(self.rows))
            each.rows = self._rows_by_node[each.node]
            each.rows_to_add = len(each.rows)
        return each.rows

    def drop_covered(self, each: PendingTotal, checkpoint: str) -> None:
        """Drop the rows that the checkpoint covers."""
        left = []
        for row in self.rows_of(each):
            if row.position > checkpoint:
                left.append(row)
            else:
                row.covered += 1
        each.rows = left
        each.rows_to_add, each.kind = len(left), StatementKind.UPDATE

    def statement(self, each: PendingTotal) -> "BatchStatementRequestTypeDef":
        """Build the next statement for the total."""
        if each.rows is None:
            first, last = each.first, each.last
            texts: Iterable[object] = each.texts if each.sums is None else each.sums
        else:
            texts = self._amounts_to_add(each)
            first, last = each.rows[0].position, each.rows[each.rows_to_add - 1].position
        node, amounts, moved = {"S": each.node}, [{"N": str(text)} for text in texts], {"S": last}
        if each.kind is StatementKind.INSERT:
            configuration = self.configurations.of(self.version)
            labels = self._labels(each.node, configuration)
            if configuration and not configuration.has_total(each.node):
                # The row subtracts what the total had under a former configuration, and the total was deleted with
                # that amount. The new total has 0, and exists only for the checkpoint.
                amounts = [{"N": "0"}] * len(amounts)
            return {
                "Statement": self.statements.insert(labels),
                "Parameters": [node, *amounts, moved, *labels.values()],
            }
        if each.kind is StatementKind.UPDATE:
            text, parameters = self.statements.update, [*amounts, moved, node, {"S": first}]
        else:
            text, parameters = self.statements.move, [moved, node, {"S": first}]
        return {
            "Statement": text,
            "Parameters": parameters,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _labels(self, node: str, configuration: Configuration | None) -> dict[str, dict[str, Any]]:
        """Return the labels of a new total: those of the live configuration, if it has the total.

        The rows may be of a former configuration, with another `retention_days`.
        """
        live = self.configurations.live(self.version)
        if live and live.has_total(node):
            configuration = live
        found = configuration.labels(node) if configuration else None
        return found.attributes if found else {}

    @staticmethod
    def _amounts_to_add(each: PendingTotal) -> Sequence[object]:
        """Return the sum of the first `rows_to_add` rows; if it does not fit a Number, the amounts of the first row."""
        assert each.rows
        first = each.rows[0].delta.totals[each.node]
        if each.rows_to_add == 1:
            return first
        try:
            with exact():
                sums: list[Amount] = list(amounts_of(first))
                for row in each.rows[1 : each.rows_to_add]:
                    _add(sums, amounts_of(row.delta.totals[each.node]))
            return sums
        except (NotExactError, UnreadableDeltaError):
            each.rows_to_add = 1
            return first


def pending_totals(rows: Sequence[Row]) -> list[PendingTotal]:
    """Sum the rows by total. A total whose sum does not fit 38 digits keeps its rows, to add them in parts."""
    found: dict[str, PendingTotal] = {}
    several: dict[str, list[Sequence[str]]] = {}
    for row in rows:
        place = row.position
        for node, texts in row.delta.totals.items():
            known = found.get(node)
            if known is None:
                found[node] = PendingTotal(node, place, place, texts)
            else:
                known.last = place
                several.setdefault(node, [known.texts]).append(texts)
    without_sum = [
        found[node] for node, given in several.items() if not _sum_up(found[node], given)
    ]
    if without_sum:
        rows_by_node = _by_node(rows)
        for known in without_sum:
            known.rows = rows_by_node[known.node]
            known.rows_to_add = len(known.rows)
    return list(found.values())


def _by_node(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each node, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for node in row.delta.totals:
            found.setdefault(node, []).append(row)
    return found


def _sum_up(known: PendingTotal, given: Sequence[Sequence[str]]) -> bool:
    """Set `sums` to the sums of the texts `given`, measure by measure, with the builtin `sum`, which is fast.

    Returns False if a sum needs more than 38 digits, or a text is not a number.
    """
    try:
        with exact():
            known.sums = [
                sum([number(text) for text in column]) for column in zip(*given, strict=True)
            ]
    except NotExactError:
        return False
    return True


def _add(sums: list[Amount], amounts: Sequence[Amount]) -> None:
    for place, amount in enumerate(amounts):
        sums[place] += amount
