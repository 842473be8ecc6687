"""Reduce: adds the rows of ReduceTable to the totals, with a checkpoint in every total.

    AggregateTable {Identifier, <measures>, Applied<version>_<lanes>: "<epoch, 10 digits>.<sequence number, 40 digits>",
                    Grouping?, Keys?, Parent?, ExpiresAt?}

A total's checkpoint for a version and a number of lanes says how far it has come in its lane's line of shards. For a
batch and each total, the sum of the batch's rows is added on condition that the checkpoint is below the first of them:

    UPDATE  applied                            done
            ConditionalCheckFailed, no item    there is no such total: INSERT
            ConditionalCheckFailed, an item    some of the rows are in it: drop those that its checkpoint covers, UPDATE
            ValidationError                    the sum does not fit 38 digits, or the total lacks a measure: UPDATE half
                                               of the rows. Of one row alone: if it adds 0, MOVE the checkpoint over it;
                                               if the total lacks a measure, give it 0; else it is quarantined for this
                                               total, and the checkpoint MOVEs over it
    INSERT  applied                            done
            DuplicateItem                      somebody has made the total meanwhile: UPDATE

The last four attributes say what a total of a grouping is called, and until when it is worth something; the INSERT sets
them.

Totals have nothing to do with each other: there is no transaction, no limit to their number, and no conflict.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
"""

import enum
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

from leda.aws.backoff import THROTTLES, Backoff, is_throttle, is_unanswered
from leda.engine.configuration import Amount, Configuration
from leda.engine.delta_rows import RESERVED, Delta, UnreadableDeltaError, amounts_of, read
from leda.engine.epochs import IGNORED, Epochs, position
from leda.engine.rejects import Reject
from leda.engine.shards import Shard, created
from leda.streams.stream_records import IMAGES, StreamRecord
from leda.values.numbers import NotExactError, exact, number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef

# The totals table's key attribute, unless it was given another name.
KEY = "Identifier"

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25

_FATAL = frozenset({"AccessDenied", "ResourceNotFound"})


class TotalsError(RuntimeError):
    """A statement failed for a reason that no retry cures (rights, a missing table), or a checkpoint was edited."""


class _Kind(enum.Enum):
    UPDATE = "add to the total and move its checkpoint"
    INSERT = "make the total"
    MOVE = "move the total's checkpoint alone"


@dataclass(slots=True)
class Outcome:
    """What became of a batch: rows added, rows that every total had already (duplicates), totals written."""

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


@dataclass(slots=True)
class _Row:
    """A row of ReduceTable in the batch, and its position among the rows of its lane.

    `covered` counts the totals that had the row already.
    """

    position: str
    delta: Delta
    record: StreamRecord
    covered: int = 0


@dataclass(slots=True)
class _Pending:
    """A total that lacks rows of the batch, by what is known of its checkpoint.

    As a rule one statement adds all of them: `first` and `last` are the positions of the first and the last row,
    `texts` are the amounts where there is one row, and `sums` where there are several. Where DynamoDB does not apply
    that statement, `rows` become the rows that the total lacks, and the next statement adds the first `take` of them.
    """

    node: str
    first: str
    last: str
    texts: Sequence[str]
    sums: list[Amount] | None = None
    rows: list[_Row] | None = None
    take: int = 0
    kind: _Kind = _Kind.UPDATE
    is_busy: bool = False
    reason: str = ""


