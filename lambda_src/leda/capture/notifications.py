"""Publishes an SNS message for each change that a pattern matches.

SNS delivers at least once, and Lambda may deliver a change again. So every message has the attribute
`deduplication_id`, the change's event ID, which is the same each time.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.clients import CallLimits
from leda.capture.patterns import Pattern, matches
from leda.streams.item_changes import ItemChange, fitted
from leda.values.batches import batches

# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_ENTRIES = 10
MAX_BYTES = 250_000
MAX_SUBJECT = 100
# A call that hangs must leave time to quarantine the messages.
CALL_LIMITS = CallLimits(connect_seconds=1, read_seconds=5, tries=3)
# How often a message is sent that SNS refuses through no fault of the sender.
ROUNDS = 3


class Publisher(Protocol):
    """The method of SNS's client that is called here."""

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: Any) -> Any:
        """https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""


@dataclass(slots=True)
class Message:
    """A change and its entry in PublishBatch; `reason` says why SNS has not published it."""

    change: ItemChange
    entry: dict[str, Any]
    reason: str = ""

    @property
    def size(self) -> int:
        """An upper bound of the size that SNS counts, in bytes."""
        return len(self.entry["Message"]) + 1000


class Notifications:
    """Publishes the changes that match one of `patterns` (all changes, without patterns) to a topic."""

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
        """Return whether a pattern matches the change. Patterns see the values of redacted attributes."""
        if not self._patterns:
            return True
        document = change.document(number=Decimal)
        return any(matches(pattern, document) for pattern in self._patterns)

    def publish(self, changes: Sequence[ItemChange]) -> tuple[int, list[Message]]:
        """Publish the changes that a pattern matches; return the number of messages, and those not published.

        The SDK tries a call three times. If it fails nevertheless, its messages and all later ones are not published,
        so that a missing, forbidden or slow topic costs seconds and does not fail the batch.
        """
        todo = [self._message(change) for change in changes if self.wants(change)]
        published, refused = 0, list[Message]()
        for _ in range(ROUNDS):
            calls = list(batches(todo, lambda message: message.size, MAX_BYTES, MAX_ENTRIES))
            todo = []
            for place, batch in enumerate(calls):
                try:
                    again, final = self._send(batch)
                except (BotoCoreError, ClientError) as error:
                    left = [*todo, *(message for later in calls[place:] for message in later)]
                    for message in left:
                        message.reason = str(error)
                    return published, refused + left
                todo += again
                refused += final
                published += len(batch) - len(again) - len(final)
        return published, refused + todo

    def request(self, message: Message) -> str:
        """Return the message in the form that `aws sns publish --cli-input-json` reads."""
        return json.dumps({"TopicArn": self.topic, **message.entry})

    def _send(self, batch: Sequence[Message]) -> tuple[list[Message], list[Message]]:
        """Publish a call's messages; return those to send again, and those refused. Raises the client's error."""
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
