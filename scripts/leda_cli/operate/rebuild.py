"""A rebuild: the totals again from the source table, while the table is written to and totals are read.

`leda rebuild` computes the totals under the live configuration, for the day when a DynamoDB stream's 24 hours were
missed, a table came from a backup, or somebody wrote to a table by hand. `leda backfill` computes them under the
deployed configuration, which is live from then on: after a change of it, and first of all on a table that has rows
already. What the totals are off by is one more source of rows in ReduceTable, which Reduce adds as it adds Map's. So
there is no limit to the number of totals, each of them jumps once, and nobody but Map has to pause.

1. The journal (journal.py) names the mappings of Map that are on, and they are switched off. Every number of
   lanes is registered; then the run draws its number.
2. From a place in the table's stream on the stream is followed; a scan, a pause, a watermark (watermarks.py):
   E, the sums as of the watermark (table_sum.py).
3. Map's row of every shard and lane moves to the watermark, under the configuration of E (assignments.py), and
   that configuration is live: what is before the watermark is in E, and what comes after it is Map's.
4. A marker in every lane. When Reduce has brought its reserved node into the totals table, all rows before it are in
   the totals, because reserved nodes are written last.
5. A, the totals, are read. If Map's rows still are where they were moved, Map has met no other shard, and no record has
   come late, nothing from after the watermark is in A.
6. E - A for every total, as rows of ReduceTable.
7. Another marker; labels are put right; then the totals are E, or else everything is done again.
8. What is left over is removed, the streams are settled, the mappings are switched on, the journal goes.

The rows of 4, 6 and 7 have the Source `rebuild` and a Sequence that begins with the run's number, and are put on Map's
condition. So of two runs the one that has drawn its number first can write nothing more into a lane that the other one
has marked, and what it has written before is in the totals when the other one reads them.

Every total gets a correction, also of 0, and so does every node that is only named in ReduceTable's stream: a total
that somebody has deleted has lost its checkpoint, and a row that is delivered again would count. Lanes of other
versions and numbers of lanes get corrections of 0, for the checkpoints.

A run may be killed anywhere. From step 3 on, changes lie between Map's rows and the totals: the mappings stay off and
the journal stays, until the next run has done all of it.

Where time to live takes nothing back (`on_expiry` = keep), the table no longer holds what was counted, so neither
command runs. The first backfill does: nothing was counted before it. Rows that had expired by its watermark are in no
total then; those that expire later stay.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from leda.engine import audit
from leda.engine.audit import Expected
from leda.engine.configuration import Configuration
from leda.engine.epochs import IGNORED
from leda.engine.groupings import (
    DELETED,
    EXPIRES_AT,
    GROUPING,
    KEYS,
    PARENT,
    HierarchyPath,
)
from leda.engine.registry import (
    CONFIGURATIONS,
    EPOCHS,
    LANES,
    LIVE,
    SHARD_ROW_SECONDS,
    Registry,
    RegistryError,
    Stage,
    configuration_of,
    reduce_scope,
    source_scope,
    streams_scope,
)
from leda.engine.shards import Shard, label, padded
from leda.engine.source_shards import Assignment
from leda.engine.totals import KEY
from leda_cli.base.errors import LedaError
from leda_cli.base.operations import Advance, Operation
from leda_cli.operate import forecast, watermarks
from leda_cli.operate.assignments import Assignments, WentOnError
from leda_cli.operate.corrections import Correction, corrections, difference
from leda_cli.operate.journal import Journal
from leda_cli.operate.lane_rows import END, LaneRows, Lanes, LaneTakenError, NamedNodes, run_of
from leda_cli.operate.mappings import Mappings
from leda_cli.operate.source_table import SourceTable, TableSize, service_time
from leda_cli.operate.stored_totals import Change, Old, StoredTotals, epoch_of, lanes_of
from leda_cli.operate.stream_shards import streams_of
from leda_cli.operate.table_sum import TableSum, first, require_fit
from leda_cli.operate.watermarks import (
    LateRecordError,
    MarkedEnd,
    Tail,
    WaitedEnd,
    Watermark,
    shards_with_parents,
    stream_of,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

T = TypeVar("T")

REBUILDS = "rebuilds"

# Tries of the whole while somebody writes what a rebuild cannot allow.
MAX_TRIES = 5
# Until what was written is in the stream. AWS says "near-real time", within a second as a rule; the records of one
# transaction may come at different times, and after what was written later.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
STREAM_SECONDS = 5.0
# The same where no marker proves it.
WAITING_SECONDS = 10.0
# A marker that is lost on its way (its stream's 24 hours were missed) is written again.
MARKER_SECONDS, MAX_MARKERS = 60, 60
POLL_SECONDS = 0.5
# Time to live never removes a row whose time ended more than five years ago.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
TIME_TO_LIVE_SECONDS = 5 * 365 * 24 * 3600

_NO_STREAM = frozenset({"ResourceNotFoundException", "ValidationException"})

_LABELS = (GROUPING, KEYS, PARENT, EXPIRES_AT)

# What StateTable's readers take for a deleted trade, so that a marker there is nothing to them.
_MARKER = {DELETED: {"BOOL": True}, "Version": {"N": "0"}}

_KEPT = (
    "the totals keep rows that time to live has removed (on_expiry = keep), so the table no longer holds what was "
    "counted, and the totals cannot be computed from it"
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of an aggregation: the one that is counted, and the names of the engine's own."""

    source: SourceTable
    reduce: str
    totals: str
    registry: str
    totals_key: str = KEY


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it.

    is_backfill: the deployed configuration is the target, and is live then; else the live one is.
    needs_backfill: Map counts nothing before the first backfill.
    markers: write marker rows to the source table, which prove what a waiting time assumes without them.
    segments: the parts of the table that are read at a time.
    option: how commands find the aggregation, as it follows their names in messages.
    """

    is_backfill: bool = False
    needs_backfill: bool = False
    markers: bool = True
    segments: int = audit.SEGMENTS
    option: str = ""

    @property
    def name(self) -> str:
        """What a run is called."""
        return "backfill" if self.is_backfill else "rebuild"

    @property
    def command(self) -> str:
        """The command that does it again."""
        return f"leda {self.name}{self.option}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has changed, or would change.

    is_first: nothing was counted before it.
    reading_seconds: how long a dry run has read the table; behind_seconds: for how long the totals stood still.
    """

    configuration: Configuration
    expected: Expected
    changes: Sequence[Correction]
    mappings: Sequence[str]
    is_first: bool = False
    reading_seconds: float = 0.0
    behind_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The watermark and the sums there; where Map's rows were moved, and the shards that it had met before."""

    mark: Watermark
    tail: Tail
    expected: Expected
    moved: Mapping[tuple[Lanes, str], str]
    met: set[str]


