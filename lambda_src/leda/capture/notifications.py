"""Publishes one SNS message for each change that a pattern matches.

SNS delivers at least once, and Lambda may deliver a change again; every message has the attribute `deduplication_id`,
the change's event ID, which is the same each time.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.clients import CallLimits
from leda.capture.patterns import Pattern, matches
from leda.streams.item_changes import ItemChange, fitted

# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_ENTRIES = 10
MAX_BYTES = 250_000
MAX_SUBJECT = 100
# A call that hangs must leave time to quarantine what is not published.
CALL_LIMITS = CallLimits(connect_seconds=1, read_seconds=5, tries=3)
# Entries that SNS did not take for a reason of its own are tried again so many times.
ROUNDS = 3


class Publisher(Protocol):
    """The call of SNS's client that is needed here."""

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: Any) -> Any:
        """https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""


@dataclass(slots=True)
class Message:
    """A change as it is published; `reason` says why SNS did not take it, empty where it did."""

    change: ItemChange
    entry: dict[str, Any]
    reason: str = ""

    @property
    def size(self) -> int:
        """An upper bound of the bytes that SNS counts."""
        return len(self.entry["Message"]) + 1000


class Notifications:
    """Publishes the changes that match one of `patterns` (all, where there is none) to a topic."""

    def __init__(
        self,
        client: Publisher,
        topic: str,
        patterns: Sequence[Pattern],
        hidden: Collection[str],
    ) -> None:
        self._client = client
        self.topic = topic
        self._patterns = patterns
        self._hidden = hidden

    def wants(self, change: ItemChange) -> bool:
        """Whether a pattern matches the change as it is, redacted attributes included."""
        if not self._patterns:
            return True
        document = change.document(number=Decimal)
        return any(matches(pattern, document) for pattern in self._patterns)

    def publish(self, changes: Sequence[ItemChange]) -> tuple[int, list[Message]]:
        """Publish the changes that a pattern matches; returns their number, and those that SNS did not take.

        The SDK tries a call three times. If the call fails all the same, its messages and all later ones are not
        published, so that a missing, forbidden or slow topic costs seconds and does not fail the batch.
        """
        todo = [self._message(change) for change in changes if self.wants(change)]
        published, given_up = 0, list[Message]()
        for _ in range(ROUNDS):
            batches, todo = list(_batches(todo)), []
            for place, batch in enumerate(batches):
                try:
                    again, final = self._send(batch)
                except (BotoCoreError, ClientError) as error:
                    left = [*todo, *(message for later in batches[place:] for message in later)]
                    for message in left:
                        message.reason = str(error)
                    return published, given_up + left
                todo += again
                given_up += final
                published += len(batch) - len(again) - len(final)
        return published, given_up + todo

    def request(self, message: Message) -> str:
        """The message as `aws sns publish --cli-input-json` takes it."""
        return json.dumps({"TopicArn": self.topic, **message.entry})

    def _send(self, batch: Sequence[Message]) -> tuple[list[Message], list[Message]]:
        """Publish a call's messages; returns those to try again and those refused. Raises the client's error."""
        entries: Any = [{"Id": str(place), **each.entry} for place, each in enumerate(batch)]
        answer = self._client.publish_batch(TopicArn=self.topic, PublishBatchRequestEntries=entries)
        again: list[Message] = []
        final: list[Message] = []
        for failed in answer.get("Failed", []):
            message = batch[int(failed["Id"])]
            message.reason = f"{failed['Code']}: {failed.get('Message', '')}"
            (final if failed["SenderFault"] else again).append(message)
        return again, final

    def _message(self, change: ItemChange) -> Message:
        attributes = {
            "event": change.event,
            "table": change.table,
            "deduplication_id": change.record.event_id,
        }
        entry = {
            "Subject": f"{change.event} in {change.table}"[:MAX_SUBJECT],
            "Message": json.dumps(fitted(change.document(self._hidden))),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }
        return Message(change, entry)


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Divide the messages into calls within SNS's limits."""
    batch: list[Message] = []
    for message in messages:
        full = len(batch) == MAX_ENTRIES
        if full or (batch and sum(each.size for each in batch) + message.size > MAX_BYTES):
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch
