"""Writes the bad records of a batch to the quarantine, several at a time, and logs each."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.telemetry import logger
from leda.quarantine.bucket import MAX_LOGGED_BYTES, BadRecord, Quarantine
from leda.values.texts import cut, number_of

# How many records are written at a time.
THREADS = 8


class NotQuarantinedError(RuntimeError):
    """Records could be neither processed nor quarantined. Lambda delivers the batch again."""


class QuarantineWriter:
    """Writes records that cannot be processed to the quarantine, so that they do not block their shard."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._pool = ThreadPoolExecutor(THREADS)

    def put(self, records: Sequence[BadRecord]) -> set[str]:
        """Write the records; return the sequence numbers of those not written, which Lambda must deliver again."""
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
        """Raise NotQuarantinedError if `put` has returned sequence numbers, so that Lambda retries the whole batch."""
        if failed:
            raise NotQuarantinedError(
                number_of(len(failed), "record was", "records were")
                + " not quarantined: see the log's last errors"
            )

    def _put(self, record: BadRecord) -> Exception | None:
        try:
            self._quarantine.put(record)
        except (BotoCoreError, ClientError) as error:
            return error
        return None
