"""Compute all totals again from the source table, while writers change the table and readers read the totals.

`leda rebuild` computes the totals under the live configuration. An operator runs it after Map or Reduce missed the 24
hours of a DynamoDB stream, after a table was restored from a backup, or after somebody wrote to a table by hand. `leda
backfill` computes the totals under the deployed configuration and makes that configuration live. An operator runs it
after the configuration was changed, and once before anything is counted on a table that has rows already.

A run does not write new values into the totals. It writes the difference between what each total must be and what it is
as rows of ReduceTable, and Reduce adds these rows as it adds Map's. So the number of totals has no limit, each total
changes once, and only Map is paused.

1. The run notes in the journal (journal.py) which event source mappings of Map are on, and switches them off. It
   registers every number of lanes, and then draws the run's number.
2. It follows the table's stream from before the scan on, scans the table, waits, and finds a watermark (watermarks.py).
   The result is E, the sums as of the watermark (table_sum.py).
3. It moves Map's row of every shard and lane to the watermark, under the configuration of E (assignments.py), and makes
   that configuration live. E now includes every change before the watermark, and Map counts every change after it.
4. It waits until ReduceTable's stream has what Map may have written last, and writes a marker row into every lane of
   ReduceTable. Reduce writes the reserved nodes of a batch last, so when a marker's reserved node is in the totals
   table, all rows that were written before the marker are in the totals.
5. It reads the totals, A. It checks that Map's rows are where step 3 moved them, that Map has met no other shard, and
   that no record has come late. Then A includes no change from after the watermark.
6. It writes E - A for every total as rows of ReduceTable.
7. It writes another marker into every lane, without a wait, since it is in the row of the corrections. It corrects the
   totals' labels, and compares the totals with E. If one differs, the run repeats steps 2 to 7.
8. It notes that the tables' streams are settled, switches the mappings on, removes checkpoints and markers that nothing
   needs any more, and deletes the journal.

The rows of steps 4, 6 and 7 have the Source `rebuild` and a Sequence that begins with the run's number, and are written
under Map's condition. So when a run with a higher number has written its marker into a lane, a run with a lower number
can write nothing more into that lane, and what it wrote before is in the totals when the other run reads them.

Every total gets a correction, even if that is 0. So does every node that only a record of ReduceTable's stream names:
somebody may have deleted the total's row, which held its checkpoint, and without a checkpoint Reduce would add a row
that is delivered again. In the lanes of other versions, and of other numbers of lanes, the corrections are 0 and only
renew the checkpoints.

A run may be killed at any moment. From step 3 on, the totals may lack changes that Map's rows already cover. So the
mappings stay off and the journal stays open until the next run has done all steps.

With `on_expiry = "keep"` the totals keep rows that time to live has removed from the table. They cannot be computed
from the table, so both commands refuse to run. The first backfill runs, because nothing was counted before it: rows
that expired before its watermark are in no total, and rows that expire later stay in the totals.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import (
    CONFIGURATIONS,
    LANES,
    LIVE,
    RegistryError,
    configuration_of,
)
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.source_table import TableSize, service_time
from leda_cli.operate.deployed.stream_shards import streams_of
from leda_cli.operate.rebuilding import forecast
from leda_cli.operate.rebuilding.assignments import Assignments, WentOnError
from leda_cli.operate.rebuilding.corrections import Correction, Corrections, Needed
from leda_cli.operate.rebuilding.lane_rows import LaneRows, Lanes, LaneTakenError, NamedNodes
from leda_cli.operate.rebuilding.long_numbers import TotalsTooLongError, require_fit
from leda_cli.operate.rebuilding.rebuild_parts import MAX_TRIES, Run
from leda_cli.operate.rebuilding.rebuild_source import Attempt, SourceSide, is_older
from leda_cli.operate.rebuilding.rebuild_totals import TotalsSide
from leda_cli.operate.rebuilding.stored_totals import Old, lanes_of
from leda_cli.operate.rebuilding.table_sum import RowSum
from leda_cli.operate.rebuilding.totals_file import TotalsFile
from leda_cli.operate.rebuilding.watermarks import (
    LateRecordError,
    Watermark,
    shards_with_parents,
    stream_of,
)

REBUILDS = "rebuilds"

_KEPT = (
    "the totals keep rows that time to live has removed (on_expiry = keep), so the table no longer holds what was "
    "counted, and the totals cannot be computed from it"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has changed, or would change.

    is_first: nothing was counted before this run.
    reading_seconds: how long a dry run took to read the table.
    behind_seconds: for how long Map's mapping was off, so that the totals did not change.
    """

    configuration: Configuration
    expected: Expected
    changes: Collection[Correction]
    mappings: Sequence[str]
    is_first: bool = False
    reading_seconds: float = 0.0
    behind_seconds: float = 0.0


class Rebuild(Run):
    """One run for one aggregation.

    number: the run's number, 0 before it is drawn. Of two runs the one with the higher number has the last word.
    """

    number = 0
    _is_first = False

    def __post_init__(self) -> None:
        """Begin with no total read."""
        super().__post_init__()
        self._first = TotalsFile[Old]()

    @property
    def is_open(self) -> bool:
        """Whether the run has begun to change something and has not come to its end."""
        return self.journal.is_open

    def look(self) -> Result:
        """Return what a run would change now, changes in flight included. Writes nothing."""
        self.tables.source.require_images()
        enabled = self.mappings.enabled()
        target, began = self._target(), self.clock()
        source = self.tables.source
        with RowSum.open(target, source) as sums:
            with self.operation.progress(f"adding up {source.name}") as advance:
                sums.scan(self.dynamodb, self.segments, advance)
            reading = self.clock() - began
            self.configuration = target
            self.at = service_time(self.dynamodb, source.name)
            expected = sums.total(self.is_kept)
        try:
            require_fit(expected)
        except TotalsTooLongError as error:
            raise error.with_rows(self) from error
        changes = Corrections(expected, self.stored(), {}, len(target.names))
        return Result(target, expected, Needed(changes), enabled, self._is_first, reading)

    def run(self) -> Result:
        """Run all steps. When it raises LedaError the mappings are on again, unless Map's rows may have been moved."""
        self._configure()
        self.tables.source.require_images()
        self._require_time()
        target = self.configuration.version if self.is_backfill else None
        self.journal.open(
            self.mappings.enabled(), target, is_first=self._is_first, has_markers=self.markers
        )
        if self.journal.taken_over_from:
            self.operation.say(f"taking over from the {self.journal.taken_over_from}")
        try:
            if not self.is_backfill:
                # A backfill that has come to its end since has made another configuration live.
                self._configure()
            self._prepare()
            expected, mark = self._rebuild()
            self._finish(mark)
        except LaneTakenError as error:
            self._leave()
            raise self.journal.taken() from error
        except TotalsTooLongError as error:
            # The mapping is on again before the table is read once more, if Map's rows have not been moved.
            self._leave()
            raise error.with_rows(self) from error
        except LedaError:
            self._leave()
            raise
        measures = len(self.configuration.names)
        return Result(
            self.configuration,
            expected,
            Needed(Corrections(expected, self._first, {}, measures)),
            self.journal.mappings,
            self._is_first,
            behind_seconds=self.seconds_behind(),
        )

    # -- steps 1 and 8

    def _target(self) -> Configuration:
        """Return the configuration to compute the totals under. Raises LedaError where that is not possible."""
        row = self.registry.get(CONFIGURATIONS, LIVE)
        self._is_first = row is None
        if row is None and self.needs_backfill and not self.is_backfill:
            raise LedaError(
                "Map counts nothing yet: it waits for the first backfill (backfill = required)",
                f"run `leda backfill{self.option}`",
            )
        deployed = self.deployed.configuration
        if row is None:
            return deployed
        try:
            live = configuration_of(self.registry, row["Version"]["S"])
        except RegistryError as error:
            raise LedaError(
                str(error),
                f"restore {self.tables.registry_table} from a backup, and run "
                f"`{self.command}` again",
            ) from error
        is_unfinished, was_first = self.journal.unfinished_backfill()
        # No backfill has ended yet, so no total keeps an expired row: another try loses nothing.
        is_going_on = self.is_backfill and is_unfinished
        self._is_first = is_going_on and was_first
        if live.keeps_expired and not is_going_on:
            raise LedaError(
                _KEPT,
                "for other groupings, or after a loss, set up a second aggregation beside this one (`name_prefix`): "
                f"its first backfill counts what the table holds now. `leda redrive{self.option} --settle` accepts new "
                "streams of the tables",
            )
        return deployed if self.is_backfill else live

    def _configure(self) -> None:
        """Create the objects that depend on the target configuration and on the tables' streams."""
        self.configuration = self._target()
        self._lanes = Lanes(self.configuration.version, self.deployed.lanes)
        self._rows = LaneRows(
            self.dynamodb, self.tables.reduce_table, self.configuration.names, self.sleep
        )
        self._source = SourceSide(self, self._rows)
        reduce_stream = stream_of(self.dynamodb, self.tables.reduce_table)
        self._totals = TotalsSide(self, reduce_stream, self._lanes, self._rows)
        older = [
            stream
            for stream in streams_of(self.streams, self.tables.reduce_table)
            if is_older(stream, reduce_stream)
        ]
        self._named = NamedNodes(self.streams, reduce_stream, older, self.clock, self.sleep)

    def _require_time(self) -> None:
        """Raise LedaError if reading the table would take longer than its stream keeps records."""
        source = self.tables.source
        size = TableSize.of(self.dynamodb, source.name)
        segments = self.segments
        seconds = forecast.reading_seconds(
            self.dynamodb, source, self.configuration, size, segments, self.clock
        )
        forecast.require_time(seconds, size, segments, source.name, self.command)

    def _prepare(self) -> None:
        """Register the configuration and the lanes, and draw the run's number."""
        document = {"Document": {"S": self.configuration.document}}
        self.registry.put_if_absent(CONFIGURATIONS, self.configuration.version, document)
        # Should the registry have lost lanes, the totals still know them.
        known = {lanes_of(name) for _, row in self.totals.rows() for name in row}
        names = {self._lanes.name, *(each.name for each in known if each)}
        for name in sorted(names):
            self.registry.put_if_absent(LANES, name, {})
        # A run with a higher number finds these lanes registered; one with a lower number is kept out of them.
        self.number = self.registry.next_number(REBUILDS)
        self.journal.require_own()
        self._rows.begin(self.number)
        self._assignments = Assignments(
            self.dynamodb,
            self.tables.registry_table,
            self._rows,
            self.configuration,
            self.deployed.lanes,
            self.number,
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
        with self.operation.progress("removing what is left over"):
            used = self._totals.used_versions(mark)
            self.totals.change(self._totals.leftovers(used))
            self.totals.remove(self._totals.unneeded_rows(self.number, used))
            self._totals.forget_lanes(used)
        self._give_back()

    def _leave(self) -> None:
        """Undo what can be undone after an error; the mappings stay off if Map's rows may have been moved."""
        if self.journal.is_own():
            if not self.journal.is_moving:
                self._resume()
                self._give_back()
        elif not self.journal.hand_over():
            # The run that took the journal over has ended, and this one may have written markers since.
            self._source.remove_markers()
            self._resume()

    def _give_back(self) -> None:
        """Remove the markers, make sure that the mappings are on, and close the journal.

        The loop goes round again where another run has handed over mappings and markers in the meantime, because that
        run noticed late that this one had taken it over.
        """
        is_closed = False
        while not is_closed:
            self._source.remove_markers()
            self.mappings.resume(self.journal.mappings)
            is_closed = self.journal.close()

    def _pause(self) -> None:
        with self.operation.progress("switching the mapping off"):
            enabled = self.mappings.enabled()
            self.journal.note(enabled)
            self.mappings.pause(self.journal.mappings)
        if self.off_since is None and self.journal.mappings:
            # Those that are off already were switched off by a run that this one has taken over from.
            self.off_since = self.clock() - (0.0 if enabled else self.journal.seconds_open())

    def _resume(self) -> None:
        with self.operation.progress("switching the mapping on"):
            self.mappings.resume(self.journal.mappings)

    def _settle_streams(self) -> None:
        """Note in the registry that the totals are right for the tables' current streams and all earlier ones."""
        self.registry.settle_stream("map", self._source.stream)
        self.registry.settle_stream("reduce", self._totals.stream)

    # -- steps 2 to 7

    def _rebuild(self) -> tuple[Expected, Watermark]:
        """Do steps 2 to 7, and repeat them if somebody wrote to the engine's tables meanwhile."""
        why, suspects = "", TotalsFile[Old]()
        with self.operation.progress(f"reading {self.tables.reduce_table}'s stream"):
            # Read most of the stream now, while Map is still on.
            self._named.read()
        for _ in range(MAX_TRIES):
            self._pause()
            met = self._source.met()
            mark, tail, expected = self._source.sum(self._assignments)
            # A run that has lost the journal to a later one must not move Map's rows beyond the later one's watermark.
            self.journal.moving()
            try:
                attempt = Attempt(
                    mark, tail, expected, self._source.move_rows(mark, self._assignments), met
                )
                suspects = self._correct(attempt, suspects)
                if not suspects:
                    return expected, mark
                why = f"{next(iter(suspects))} is not as it was set"
            except WentOnError as reason:
                why = str(reason)
            except LateRecordError as late:
                self._source.end.seconds *= 2
                why = (
                    f"{late}; waiting {self._source.end.seconds:,.0f} s for the stream from now on"
                )
            self.operation.say(f"{why}: once more")
        raise LedaError(
            f"the tables did not rest in {MAX_TRIES} tries: {why}",
            "find out who writes to the totals table or ReduceTable, or invokes Map or Reduce, stop that, and run "
            f"`{self.command}` again",
        )

    def _correct(self, attempt: Attempt, suspects: TotalsFile[Old]) -> TotalsFile[Old]:
        """Do steps 4 to 7, and return the totals that are still wrong."""
        mark, expected = attempt.mark, attempt.expected
        measures = len(self.configuration.names)
        self._totals.mend_checkpoints(suspects)
        # What is closed before the markers are written has nothing that is behind them.
        shards = shards_with_parents(self.streams, self._totals.stream)
        closed = [name for name, (_, end) in shards.items() if end is not None]
        self._totals.let_map_rows_appear()
        markers = self._totals.drain()
        self._totals.ignore_unmet(closed, mark)
        nodes = TotalsFile((node, ()) for node in self._named.up_to(markers) if self.is_kept(node))
        stored = self.stored()
        changes = Corrections(expected, stored, nodes, measures)
        self._first.put((each.identifier, each.old) for each in changes)
        changes = Corrections(expected, self._totals.fit(expected, stored), nodes, measures)
        self._source.check(attempt)
        with self.progress("correcting the totals", len(self._first)):
            self._totals.write_corrections(changes, mark)
            self._totals.drain()
        with self.progress("putting labels right"):
            # Before the totals are compared: until its labels are corrected, time to live may remove a total that has
            # expired under the former configuration.
            for _ in range(MAX_TRIES):
                if self.totals.change(self._totals.label_changes()):
                    break
            else:
                raise WentOnError(f"somebody writes to {self.tables.totals_table}")
        attempt.tail.require_none_late()
        changes = Corrections(expected, self.stored(), nodes, measures)
        return TotalsFile((each.identifier, each.old) for each in Needed(changes))
