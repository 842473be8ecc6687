"""The source table's side of a rebuild: sum its rows at a watermark, and move Map's rows to the watermark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.hierarchy_path import DELETED
from leda.engine.registry import source_scope, streams_scope
from leda.engine.shards import Shard, label, padded
from leda_cli.base.operations import Advance
from leda_cli.operate.deployed.source_table import TableSize
from leda_cli.operate.deployed.stream_shards import streams_of
from leda_cli.operate.rebuilding import watermarks
from leda_cli.operate.rebuilding.assignments import Assignments, WentOnError
from leda_cli.operate.rebuilding.lane_rows import END, LaneRows, Lanes
from leda_cli.operate.rebuilding.long_numbers import require_fit
from leda_cli.operate.rebuilding.rebuild_parts import STREAM_SECONDS, Run
from leda_cli.operate.rebuilding.table_sum import TableSum, first
from leda_cli.operate.rebuilding.watermarks import (
    MarkedEnd,
    Tail,
    WaitedEnd,
    Watermark,
    shards_with_parents,
    stream_of,
)

WAITING_SECONDS = 10.0
"""Without marker rows: how long a run waits, so that the stream has the records of all that the scan has read."""

# A marker row of StateTable looks like a deleted trade, so that the table's readers ignore it.
_MARKER: Mapping[str, Any] = {DELETED: {"BOOL": True}, "Version": {"N": "0"}}
_NO_STREAM = frozenset({"ResourceNotFoundException", "ValidationException"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run.

    expected: the sums at the watermark `mark`.
    moved: the Sequence to which Map's rows were moved, by their lanes and Source.
    met: the shards that Map had met before.
    """

    mark: Watermark
    tail: Tail
    expected: Expected
    moved: Mapping[tuple[Lanes, str], str]
    met: set[str]


class SourceSide:
    """The source table, its stream, and Map's rows for the shards of that stream.

    end: how the end of the stream is found, with marker rows or by waiting.
    """

    def __init__(self, run: Run, rows: LaneRows) -> None:
        self._run = run
        self._rows = rows
        self.stream = stream_of(run.dynamodb, run.tables.source.name)
        self._markers = MarkedEnd(
            run.dynamodb,
            run.tables.source,
            _MARKER if run.tables.is_pipeline else {},
            STREAM_SECONDS,
            run.clock,
            run.sleep,
        )
        self.end: MarkedEnd | WaitedEnd = self._markers
        if not run.markers:
            self.end = WaitedEnd(WAITING_SECONDS, run.sleep)

    def remove_markers(self) -> None:
        """Delete the marker rows in the source table that this run, or one that it has taken over, may have written."""
        if self._run.markers or self._run.journal.has_markers:
            self._markers.clean_up()

    def sum(self, assignments: Assignments) -> tuple[Watermark, Tail, Expected]:
        """Read the table and its stream; return the watermark, and the sums of the table's rows at the watermark."""
        source, configuration = self._run.tables.source, self._run.configuration
        with TableSum.open(configuration, source) as sums:
            tail = Tail(
                self._run.dynamodb,
                self._run.streams,
                source,
                self.stream,
                configuration.attributes,
                sums.write,
            )
            # The scan begins later, so it reads every change that Map has counted by now.
            reached = {name: assignments.reached(Shard(self.stream, name)) for name in tail.shards}
            size = TableSize.of(self._run.dynamodb, source.name)
            with self._run.progress(f"reading {source.name}", size.rows or None) as advance:
                self._scan(sums, tail, advance)
            tail.scanned()
            with self._run.progress(f"reading {source.name}'s stream"):
                mark = tail.watermark(self.end).at_least(reached)
            self._run.at = mark.created
            with self._run.progress("adding up"):
                expected = sums.total(self._run.is_kept)
        require_fit(expected)
        return mark, tail, expected

    def _scan(self, sums: TableSum, tail: Tail, advance: Advance) -> None:
        """Read the table, and follow its stream meanwhile."""
        followed = self._run.clock()

        def advanced(rows: int) -> None:
            nonlocal followed
            advance(rows)
            if self._run.clock() - followed > watermarks.FOLLOW_SECONDS:
                tail.read_on()
                followed = self._run.clock()

        sums.scan(self._run.dynamodb, self._run.segments, advanced)

    def met(self) -> set[str]:
        """The shards of the source table's stream that Map has met."""
        rows = self._run.registry.rows(source_scope(self.stream))
        return {row["Name"]["S"] for row in rows}

    def move_rows(self, mark: Watermark, assignments: Assignments) -> dict[tuple[Lanes, str], str]:
        """Assign the target to all shards and move Map's rows to the watermark; return where the open shards' are."""
        moved, assign = {}, assignments.assign
        for shard in self.older_shards():
            assign(shard, END, mark.created)
        for name, end in mark.ends.items():
            place = assign(Shard(self.stream, name), padded(end), mark.created)
            if name in mark.open:
                moved[place] = padded(end)
        assignments.assign_made_up(self.stream, mark.created)
        assignments.make_live()
        return moved

    def older_shards(self) -> Iterator[Shard]:
        """Yield the shards of the streams that the table had before; all their changes are before the watermark.

        Map may have met such a stream, or may still meet it: for example if its mapping was off when the stream was
        disabled.
        """
        met = {row["Name"]["S"] for row in self._run.registry.rows(streams_scope("map"))}
        kept = streams_of(self._run.streams, self._run.tables.source.name)
        for stream in sorted(each for each in {*met, *kept} if is_older(each, self.stream)):
            names = {each["Name"]["S"] for each in self._run.registry.rows(source_scope(stream))}
            try:
                names |= shards_with_parents(self._run.streams, stream).keys()
            except ClientError as error:
                # A stream can be read for a day after it was disabled. An event made by hand may name any stream.
                if error.response["Error"]["Code"] not in _NO_STREAM:
                    raise
            for name in sorted(names):
                yield Shard(stream, name)

    def check(self, attempt: Attempt) -> None:
        """Raise WentOnError if Map has counted a change after the watermark, LateRecordError if a record was late."""
        if new := sorted(self.met() - attempt.met - attempt.mark.ends.keys()):
            raise WentOnError(f"Map has met new shards ({first(new)})")
        for (lanes, source), sequence in attempt.moved.items():
            for lane in lanes.each():
                row = self._rows.row(lane, source) or {}
                if (stored := row.get("Sequence", {}).get("S")) != sequence:
                    raise WentOnError(f"Map went on at {source} (to {stored})")
        attempt.tail.require_none_late()
        if on := self._run.mappings.enabled():
            # A batch that added nothing under the former configuration has moved no row.
            raise WentOnError(f"the event source mapping {first(on)} was switched on")


def is_older(stream: str, than: str) -> bool:
    """Whether the table had `stream` before `than`: a label is the time when the stream was enabled."""
    return label(stream) < label(than)
