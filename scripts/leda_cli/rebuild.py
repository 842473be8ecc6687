"""A rebuild: the totals anew from StateTable, while StateTable is written to and read totals are read.

For the day when a DynamoDB stream's 24 hours were missed, a table came from a backup, or somebody wrote to a table by
hand. What the totals are off by is one more source of rows in ReduceTable, which Reduce adds as it adds Map's. So there
is no limit to the number of totals, each of them jumps once, and nobody but Map has to pause.

1. The journal (`leda_cli.journal`) names the mapping of Map, if it is on, and the mapping is switched off. Every number
   of lanes is registered; then the run draws its number.
2. A low watermark in StateTable's stream, a scan, a pause, a high watermark: E, the sums as of the high watermark.
3. Map's row of every shard and lane moves to the high watermark: what is before it is in E, and what comes after it is
   Map's.
4. A marker in every lane. When Reduce has brought its reserved node into AggregateTable, all rows before it are in the
   totals, because reserved nodes are written last.
5. A, the totals, are read. If Map's rows still are where they were moved, and Map has met no other shard, nothing from
   after the watermark is in A.
6. E - A for every total, as rows of ReduceTable.
7. Another marker; then the totals are E, or else everything is done again.
8. What is left over is removed, the streams are settled, the mapping is switched on, the journal goes.

The rows of 4, 6 and 7 have the Source `rebuild` and a Sequence that begins with the run's number, and are put on Map's
condition. So of two runs the one that has drawn its number first can write nothing more into a lane that the other one
has marked, and what it has written before is in the totals when the other one reads them.

Every total gets a correction, also of 0, and so does every node that is only named in ReduceTable's stream: a total
that somebody has deleted has lost its checkpoint, and a row that is delivered again would count. Lanes of other
versions and numbers of lanes get corrections of 0, for the checkpoints.

A run may be killed anywhere. From step 3 on, changes lie between Map's rows and the totals: the mapping stays off and
the journal stays, until the next run has done all of it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from leda import audit
from leda.audit import Expected
from leda.engine.configuration import Amounts, Configuration
from leda.engine.registry import (
    EPOCHS,
    IGNORED,
    LANES,
    SHARD_ROW_SECONDS,
    Assignment,
    Registry,
    RegistryError,
    SourceShards,
    Stage,
    live_configuration,
    reduce_scope,
    source_scope,
    streams_scope,
)
from leda.engine.shards import Shard, label, padded
from leda.numbers import NotExact, exact, number
from leda.streams import LONGEST_SEQUENCE_NUMBER
from leda_cli.errors import LedaError
from leda_cli.journal import Journal
from leda_cli.lane_rows import LaneRows, Lanes, LaneTakenError, NamedNodes
from leda_cli.mappings import Mappings
from leda_cli.operations import Operation
from leda_cli.state_sum import Spool, first, require_fit
from leda_cli.stored_totals import Row, StoredTotals, epoch_of, lanes_of
from leda_cli.stream_shards import streams_of
from leda_cli.watermarks import KEY as SOURCE_KEY
from leda_cli.watermarks import Watermark, Watermarks, shards_with_parents, stream_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

REBUILDS = "rebuilds"

# Tries of the whole while somebody writes what a rebuild cannot allow.
MAX_TRIES = 5
# Until what was written is in the stream. AWS says "near-real time", within a second as a rule; the records of one
# transaction may come at different times, and after what was written later.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
STREAM_SECONDS = 5.0
# A marker that is lost on its way (its stream's 24 hours were missed) is written again.
MARKER_SECONDS, MAX_MARKERS = 60, 60
POLL_SECONDS = 0.5
# Long enough for another run to get from switching the mapping on to closing its journal.
HAND_OVER_SECONDS = 10
# Records are delivered for a day at most, and a row of Map that covers them must be there for as long.
ROW_SECONDS = 2 * 24 * 3600

_NO_STREAM = frozenset({"ResourceNotFoundException", "ValidationException"})

# The Sequence of a row that covers all that its shard can have.
_END = padded(10**LONGEST_SEQUENCE_NUMBER - 1)

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a pipeline, by name."""

    state: str
    reduce: str
    aggregate: str
    registry: str


@dataclass(frozen=True, slots=True)
class Change:
    """A total as it was and as it must be: one amount a measure, in `old` None for what is no number."""

    identifier: str
    old: tuple[Decimal | None, ...]
    new: Amounts


@dataclass(frozen=True, slots=True)
class Result:
    """What a rebuild has changed, or would change."""

    configuration: Configuration
    expected: Expected
    changes: Sequence[Change]
    mappings: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The high watermark and the sums there; where Map's rows were moved, and the shards that it had met before."""

    mark: Watermark
    expected: Expected
    moved: Mapping[tuple[Lanes, str], str]
    met: set[str]


