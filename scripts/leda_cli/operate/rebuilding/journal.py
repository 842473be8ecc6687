"""The rebuild's journal: a row of RegistryTable that says which mappings to switch on again, and which run may write.

While the row is there, changes may lie between Map's rows and the totals, so it is a latch: only a rebuild that comes
to its end deletes it. Until then HealthLambda's alarm rings, and `leda verify` says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from leda.engine.registry import Registry
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.rows import is_written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCOPE, NAME = "rebuild", "journal"
KEY = {"Scope": {"S": SCOPE}, "Name": {"S": NAME}}
_HANDED_OVER = "HandedOver"


class OpenRun(NamedTuple):
    """A run (`name`: rebuild or backfill) that is at work, or was stopped before its end.

    is_moving: Map's rows may have been moved, so that the totals may lack changes, or hold some twice.
    """

    name: str
    is_moving: bool


class Journal:
    """The journal as one run sees it."""

    def __init__(self, client: DynamoDBClient, table: str, command: str = "leda rebuild") -> None:
        self._client = client
        self._table = table
        self._registry = Registry(client, table)
        self._command = command
        self._target: str | None = None
        self._is_first = False
        self.has_markers = False
        """Whether this run, or one that it has taken over from, has written markers to the source table."""
        self._run = uuid.uuid4().hex
        self._seen: Any = {"N": "0"}
        self.mappings: list[str] = []
        """The mappings to switch on again: this run's, and those of the runs that it has taken over from."""
        self.taken_over_from: str | None = None
        """Which run's journal was there: `backfill that began at <time>`; None where there was no journal."""
        self._began = datetime.now(UTC)
        self.is_moving = False
        """Whether Map's rows may have been moved."""
        self.is_open = False
        """Whether the journal may be there and be this run's, so that mappings may be off."""

    def open(
        self,
        enabled: Iterable[str],
        target: str | None = None,
        *,
        is_first: bool = False,
        has_markers: bool = False,
    ) -> None:
        """Write the journal with the mappings that are on, or take over the journal that is there.

        target: the version that a backfill makes live; is_first: no version was live before; has_markers: the run
        writes markers.
        """
        self.mappings, self.is_open, self._began = list(enabled), True, datetime.now(UTC)
        self._target, self._is_first, self.has_markers = target, is_first, has_markers
        while not (self._create() or self._take_over()):
            continue

    def note(self, enabled: Iterable[str]) -> None:
        """Add mappings to those that are to be switched on again. Raises LedaError if the journal is another run's.

        One may be on that was off when the journal was opened: another run's end or an apply has switched it on.
        """
        self.mappings = sorted({*self.mappings, *enabled})
        while not self._merge(self._own(), {}):
            continue

    def hand_over(self) -> bool:
        """Leave this run's mappings to the run that has the journal now; False where there is no journal.

        This run may have switched mappings off, or written markers, after the other one took the journal over, or even
        after a third one had closed it. The other run learns of it when it closes the journal.
        """
        while (found := self._row()) is not None:
            count = int(found[_HANDED_OVER]["N"]) + 1
            if self._merge(found, {_HANDED_OVER: {"N": str(count)}}):
                return True
        return False

    def unfinished_backfill(self) -> tuple[bool, bool]:
        """Whether a backfill has not come to its end, and whether it is the first."""
        found = self._row() or {}
        return "Target" in found, "IsFirst" in found

    def moving(self) -> None:
        """Note that Map's rows will be moved. Raises LedaError if the journal is another run's."""
        self._change("SET #Moving = :yes", {"#Moving": "Moving"}, {":yes": {"BOOL": True}})
        self.is_moving = True

    def require_own(self) -> None:
        """Raise LedaError if the journal is another run's."""
        self._change("SET #Run = :run", {}, {})

    def is_own(self) -> bool:
        """Whether the journal is there and this run's."""
        found = self._row()
        return found is not None and found["Run"] == {"S": self._run}

    def open_run(self) -> OpenRun | None:
        """The run that has not come to its end, whosever it is; None where there is none."""
        found = self._row()
        if found is None:
            return None
        return OpenRun(_command_of(found), "Moving" in found)

    def seconds_open(self) -> float:
        """For how long there has been a journal: since the first of the runs began that did not come to their end."""
        return (datetime.now(UTC) - self._began).total_seconds()

    def close(self) -> bool:
        """Delete the journal if it is this run's; False if another run has handed over to it since this one looked.

        Then `mappings` has that run's too: they are to be switched on, and its markers to be removed, before the next
        try.
        """
        if not is_written(
            self._client.delete_item,
            TableName=self._table,
            Key=KEY,
            ConditionExpression="#Run = :run AND #HandedOver = :seen",
            ExpressionAttributeNames={"#Run": "Run", "#HandedOver": _HANDED_OVER},
            ExpressionAttributeValues={":run": {"S": self._run}, ":seen": self._seen},
        ):
            found = self._row()
            if found is not None and found["Run"] == {"S": self._run}:
                self._look(found)
                return False
        self.is_open = False
        return True

    def taken(self) -> LedaError:
        """The error of a run whose journal is now another run's."""
        self.is_open = False
        return LedaError(
            "another run has taken this one over",
            f"let the other run finish; run `{self._command}` again only if that was stopped",
        )

    def _row(self) -> dict[str, Any] | None:
        return self._registry.get(SCOPE, NAME)

    def _own(self) -> dict[str, Any]:
        """The row. Raises LedaError if it is another run's."""
        found = self._row()
        if found is None or found["Run"] != {"S": self._run}:
            raise self.taken()
        return found

    def _look(self, found: Mapping[str, Any]) -> None:
        """Take in what the row says."""
        self.mappings = sorted({*_mappings(found), *self.mappings})
        self.is_moving = "Moving" in found
        self.has_markers |= "Markers" in found
        self._seen = found[_HANDED_OVER]
        self._began = datetime.fromisoformat(found["Started"]["S"])

    def _create(self) -> bool:
        row: dict[str, Any] = {
            "Run": {"S": self._run},
            "Started": {"S": self._began.isoformat(timespec="seconds")},
            "Mappings": {"L": [{"S": name} for name in self.mappings]},
            _HANDED_OVER: self._seen,
        }
        if self._target:
            row["Target"] = {"S": self._target}
        if self._is_first:
            row["IsFirst"] = {"BOOL": True}
        if self.has_markers:
            row["Markers"] = {"BOOL": True}
        return self._registry.put_if_absent(SCOPE, NAME, row)

    def _take_over(self) -> bool:
        found = self._row()
        if found is None:
            return False
        if found["Run"] == {"S": self._run}:
            # This run's own request, whose answer was lost and which the client has sent again.
            self._look(found)
            return True
        changes = {"Run": {"S": self._run}}
        if self._target:
            changes["Target"] = {"S": self._target}
        if not self._merge(found, changes):
            return False
        self._look(found)
        self.taken_over_from = f"{_command_of(found)} that began at {found['Started']['S']}"
        return True

    def _merge(self, found: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
        """Write this run's mappings beside those of the row as it was found, and changes; False if it has changed."""
        names = sorted({*_mappings(found), *self.mappings})
        changed = {"Mappings": {"L": [{"S": name} for name in names]}, **changes}
        if self.has_markers:
            changed["Markers"] = {"BOOL": True}
        update = ", ".join(f"#{name} = :{name}" for name in changed)
        is_merged = is_written(
            self._client.update_item,
            TableName=self._table,
            Key=KEY,
            UpdateExpression=f"SET {update}",
            ConditionExpression="#Run = :found AND #HandedOver = :handed_over",
            ExpressionAttributeNames={f"#{name}": name for name in {"Run", _HANDED_OVER, *changed}},
            ExpressionAttributeValues={
                ":found": found["Run"],
                ":handed_over": found[_HANDED_OVER],
                **{f":{name}": value for name, value in changed.items()},
            },
        )
        if is_merged:
            self.mappings = names
        return is_merged

    def _change(self, update: str, names: dict[str, str], values: dict[str, Any]) -> None:
        if not is_written(
            self._client.update_item,
            TableName=self._table,
            Key=KEY,
            UpdateExpression=update,
            ConditionExpression="#Run = :run",
            ExpressionAttributeNames={"#Run": "Run", **names},
            ExpressionAttributeValues={":run": {"S": self._run}, **values},
        ):
            raise self.taken()


def _command_of(row: Mapping[str, Any]) -> str:
    return "backfill" if "Target" in row else "rebuild"


def _mappings(row: Mapping[str, Any]) -> list[str]:
    return [name["S"] for name in row["Mappings"]["L"]]
