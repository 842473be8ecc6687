"""The totals' side of a rebuild: wait for Reduce, write the corrections, remove rows and checkpoints of the past."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.total_labels import EXPIRES_AT, GROUPING, KEYS, PARENT
from leda.engine.reduce.epochs import IGNORED
from leda.engine.registry import (
    CONFIGURATIONS,
    EPOCHS,
    LANES,
    SHARD_ROW_SECONDS,
    reduce_scope,
    source_scope,
    streams_scope,
)
from leda.values.texts import number_of
from leda_cli.base.errors import LedaError
from leda_cli.operate.rebuilding.assignments import WentOnError
from leda_cli.operate.rebuilding.corrections import NOTHING, Correction, Corrections
from leda_cli.operate.rebuilding.lane_rows import LaneRows, Lanes, run_of
from leda_cli.operate.rebuilding.rebuild_parts import MAX_TRIES, STREAM_SECONDS, Run
from leda_cli.operate.rebuilding.stored_totals import Change, Old, amounts_of, epoch_of, lanes_of
from leda_cli.operate.rebuilding.table_sum import first
from leda_cli.operate.rebuilding.totals_file import TotalsFile
from leda_cli.operate.rebuilding.watermarks import Watermark

# A marker may be lost, if Reduce missed the 24 hours of its stream; so it is written again after a minute.
MARKER_SECONDS, MAX_MARKERS = 60, 60
POLL_SECONDS = 0.5

# Time to live never removes a row that expired more than five years ago.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
TIME_TO_LIVE_SECONDS = 5 * 365 * 24 * 3600

_LABELS = (GROUPING, KEYS, PARENT, EXPIRES_AT)


@dataclass(eq=False)
class TotalsSide:
    """The totals table, and the lanes of ReduceTable from which Reduce adds corrections to the totals.

    stream: the ARN of ReduceTable's stream.
    lanes: the lanes that Map is deployed with.
    """

    run: Run
    stream: str
    lanes: Lanes
    rows: LaneRows

    def let_map_rows_appear(self) -> None:
        """Wait until ReduceTable's stream has the records of what Map has written, so that markers come after them.

        A batch may have been in work while Map's mapping was switched off. Its row and the lane's row for markers are
        two rows, and AWS promises an order only for the records of one row.
        """
        with self.run.progress("letting the streams catch up"):
            self.run.sleep(STREAM_SECONDS)

    def drain(self) -> list[str]:
        """Wait until Reduce has applied what the runs have written; return the reserved nodes of the markers.

        Markers and corrections of a lane are written to one row, so that their records are in the order of the writes.
        """
        markers = self.rows.markers(self.all_lanes())
        waiting = dict(markers)
        with self.run.progress("waiting for Reduce"):
            for minutes in range(1, MAX_MARKERS + 1):
                self.run.journal.require_own()
                self.rows.mark(waiting)
                for _ in range(int(MARKER_SECONDS / POLL_SECONDS)):
                    waiting = {
                        lane: node
                        for lane, node in waiting.items()
                        if not self.run.totals.is_there(node)
                    }
                    if not waiting:
                        return list(markers.values())
                    self.run.sleep(POLL_SECONDS)
                self.run.operation.say(
                    f"Reduce has not applied what is in {number_of(len(waiting), 'lane')} for "
                    f"{number_of(minutes, 'minute')}; "
                    "is its mapping on, and does it work without errors?"
                )
        raise LedaError(
            f"Reduce does not apply what is in {self.run.tables.reduce_table}",
            f"correct the cause, and run `{self.run.command}` again: Map's mapping stays off until then",
        )

    def ignore_unmet(self, closed: Iterable[str], mark: Watermark) -> None:
        """Make Reduce ignore the closed shards that it has not met, now that it has read the stream up to the markers.

        They are empty, or a mapping has skipped them. If a mapping delivers them later, the totals include their rows
        already.
        """
        row = {
            "Epoch": {"N": str(IGNORED)},
            "ExpiresAt": {"N": str(int(mark.created) + SHARD_ROW_SECONDS)},
        }
        for name in closed:
            self.run.registry.put_if_absent(reduce_scope(self.stream), name, row)

    def all_lanes(self) -> list[Lanes]:
        """Return the lanes of every version and number of lanes in the registry."""
        rows = self.run.registry.rows(LANES)
        return [Lanes.parse(row["Name"]["S"]) for row in rows]

    def mend_checkpoints(self, suspects: Container[str]) -> None:
        """Remove checkpoints that Reduce did not write: it would fail on them, or ignore every correction.

        These are checkpoints whose epoch is higher than any that was drawn, checkpoints that cannot be read, and all
        checkpoints of `suspects`: totals that were wrong after the last try.
        """
        limit = self.run.registry.next_number(EPOCHS)

        def found() -> Iterator[Change]:
            for node, row in self.run.totals.rows():
                names = [
                    name
                    for name, value in row.items()
                    if lanes_of(name) and (node in suspects or (epoch_of(value) or limit) >= limit)
                ]
                if names:
                    yield Change(node, row, dict.fromkeys(names))

        self.run.totals.change(found())

    def fit(self, expected: Expected, stored: Mapping[str, Old]) -> Mapping[str, Old]:
        """Return the totals; first set to 0 those that adding a number cannot correct (38 digits, not a number)."""
        names = self.run.configuration.names
        nothing = (NOTHING,) * len(names)

        def zeros() -> Iterator[Change]:
            for node, row in self.run.kept_rows():
                new = expected.totals.get(node, nothing)
                unfit = Correction(node, amounts_of(row, names), new).unfit
                if unfit:
                    yield Change(node, row, {names[place]: {"N": "0"} for place in unfit})

        for _ in range(MAX_TRIES):
            changes = Corrections(expected, stored, {}, len(names))
            bad = TotalsFile((each.identifier, each.old) for each in changes if each.unfit)
            if not bad:
                return stored
            self.run.totals.change(zeros())
            stored = self.run.stored()
        raise WentOnError(f"somebody writes to {self.run.tables.totals_table} ({first(bad)})")

    def write_corrections(self, changes: Corrections, mark: Watermark) -> None:
        """Write the corrections into the deployed lanes, and corrections of 0 into all others, for the checkpoints."""
        created = {"CorrectedAt": {"N": str(int(mark.created))}}
        self.run.registry.put(LANES, self.lanes.name, created)
        for lanes in self.all_lanes():
            if lanes == self.lanes:
                self.rows.correct(lanes, ((each.identifier, each.added) for each in changes))
            else:
                self.rows.touch(lanes, (each.identifier for each in changes))

    def label_changes(self) -> Iterator[Change]:
        """Yield the changes that give each row its labels, and remove measures that only other configurations have."""
        others = set[str]()
        for known in self.run.registry.rows(CONFIGURATIONS):
            if "Document" in known:
                others.update(json.loads(known["Document"]["S"])["measures"])
        others.difference_update(self.run.configuration.names)
        for node, row in self.run.totals.rows():
            labels = self.run.configuration.labels(node)
            wanted: dict[str, Any] = dict.fromkeys((*_LABELS, *others))
            if labels is not None:
                wanted |= labels.attributes
            wrong = {name: value for name, value in wanted.items() if row.get(name) != value}
            if wrong:
                yield Change(node, row, wrong)

    def used_versions(self, mark: Watermark) -> set[str]:
        """Return the versions of configurations under which a row may still be delivered."""
        used = {self.run.configuration.version}
        for stream in [row["Name"]["S"] for row in self.run.registry.rows(streams_scope("map"))]:
            shards = self.run.registry.rows(source_scope(stream))
            used.update(shard["Version"]["S"] for shard in shards)
        for row in self.run.registry.rows(LANES):
            # A rebuild's own rows may be delivered again for as long as Map's.
            corrected = float(row.get("CorrectedAt", {"N": "0"})["N"])
            if corrected > mark.created - SHARD_ROW_SECONDS:
                used.add(Lanes.parse(row["Name"]["S"]).version)
        return used

    def leftovers(self, used: set[str]) -> Iterator[Change]:
        """Yield the changes that remove checkpoints of versions under which no row can be delivered any more."""
        for node, row in self.run.totals.all_rows():
            found = [name for name in row if (of := lanes_of(name)) and of.version not in used]
            if found:
                yield Change(node, row, dict.fromkeys(found))

    def unneeded_rows(self, number: int, used: set[str]) -> Iterator[str]:
        """Yield the rows to delete: markers of this run (its number) and earlier ones, and totals past time to live.

        Totals past time to live are those that expired so long ago that time to live does not remove them. While rows
        may be delivered under another version, such a total keeps its checkpoints: without them a row that is
        delivered again would create the total again, and under that version it may never expire.
        """
        is_alone = used == {self.run.configuration.version}
        limit = self.run.at - TIME_TO_LIVE_SECONDS
        for node, _ in self.run.totals.all_rows():
            run = run_of(node)
            is_old_marker = run is not None and run <= number
            is_over = is_alone and self.run.configuration.has_expired(node, limit)
            if is_old_marker or is_over:
                yield node

    def forget_lanes(self, used: set[str]) -> None:
        """Remove the lanes of all versions but the used ones from the registry."""
        for row in self.run.registry.rows(LANES):
            if Lanes.parse(row["Name"]["S"]).version not in used:
                key = {"Scope": row["Scope"], "Name": row["Name"]}
                self.run.dynamodb.delete_item(TableName=self.run.tables.registry_table, Key=key)
