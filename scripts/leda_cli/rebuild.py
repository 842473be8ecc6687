"""`leda rebuild`: the totals anew from StateTable, when changes were lost on their way to them.

For the day when a DynamoDB stream's 24 hours were missed, StateTable came from a backup, or AggregateTable or
CheckpointTable was damaged. Readers see the old totals or the new ones, never a mixture.

1. A row in CheckpointTable, the journal, names the mappings that are on. They are switched off.
2. Two fences (`leda_cli.fences`) in StateTable's stream, M1 and M2, with the sum over StateTable between them. If
   no other record is between them, StateTable did not move: the sum is all that is before M2, and nothing else.
   Before M2 the stream gets time to show what the sum has read.
3. Map's checkpoints move to M2: what is before it is in the sum, what comes after it is Map's.
4. After the same time for ReduceTable's stream, a fence in it, R; Reduce's checkpoints move to R: the deltas before
   it are in the sum.
5. One transaction sets every total that differs, on condition that it is as it was read, that Map's checkpoints
   are at M2, and that the journal is still this run's.
6. The markers go, the mappings are switched on, the journal goes.

Why nothing is counted twice or not at all, whoever is still writing (an invocation that was running when its mapping
was switched off, or one made by hand):

- State may write at any time: before M2 it makes the run repeat step 2, later it is after M2 and Map's.
- Map before step 3 writes deltas of changes before M2. They are before R, and Reduce drops them. Map after step 3
  can only go on after M2, and moves its checkpoint with it: step 5's condition fails, and the run begins again at
  step 2. Once step 5 is committed, Map's new deltas are after R, and are added to the new totals.
- Reduce before step 4 changes totals that step 5 replaces. After step 4 there is nothing for it up to R, and nothing
  after R unless Map has gone on, which step 5 notices. So the totals read after step 4 stay, or step 5 fails.
- Another rebuild takes the journal over, and from then on no transaction of this run commits.

Until step 3 nothing has changed but markers: a run that fails switches the mappings on again. From step 3 on changes
between the checkpoints and the totals would be lost without step 5, so the mappings stay off and the journal stays; a
run killed anywhere is finished by the next, which begins at step 1 and adds its mappings to the journal's.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda import audit
from leda.audit import Expected
from leda.checkpoints import BadCheckpoint, Checkpoints
from leda.lanes import Lane
from leda.numbers import NotExact, number
from leda.transactions import MAX_ACTIONS, Verdict, reasons, verdict
from leda_cli.errors import LedaError
from leda_cli.fences import Fence, Line, ReduceMarkers, StateMarkers
from leda_cli.mappings import LambdaMappings, Mappings
from leda_cli.operations import DryRunOption, JsonOption, Operation
from leda_cli.stack import AwsOption, OutputsOption, Stack, answering
from leda_cli.verify import bracket_lines

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

JOURNAL = {"Source": {"S": "leda rebuild"}, "Lane": {"S": "journal"}}
# Tries of the whole while somebody writes, and of one transaction.
MAX_TRIES = 5
MAX_COMMITS = 10
PAUSE_SECONDS = 0.5
# Until what was written is in the stream. AWS says "near-real time", within a second as a rule; the records of one
# transaction may come at different times, and after what was written later.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
STREAM_SECONDS = 5.0
SHOWN = 20

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables and functions of a pipeline, by name."""

    state: str
    reduce: str
    aggregate: str
    checkpoint: str
    map_function: str
    reduce_function: str


@dataclass(frozen=True, slots=True)
class Change:
    """A total that is set anew. `raw` is the row's Value as it was read (DynamoDB's JSON), {} where there was none."""

    identifier: str
    raw: Mapping[str, Any]
    new: Decimal

    @property
    def old(self) -> Decimal | None:
        """The total as it was; None where the row had no number."""
        return audit.total_of(self.raw)


@dataclass(frozen=True, slots=True)
class Result:
    """What a rebuild has changed, or would change."""

    expected: Expected
    changes: Sequence[Change]
    mappings: Sequence[str]


class _WentOn(Exception):
    """Somebody writes beside the rebuild, so its sum is of yesterday; the text says who and where."""