class Rebuild:
    """One run for one aggregation. `deployed` is what Map is deployed with; `mappings` are Map's, and no others."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        streams: DynamoDBStreamsClient,
        mappings: Mappings,
        tables: Tables,
        operation: Operation,
        deployed: Assignment,
        options: Options = Options(),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._streams = streams
        self._mappings = mappings
        self._tables = tables
        self._operation = operation
        self._deployed = deployed
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self.journal = Journal(dynamodb, tables.registry, options.command)
        self._registry = Registry(dynamodb, tables.registry)
        self._totals = StoredTotals(
            dynamodb, tables.totals, tables.totals_key, self.journal.require_own
        )
        self._run = 0
        self._is_first = False
        self._at = 0.0
        self._off_since: float | None = None
        self._first: dict[str, Correction] = {}

    def look(self) -> Result:
        """What a run would change now; what is in flight is among it. Changes nothing."""
        enabled = self._mappings.enabled()
        target, began = self._target(), self._clock()
        with self._operation.progress(f"adding up {self._tables.source.name}") as advance:
            expected = audit.read_source(
                self._dynamodb,
                self._tables.source.name,
                list(self._tables.source.keys),
                target,
                self._options.segments,
                advance,
            )
        reading = self._clock() - began
        require_fit(expected)
        self._configuration = target
        self._at = service_time(self._dynamodb, self._tables.source.name)
        expected = replace(expected, totals=self._kept(expected.totals))
        changes = corrections(expected, self._stored(), (), len(target.names))
        return Result(target, expected, _needed(changes), enabled, self._is_first, reading)

    def run(self) -> Result:
        """Do it. Raises LedaError; the mappings are on again, unless Map's rows may have been moved."""
        self._configure()
        self._require_time()
        target = self._configuration.version if self._options.is_backfill else None
        self.journal.open(
            self._mappings.enabled(),
            target,
            is_first=self._is_first,
            has_markers=self._options.markers,
        )
        if self.journal.taken_over_from:
            self._operation.say(
                f"going on with the {self._options.name} that began at {self.journal.taken_over_from}"
            )
        try:
            self._prepare()
            expected, mark = self._rebuild()
            self._finish(mark)
        except LaneTakenError as error:
            self._leave()
            raise self.journal.taken() from error
        except LedaError:
            self._leave()
            raise
        changes = sorted(self._first.values(), key=lambda change: change.identifier)
        return Result(
            self._configuration,
            expected,
            _needed(changes),
            self.journal.mappings,
            self._is_first,
            behind_seconds=self._seconds_behind(),
        )

    # -- steps 1 and 8

    def _target(self) -> Configuration:
        """The configuration to compute the totals under. Raises LedaError where they cannot be."""
        row = self._registry.get(CONFIGURATIONS, LIVE)
        self._is_first = row is None
        if row is None and self._options.needs_backfill and not self._options.is_backfill:
            raise LedaError(
                "Map counts nothing yet: it waits for the first backfill (backfill = required)",
                f"run `leda backfill{self._options.option}`",
            )
        deployed = self._deployed.configuration
        if row is None:
            return deployed
        try:
            live = configuration_of(self._registry, row["Version"]["S"])
        except RegistryError as error:
            raise LedaError(str(error), "restore RegistryTable from a backup") from error
        is_unfinished, was_first = self.journal.unfinished_backfill()
        # Nothing that was kept is lost by another try, under whatever configuration: no run has come to its end yet.
        is_going_on = self._options.is_backfill and is_unfinished
        self._is_first = is_going_on and was_first
        if live.keeps_expired and not is_going_on:
            raise LedaError(
                _KEPT,
                "for other groupings, or after a loss, set up a second aggregation beside this one (`name_prefix`): "
                "its first backfill counts what the table holds now",
            )
        return deployed if self._options.is_backfill else live

    def _configure(self) -> None:
        """Make what works with the target and the tables' streams."""
        self._configuration = self._target()
        measures, streams = self._configuration.names, self._streams
        self._lanes = Lanes(self._configuration.version, self._deployed.lanes)
        self._rows = LaneRows(self._dynamodb, self._tables.reduce, measures, self._sleep)
        source = self._tables.source
        self._source_stream = stream_of(self._dynamodb, source.name)
        is_state = isinstance(self._configuration.totals, HierarchyPath)
        attributes: Mapping[str, Any] = _MARKER if is_state else {}
        self._markers = MarkedEnd(
            self._dynamodb, source, attributes, STREAM_SECONDS, self._clock, self._sleep
        )
        self._end: MarkedEnd | WaitedEnd = self._markers
        if not self._options.markers:
            self._end = WaitedEnd(WAITING_SECONDS, self._sleep)
        self._reduce_stream = stream_of(self._dynamodb, self._tables.reduce)
        older = [
            stream
            for stream in streams_of(streams, self._tables.reduce)
            if _is_older(stream, self._reduce_stream)
        ]
        self._named = NamedNodes(streams, self._reduce_stream, older, self._clock, self._sleep)

    def _require_time(self) -> None:
        """Raise LedaError where the stream would not keep what is written while the table is read."""
        source = self._tables.source
        size = TableSize.of(self._dynamodb, source.name)
        segments = self._options.segments
        seconds = forecast.reading_seconds(
            self._dynamodb, source, self._configuration, size, segments, self._clock
        )
        forecast.require_time(seconds, size, segments, source.name, self._options.command)

    def _prepare(self) -> None:
        """Note the configuration, register the lanes and draw the run's number."""
        document = {"Document": {"S": self._configuration.document}}
        self._registry.put_if_absent(CONFIGURATIONS, self._configuration.version, document)
        # Should the registry have lost lanes, the totals still know them.
        known = {lanes_of(name) for _, row in self._totals.rows() for name in row}
        names = {self._lanes.name, *(each.name for each in known if each)}
        for name in sorted(names):
            self._registry.put_if_absent(LANES, name, {})
        # A run with a higher number finds these lanes registered; one with a lower number is kept out of them.
        self._run = self._registry.draw(REBUILDS)
        self.journal.require_own()
        self._rows.begin(self._run)
        self._assignments = Assignments(
            self._dynamodb,
            self._tables.registry,
            self._rows,
            self._configuration,
            self._deployed.lanes,
            self._run,
        )
        if self._is_first:
            # From now on Map counts what it gets, and no longer leaves it to the backfill: a delivery that goes on may
            # have records from after the watermark. Until this run or the next one is done, the journal is the latch.
            self.journal.moving()
            try:
                self._assignments.make_live()
            except WentOnError as error:
                raise self.journal.taken() from error

    def _finish(self, mark: Watermark) -> None:
        self.journal.require_own()
        self._settle_streams()
        self._resume()
        with self._operation.progress("removing what is left over"):
            used = self._used_versions(mark)
            self._totals.change(self._leftovers(used))
            self._totals.remove(self._worthless())
            self._forget_lanes(used)
        self._give_back()

    def _leave(self) -> None:
        """Put back what can be put back: the mappings stay off where Map's rows may have been moved."""
        if self.journal.is_own():
            if not self.journal.is_moving:
                self._give_back()
        elif not self.journal.hand_over():
            # The run that had the journal is done, and this one may have gone on after it.
            self._remove_markers()
            self._resume()

    def _give_back(self) -> None:
        """Remove the markers, switch the mappings on and close the journal.

        Once more where another run has left mappings and markers meanwhile: it noticed late that this one had taken
        it over.
        """
        is_closed = False
        while not is_closed:
            self._remove_markers()
            self._resume()
            is_closed = self.journal.close()

    def _pause(self) -> None:
        with self._operation.progress("switching the mapping off"):
            self.journal.note(self._mappings.enabled())
            self._mappings.pause(self.journal.mappings)
        if self._off_since is None and self.journal.mappings:
            self._off_since = self._clock()

    def _resume(self) -> None:
        with self._operation.progress("switching the mapping on"):
            self._mappings.resume(self.journal.mappings)

    def _seconds_behind(self) -> float:
        return 0.0 if self._off_since is None else self._clock() - self._off_since

    def _progress(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show progress with the time for which the totals have stood still."""

        def behind() -> str:
            return f"; the totals are {self._seconds_behind():,.0f} s behind"

        return self._operation.progress(text, total, behind)

    def _settle_streams(self) -> None:
        """Note that the totals hold what these streams, and those before them, have had and have not had."""
        current: Mapping[Stage, str] = {
            "map": self._source_stream,
            "reduce": self._reduce_stream,
        }
        for stage, stream in current.items():
            scope = streams_scope(stage)
            met = {row["Name"]["S"] for row in self._registry.rows(scope)}
            # A stream that came meanwhile needs a rebuild of its own.
            for name in sorted({stream, *(each for each in met if _is_older(each, stream))}):
                self._registry.put(scope, name, {"IsSettled": {"BOOL": True}})

    def _label_changes(self) -> Iterator[Change]:
        """What rows must be called, and that they lose the measures that only other configurations have."""
        others = set[str]()
        for known in self._registry.rows(CONFIGURATIONS):
            if "Document" in known:
                others.update(json.loads(known["Document"]["S"])["measures"])
        others.difference_update(self._configuration.names)
        for node, row in self._totals.rows():
            labels = self._configuration.labels(node)
            wanted: dict[str, Any] = dict.fromkeys((*_LABELS, *others))
            if labels is not None:
                wanted |= labels.attributes
            wrong = {name: value for name, value in wanted.items() if row.get(name) != value}
            if wrong:
                yield Change(node, row, wrong)

    def _used_versions(self, mark: Watermark) -> set[str]:
        """The versions under which a change may still come."""
        used = {self._configuration.version}
        for stream in [row["Name"]["S"] for row in self._registry.rows(streams_scope("map"))]:
            shards = self._registry.rows(source_scope(stream))
            used.update(shard["Version"]["S"] for shard in shards)
        for row in self._registry.rows(LANES):
            # A rebuild's own rows may be delivered again for as long as Map's.
            corrected = float(row.get("CorrectedAt", {"N": "0"})["N"])
            if corrected > mark.created - SHARD_ROW_SECONDS:
                used.add(Lanes.parse(row["Name"]["S"]).version)
        return used

    def _leftovers(self, used: set[str]) -> Iterator[Change]:
        """Checkpoints of versions under which no change can come any more."""
        for node, row in self._totals.all_rows():
            found = [name for name in row if (of := lanes_of(name)) and of.version not in used]
            if found:
                yield Change(node, row, dict.fromkeys(found))

    def _worthless(self) -> Iterator[str]:
        """Rows to remove: markers of this run and of those before it, and totals that time to live never removes."""
        limit = self._at - TIME_TO_LIVE_SECONDS
        for node, _ in self._totals.all_rows():
            run = run_of(node)
            is_old_marker = run is not None and run <= self._run
            if is_old_marker or audit.has_expired(self._configuration, node, limit):
                yield node

    def _remove_markers(self) -> None:
        """Remove the markers in the source table, of this run and of those before it that have left any."""
        if self._options.markers or self.journal.has_markers:
            self._markers.clean_up()

    def _forget_lanes(self, used: set[str]) -> None:
        for row in self._registry.rows(LANES):
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
            self._pause()
            met = self._met()
            mark, tail, expected = self._sum()
            # A run that has lost the journal to a later one must not move Map's rows beyond the later one's watermark.
            self.journal.moving()
            try:
                attempt = _Attempt(mark, tail, expected, self._move_rows(mark), met)
                suspects = self._correct(attempt, suspects)
                if not suspects:
                    return expected, mark
                why = f"{sorted(suspects)[0]} is not as it was set"
            except WentOnError as reason:
                why = str(reason)
            except LateRecordError as late:
                self._end.seconds *= 2
                why = f"{late}; waiting {self._end.seconds:,.0f} s for the stream from now on"
            self._operation.say(f"{why}: once more")
        raise LedaError(
            f"the tables did not rest in {MAX_TRIES} tries: {why}",
            "find what still writes to them or invokes their functions, stop it, and run "
            f"`{self._options.command}` again",
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
        nodes = self._kept(dict.fromkeys(self._named.up_to(markers)))
        stored = self._stored()
        for change in corrections(expected, stored, nodes, len(names)):
            known = self._first.get(change.identifier, change)
            self._first[change.identifier] = replace(known, new=change.new)
        changes = corrections(expected, self._fit(expected, stored), nodes, len(names))
        self._check(attempt)
        with self._progress("correcting the totals", len(changes)):
            self._write_corrections(changes, mark)
            self._drain()
        with self._progress("putting labels right"):
            # Before the last look: a total that had expired under a former configuration may be removed until then.
            self._totals.change(self._label_changes())
        attempt.tail.require_none_late()
        changes = corrections(expected, self._stored(), nodes, len(names))
        return {change.identifier for change in _needed(changes)}

    def _sum(self) -> tuple[Watermark, Tail, Expected]:
        """The watermark, and what the table's rows add up to there."""
        source, configuration = self._tables.source, self._configuration
        with TableSum.open(configuration, source) as sums:
            tail = Tail(
                self._dynamodb,
                self._streams,
                source,
                self._source_stream,
                configuration.attributes,
                sums.write,
            )
            # What Map has counted by now, the scan sees.
            reached = {
                name: self._assignments.reached(Shard(self._source_stream, name))
                for name in tail.shards
            }
            size = TableSize.of(self._dynamodb, source.name)
            with self._progress(f"reading {source.name}", size.rows or None) as advance:
                self._scan(sums, tail, advance)
            tail.scanned()
            with self._progress(f"reading {source.name}'s stream"):
                mark = tail.watermark(self._end).at_least(reached)
            with self._progress("adding up"):
                expected = sums.total()
        self._at = mark.created
        expected = replace(expected, totals=self._kept(expected.totals))
        require_fit(expected)
        return mark, tail, expected

    def _scan(self, sums: TableSum, tail: Tail, advance: Advance) -> None:
        """Read the table, and follow its stream meanwhile."""
        followed = self._clock()

        def advanced(rows: int) -> None:
            nonlocal followed
            advance(rows)
            if self._clock() - followed > watermarks.FOLLOW_SECONDS:
                tail.read_on()
                followed = self._clock()

        source = self._tables.source
        attributes = audit.attributes_of(list(source.keys), self._configuration)
        takers = [sums.take] * self._options.segments
        audit.scan(self._dynamodb, source.name, attributes, takers, advanced)

    def _let_streams_catch_up(self) -> None:
        """Wait until what was written so far is in its stream, and so before the markers that are written next."""
        with self._progress("letting the streams catch up"):
            self._sleep(STREAM_SECONDS)

    def _met(self) -> set[str]:
        """The shards of the source table's stream that Map has met."""
        rows = self._registry.rows(source_scope(self._source_stream))
        return {row["Name"]["S"] for row in rows}

    def _move_rows(self, mark: Watermark) -> dict[tuple[Lanes, str], str]:
        """Bring all shards to the target, with their rows at the watermark; where those of the open shards are now."""
        moved, assign = {}, self._assignments.assign
        for shard in self._older_shards():
            assign(shard, END, mark.created)
        for name, end in mark.ends.items():
            place = assign(Shard(self._source_stream, name), padded(end), mark.created)
            if name in mark.open:
                moved[place] = padded(end)
        self._assignments.assign_made_up(self._source_stream, mark.created)
        self._assignments.make_live()
        return moved

    def _older_shards(self) -> Iterator[Shard]:
        """The shards of streams that the table had before, whose changes are all before the watermark.

        Map may have met such a stream, or meet it yet: its mapping was off when the stream was disabled, say.
        """
        met = {row["Name"]["S"] for row in self._registry.rows(streams_scope("map"))}
        kept = streams_of(self._streams, self._tables.source.name)
        for stream in sorted(
            each for each in {*met, *kept} if _is_older(each, self._source_stream)
        ):
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
        """Raise WentOnError if Map has written anything from after the watermark, or LateRecordError."""
        if new := sorted(self._met() - attempt.met - attempt.mark.ends.keys()):
            raise WentOnError(f"Map has met new shards ({first(new)})")
        for (lanes, source), sequence in attempt.moved.items():
            for lane in lanes.each():
                if (stored := self._rows.sequence(lane, source)) != sequence:
                    raise WentOnError(f"Map went on at {source} (to {stored})")
        attempt.tail.require_none_late()
        if on := self._mappings.enabled():
            # A batch that counted for nothing under the former configuration has left no row to be seen.
            raise WentOnError(f"the event source mapping {first(on)} was switched on")

    def _all_lanes(self) -> list[Lanes]:
        rows = self._registry.rows(LANES)
        return [Lanes.parse(row["Name"]["S"]) for row in rows]

    def _drain(self) -> list[str]:
        """Wait until Reduce has applied what was written to ReduceTable so far; the reserved nodes that say so."""
        self._let_streams_catch_up()
        markers = self._rows.markers(self._all_lanes())
        waiting = dict(markers)
        with self._progress("waiting for Reduce"):
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
            f"mend it, and run `{self._options.command}` again: Map's mapping stays off until then",
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

    def _stored(self) -> dict[str, Old]:
        """The totals as they are, without those that have expired, which no reader sees and nothing brings back."""
        return self._kept(self._totals.amounts(self._configuration.names))

    def _kept(self, totals: Mapping[str, T]) -> dict[str, T]:
        """Those of the totals that have not expired."""
        return {
            node: value
            for node, value in totals.items()
            if not audit.has_expired(self._configuration, node, self._at)
        }

    def _mend_checkpoints(self, suspects: set[str]) -> None:
        """Remove checkpoints that Reduce has not written: Reduce would fail on them, or drop every correction.

        A checkpoint of a later epoch than any that was drawn is such a one. Those of a total that is not as the last
        try has set it are suspect.
        """
        limit = self._registry.draw(EPOCHS)

        def found() -> Iterator[Change]:
            for node, row in self._totals.rows():
                names = [
                    name
                    for name, value in row.items()
                    if lanes_of(name) and (node in suspects or (epoch_of(value) or limit) >= limit)
                ]
                if names:
                    yield Change(node, row, dict.fromkeys(names))

        self._totals.change(found())

    def _fit(self, expected: Expected, stored: Mapping[str, Old]) -> Mapping[str, Old]:
        """The totals, of which those that no sum brings to what they must be are set to 0 first."""
        names = self._configuration.names
        for _ in range(MAX_TRIES):
            bad = {}
            for change in corrections(expected, stored, (), len(names)):
                unfit = [
                    name
                    for name, old, new in zip(names, change.old, change.new, strict=True)
                    if old is None or difference(old, new) is None
                ]
                if unfit:
                    bad[change.identifier] = {name: {"N": "0"} for name in unfit}
            if not bad:
                return stored
            self._totals.change(
                Change(node, row, bad[node]) for node, row in self._totals.rows() if node in bad
            )
            stored = self._stored()
        raise WentOnError(f"somebody writes to {self._tables.totals} ({first(sorted(bad))})")

    def _write_corrections(self, changes: Sequence[Correction], mark: Watermark) -> None:
        """What the totals lack, in the lanes of today's number; in all others 0, for the checkpoints."""
        created = {"CorrectedAt": {"N": str(int(mark.created))}}
        self._registry.put(LANES, self._lanes.name, created)
        for lanes in self._all_lanes():
            if lanes == self._lanes:
                self._rows.correct(lanes, {each.identifier: each.added for each in changes})
            else:
                self._rows.touch(lanes, (each.identifier for each in changes))


def _is_older(stream: str, than: str) -> bool:
    """Whether the table had this stream before the other one: a label is the time when the stream was enabled."""
    return label(stream) < label(than)


def _closed(streams: DynamoDBStreamsClient, stream: str) -> list[str]:
    shards = shards_with_parents(streams, stream)
    return [name for name, (_, end) in shards.items() if end is not None]


def _needed(changes: Iterable[Correction]) -> list[Correction]:
    return [change for change in changes if change.is_needed]
