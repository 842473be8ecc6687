"""Writes a batch of a table's changes to the replica, and quarantines the changes that cannot be written."""

from collections.abc import Sequence
from typing import Any

from leda.aws.telemetry import count, logger
from leda.quarantine.bad_records import from_table_stream
from leda.quarantine.writer import QuarantineWriter
from leda.replica.replica import Replica
from leda.streams.item_changes import ItemChange, UnreadableChangeError, read


def replicate(
    records: Sequence[Any], shard: str | None, replica: Replica, quarantine: QuarantineWriter
) -> set[str]:
    """Write the changes; return the sequence numbers of records that Lambda must deliver again.

    `shard` is the event's shardId, if it has one. Raises WrongReplicaError.
    """
    changes: list[ItemChange] = []
    bad = []
    for raw in records:
        try:
            changes.append(read(raw))
        except UnreadableChangeError as error:
            bad.append(from_table_stream(raw, str(error), shard))
    report = replica.apply(changes)
    bad += [
        from_table_stream(change.record.raw, reason, shard) for change, reason in report.refused
    ]
    failed = quarantine.put(bad) | {change.sequence_number for change in report.failed}
    counts = {
        "Records": len(records),
        "Written": report.written,
        "Passed": report.passed,
        "Superseded": report.superseded,
        "Quarantined": sum(record.sequence_number not in failed for record in bad),
    }
    count(**counts)
    logger.info("replicated", extra={**counts, "failed_records": len(failed)})
    return failed
