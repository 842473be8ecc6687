"""An operator who runs the real `leda rebuild` and `leda backfill` in tasks, some of which are stopped half-way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from leda.aws.backoff import GaveUpError
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.source_shards import Assignment
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.source_table import SourceTable, Tables
from leda_cli.operate.rebuilding.rebuild import Rebuild
from simulation.failures import Killed

if TYPE_CHECKING:
    from simulation.engine import Engine
    from simulation.mappings import EventSourceMapping
    from simulation.world import World

# boto3's number of tries for DynamoDB (https://docs.aws.amazon.com/boto3/latest/guide/retries.html).
SDK_TRIES = 10
_LOSSES = ("records that were lost", "total damaged", "stream replaced", "table restored")


class Operator:
    """Rebuilds the totals of a table.

    needed: whether a loss still has to be repaired by a rebuild, or a deployment made live by a backfill.
    markers: whether runs write markers to the source table.
    deployments: the number of configurations that were deployed for a backfill.
    done_at: the time at which the last run ended.
    made_live: the configuration that must be live: that of the successful backfill with the highest number. A run with
    a lower number may end later, if it sleeps after its last write.
    """

    def __init__(self, system: Engine) -> None:
        self.needed = False
        self.totals_key = "Identifier"
        self.markers = True
        self.deployments = 0
        self.done_at = 0.0
        self.made_live = ""
        self._number = 0
        self._system = system
        self._world = system.world
        self._random = system.world.random("operator")
        self._backup: dict[str, list[dict[str, Any]]] = {}

    def damage(self, draw: random.Random) -> None:
        """Damage a total as somebody could by hand, also with a value that is not a number or not a checkpoint."""
        rows = self._system.rows("AggregateTable")
        if not rows:
            return
        self.needed = True
        row = draw.choice(sorted(rows, key=lambda row: str(row[self.totals_key])))
        store = self._system.store
        if draw.random() < 0.3:
            # A narrow partition may throttle the write; then nothing is damaged.
            with suppress(ClientError):
                key = {self.totals_key: row[self.totals_key]}
                store.delete_item(TableName="AggregateTable", Key=key)
            return
        applied = {name: row.pop(name) for name in list(row) if name.startswith("Applied")}
        measure = draw.choice(sorted(self._system.measures))
        row.pop(measure, None)
        values = ({"N": "12.5"}, {"N": "12.5"}, {"S": "x"}, {"N": "9" * 38}, None)
        if value := draw.choice(values):
            row[measure] = value
        checkpoint = draw.choice(("kept", "kept", "kept", "gone", "ahead"))
        if checkpoint == "kept":
            row |= applied
        elif checkpoint == "ahead":
            row |= {name: {"S": f"9999999999.{'9' * 40}"} for name in applied}
        with suppress(ClientError):
            store.put_item(TableName="AggregateTable", Item=row)

    def back_up(self) -> None:
        """Back the tables up."""
        for table in ("AggregateTable", "ReduceTable"):
            self._backup[table] = self._system.rows(table)

    def restore(self, table: str) -> None:
        """Restore a table from its backup."""
        self.needed = True
        self._system.store.restore(table, self._backup.get(table, []))

    def start(self, draw: random.Random, *, is_backfill: bool = False) -> None:
        """Start a rebuild or a backfill in a task of its own, which may be stopped anywhere; then another one follows.

        It follows within minutes: a stopped run leaves the mapping off, and records are trimmed after a day.
        """

        def work() -> None:
            try:
                self.rebuild(is_backfill=is_backfill)
            except Killed:
                name = "backfills" if is_backfill else "rebuilds"
                self._system.counts[f"{name} stopped half-way"] += 1
                if draw.random() < 0.3:
                    # `terraform apply` switches the mapping on, whatever the journal says.
                    later = self._world.now + draw.uniform(0, 300)
                    self._world.at(later, lambda: self._system.mappings["map"].resume())
                again = self._world.now + draw.uniform(0, 600)
                self._world.at(again, lambda: self.start(draw, is_backfill=is_backfill))

        self.needed = True
        task = self._world.spawn(work)
        if draw.random() < (0.4 if is_backfill else 0.7):

            def stop() -> None:
                if not task.dead:
                    task.interrupt(Killed())

            self._world.at(self._world.now + draw.uniform(0, 40), stop)

    def rebuild(self, *, is_backfill: bool = False) -> None:
        """Run `leda rebuild` or `leda backfill` to its end or its error."""
        system, counts = self._system, self._system.counts
        variables, source = system.functions["map"].variables, system.SOURCES["map"]
        name = "backfills" if is_backfill else "rebuilds"
        deployed = Assignment(
            Configuration.from_json(variables["CONFIGURATION"]), int(variables["REDUCE_LANES"])
        )
        pace = _Pace(self._world, self._random)
        work = Rebuild(
            _Paced(pace, system.store, system),  # type: ignore[arg-type]
            _Paced(pace, system.dynamodb_streams, system),  # type: ignore[arg-type]
            _Mappings(system),  # type: ignore[arg-type]
            Tables(
                source=SourceTable(source, system.tables[source].keys),
                reduce_table="ReduceTable",
                registry_table="RegistryTable",
                totals_table="AggregateTable",
                totals_key=self.totals_key,
            ),
            _Silent(),  # type: ignore[arg-type]
            deployed,
            is_backfill=is_backfill,
            needs_backfill=variables.get("BACKFILL") == "required",
            markers=self.markers,
            segments=2,
            clock=lambda: self._world.now,
            sleep=self._world.sleep,
        )
        lost_before = [counts[loss] for loss in _LOSSES]
        deployments = self.deployments
        counts[f"{name} begun"] += 1
        try:
            work.run()
        except (LedaError, GaveUpError):
            # Others write too much meanwhile, or another run has taken over.
            counts[f"{name} given up"] += 1
            return
        counts[name] += 1
        self.done_at = self._world.now
        if is_backfill and work.number > self._number:
            self._number, self.made_live = work.number, variables["CONFIGURATION"]
        is_deployed = is_backfill or not self.deployments
        is_same = deployments == self.deployments
        if is_deployed and is_same and lost_before == [counts[loss] for loss in _LOSSES]:
            self.needed = False


class _Pace:
    """The durations of one run's calls; the operator's machine may sleep for minutes before one of them."""

    def __init__(self, world: World, draw: random.Random) -> None:
        self._world, self._random = world, draw
        self._calls = 0
        self._asleep_at = draw.randrange(150) if draw.random() < 0.4 else -1

    @property
    def now(self) -> float:
        """The service's clock."""
        return self._world.true_clock()

    def before(self) -> None:
        """Wait before a call's effect."""
        self._calls += 1
        if self._calls == self._asleep_at:
            self._world.sleep(self._random.uniform(5, 400))
        self._world.sleep(self._random.expovariate(1 / 0.02))

    def after(self) -> None:
        """Wait after a call's effect."""
        self._world.sleep(self._random.expovariate(1 / 0.01))

    def throttled(self, tries: int) -> None:
        """Wait before the SDK's next try."""
        self._world.sleep(self._random.uniform(0, min(20.0, 2.0**tries)))


