"""Several records put into quarantine at a time, with what became of each in the log."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws import lazy_client, settings
from leda.aws.telemetry import logger
from leda.quarantine.bucket import MAX_LOGGED_BYTES, BadRecord, Quarantine
from leda.streams.kinesis import UserRecord
from leda.values.texts import cut

# Records of a batch that are put aside at a time.
THREADS = 8


class NotPutAsideError(RuntimeError):
    """Records could be neither processed nor put aside; the batch comes again."""


class PutAside:
    """Puts the records that cannot be processed aside, so that they block nothing."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._pool = ThreadPoolExecutor(THREADS)

    @classmethod
    def from_environment(cls) -> "PutAside":
        """The quarantine that the function's environment variables name. Raises MissingSettingError."""
        return cls(
            Quarantine(
                lazy_client.s3(),
                settings.required("QUARANTINE_BUCKET"),
                settings.required("AWS_LAMBDA_FUNCTION_NAME"),
            )
        )

    def put(self, records: Sequence[BadRecord]) -> set[str]:
        """Put the records aside; the sequence numbers of those that the bucket did not take: they must come again."""
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

    def _put(self, record: BadRecord) -> Exception | None:
        try:
            self._quarantine.put(record)
        except (BotoCoreError, ClientError) as error:
            return error
        return None


def bad_record(user: UserRecord, reason: str) -> BadRecord:
    """A user record of a Kinesis stream, as it is put aside."""
    return BadRecord(
        reason,
        user.stream,
        user.shard,
        user.sequence_number,
        user.event_id,
        user.arrived,
        user.data,
    )