class _WentOnError(Exception):
    """Somebody writes beside the rebuild what must not be written; the text says who and where."""


class Rebuild:
    """One rebuild of one pipeline. `deployed` is what Map is deployed with; `mappings` are Map's, and no others."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        mappings: Mappings,
        tables: Tables,
        operation: Operation,
        deployed: Assignment,
        segments: int = audit.SEGMENTS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._streams = streams
        self._mappings = mappings
        self._tables = tables
        self._operation = operation
        self._deployed = deployed
        self._segments = segments
        self._clock = clock
        self._sleep = sleep
        self.journal = Journal(dynamodb, tables.registry)
        self._registry = Registry(dynamodb, tables.registry)
        self._shards = SourceShards(self._registry, deployed.configuration, deployed.lanes)
        self._totals = StoredTotals(dynamodb, tables.aggregate)
        self._run = 0
        self._first: dict[str, Change] = {}

    def look(self) -> Result:
        """What a rebuild would change now; what is in flight is among it. Changes nothing."""
        enabled = self._mappings.enabled()
        configuration = self._live()
        with self._operation.progress(f"adding up {self._tables.state}") as advance:
            expected = audit.read_source(
                self._dynamodb,
                self._tables.state,
                [SOURCE_KEY],
                configuration,
                self._segments,
                advance,
            )
        require_fit(expected)
        changes = _changes(configuration.names, expected, self._totals.read(), set())
        return Result(configuration, expected, _wrong(changes), enabled)

    def run(self) -> Result:
        """Rebuild the totals. Raises LedaError; the mapping is on again, unless Map's rows may have been moved."""
        self._configure()
        self.journal.open(self._mappings.enabled())
        if self.journal.taken_over_from:
            self._operation.say(
                f"going on with the rebuild that began at {self.journal.taken_over_from}"
            )
        try:
            self._prepare()
            expected, mark = self._rebuild()
        except LaneTakenError as error:
            self._hand_over()
            raise self.journal.taken() from error
        except LedaError:
            if not self.journal.is_open:
                self._hand_over()
            elif not self.journal.is_moving:
                self.journal.require_own()
                self._watermarks.remove_markers()
                self._resume()
                self.journal.close()
            raise
        self._finish(mark)
        changes = sorted(self._first.values(), key=lambda change: change.identifier)
        return Result(self._configuration, expected, _wrong(changes), self.journal.mappings)

    # -- steps 1 and 8

    def _live(self) -> Configuration:
        try:
            return live_configuration(self._registry, self._deployed.configuration)
        except RegistryError as error:
            raise LedaError(str(error), "restore RegistryTable from a backup") from error

    def _configure(self) -> None:
        """Make what works with the live configuration and the tables' streams."""
        self._configuration = self._live()
        measures, streams = self._configuration.names, self._streams
        self._lanes = Lanes(self._configuration.version, self._deployed.lanes)
        self._rows = LaneRows(self._dynamodb, self._tables.reduce, measures, self._sleep)
        self._watermarks = Watermarks(
            self._dynamodb,
            streams,
            self._tables.state,
            audit.attributes_of([SOURCE_KEY], self._configuration),
            self._clock,
            self._sleep,
        )
        self._reduce_stream = stream_of(self._dynamodb, self._tables.reduce)
        older = [
            stream
            for stream in streams_of(streams, self._tables.reduce)
            if _is_older(stream, self._reduce_stream)
        ]
        self._named = NamedNodes(streams, self._reduce_stream, older, self._clock, self._sleep)
        self._state_stream = self._watermarks.stream

    def _prepare(self) -> None:
        """Register the lanes and draw the run's number."""
        # Should the registry have lost lanes, the totals still know them.
        known = (lanes_of(name) for row in self._totals.read().values() for name in row)
        for lanes in {self._lanes, *(each for each in known if each)}:
            self._registry.put_if_absent(LANES, lanes.name, {})
        # A run with a higher number finds these lanes registered; one with a lower number is kept out of them.
        self._run = self._registry.draw(REBUILDS)
        self.journal.require_own()
        self._rows.begin(self._run)

    def _finish(self, mark: Watermark) -> None:
        self.journal.require_own()
        self._settle_streams()
        self._watermarks.remove_markers()
        self._resume()
        with self._operation.progress("removing what is left over"):
            rows = self._totals.read_all()
            self._totals.remove_markers(rows, self._run)
            self._remove_old_versions(rows, mark)
        # A run that this one has taken over from may have switched it off once more before it noticed.
        self._resume()
        self.journal.close()

    def _hand_over(self) -> None:
        """Leave the mapping to the run that has the journal now, or had it and is done.

        That run knows the mapping from this one's journal. But when it has come to its end, this one may have switched
        the mapping off after it, and have written markers after it.
        """
        for _ in range(int(HAND_OVER_SECONDS / POLL_SECONDS)):
            if not self.journal.exists():
                self._watermarks.remove_markers()
                self._resume()
                return
            self._sleep(POLL_SECONDS)

    def _resume(self) -> None:
        with self._operation.progress("switching the mapping on"):
            self._mappings.resume(self.journal.mappings)

    def _settle_streams(self) -> None:
        """Note that the totals hold what these streams, and those before them, have had and have not had."""
        current: Mapping[Stage, str] = {
            "map": self._state_stream,
            "reduce": self._reduce_stream,
        }
        for stage, stream in current.items():
            scope = streams_scope(stage)
            met = {row["Name"]["S"] for row in self._registry.rows(scope)}
            # A stream that came meanwhile needs a rebuild of its own.
            for name in {stream, *(each for each in met if _is_older(each, stream))}:
                self._registry.put(scope, name, {"IsSettled": {"BOOL": True}})

    def _remove_old_versions(self, rows: Mapping[str, Row], mark: Watermark) -> None:
        """Remove the checkpoints of versions under which no change can come any more."""
        used = {self._configuration.version}
        for stream in {row["Name"]["S"] for row in self._registry.rows(streams_scope("map"))}:
            shards = self._registry.rows(source_scope(stream))
            used.update(shard["Version"]["S"] for shard in shards)
        registered = self._registry.rows(LANES)
        for row in registered:
            # A rebuild's own rows may be delivered again for as long as Map's.
            corrected = float(row.get("CorrectedAt", {"N": "0"})["N"])
            if corrected > mark.created - SHARD_ROW_SECONDS:
                used.add(Lanes.parse(row["Name"]["S"]).version)
        old: dict[str, tuple[Row, list[str]]] = {}
        for node, total in rows.items():
            found = [name for name in total if (of := lanes_of(name)) and of.version not in used]
            if found:
                old[node] = total, found
        self._totals.remove(old)
        for row in registered:
            if Lanes.parse(row["Name"]["S"]).version not in used:
                key = {"Scope": row["Scope"], "Name": row["Name"]}
                self._dynamodb.delete_item(TableName=self._tables.registry, Key=key)

    # -- steps 2 to 7

    def _rebuild(self) -> tuple[Expected, Watermark]:
        """Steps 2 to 7, again while somebody writes what must not be written."""
        why, suspects = "", set[str]()
        with self._operation.progress(f"reading {self._tables.reduce}'s stream"):
            # Most of it now, while Map is still on.
            self._named.read()
        for _ in range(MAX_TRIES):
            with self._operation.progress("switching the mapping off"):
                self._mappings.pause(self.journal.mappings)
            met = self._met()
            mark, expected = self._sum()
            # A run that has lost the journal to a later one must not move Map's rows beyond the later one's watermark.
            self.journal.moving()
            try:
                attempt = _Attempt(mark, expected, self._move_rows(mark), met)
                suspects = self._correct(attempt, suspects)
                if not suspects:
                    return expected, mark
                why = f"{sorted(suspects)[0]} is not as it was set"
            except _WentOnError as reason:
                why = str(reason)
            self._operation.say(f"{why}: once more")
        raise LedaError(
            f"the tables did not rest in {MAX_TRIES} tries: {why}",
            "find what still writes to them or invokes their functions, stop it, and run `leda rebuild` again",
        )

    def _correct(self, attempt: _Attempt, suspects: set[str]) -> set[str]:
        """Steps 4 to 7; which totals are not as they must be then."""
        mark, expected = attempt.mark, attempt.expected
        names = self._configuration.names
        self._mend_checkpoints(suspects)
        # What is closed before the markers are written has nothing that is behind them.
        closed = _closed(self._streams, self._reduce_stream)
        markers = self._drain()
        self._ignore_unmet(closed, mark)
        nodes = self._named.up_to(markers)
        rows = self._totals.read()
        for change in _changes(names, expected, rows, nodes):
            known = self._first.get(change.identifier, change)
            self._first[change.identifier] = replace(known, new=change.new)
        changes = _changes(names, expected, self._fit(expected, rows), nodes)
        self._check(attempt)
        with self._operation.progress("correcting the totals", len(changes)):
            self._write_corrections(changes, mark)
            self._drain()
        return {
            change.identifier
            for change in _wrong(_changes(names, expected, self._totals.read(), nodes))
        }

    def _sum(self) -> tuple[Watermark, Expected]:
        """The high watermark, and what StateTable's rows add up to there."""
        low = self._watermarks.low()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            spool = Spool(file)
            with self._operation.progress(f"reading {self._tables.state}") as advance:
                attributes = audit.attributes_of([SOURCE_KEY], self._configuration)
                takers = [spool.take] * self._segments
                audit.scan(self._dynamodb, self._tables.state, attributes, takers, advance)
            self._let_streams_catch_up()
            with self._operation.progress(f"reading {self._tables.state}'s stream"):
                high = self._watermarks.high(low)
            with self._operation.progress("adding up"):
                expected = audit.fold(spool.as_of(high), self._configuration, [SOURCE_KEY])
        require_fit(expected)
        return high, expected

    def _let_streams_catch_up(self) -> None:
        """Wait until what was written so far is in its stream, and so before the markers that are written next."""
        with self._operation.progress("letting the streams catch up"):
            self._sleep(STREAM_SECONDS)

    def _met(self) -> set[str]:
        """The shards of StateTable's stream that Map has met."""
        rows = self._registry.rows(source_scope(self._state_stream))
        return {row["Name"]["S"] for row in rows}

    def _move_rows(self, mark: Watermark) -> dict[tuple[Lanes, str], str]:
        """Move Map's rows of all shards to the watermark; where those of the open shards are now."""
        moved = {}
        expires = int(mark.created) + ROW_SECONDS
        for shard in self._older_shards():
            self._move_row(shard, _END, expires, mark)
        for name, end in mark.ends.items():
            shard, target = Shard(self._state_stream, name), padded(end)
            lanes, stored = self._move_row(shard, target, expires, mark)
            if name in mark.open:
                if stored > target:
                    raise _WentOnError(_beyond(shard, stored))
                moved[lanes, shard.source] = target
        return moved

    def _move_row(
        self, shard: Shard, target: str, expires: int, mark: Watermark
    ) -> tuple[Lanes, str]:
        """Move the shard's rows; its lanes, and the highest Sequence that one of its rows has then."""
        assignment = self._shards.of(shard, mark.created)
        assert assignment is not None
        lanes = Lanes(assignment.configuration.version, assignment.lanes)
        stored = [self._rows.move(lane, shard.source, target, expires) for lane in lanes.each()]
        return lanes, max(stored)

    def _older_shards(self) -> Iterator[Shard]:
        """The shards of streams that StateTable had before, whose changes are all before the watermark.

        Map may have met such a stream, or meet it yet: its mapping was off when the stream was disabled, say.
        """
        met = {row["Name"]["S"] for row in self._registry.rows(streams_scope("map"))}
        kept = streams_of(self._streams, self._tables.state)
        for stream in sorted(each for each in {*met, *kept} if _is_older(each, self._state_stream)):
            names = {each["Name"]["S"] for each in self._registry.rows(source_scope(stream))}
            try:
                names |= shards_with_parents(self._streams, stream).keys()
            except ClientError as error:
                # It is readable for a day after it was disabled. An event that was made by hand may name anything.
                if error.response["Error"]["Code"] not in _NO_STREAM:
                    raise
            for name in sorted(names):
                yield Shard(stream, name)

    def _check(self, attempt: _Attempt) -> None:
        """Raise _WentOnError if Map has written anything from after the watermark."""
        if new := sorted(self._met() - attempt.met - attempt.mark.ends.keys()):
            raise _WentOnError(f"Map has met new shards ({first(new)})")
        for (lanes, source), sequence in attempt.moved.items():
            for lane in lanes.each():
                if (stored := self._rows.sequence(lane, source)) != sequence:
                    raise _WentOnError(f"Map went on at {source} (to {stored})")

    def _all_lanes(self) -> list[Lanes]:
        rows = self._registry.rows(LANES)
        return [Lanes.parse(row["Name"]["S"]) for row in rows]

    def _drain(self) -> list[str]:
        """Wait until Reduce has applied what was written to ReduceTable so far; the reserved nodes that say so."""
        self._let_streams_catch_up()
        markers = self._rows.markers(self._all_lanes())
        waiting = dict(markers)
        with self._operation.progress("waiting for Reduce"):
            for minutes in range(1, MAX_MARKERS + 1):
                self.journal.require_own()
                self._rows.mark(waiting)
                for _ in range(int(MARKER_SECONDS / POLL_SECONDS)):
                    waiting = {
                        lane: node
                        for lane, node in waiting.items()
                        if not self._totals.is_there(node)
                    }
                    if not waiting:
                        return list(markers.values())
                    self._sleep(POLL_SECONDS)
                self._operation.say(
                    f"Reduce has not applied what is in {len(waiting)} lanes for {minutes} minutes; "
                    "is its mapping on, and does it work without errors?"
                )
        raise LedaError(
            f"Reduce does not apply what is in {self._tables.reduce}",
            "mend it, and run `leda rebuild` again: Map's mapping stays off until then",
        )

    def _ignore_unmet(self, closed: Iterable[str], mark: Watermark) -> None:
        """Let Reduce ignore the closed shards that it has never met, now that it has read all that there was.

        They are empty, or a mapping has skipped them. Should another one bring them, their rows are in the totals.
        """
        row = {
            "Epoch": {"N": str(IGNORED)},
            "ExpiresAt": {"N": str(int(mark.created) + SHARD_ROW_SECONDS)},
        }
        for name in closed:
            self._registry.put_if_absent(reduce_scope(self._reduce_stream), name, row)

    # -- totals

    def _mend_checkpoints(self, suspects: set[str]) -> None:
        """Remove checkpoints that Reduce has not written: Reduce would fail on them, or drop every correction.

        A checkpoint of a later epoch than any that was drawn is such a one. Those of a total that is not as the last
        try has set it are suspect.
        """
        rows = self._totals.read()
        limit = self._registry.draw(EPOCHS)
        bad: dict[str, tuple[Row, list[str]]] = {}
        for node, row in rows.items():
            found = [
                name
                for name, value in row.items()
                if lanes_of(name) and (node in suspects or (epoch_of(value) or limit) >= limit)
            ]
            if found:
                bad[node] = row, found
        self._totals.remove(bad)

    def _fit(self, expected: Expected, rows: Mapping[str, Row]) -> Mapping[str, Row]:
        """The totals, of which those that no sum brings to what they must be are set to 0 first."""
        names = self._configuration.names
        for _ in range(MAX_TRIES):
            bad = {}
            for change in _changes(names, expected, rows, set()):
                unfit = [
                    name
                    for name, old, new in zip(names, change.old, change.new, strict=True)
                    if old is None or _difference(old, new) is None
                ]
                if unfit:
                    bad[change.identifier] = rows[change.identifier], unfit
            if not bad:
                return rows
            self._totals.set_to_0(bad)
            rows = self._totals.read()
        raise _WentOnError(f"somebody writes to {self._tables.aggregate} ({first(sorted(bad))})")

    def _write_corrections(self, changes: Sequence[Change], mark: Watermark) -> None:
        """What the totals lack, in the lanes of today's number; in all others 0, for the checkpoints."""
        amounts = {}
        for change in changes:
            added = [
                _difference(old or _NOTHING, new)
                for old, new in zip(change.old, change.new, strict=True)
            ]
            amounts[change.identifier] = tuple([each or _NOTHING for each in added])
        created = {"CorrectedAt": {"N": str(int(mark.created))}}
        self._registry.put(LANES, self._lanes.name, created)
        for lanes in self._all_lanes():
            if lanes == self._lanes:
                self._rows.correct(lanes, amounts)
            else:
                self._rows.touch(lanes, amounts)


