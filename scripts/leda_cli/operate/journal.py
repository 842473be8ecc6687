"""The rebuild's journal: a row of RegistryTable that says which mappings to switch on again, and which run may write.

While the row is there, changes may lie between Map's rows and the totals, so it is a latch: only a rebuild that comes
to its end deletes it. Until then HealthLambda's alarm rings, and `leda verify` says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from leda.engine.registry import condition_failed
from leda_cli.base.errors import LedaError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCOPE, NAME = "rebuild", "journal"
KEY = {"Scope": {"S": SCOPE}, "Name": {"S": NAME}}


class OpenRun(NamedTuple):
    """A run that is going on, or was stopped before its end: `rebuild` or `backfill`.

    is_moving: Map's rows may have been moved, so that the totals may lack changes, or hold some twice.
    """

    name: str
    is_moving: bool


class Journal:
    """The journal as one run sees it."""

    def __init__(self, client: DynamoDBClient, table: str, command: str = "leda rebuild") -> None:
        self._client = client
        self._table = table
        self._command = command
        self._target: str | None = None
        self._is_first = False
        self._run = uuid.uuid4().hex
        self.mappings: list[str] = []
        """The mappings to switch on again: this run's, and those of the runs that it has taken over from."""
        self.taken_over_from: str | None = None
        """When the run began whose journal was there; None where there was no journal."""
        self.is_moving = False
        """Whether Map's rows may have been moved."""
        self.is_open = False
        """Whether the journal may be there and be this run's, so that mappings may be off."""

    def open(
        self, enabled: Iterable[str], target: str | None = None, *, is_first: bool = False
    ) -> None:
        """Write the journal with the mappings that are on, or take over the journal that is there.

        target: the version that a backfill makes live; is_first: no version was live before.
        """
        self.mappings, self.is_open = list(enabled), True
        self._target, self._is_first = target, is_first
        while not (self._create() or self._take_over()):
            continue

    def unfinished(self) -> tuple[str | None, bool]:
        """The version that a backfill was to make live which has not come to its end, and whether it is the first."""
        found = self._row() or {}
        return found.get("Target", {}).get("S"), "IsFirst" in found

    def moving(self) -> None:
        """Note that Map's rows will be moved. Raises LedaError if the journal is another run's."""
        self._change("SET #Moving = :yes", {"#Moving": "Moving"}, {":yes": {"BOOL": True}})
        self.is_moving = True

    def require_own(self) -> None:
        """Raise LedaError if the journal is another run's."""
        self._change("SET #Run = :run", {}, {})

    def exists(self) -> bool:
        """Whether there is a journal, whosever it is."""
        return self._row() is not None

    def open_run(self) -> OpenRun | None:
        """The run that has not come to its end, whosever it is; None where there is none."""
        found = self._row()
        if found is None:
            return None
        return OpenRun("backfill" if "Target" in found else "rebuild", "Moving" in found)

    def close(self) -> None:
        """Delete the journal if it is this run's."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=KEY,
                ConditionExpression="#Run = :run",
                ExpressionAttributeNames={"#Run": "Run"},
                ExpressionAttributeValues={":run": {"S": self._run}},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
        self.is_open = False

    def taken(self) -> LedaError:
        """The error of a run whose journal is now another run's."""
        self.is_open = False
        return LedaError(
            "another run has taken this one over",
            f"let it finish; run `{self._command}` again only if it was stopped",
        )

    def _row(self) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        return answer.get("Item")

    def _create(self) -> bool:
        row: dict[str, Any] = {
            **KEY,
            "Run": {"S": self._run},
            "Started": {"S": datetime.now(UTC).isoformat(timespec="seconds")},
            "Mappings": {"L": [{"S": name} for name in self.mappings]},
        }
        if self._target:
            row["Target"] = {"S": self._target}
        if self._is_first:
            row["IsFirst"] = {"BOOL": True}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=row,
                ConditionExpression="attribute_not_exists(#Scope)",
                ExpressionAttributeNames={"#Scope": "Scope"},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def _take_over(self) -> bool:
        found = self._row()
        if found is None:
            return False
        if found["Run"] == {"S": self._run}:
            # This run's own put, whose answer was lost and which the client has sent again.
            return True
        earlier = [name["S"] for name in found["Mappings"]["L"]]
        self.mappings = sorted({*earlier, *self.mappings})
        self.is_moving = "Moving" in found
        try:
            self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression="SET #Run = :run, #Mappings = :mappings"
                + (", #Target = :target" if self._target else ""),
                ConditionExpression="#Run = :earlier",
                ExpressionAttributeNames={"#Run": "Run", "#Mappings": "Mappings"}
                | ({"#Target": "Target"} if self._target else {}),
                ExpressionAttributeValues={
                    ":run": {"S": self._run},
                    ":earlier": found["Run"],
                    ":mappings": {"L": [{"S": name} for name in self.mappings]},
                }
                | ({":target": {"S": self._target}} if self._target else {}),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        self.taken_over_from = found["Started"]["S"]
        return True

    def _change(self, update: str, names: dict[str, str], values: dict[str, Any]) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression=update,
                ConditionExpression="#Run = :run",
                ExpressionAttributeNames={"#Run": "Run", **names},
                ExpressionAttributeValues={":run": {"S": self._run}, **values},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise self.taken() from error
