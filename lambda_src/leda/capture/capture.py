"""Captures a batch of changes: writes a log line for each, counts them by kind, and publishes notifications.

The log line is written first and needs no other service, so no failure delays it. A notification that SNS does not take
is quarantined and does not hold the batch up. A repeated record is logged and published again, with the same event ID.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from leda.aws.telemetry import logger, metrics
from leda.capture.notifications import Notifications
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.bucket import BadRecord
from leda.quarantine.writer import QuarantineWriter
from leda.streams.item_changes import ItemChange, UnreadableChangeError, fitted, read

# What the saved query looks for.
MESSAGE = "change"


@dataclass(slots=True)
class Report:
    """What became of a batch. `failed` holds the sequence numbers of records that must be delivered again."""

    logged: int = 0
    notified: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)


class Capture:
    """Captures batches of one table's changes. `counted_by`: the function's name, None for no counts by kind."""

    def __init__(
        self,
        quarantine: QuarantineWriter,
        hidden: Collection[str],
        notifications: Notifications | None,
        counted_by: str | None,
    ) -> None:
        self._quarantine = quarantine
        self._hidden = hidden
        self._notifications = notifications
        self._counted_by = counted_by

    def take(self, records: Sequence[Any], shard: str | None) -> Report:
        """Log, count and publish every change, and quarantine records that are not changes.

        `shard` is the event's shardId, where it names one.
        """
        report = Report()
        bad: list[BadRecord] = []
        changes: list[ItemChange] = []
        for raw in records:
            try:
                change = read(raw)
                line = fitted(change.document(self._hidden))
            except UnreadableChangeError as error:
                bad.append(from_table_stream(raw, str(error), shard))
                continue
            logger.info(MESSAGE, extra=line)
            changes.append(change)
        report.logged = len(changes)
        if self._counted_by:
            _count(changes, self._counted_by)
        if self._notifications:
            bad += self._publish(self._notifications, changes, shard, report)
        report.failed = self._quarantine.put(bad)
        report.quarantined = sum(record.sequence_number not in report.failed for record in bad)
        return report

    @staticmethod
    def _publish(
        notifications: Notifications,
        changes: Sequence[ItemChange],
        shard: str | None,
        report: Report,
    ) -> list[BadRecord]:
        report.notified, given_up = notifications.publish(changes)
        return [
            # The message, not the record: it is what is sent after a fix, and it is redacted.
            BadRecord(
                f"not published: {message.reason}",
                str(message.change.record.raw["eventSourceARN"]),
                shard or str(message.change.record.raw["eventSourceARN"]),
                message.change.sequence_number,
                message.change.record.event_id,
                message.change.record.arrived,
                notifications.request(message).encode(),
            )
            for message in given_up
        ]


def _count(changes: Sequence[ItemChange], function: str) -> None:
    """Count the metric Changes by table and kind of change, in a line of the log."""
    for (table, event), count in Counter((c.table, c.event) for c in changes).items():
        with single_metric(
            name="Changes",
            unit=MetricUnit.Count,
            value=count,
            namespace=metrics.namespace,
            default_dimensions={"function_name": function, "table": table, "event": event},
        ):
            pass
