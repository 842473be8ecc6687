"""Gives quarantined messages to StateLambda again, and finds out what became of each.

An object is deleted only after StateTable has shown that its messages can change nothing any more: the row of each id
has the message's version or a higher one, so a later delivery changes nothing. (The bucket of LEDA's module keeps the
deleted version of an object for a month.) If a run is killed, the next run delivers the messages of the objects that
are left. Messages that are stored already change nothing, and the report for them is the same.

StateLambda quarantines a message that is still bad under the same key, which is made of the event ID and the time of
arrival. So an object that was written again shows that StateLambda has read the message again.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from leda.pipeline.messages import BadInputError, Message, parse
from leda.quarantine.bucket import key_of
from leda.streams.kinesis import user_records
from leda_cli.base.batches import batched
from leda_cli.operate.deployed.kinesis_shards import read_range
from leda_cli.operate.deployed.rows import Image, rows_by_text
from leda_cli.operate.quarantine import state_events
from leda_cli.operate.quarantine.quarantined import Bucket, GivenUp, Kept, Quarantined
from leda_cli.operate.quarantine.state_events import Deployed, Record, StateFunction, batches

if TYPE_CHECKING:
    from leda_cli.operate.stack import Stack

GROUP_OBJECTS = 500
GROUP_BYTES = 32_000_000
"""Objects that are delivered, proven and deleted together: what Ctrl-C makes the next run do again."""

_PARTITION_KEY = "redrive"
"""The object does not hold the producer's, and nothing that State stores depends on it."""


class Outcome(enum.Enum):
    """What a message became."""

    STORED = "stored"
    SUPERSEDED = "superseded"
    STILL_BAD = "still bad"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Became:
    """What one message of the object `key` became.

    `id` and `version` are None where it cannot be read; `kept_as` is the object of a message that is still bad.
    """

    key: str
    event_id: str
    outcome: Outcome
    reason: str = ""
    id: str | None = None
    version: int | None = None
    kept_as: str | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """An object, its records, and why some of them are not there."""

    kept: Kept
    records: list[Record]
    lost: str = ""


@dataclass(frozen=True, slots=True)
class _Message:
    """A user record, its content by the deployed schema, and the key (`place`) under which State quarantines it if bad.

    `delivered_as` is the eventID of the Kinesis record, which may hold several user records.
    """

    key: str
    delivered_as: str
    event_id: str
    place: str
    content: Message | BadInputError

    def became(self, outcome: Outcome, reason: str = "") -> Became:
        """This message with its outcome."""
        known = self.content if isinstance(self.content, Message) else None
        return Became(
            self.key,
            self.event_id,
            outcome,
            reason,
            known.id if known else None,
            known.version if known else None,
            self.place if outcome is Outcome.STILL_BAD else None,
        )


