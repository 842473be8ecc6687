"""Assigns the target configuration to the source table's shards, in ReduceTable and in RegistryTable.

The registry says under which configuration and with how many lanes Map computes the changes of a shard: the shard's
assignment. At the watermark a rebuild assigns the target, the configuration that the sums were computed under. If the
shard has the target already, Map's rows are moved to the watermark. If it has another configuration, or closed rows of
a backfill that was killed, three steps assign the target:

1. close the rows of the former assignment;
2. put rows of a new generation at the watermark;
3. replace the shard's row in the registry, on condition that it still has the former assignment.

If a run is killed between these steps, the next run uses a generation of its own, and of two runs only one can replace
the registry's row. An execution environment of Map that remembers the former assignment finds its rows closed, and
reads the registry again. So it neither counts a change twice nor drops it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda.engine.delta_rows import CLOSED_BY
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.source_shards import Assignment
from leda.engine.registry import (
    CONFIGURATIONS,
    LANES,
    LIVE,
    SHARD_ROW_SECONDS,
    Registry,
    configuration_of,
    source_scope,
)
from leda.engine.shards import MADE_UP, Shard, padded
from leda.streams.stream_records import content
from leda_cli.operate.deployed.rows import is_written
from leda_cli.operate.rebuilding.lane_rows import LaneRows, Lanes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Row = Mapping[str, Any]

# Lambda delivers a record for a day at most; a row of Map that covers it must exist for longer.
ROW_SECONDS = 2 * 24 * 3600


class WentOnError(Exception):
    """Somebody has written to the engine's tables during the rebuild; the text says who, and to what."""