def differing(
    expected: Mapping[str, Decimal], rows: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    """The rows to set, in order. A row that is to vanish is set to 0, which is what Reduce leaves of a total
    without trades: whoever reads it by its key still finds a number.
    """
    changes = []
    for name in sorted({*expected, *rows}):
        raw, new = rows.get(name, {}), expected.get(name, _NOTHING)
        old = _NOTHING if name not in rows else audit.total_of(raw)
        if old != new:
            changes.append(Change(name, raw, new))
    return changes


class Journal:
    """The row that says which mappings to switch on again, and which run may write."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._run = uuid.uuid4().hex
        self.mappings: list[str] = []
        self.taken_over_from: str | None = None
        """When the run began whose journal was there; None: there was none."""
        self.is_moving = False
        """Whether checkpoints may have been moved."""
        self.is_open = False
        """Whether the journal may be there, and this run's: the mappings are, or may be, off."""

    def open(self, enabled: Iterable[str]) -> None:
        """Write the journal, or take over the one that is there."""
        self.mappings, self.is_open = list(enabled), True
        while not (self._create() or self._take_over()):
            continue

    def moving(self) -> None:
        """Note that checkpoints will be moved. Raises LedaError if the journal is another run's."""
        if not self.is_moving:
            self._change("SET #Moving = :yes", {"#Moving": "Moving"}, {":yes": {"BOOL": True}})
            self.is_moving = True

    def require_own(self) -> None:
        """Raises LedaError if the journal is another run's."""
        self._change("SET #Run = :run", {}, {})

    def check(self) -> dict[str, Any]:
        """The transaction's action that lets it commit only while the journal is this run's."""
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": JOURNAL,
                "ConditionExpression": "#Run = :run",
                "ExpressionAttributeNames": {"#Run": "Run"},
                "ExpressionAttributeValues": {":run": {"S": self._run}},
            }
        }

    def close(self) -> None:
        """Delete the journal, if it is this run's."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=JOURNAL,
                ConditionExpression="#Run = :run",
                ExpressionAttributeNames={"#Run": "Run"},
                ExpressionAttributeValues={":run": {"S": self._run}},
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
        self.is_open = False

    def taken(self) -> LedaError:
        """The error of a run whose journal is another's now."""
        self.is_open = False
        return LedaError(
            "another `leda rebuild` has taken this one over",
            "let it finish; run `leda rebuild` again only if it was stopped",
        )

    def _create(self) -> bool:
        row: dict[str, Any] = {
            **JOURNAL,
            "Run": {"S": self._run},
            "Started": {"S": datetime.now(UTC).isoformat(timespec="seconds")},
            "Mappings": {"L": [{"S": name} for name in self.mappings]},
        }
        try:
            self._client.put_item(
                TableName=self._table, Item=row, ConditionExpression="attribute_not_exists(Lane)"
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return False
        return True

    def _take_over(self) -> bool:
        row = self._client.get_item(TableName=self._table, Key=JOURNAL, ConsistentRead=True)
        found = row.get("Item")
        if found is None:
            return False
        if found.get("Run") == {"S": self._run}:
            # This run's own put, whose answer was lost and which the client has sent again.
            return True
        earlier = [name["S"] for name in found["Mappings"]["L"]]
        self.mappings = sorted({*earlier, *self.mappings})
        self.is_moving = "Moving" in found
        try:
            self._client.update_item(
                TableName=self._table,
                Key=JOURNAL,
                UpdateExpression="SET #Run = :run, #Mappings = :mappings",
                ConditionExpression="#Run = :earlier",
                ExpressionAttributeNames={"#Run": "Run", "#Mappings": "Mappings"},
                ExpressionAttributeValues={
                    ":run": {"S": self._run},
                    ":earlier": found["Run"],
                    ":mappings": {"L": [{"S": name} for name in self.mappings]},
                },
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return False
        self.taken_over_from = found["Started"]["S"]
        return True

    def _change(self, update: str, names: dict[str, str], values: dict[str, Any]) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=JOURNAL,
                UpdateExpression=update,
                ConditionExpression="#Run = :run",
                ExpressionAttributeNames={"#Run": "Run", **names},
                ExpressionAttributeValues={":run": {"S": self._run}, **values},
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            raise self.taken() from error


class Rebuild:
    """One rebuild of one pipeline."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        mappings: Mappings,
        tables: Tables,
        operation: Operation,
        in_parts: bool = False,
        segments: int = audit.SEGMENTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._mappings = mappings
        self._tables = tables
        self._operation = operation
        self._in_parts = in_parts
        self._segments = segments
        self._sleep = sleep
        self._fences = {
            "state": Fence(dynamodb, streams, tables.state, StateMarkers(), sleep=sleep),
            "reduce": Fence(dynamodb, streams, tables.reduce, ReduceMarkers(), sleep=sleep),
        }
        self._map = Checkpoints(dynamodb, tables.checkpoint, tables.map_function)
        self._reduce = Checkpoints(dynamodb, tables.checkpoint, tables.reduce_function)
        self._done: dict[str, Change] = {}
        self.journal = Journal(dynamodb, tables.checkpoint)

    def look(self) -> Result:
        """What a rebuild would change now; what is in flight is among it. Changes nothing."""
        enabled = self._mappings.enabled()
        expected = self._expected()
        return Result(expected, self._differing(expected), enabled)

    def run(self) -> Result:
        """Rebuild the totals. Raises LedaError; the mappings are on again, unless checkpoints were moved."""
        self.journal.open(self._mappings.enabled())
        if self.journal.taken_over_from:
            self._operation.say(
                f"going on with the rebuild that began at {self.journal.taken_over_from}"
            )
        try:
            with self._operation.progress("switching the mappings off"):
                self._mappings.pause(self.journal.mappings)
            expected, changes = self._swap()
        except LedaError:
            if not self.journal.is_moving:
                self._finish()
            raise
        self._finish()
        return Result(expected, changes, self.journal.mappings)

    def _finish(self) -> None:
        self.journal.require_own()
        for fence in self._fences.values():
            fence.remove_markers()
        with self._operation.progress("switching the mappings on"):
            self._mappings.resume(self.journal.mappings)
        self.journal.close()

    def _swap(self) -> tuple[Expected, list[Change]]:
        """Steps 2 to 5, again while somebody writes."""
        why = ""
        for _ in range(MAX_TRIES):
            before = self._fences["state"].draw()
            expected = self._expected()
            self._let_streams_catch_up()
            line = self._fences["state"].draw(before)
            if line.strangers or not line.has_shards_of(before):
                why = f"{self._tables.state} changed meanwhile ({_first(line.strangers)})"
                self._operation.say(f"{why}: once more")
                continue
            self._require_room(self._differing(expected), line)
            self.journal.moving()
            try:
                self._move(self._map, self._fences["state"].stream, line, is_border=True)
                self._let_streams_catch_up()
                rest = self._fences["reduce"].draw()
                self._move(self._reduce, self._fences["reduce"].stream, rest, is_border=False)
                return expected, self._set_totals(expected, line)
            except _WentOn as reason:
                why = str(reason)
                self._operation.say(f"{why}: once more")
        raise LedaError(
            f"the tables did not rest in {MAX_TRIES} tries: {why}",
            "find what still writes to them or invokes their functions, stop it, and run `leda rebuild` again",
        )

    def _let_streams_catch_up(self) -> None:
        """Wait until what was written so far is in its stream, and so before the line that is drawn next."""
        with self._operation.progress(f"letting the streams catch up ({STREAM_SECONDS:.0f} s)"):
            self._sleep(STREAM_SECONDS)

    def _expected(self) -> Expected:
        """The sum over StateTable. Raises LedaError if a total is none that a row can hold."""
        with self._operation.progress(f"adding up {self._tables.state}") as advance:
            expected = audit.read_state(self._dynamodb, self._tables.state, self._segments, advance)
        too_long = []
        for name, total in expected.totals.items():
            try:
                number(str(total))
            except NotExact:
                too_long.append(name)
        if too_long:
            raise LedaError(
                f"{len(too_long)} totals have more than the 38 digits of a DynamoDB number: {_first(too_long)}",
                "a row of StateTable below them was written by hand, or under wider limits than the sum has "
                "room for: send a newer version of it, or a deletion",
            )
        return expected

    def _differing(self, expected: Expected) -> list[Change]:
        rows = audit.read_rows(self._dynamodb, self._tables.aggregate)
        return differing(expected.totals, rows)

    # -- checkpoints

    def _move(self, checkpoints: Checkpoints, stream: str, line: Line, *, is_border: bool) -> None:
        """Move the checkpoints of the stream's shards to the line; what is beyond it stays.

        `is_border`: raises _WentOn for one that is beyond, as the sum ends at the line.
        """
        for shard, target in line.ends.items():
            lane = Lane(stream, shard)

            def move(lane: Lane = lane, target: int = target) -> list[dict[str, Any]] | None:
                position = checkpoints.read(lane)
                if position.floor < target:
                    return checkpoints.advance(lane, position, target)
                if is_border and position.floor > target and lane.name in line.open:
                    raise _WentOn(_beyond(lane, position.floor))
                return None

            self._until_done(move)

    def _unmoved(self, line: Line) -> list[dict[str, Any]]:
        """The actions that let a transaction commit only while Map is at the line, under either name of a lane.

        Raises _WentOn where it is not. A new shard's first delivery changes the stream's row, and so do all
        under the stream's name; a closed shard has nothing behind its end.
        """
        stream, table = self._fences["state"].stream, self._tables.checkpoint
        source = {"S": f"{self._tables.map_function}|{stream}"}
        actions = []
        for name in (stream, *line.open):
            key = {"Source": source, "Lane": {"S": name}}
            row = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
            actions.append(_as_read(table, key, row.get("Item", {}), ("Sequence", "Lanes")))
        # After the rows: where they are still as they were read when the transaction commits, they were so here.
        for shard, mark in line.open.items():
            lane = Lane(stream, shard)
            if (floor := self._map.read(lane).floor) != int(mark):
                raise _WentOn(_beyond(lane, floor))
        return actions

    # -- totals

    def _set_totals(self, expected: Expected, line: Line) -> list[Change]:
        """Set the totals that differ; returns when none does, with all that did in this run."""
        for _ in range(MAX_COMMITS):
            changes = self._differing(expected)
            unmoved = [*self._unmoved(line), self.journal.check()]
            if not changes:
                return sorted(self._done.values(), key=lambda change: change.identifier)
            self._require_room(changes, line)
            size = MAX_ACTIONS - len(unmoved)
            for start in range(0, len(changes), size):
                part = changes[start : start + size]
                actions = [_set(self._tables.aggregate, change) for change in part]
                if not self._commit([*actions, *unmoved]):
                    break
            for change in changes:
                first = self._done.get(change.identifier, change)
                self._done[change.identifier] = replace(first, new=change.new)
        raise _WentOn(f"{self._tables.aggregate} is written to ({_first([*self._done])})")

    def _require_room(self, changes: Sequence[Change], line: Line) -> None:
        """Raises LedaError where the changes do not fit one transaction, and parts are not allowed."""
        # Beside them: a check of each open shard, of the stream's row and of the journal.
        room = MAX_ACTIONS - len(line.open) - 2
        if room < 1:
            raise LedaError(
                f"{self._tables.state}'s stream has {len(line.open)} open shards; a transaction checks "
                f"{MAX_ACTIONS - 3} at most",
                "a rebuild cannot hold so many at once: ask LEDA's maintainers",
            )
        if len(changes) > room and not self._in_parts:
            raise LedaError(
                f"{len(changes)} totals differ; one transaction sets {room}",
                "run `leda rebuild --in-parts`: several transactions, between which readers see some totals "
                "new and some old, for as long as it takes",
            )

    # -- transactions

    def _until_done(self, actions: Callable[[], list[dict[str, Any]] | None]) -> None:
        """Commit what `actions` plans, planned anew after each failure, until it plans nothing."""
        for _ in range(MAX_COMMITS):
            try:
                planned = actions()
            except BadCheckpoint as error:
                raise LedaError(
                    str(error),
                    "or delete the row, and run `leda rebuild` again: it writes a new one",
                ) from error
            if planned is None or self._commit([*planned, self.journal.check()]):
                return
        raise _WentOn(f"{self._tables.checkpoint} is written to")

    def _commit(self, actions: Sequence[dict[str, Any]]) -> bool:
        """Whether the transaction was committed; False: what it was planned on may have changed, so plan anew.

        The journal's check is the last action. Raises LedaError if it failed.
        """
        try:
            self._dynamodb.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
            return True
        except ClientError as error:
            found, codes = verdict(error), [reason.get("Code") for reason in reasons(error)]
            if codes and codes[-1] == "ConditionalCheckFailed":
                raise self.journal.taken() from error
            if found in (Verdict.FATAL, Verdict.REFUSED):
                raise
        except (HTTPClientError, NoConnection):
            found = Verdict.UNKNOWN
        if found is not Verdict.MOVED:
            self._sleep(PAUSE_SECONDS)
        return False


def _set(table: str, change: Change) -> dict[str, Any]:
    """The action that sets the total, if it still is as it was read."""
    action = _as_read(
        table, {"Identifier": {"S": change.identifier}}, {"Value": change.raw}, ("Value",)
    )
    update = action["ConditionCheck"]
    update["UpdateExpression"] = "SET #Value = :new"
    update.setdefault("ExpressionAttributeValues", {})[":new"] = {"N": str(number(str(change.new)))}
    return {"Update": update}


def _as_read(
    table: str, key: dict[str, Any], row: Mapping[str, Any], attributes: Sequence[str]
) -> dict[str, Any]:
    """The action that checks that the row's attributes are as they were read, absent ones too."""
    there = {name: row[name] for name in attributes if row.get(name)}
    terms = [
        f"#{name} = :{name}" if name in there else f"attribute_not_exists(#{name})"
        for name in attributes
    ]
    check: dict[str, Any] = {
        "TableName": table,
        "Key": key,
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }
    if there:
        check["ExpressionAttributeValues"] = {f":{name}": value for name, value in there.items()}
    return {"ConditionCheck": check}


def _beyond(lane: Lane, sequence: int) -> str:
    return (
        f"the checkpoint of shard {lane.name} is at {sequence}, beyond what the rebuild has read: a delivery goes "
        "on, or somebody wrote it by hand (then delete its row)"
    )


def _first(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _condition_failed(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


# -- the command


def rebuild(
    in_parts: Annotated[
        bool,
        typer.Option(
            "--in-parts",
            help="Where more totals differ than one transaction sets: use several; readers may see some "
            "totals new and some old meanwhile.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that a change may take to reach its totals in the check at the end.",
        ),
    ] = 30.0,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    aws: AwsOption = False,
    outputs: OutputsOption = None,
) -> None:
    """Compute all totals anew from StateTable and go on from there; for when changes were lost."""
    stack = Stack.find(aws, outputs)
    stack.check()
    operation = Operation(as_json)
    work = Rebuild(
        stack.dynamodb,
        stack.streams,
        LambdaMappings(stack.lambdas, stack.functions, stack.mappings),
        Tables(
            stack.state_table,
            stack.reduce_table,
            stack.aggregate_table,
            stack.checkpoint_table,
            stack.functions["map"],
            stack.functions["reduce"],
        ),
        operation,
        in_parts,
    )
    operation.heading(f"Rebuilding {stack.aggregate_table} from {stack.state_table}")
    if dry_run:
        with answering(stack.endpoint):
            result = work.look()
        operation.report(_as_json(result, "dry run"), _dry_lines(result))
        return
    try:
        with answering(stack.endpoint):
            result = work.run()
    except BaseException:
        if work.journal.is_open:
            operation.say(
                "The mappings are switched off. Run `leda rebuild` again: it finishes, and switches them on."
            )
        raise
    with (
        answering(stack.endpoint),
        operation.progress("checking the totals while the pipeline runs") as advance,
    ):
        check = audit.audit(
            lambda: audit.read_state(stack.dynamodb, stack.state_table, advance=advance),
            lambda: audit.read_totals(stack.dynamodb, stack.aggregate_table),
            wait,
        )
    report = _as_json(result, "done") | {
        "wrong_afterwards": [row.identifier for row in check.wrong]
    }
    operation.report(report, [*_lines(result), *bracket_lines(check.wrong)])
    if check.wrong:
        raise LedaError(
            f"{len(check.wrong)} of {check.totals} totals differ after the rebuild",
            "if the pipeline works on a backlog, give it time and run `leda verify --while-running`; else run "
            "`leda rebuild` again and keep both reports",
        )


def _as_json(result: Result, outcome: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "mappings": list(result.mappings),
        "unreadable": {
            "count": result.expected.unreadable,
            "first": result.expected.named,
        },
        "totals": len(result.expected.totals),
        "changes": [
            {"identifier": change.identifier, "old": change.old, "new": change.new}
            for change in result.changes
        ],
    }


def _lines(result: Result) -> Iterator[str]:
    yield from _change_lines(result.changes)
    if result.expected.unreadable:
        yield (
            f"{result.expected.unreadable:,} rows of StateTable cannot be read and count as nothing: "
            + "; ".join(result.expected.named)
        )
    yield f"done  {len(result.changes):,} totals set anew, {len(result.expected.totals):,} in all"


def _dry_lines(result: Result) -> Iterator[str]:
    yield f"would switch off and on {len(result.mappings)} mappings: {', '.join(result.mappings)}"
    yield from _change_lines(result.changes)
    yield f"would set {len(result.changes):,} totals; those that are only in flight now are among them"


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    cells = [
        (
            change.identifier,
            "none" if change.old is None else f"{change.old:,f}",
            f"{change.new:,f}",
        )
        for change in changes[:SHOWN]
    ]
    widths = [max((len(cell[i]) for cell in cells), default=0) for i in range(3)]
    for name, old, new in cells:
        yield f"{name:<{widths[0]}}  from {old:>{widths[1]}}  to {new:>{widths[2]}}"
    if len(changes) > SHOWN:
        yield f"and {len(changes) - SHOWN} more"
