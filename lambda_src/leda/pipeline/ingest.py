"""Stores a batch's messages in StateTable, and quarantines records that cannot be read.

Every step may be repeated with the same outcome, so Lambda may deliver a batch again that has failed half-way.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from leda.aws.telemetry import logger
from leda.pipeline.messages import BadInputError, Message, parse
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import Result, StateStore, newest
from leda.quarantine.bad_records import from_kinesis
from leda.quarantine.bucket import BadRecord
from leda.quarantine.writer import QuarantineWriter
from leda.streams.kinesis import UserRecord


@dataclass(slots=True)
class Report:
    """The outcome of a batch. `failed` has the sequence numbers of records that Lambda must deliver again."""

    stored: int = 0
    duplicates: int = 0
    stale: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)

    @property
    def counts(self) -> dict[str, int]:
        """The metrics by name."""
        return {
            "Duplicates": self.duplicates,
            "StaleVersions": self.stale,
            "Quarantined": self.quarantined,
        }

    @property
    def summary(self) -> dict[str, int]:
        """The fields of the log line."""
        return {
            "stored": self.stored,
            "duplicates": self.duplicates,
            "stale_versions": self.stale,
            "quarantined": self.quarantined,
            "failed_records": len(self.failed),
        }


class Ingest:
    """Stores batches of user records."""

    def __init__(self, schema: Schema, store: StateStore, quarantine: QuarantineWriter) -> None:
        self._schema = schema
        self._store = store
        self._quarantine = quarantine

    def store(self, records: Sequence[UserRecord]) -> Report:
        """Store or quarantine every record. Raises only errors that concern all records (permissions, no table)."""
        report = Report()
        messages: list[Message] = []
        sources: dict[str, list[UserRecord]] = defaultdict(list)
        bad: list[BadRecord] = []
        for record in records:
            if record.fault:
                bad.append(from_kinesis(record, record.fault))
                continue
            try:
                message = parse(record.data, self._schema)
            except BadInputError as error:
                bad.append(from_kinesis(record, str(error)))
                continue
            messages.append(message)
            sources[message.id].append(record)
        unique, report.duplicates, report.stale = newest(messages)
        for stored in self._store.write(unique):
            origin = sources[stored.message.id]
            match stored.result:
                case Result.STORED:
                    report.stored += 1
                case Result.DUPLICATE:
                    report.duplicates += 1
                case Result.STALE:
                    report.stale += 1
                case Result.REFUSED:
                    bad += [from_kinesis(record, stored.reason) for record in origin]
                case Result.FAILED:
                    # All versions of the trade must be delivered again, so that the newest is chosen again.
                    report.failed |= {record.sequence_number for record in origin}
                    logger.warning(
                        "not stored", extra={"id": stored.message.id, "reason": stored.reason}
                    )
        not_quarantined = self._quarantine.put(bad)
        report.failed |= not_quarantined
        report.quarantined = sum(each.sequence_number not in not_quarantined for each in bad)
        return report
