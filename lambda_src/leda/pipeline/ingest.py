"""Ingests a batch for State: reads each message, stores the newest versions, quarantines what cannot be read.

Every step may be repeated with the same outcome, so a batch that fails half-way is simply delivered again.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from leda.aws.telemetry import logger
from leda.pipeline.messages import BadInputError, Message, parse
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import Result, StateStore, newest
from leda.quarantine.bad_records import from_kinesis
from leda.quarantine.writer import QuarantineWriter
from leda.streams.kinesis import UserRecord


@dataclass(slots=True)
class Report:
    """What became of a batch. `failed` holds the sequence numbers of records that must be delivered again."""

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
        """Store or quarantine every record; raises only what concerns all of them (permissions, no table)."""
        report = Report()
        messages: list[Message] = []
        sources: dict[str, list[UserRecord]] = defaultdict(list)
        bad: list[tuple[UserRecord, str]] = []
        for record in records:
            if record.fault:
                bad.append((record, record.fault))
                continue
            try:
                message = parse(record.data, self._schema)
            except BadInputError as error:
                bad.append((record, str(error)))
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
                    bad += [(record, stored.reason) for record in origin]
                case Result.FAILED:
                    # Every version of the trade is delivered again: which one is the newest is decided again.
                    report.failed |= {record.sequence_number for record in origin}
                    logger.warning(
                        "not stored", extra={"id": stored.message.id, "reason": stored.reason}
                    )
        self._quarantine_all(bad, report)
        return report

    def _quarantine_all(self, bad: Sequence[tuple[UserRecord, str]], report: Report) -> None:
        records = [from_kinesis(record, reason) for record, reason in bad]
        not_kept = self._quarantine.put(records)
        report.failed |= not_kept
        report.quarantined += sum(record.sequence_number not in not_kept for record in records)