def _is_older(stream: str, than: str) -> bool:
    """Whether the table had this stream before the other one: a label is the time when the stream was enabled."""
    return label(stream) < label(than)


def _closed(streams: DynamoDBStreamsClient, stream: str) -> list[str]:
    shards = shards_with_parents(streams, stream)
    return [name for name, (_, end) in shards.items() if end is not None]


def _changes(
    names: Sequence[str], expected: Expected, rows: Mapping[str, Row], nodes: set[str]
) -> list[Change]:
    """Every total: as its row has it, and as it must be."""
    nothing = (_NOTHING,) * len(names)
    found = []
    for node in sorted({*expected.totals, *rows, *nodes}):
        row = rows.get(node)
        old: tuple[Decimal | None, ...] = nothing
        if row is not None:
            old = tuple([audit.amount_of(row.get(name)) for name in names])
        found.append(Change(node, old, expected.totals.get(node, nothing)))
    return found


def _wrong(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.old != change.new]


def _difference(old: Decimal, new: Decimal | int) -> Decimal | None:
    """What brings the total from the one to the other; None where no number of DynamoDB does."""
    try:
        with exact():
            return number(str(new - old))
    except NotExact:
        return None


def _beyond(shard: Shard, sequence: str) -> str:
    return (
        f"the row of {shard.source} is at {sequence}, beyond what the rebuild has read: a delivery goes on, or "
        "somebody wrote the row by hand (then delete it)"
    )