@dataclass(eq=False)
class PutBack:
    """Gives the messages in State's objects of a stack's bucket to StateLambda again."""

    stack: Stack
    bucket: Bucket

    def __post_init__(self) -> None:
        """Ask Lambda for StateLambda as it is deployed now."""
        self._deployed = Deployed.of(self.stack)
        self._function = StateFunction(self.stack.lambdas, self._deployed.name)

    def run(self, objects: Iterable[Kept]) -> Iterator[list[Became]]:
        """Deliver State's objects, delete those that are done, and yield a list per object: what its messages became.

        Raises LedaError if StateLambda cannot be invoked or always fails, or if StateTable is throttled.
        """
        for group in _groups(objects):
            works = [self._work(kept) for kept in group]
            failed = {
                failure.record["eventID"]: failure.reason
                for delivered in self._function.deliver_all(
                    batches(record for work in works for record in work.records)
                )
                for failure in delivered.failed
            }
            became = self._prove(works, failed)
            self.bucket.delete([key for key, found in became.items() if _leaves(found)])
            yield from became.values()

    def expect(self, objects: Iterable[Kept]) -> Iterator[list[Became]]:
        """What `run` should report, by the deployed schema and StateTable; nothing is delivered."""
        for group in _groups(objects):
            works = [self._work(kept) for kept in group]
            messages = [message for work in works for message in self._messages(work)]
            rows = self._rows(messages)
            became = {work.kept.key: _lost(work) for work in works}
            for message in messages:
                if isinstance(message.content, BadInputError):
                    found = message.became(Outcome.STILL_BAD, str(message.content))
                else:
                    found = message.became(_by_row(message, rows) or Outcome.STORED)
                became[message.key].append(found)
            yield from became.values()

    def _prove(self, works: Sequence[_Work], failed: Mapping[str, str]) -> dict[str, list[Became]]:
        """What the messages of each object became, by its key; StateTable's rows go before StateLambda's answer."""
        messages = [message for work in works for message in self._messages(work)]
        rows = self._rows(messages)
        open_ones = {
            message.place
            for message in messages
            if message.delivered_as not in failed and _by_row(message, rows) is None
        }
        now = {each.key: each for each in self.bucket.read_all(sorted(open_ones))}
        before = {work.kept.key: work.kept.mark for work in works}
        became = {work.kept.key: _lost(work) for work in works}
        for message in messages:
            aside = now.get(message.place)
            if outcome := _by_row(message, rows):
                found = message.became(outcome)
            elif message.delivered_as in failed:
                found = message.became(Outcome.FAILED, failed[message.delivered_as])
            elif isinstance(aside, Quarantined) and aside.mark != before.get(aside.key):
                found = message.became(Outcome.STILL_BAD, aside.reason)
            else:
                found = message.became(
                    Outcome.FAILED,
                    f"{self._deployed.name} took it, but it is neither in {self.stack.state_table} "
                    "nor quarantined again: are the function and this command of one version?",
                )
            became[message.key].append(found)
        return became

    def _rows(self, messages: Iterable[_Message]) -> dict[str, Image]:
        return rows_by_text(
            self.stack.dynamodb,
            self.stack.state_table,
            "id",
            (message.content.id for message in messages if isinstance(message.content, Message)),
            ("id", "Version"),
        )

    def _messages(self, work: _Work) -> Iterator[_Message]:
        for record in work.records:
            for user in user_records([record]):
                content: Message | BadInputError
                try:
                    content = parse(user.data, self._deployed.schema)
                except BadInputError as error:
                    content = error
                place = key_of(self._deployed.name, user.arrived, user.event_id)
                yield _Message(work.kept.key, record["eventID"], user.event_id, place, content)

    def _work(self, kept: Kept) -> _Work:
        if isinstance(kept, GivenUp):
            return self._from_stream(kept) if kept.records is None else _Work(kept, kept.records)
        record = state_events.record(
            stream=kept.stream,
            role=self._deployed.role,
            event_id=kept.event_id,
            sequence_number=kept.sequence_number,
            partition_key=_PARTITION_KEY,
            arrived=kept.arrived,
            data=kept.data,
        )
        return _Work(kept, [record])

    def _from_stream(self, kept: GivenUp) -> _Work:
        """The batch from the stream, where the object does not hold it."""
        records: list[Record] = []
        try:
            for found in read_range(
                self.stack.kinesis, self.stack.stream, kept.shard, kept.first, kept.last
            ):
                records.append(
                    state_events.of_stream(found, kept.stream, kept.shard, self._deployed.role)
                )
        except ClientError as error:
            # The shard has expired, or no longer knows the sequence number.
            if error.response["Error"]["Code"] not in (
                "ResourceNotFoundException",
                "InvalidArgumentException",
            ):
                raise
        if {kept.first, kept.last} <= {record["kinesis"]["sequenceNumber"] for record in records}:
            return _Work(kept, records)
        return _Work(
            kept,
            records,
            f"the object has no payload, and of its {kept.count} records, {kept.first} to "
            f"{kept.last}, the stream still has {len(records)}",
        )


def _groups(objects: Iterable[Kept]) -> Iterator[list[Kept]]:
    def size(kept: Kept) -> int:
        return len(kept.data) if isinstance(kept, Quarantined) else kept.size

    return batched(objects, GROUP_OBJECTS, size, GROUP_BYTES)


def _by_row(message: _Message, rows: Mapping[str, Image]) -> Outcome | None:
    """STORED or SUPERSEDED where StateTable proves it."""
    if isinstance(message.content, BadInputError):
        return None
    text = rows.get(message.content.id, {}).get("Version", {}).get("N")
    if text is None:
        return None
    # Decimal: a row that LEDA did not write may have 1.5.
    version = Decimal(text)
    if version == message.content.version:
        return Outcome.STORED
    return Outcome.SUPERSEDED if version > message.content.version else None


def _lost(work: _Work) -> list[Became]:
    """What can be said of the records of an object that are not there any more."""
    return [Became(work.kept.key, work.kept.shard, Outcome.FAILED, work.lost)] if work.lost else []


def _leaves(became: Sequence[Became]) -> bool:
    """Whether the object can be deleted. A message that is still bad may by now have an object of its own."""
    return all(
        each.outcome in (Outcome.STORED, Outcome.SUPERSEDED)
        or (each.outcome is Outcome.STILL_BAD and each.kept_as != each.key)
        for each in became
    )
