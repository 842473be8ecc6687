"""Writes the bad records of a batch to the quarantine, several at a time, and logs what became of each."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.telemetry import logger
from leda.quarantine.bucket import MAX_LOGGED_BYTES, BadRecord, Quarantine
from leda.values.texts import cut

# Records of a batch that are written at a time.
THREADS = 8


class NotQuarantinedError(RuntimeError):
    """Records could be neither processed nor quarantined; the batch is delivered again."""


class QuarantineWriter:
    """Writes records that cannot be processed to the quarantine, so that they block nothing."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._pool = ThreadPoolExecutor(THREADS)

    def put(self, records: Sequence[BadRecord]) -> set[str]:
        """Write the records; returns the sequence numbers of those not written, which must be delivered again."""
        failed: set[str] = set()
        for record, error in zip(records, self._pool.map(self._put, records), strict=True):
            extra: dict[str, Any] = {
                "event_id": cut(record.event_id, MAX_LOGGED_BYTES),
                "shard": cut(record.shard, MAX_LOGGED_BYTES),
                "sequence_number": record.sequence_number,
                "reason": cut(record.reason, MAX_LOGGED_BYTES),
            }
            if error is None:
                logger.warning("quarantined", extra=extra)
            else:
                failed.add(record.sequence_number)
                logger.error("not quarantined", extra=extra | {"error": str(error)})
        return failed

    @staticmethod
    def require(failed: Collection[str]) -> None:
        """Raises NotQuarantinedError where `put` has returned sequence numbers: then the whole batch is retried."""
        if failed:
            raise NotQuarantinedError(
                f"{len(failed)} records were not quarantined: see the log's last errors"
            )

    def _put(self, record: BadRecord) -> Exception | None:
        try:
            self._quarantine.put(record)
        except (BotoCoreError, ClientError) as error:
            return error
        return None