@dataclass(eq=False)
class Assignments:
    """Assigns `target` to shards; a new assignment has `lanes` lanes, and the run's number as its generation."""

    client: DynamoDBClient
    table: str
    rows: LaneRows
    target: Configuration
    lanes: int
    run: int

    def __post_init__(self) -> None:
        self._registry = Registry(self.client, self.table)

    def assign(self, shard: Shard, sequence: str, created: float) -> tuple[Lanes, str]:
        """Assign the target to a shard and move its rows to that Sequence; return its lanes, and the rows' Source.

        Raises WentOnError if Map has counted changes that the sums do not include.
        """
        scope = source_scope(shard.stream)
        row = self._registry.get(scope, shard.id)
        if row is None:
            # A registry that was restored from a backup may lack a shard whose first rows a backfill has closed.
            is_lost = self._is_closed(shard, Assignment(self.target, self.lanes))
            new = Assignment(self.target, self.lanes, self.run if is_lost else 0)
            self._move(shard, new, sequence, created)
            if not self._registry.put_if_absent(
                scope, shard.id, self._row(new.generation, created)
            ):
                raise WentOnError(f"Map has met the shard {shard.id}")
            return _lanes(new), new.source(shard)
        former = self._assignment(row)
        if former.configuration.version == self.target.version and not self._is_closed(
            shard, former
        ):
            self._move(shard, former, sequence, created)
            return _lanes(former), former.source(shard)
        for lane in _lanes(former).each():
            source = former.source(shard)
            stored = self.rows.close(lane, source, sequence, self.target.version, _expires(created))
            if stored > sequence:
                raise WentOnError(_beyond(source, stored))
        # The checkpoints of the former version stay for as long as its rows may be delivered.
        used = {"CorrectedAt": {"N": str(int(created))}}
        self._registry.put(LANES, _lanes(former).name, used)
        new = Assignment(self.target, self.lanes, self.run)
        self._move(shard, new, sequence, created)
        self._replace(scope, shard.id, row, self._row(self.run, created))
        return _lanes(new), new.source(shard)

    def assign_made_up(self, stream: str, created: float) -> None:
        """Assign the target to the shard `made-up` (records of test events); its rows keep their Sequence."""
        shard = Shard(stream, MADE_UP)
        if self._registry.get(source_scope(stream), shard.id) is not None:
            self.assign(shard, self._reached(shard), created)

    def reached(self, shard: Shard) -> int:
        """The last sequence number of the shard that Map has counted in any lane; 0 if it has counted none."""
        # A change of which Map has counted the first half is taken for counted.
        number, _, half = self._reached(shard).partition(".")
        return int(number) + bool(half) if number.isdigit() else 0

    def _reached(self, shard: Shard) -> str:
        """The highest Sequence of the shard's rows that are not closed; `_move` refuses one that was made by hand."""
        row = self._registry.get(source_scope(shard.stream), shard.id)
        if row is None:
            return padded(0)
        former = self._assignment(row)
        stored = [self.rows.row(lane, former.source(shard)) for lane in _lanes(former).each()]
        open_rows = [each for each in stored if each and CLOSED_BY not in each]
        return max([content(each, "Sequence", "S") or "" for each in open_rows], default=padded(0))

    def make_live(self) -> None:
        """Make the target live: Map uses it for shards that it meets from now on.

        Raises WentOnError if a later run has made a configuration live.
        """
        run = {"N": str(self.run)}
        row = {"Version": {"S": self.target.version}, "Run": run}
        if not is_written(
            self.client.put_item,
            TableName=self.table,
            Item={"Scope": {"S": CONFIGURATIONS}, "Name": {"S": LIVE}, **row},
            ConditionExpression="attribute_not_exists(#Run) OR #Run <= :run",
            ExpressionAttributeNames={"#Run": "Run"},
            ExpressionAttributeValues={":run": run},
        ):
            raise WentOnError("a later run has made a configuration live")

    def _assignment(self, row: Row) -> Assignment:
        generation = int(row.get("Generation", {"N": "0"})["N"])
        configuration = configuration_of(self._registry, row["Version"]["S"])
        return Assignment(configuration, int(row["Lanes"]["N"]), generation)

    def _row(self, generation: int, created: float) -> dict[str, Any]:
        row = {
            "Version": {"S": self.target.version},
            "Lanes": {"N": str(self.lanes)},
            "ExpiresAt": {"N": str(int(created) + SHARD_ROW_SECONDS)},
        }
        return row | ({"Generation": {"N": str(generation)}} if generation else {})

    def _is_closed(self, shard: Shard, assignment: Assignment) -> bool:
        source = assignment.source(shard)
        found = (self.rows.row(lane, source) for lane in _lanes(assignment).each())
        return any(CLOSED_BY in row for row in found if row)

    def _move(self, shard: Shard, assignment: Assignment, sequence: str, created: float) -> None:
        source = assignment.source(shard)
        for lane in _lanes(assignment).each():
            stored = self.rows.move(lane, source, sequence, _expires(created))
            if stored > sequence:
                raise WentOnError(_beyond(source, stored))

    def _replace(self, scope: str, name: str, former: Row, row: Row) -> None:
        """Replace the shard's row in the registry. Raises WentOnError if another run has changed it."""
        own = ("Version", "Lanes", "Generation")
        terms = [
            f"#{each} = :{each}" if each in former else f"attribute_not_exists(#{each})"
            for each in own
        ]
        if not is_written(
            self.client.put_item,
            TableName=self.table,
            Item={"Scope": {"S": scope}, "Name": {"S": name}, **row},
            ConditionExpression=" AND ".join(terms),
            ExpressionAttributeNames={f"#{each}": each for each in own},
            ExpressionAttributeValues={f":{each}": former[each] for each in own if each in former},
        ):
            raise WentOnError(f"another run has assigned the shard {name}")


def _lanes(assignment: Assignment) -> Lanes:
    return Lanes(assignment.configuration.version, assignment.lanes)


def _expires(created: float) -> int:
    return int(created) + ROW_SECONDS


def _beyond(source: str, sequence: str) -> str:
    return (
        f"ReduceTable's row with the Source {source} is at {sequence}, beyond what the rebuild has read: Map still "
        "works on a batch, or somebody wrote the row by hand (then delete the row)"
    )
