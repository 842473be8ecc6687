"""Captures a batch of changes: writes a log line for each, counts them by kind, and publishes notifications.

The log line is written first and needs no other service, so no failure delays it. A notification that SNS refuses is
quarantined and does not delay the batch. A repeated record is logged and published again, with the same event ID.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from leda.aws.telemetry import logger, metrics
from leda.capture.notifications import Notifications
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.bucket import BadRecord
from leda.quarantine.writer import QuarantineWriter
from leda.streams.item_changes import ItemChange, UnreadableChangeError, fitted, read

# The message of the log lines. The module's saved query filters by it.
MESSAGE = "change"


@dataclass(slots=True)
class Report:
    """The outcome of a batch. `failed` has the sequence numbers of records that Lambda must deliver again."""

    logged: int = 0
    notified: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)


class Capture:
    """Captures batches of one table's changes.

    hidden: the attributes whose values are redacted. counted_by: the function's name in the metric Changes; None for no
    such metric.
    """

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

    def process(self, records: Sequence[Any], shard: str | None) -> Report:
        """Log, count and publish every change, and quarantine records that are not changes.

        `shard` is the event's shardId, if it has one.
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
        report.notified, not_published = notifications.publish(changes)
        return [
            # The data is the redacted message, not the record, because an operator sends it after a fix.
            replace(
                from_table_stream(
                    message.change.record.raw, f"not published: {message.reason}", shard
                ),
                data=notifications.request(message).encode(),
            )
            for message in not_published
        ]


def _count(changes: Sequence[ItemChange], function: str) -> None:
    """Write the metric Changes, by table and kind of change, to the log."""
    for (table, event), count in Counter((c.table, c.event) for c in changes).items():
        with single_metric(
            name="Changes",
            unit=MetricUnit.Count,
            value=count,
            namespace=metrics.namespace,
            default_dimensions={"function_name": function, "table": table, "event": event},
        ):
            pass