class _Paced:
    """A client whose calls take time, during which other tasks run."""

    def __init__(self, pace: _Pace, real: Any, system: Engine) -> None:
        self._pace, self._real, self._system = pace, real, system

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self._pace.before()
            if name == "describe_table":
                # The store has no streams; the system has.
                (stage,) = (
                    stage
                    for stage, table in self._system.SOURCES.items()
                    if table == request["TableName"]
                )
                stream = self._system.streams[stage]
                enabled = {"StreamEnabled": True}
                answer: Any = {
                    "Table": {"LatestStreamArn": stream.arn, "StreamSpecification": enabled},
                    "ResponseMetadata": {
                        "HTTPHeaders": {"date": formatdate(self._pace.now, usegmt=True)}
                    },
                }
            else:
                answer = self._send(name, request)
            self._pace.after()
            return answer

        return call

    def _send(self, name: str, request: Mapping[str, Any]) -> Any:
        """Make the call with the SDK's retries."""
        for tries in range(1, SDK_TRIES):
            try:
                return getattr(self._real, name)(**request)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ThrottlingException":
                    raise
                self._pace.throttled(tries)
        return getattr(self._real, name)(**request)


class _Mappings:
    """Map's event source mapping, with its stream's ARN as its UUID: a replaced stream has another mapping."""

    def __init__(self, system: Engine) -> None:
        self._system = system

    def enabled(self) -> list[str]:
        mapping = self._system.mappings["map"]
        return [mapping.stream.arn] if mapping.enabled else []

    def pause(self, uuids: Iterable[str]) -> None:
        for mapping in self._those(uuids):
            mapping.pause()

    def resume(self, uuids: Iterable[str]) -> None:
        for mapping in self._those(uuids):
            mapping.resume()

    def _those(self, uuids: Iterable[str]) -> Iterator[EventSourceMapping]:
        """The mappings that still exist; the others were deleted with their streams."""
        mapping = self._system.mappings["map"]
        if mapping.stream.arn in uuids:
            yield mapping


class _Silent:
    """Stands in for an Operation."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def progress(
        self, text: str, total: int | None = None, note: Callable[[], str] = str
    ) -> Iterator[Callable[..., None]]:
        yield lambda count=1, *, total=None: None
