"""The loop that applies each record's effect exactly once, whatever is delivered again and however it is cut.

A record of a lane is first delivered in order, so what the checkpoint covers is applied, and what it does not
cover is not: the checkpoint moves in the transaction that writes the effects, on condition that it is where
this delivery read it.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from leda.checkpoints import Checkpoints, Position
from leda.lanes import Lane
from leda.streams import StreamRecord
from leda.transactions import Verdict, verdict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

# Tries in a row that neither commit nor learn that another delivery did. The pause doubles from 25 ms to 1.6 s,
# which makes some five seconds in all; then the invocation fails and Lambda delivers the batch again.
MAX_TRIES = 10
FIRST_PAUSE_SECONDS = 0.025
LONGEST_PAUSE_SECONDS = 1.6


class GaveUp(RuntimeError):
    """The transaction could not be committed; nothing is lost, the batch comes again."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that has no effect because it cannot be processed, and why."""

    record: StreamRecord
    reason: str


@dataclass(slots=True)
class Prefix:
    """The effects of the first `count` of the records that were asked about.

    `actions` are TransactWriteItems' actions, at most `transactions.MAX_EFFECTS`; `note` is the planner's own.
    """

    count: int
    actions: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    note: Any = None


class Planner(Protocol):
    """Cuts the longest prefix that fits one transaction.

    It may be asked again about the same records, and what it answers last is written. So it is pure; one that reads
    rows (`leda.shop.restocking`) must plan right whatever became of them since.
    """

    def __call__(self, lane: Lane, records: Sequence[StreamRecord], /) -> Prefix:
        """The effects of the first records; `count` is at least 1."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch: records applied and dropped as duplicates, and the prefixes that were committed.

    `unreadable` is the number of records that have no place in their shard.
    """

    applied: int = 0
    duplicates: int = 0
    committed: list[Prefix] = field(default_factory=list)
    unreadable: int = 0

    @property
    def rejected(self) -> list[Rejected]:
        """The records that were committed without an effect."""
        return [rejected for prefix in self.committed for rejected in prefix.rejected]

    @property
    def quarantined(self) -> int:
        """How many records have no effect because they cannot be processed."""
        return len(self.rejected) + self.unreadable


class ExactlyOnce:
    """Applies batches of a function's lanes; keeps the positions it knows while the environment stays warm."""

    def __init__(
        self,
        client: "DynamoDBClient",
        checkpoints: Checkpoints,
        quarantine: Callable[[Lane, Rejected], None],
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._client = client
        self._checkpoints = checkpoints
        self._quarantine = quarantine
        self._pause = pause or time.sleep
        self._known: dict[Lane, Position] = {}

    def apply(self, lane: Lane, records: Sequence[StreamRecord], plan: Planner) -> Outcome:
        """Apply the effects of the records (in order of their sequence numbers) that are not applied yet.

        Raises GaveUp after MAX_TRIES without progress, and the client's error where no retry can help; what
        was committed until then stays, and the checkpoint says so.
        """
        outcome = Outcome()
        position, is_fresh = self._known.pop(lane, None), False
        tries, most = 0, len(records)
        while True:
            if position is None:
                position, is_fresh = self._checkpoints.read(lane), True
            pending = [record for record in records if record.sequence > position.floor]
            if not pending and is_fresh:
                break
            if not pending:
                # What only the memory of this environment covers is looked up: somebody may have set the
                # checkpoint back, and such a batch has no transaction whose condition would tell.
                position = None
                continue
            prefix = plan(lane, pending[:most])
            for rejected in prefix.rejected:
                self._quarantine(lane, rejected)
            last = pending[prefix.count - 1].sequence
            answer = self._commit(self._checkpoints.advance(lane, position, last) + prefix.actions)
            if answer is None:
                outcome.applied += prefix.count
                outcome.committed.append(prefix)
                position = self._checkpoints.moved(lane, position, last)
                is_fresh = True
                tries, most = 0, min(2 * most, len(records))
            elif answer.verdict is Verdict.REFUSED and prefix.count > 1:
                # Halves until the record that is refused stands alone.
                most = prefix.count // 2
            elif answer.verdict is Verdict.REFUSED and prefix.actions:
                plan = _rejecting(pending[0], f"DynamoDB refuses its effect: {answer.text}", plan)
            elif answer.verdict is Verdict.REFUSED:
                # Not the effects but the checkpoint is refused: a setting is wrong, and no record is to blame.
                raise answer.error
            else:
                tries += 1
                if tries == MAX_TRIES:
                    raise GaveUp(
                        f"no commit in {tries} tries at {lane.name} after {position.floor}: {answer.text}"
                    ) from answer.error
                if answer.verdict is not Verdict.BUSY:
                    position = None
                if answer.verdict is not Verdict.MOVED:
                    self._pause(_pause_seconds(tries))
        outcome.duplicates = len(records) - outcome.applied
        self._known[lane] = position
        return outcome

    def _commit(self, actions: list[dict[str, Any]]) -> "_Unconfirmed | None":
        try:
            self._client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
            return None
        except ClientError as error:
            found = verdict(error)
            if found is Verdict.FATAL:
                raise
            return _Unconfirmed(found, error)
        except (HTTPClientError, NoConnection) as error:
            return _Unconfirmed(Verdict.UNKNOWN, error)


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    verdict: Verdict
    error: Exception

    @property
    def text(self) -> str:
        return str(self.error)


def _rejecting(poison: StreamRecord, reason: str, plan: Planner) -> Planner:
    """A planner that gives `poison` no effect and rejects it, and asks `plan` about what follows."""

    def planned(lane: Lane, records: Sequence[StreamRecord]) -> Prefix:
        if records[0].sequence == poison.sequence:
            return Prefix(1, rejected=[Rejected(records[0], reason)])
        return plan(lane, records)

    return planned


def _pause_seconds(tries: int) -> float:
    """Full jitter, so that deliveries that conflict do not meet again.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**tries)
    return random.uniform(0, longest)