class Totals:
    """Adds to the totals of one table, with `threads` requests at a time."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        epochs: Epochs,
        definitions: Callable[[str], Configuration | None],
        reject: Callable[[Shard, Reject], None],
        threads: int = 4,
        key: str = KEY,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._epochs = epochs
        self._definitions = definitions
        self._reject = reject
        self._key = key
        self._pool = ThreadPoolExecutor(threads)
        self._pause = pause or time.sleep
        self._statements: dict[tuple[str, tuple[str, ...]], _Statements] = {}

    def apply(self, shard: Shard, records: Sequence[StreamRecord]) -> Outcome:
        """Add the rows (records of one shard of ReduceTable's stream, in their order) to the totals that lack them.

        Raises GaveUpError, TotalsError or the client's error; totals that were written by then stay, and their
        checkpoints say so to the next delivery.
        """
        outcome = Outcome()
        lines: dict[tuple[str, tuple[str, ...]], list[_Row]] = {}
        for row in self._rows(shard, records, outcome):
            # A total may have a lane of each version and number of lanes, but only one of each.
            applied = row.delta.lane.applied + ("m" if shard.is_made_up else "")
            lines.setdefault((applied, row.delta.measures), []).append(row)
        # One after the other, a batch of nothing else would outlast the function.
        list(self._pool.map(partial(self._reject, shard), outcome.rejected))
        for (applied, measures), rows in lines.items():
            pending = _by_node(rows)
            line = _Line(
                shard,
                applied,
                measures,
                rows,
                self._statements_of(applied, measures),
                self._definitions(rows[0].delta.lane.version),
            )
            for is_reserved in (False, True):
                self._write(
                    line,
                    [each for each in pending if each.node.startswith(RESERVED) is is_reserved],
                    outcome,
                )
            duplicates = sum(row.covered == len(row.delta.totals) for row in rows)
            outcome.duplicates += duplicates
            outcome.applied += len(rows) - duplicates
        return outcome

    def _rows(
        self, shard: Shard, records: Sequence[StreamRecord], outcome: Outcome
    ) -> Iterable[_Row]:
        epoch = self._epochs.of(shard, created(records)) if records else IGNORED
        if epoch == IGNORED:
            return
        for record in records:
            # A row that expires is a REMOVE; its sums stay in the totals.
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
            yield _Row(position(epoch, record.sequence), delta, record)

    def _statements_of(self, applied: str, measures: tuple[str, ...]) -> "_Statements":
        # DynamoDB parses each statement's text; the number of different texts is that of versions and lane numbers.
        found = self._statements.get((applied, measures))
        if found is None:
            found = self._statements[applied, measures] = _Statements(
                self._table, self._key, applied, measures
            )
        return found

    def _write(self, line: "_Line", todo: list[_Pending], outcome: Outcome) -> None:
        backoff = Backoff(f"totals of {self._table} for {line.shard.id}", self._pause)
        while todo:
            requests = [
                todo[at : at + MAX_STATEMENTS] for at in range(0, len(todo), MAX_STATEMENTS)
            ]
            if len(requests) == 1:
                answers: Iterable[list[Any]] = [self._ask(line, requests[0])]
            else:
                answers = self._pool.map(self._ask, [line] * len(requests), requests)
            left: list[_Pending] = []
            for each, error in zip(todo, chain.from_iterable(answers), strict=True):
                if error:
                    self._answered(line, each, error, outcome)
                else:
                    _applied(each)
                    outcome.written += 1
                if each.take or (error and each.rows is None):
                    left.append(each)
            if len(left) < len(todo):
                backoff.succeeded()
            if any(each.is_busy for each in left):
                backoff.failed(next(each.reason for each in left if each.is_busy))
            todo = left

    def _ask(self, line: "_Line", part: Sequence[_Pending]) -> list[Mapping[str, Any]]:
        """The error of each statement in their order, an empty one where it was applied."""
        statements = [line.statement(each) for each in part]
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
            # One parameter that is not valid refuses the whole call.
            return list(chain.from_iterable(self._ask(line, [each]) for each in part))
        return [response.get("Error", {}) for response in answer["Responses"]]

    def _answered(
        self, line: "_Line", each: _Pending, error: Mapping[str, Any], outcome: Outcome
    ) -> None:
        """Decide what to ask next about a total whose statement was not applied."""
        code = error.get("Code", "")
        each.is_busy = False
        if code == "DuplicateItem":
            each.kind = _Kind.UPDATE
        elif code == "ConditionalCheckFailed":
            row = error.get("Item")
            if row:
                line.drop_covered(each, _checkpoint(self._table, each, line, row))
            else:
                each.kind = _Kind.INSERT
        elif code == "ValidationError" and each.kind is not _Kind.MOVE:
            self._refused(line, each, str(error.get("Message")), outcome)
        elif code in _FATAL or code == "ValidationError":
            raise TotalsError(
                f"{self._table} refuses the statement for the total {each.node}: {code}: {error.get('Message')}"
            )
        else:
            # A throttle, a failure of the service, or no answer, after which the statement may have been applied: its
            # condition then says so.
            each.is_busy, each.reason = True, f"{code}: {error.get('Message')}"

    def _refused(self, line: "_Line", each: _Pending, message: str, outcome: Outcome) -> None:
        rows = line.rows_of(each)
        if each.take > 1:
            each.take //= 2
            return
        row = rows[0]
        if not any(map(Decimal, row.delta.totals[each.node])):
            # The total lacks a measure. What a rebuild adds to it, for its checkpoint alone, must not bring a measure
            # back that later configurations do not have.
            each.kind = _Kind.MOVE
            return
        if each.kind is _Kind.UPDATE and self._completed(line, each.node):
            return
        amounts = ", ".join(
            f"{name} {text}"
            for name, text in zip(line.measures, row.delta.totals[each.node], strict=True)
        )
        reject = Reject(
            row.record, f"DynamoDB refuses to add {amounts} to {each.node}: {message}", each.node
        )
        outcome.rejected.append(reject)
        self._reject(line.shard, reject)
        if each.kind is _Kind.INSERT:
            # There is no total whose checkpoint could move; a later delivery quarantines the row once more.
            each.rows = rows[1:]
            each.take = len(each.rows)
        else:
            each.kind = _Kind.MOVE

    def _completed(self, line: "_Line", node: str) -> bool:
        """Write 0 for each measure that the total lacks; returns whether it lacked one.

        A total of an older configuration, or one that somebody has edited, may lack a measure; such a sum is refused.
        """
        key = {self._key: {"S": node}}
        row = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        lacking = [name for name in line.measures if row and name not in row]
        for name in lacking:
            text = f'UPDATE "{self._table}" SET "{name}" = ? WHERE "{self._key}" = ? AND "{name}" IS MISSING'  # noqa: S608
            statement: BatchStatementRequestTypeDef = {
                "Statement": text,
                "Parameters": [{"N": "0"}, {"S": node}],
            }
            answer = self._client.batch_execute_statement(Statements=[statement])
            code = answer["Responses"][0].get("Error", {}).get("Code")
            if code not in (None, "ConditionalCheckFailed", *THROTTLES):
                raise TotalsError(
                    f"{self._table} refuses to give the total {node} a {name} of 0: {answer['Responses'][0]['Error']}"
                )
        return bool(lacking)


class _Statements:
    """The texts of the statements for one checkpoint attribute and one list of measures."""

    def __init__(self, table: str, key: str, applied: str, measures: Sequence[str]) -> None:
        where = f'WHERE "{key}" = ? AND ("{applied}" IS MISSING OR "{applied}" < ?)'
        added = " ".join(f'SET "{name}" = "{name}" + ?' for name in measures)
        self._table, self._columns = table, (key, *measures, applied)
        self.update = f'UPDATE "{table}" {added} SET "{applied}" = ? {where}'  # noqa: S608
        self.move = f'UPDATE "{table}" SET "{applied}" = ? {where}'  # noqa: S608

    def insert(self, labels: Iterable[str]) -> str:
        """The statement that makes a total with these attributes after its measures and its checkpoint."""
        values = ", ".join(f"'{name}': ?" for name in (*self._columns, *labels))
        return f'INSERT INTO "{self._table}" VALUE {{{values}}}'


@dataclass(frozen=True, slots=True)
class _Line:
    """The rows of a batch that move one checkpoint attribute, and the configuration that they were computed under.

    Rows that were written by hand may name a version that no configuration has.
    """

    shard: Shard
    applied: str
    measures: tuple[str, ...]
    rows: Sequence[_Row]
    statements: _Statements
    definition: Configuration | None

    def rows_of(self, each: _Pending) -> list[_Row]:
        """The rows that the total lacks; at the first call, all rows of the batch that have the total."""
        if each.rows is None:
            each.rows = [row for row in self.rows if each.node in row.delta.totals]
            each.take = len(each.rows)
        return each.rows

    def drop_covered(self, each: _Pending, checkpoint: str) -> None:
        """Drop the rows that the checkpoint covers."""
        left = []
        for row in self.rows_of(each):
            if row.position > checkpoint:
                left.append(row)
            else:
                row.covered += 1
        each.rows = left
        each.take, each.kind = len(left), _Kind.UPDATE

    def statement(self, each: _Pending) -> "BatchStatementRequestTypeDef":
        """The statement that adds what the total lacks."""
        if each.rows is None:
            first, last = each.first, each.last
            texts: Iterable[object] = each.texts if each.sums is None else each.sums
        else:
            texts = self._taken(each)
            first, last = each.rows[0].position, each.rows[each.take - 1].position
        node, amounts, moved = {"S": each.node}, [{"N": str(text)} for text in texts], {"S": last}
        if each.kind is _Kind.INSERT:
            found = self.definition.labels(each.node) if self.definition else None
            labels = found.attributes if found else {}
            return {
                "Statement": self.statements.insert(labels),
                "Parameters": [node, *amounts, moved, *labels.values()],
            }
        if each.kind is _Kind.UPDATE:
            text, parameters = self.statements.update, [*amounts, moved, node, {"S": first}]
        else:
            text, parameters = self.statements.move, [moved, node, {"S": first}]
        return {
            "Statement": text,
            "Parameters": parameters,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    @staticmethod
    def _taken(each: _Pending) -> Sequence[object]:
        """The sum of the first `take` rows; the first row alone where the sum does not fit a number."""
        assert each.rows
        first = each.rows[0].delta.totals[each.node]
        if each.take == 1:
            return first
        try:
            with exact():
                sums: list[Amount] = list(amounts_of(first))
                for row in each.rows[1 : each.take]:
                    _add(sums, amounts_of(row.delta.totals[each.node]))
            return sums
        except (NotExactError, UnreadableDeltaError):
            each.take = 1
            return first


def _by_node(rows: Sequence[_Row]) -> list[_Pending]:
    """What the rows add, by total."""
    found: dict[str, _Pending] = {}
    several: dict[str, list[Sequence[str]]] = {}
    for row in rows:
        place = row.position
        for node, texts in row.delta.totals.items():
            known = found.get(node)
            if known is None:
                found[node] = _Pending(node, place, place, texts)
            else:
                known.last = place
                several.setdefault(node, [known.texts]).append(texts)
    for node, given in several.items():
        _sum_up(found[node], given, rows)
    return list(found.values())


def _sum_up(known: _Pending, given: Sequence[Sequence[str]], rows: Sequence[_Row]) -> None:
    """Set the sums of the total's entries `given`, measure by measure; `sum` adds in C."""
    try:
        with exact():
            known.sums = [
                sum([number(text) for text in column]) for column in zip(*given, strict=True)
            ]
    except NotExactError:
        # The sum needs a digit too many, or one of them is no number: the rows go one by one, as far as they go.
        known.rows = [row for row in rows if known.node in row.delta.totals]
        known.take = len(known.rows)


def _add(sums: list[Amount], amounts: Sequence[Amount]) -> None:
    for place, amount in enumerate(amounts):
        sums[place] += amount


def _applied(each: _Pending) -> None:
    """Note that the statement was applied: the rows that it took are done."""
    each.is_busy = False
    if each.rows is not None:
        each.rows = each.rows[each.take :]
        each.take, each.kind = len(each.rows), _Kind.UPDATE


def _checkpoint(table: str, each: _Pending, line: _Line, row: Mapping[str, Any]) -> str:
    stored = row.get(line.applied, {}).get("S")
    if not isinstance(stored, str):
        raise TotalsError(
            f"{table}'s row {each.node} has a {line.applied} that is not LEDA's (a string), so somebody has edited it: "
            "remove the attribute and run `leda rebuild`"
        )
    return stored
