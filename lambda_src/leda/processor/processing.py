"""Processes a batch for the record processor: decodes and logs each record, and calls the user's function with it.

Records are processed in order, and processing stops at a record that fails. Lambda delivers the batch again from that
record on, so each record is processed after the records before it in its shard. A record that cannot be processed
(Unprocessable) is quarantined, and the next one is processed.

If the batch's first record fails, the invocation fails. Lambda then halves the batch until the record is alone, so only
the record that never succeeds is discarded. After a partial batch response, Lambda would retry and discard that record
and all later records together.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from leda.aws.telemetry import logger
from leda.processor.process_function import WrongProcessError, require_ran, require_runnable
from leda.quarantine.bad_records import from_kinesis
from leda.quarantine.bucket import BadRecord
from leda.quarantine.writer import QuarantineWriter
from leda.records import Record, Unprocessable
from leda.streams import partial_batch
from leda.streams.kinesis import UserRecord
from leda.values.texts import cut

# The most bytes of a payload in the log: a log line has at most 256 KB, and the stream has the whole record.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_LOGGED_BYTES = 100_000
# Time that is kept for writing to the quarantine and for the answer.
RESERVE_MILLISECONDS = 5_000


@dataclass(slots=True)
class Report:
    """The outcome of a batch. `failed` has the sequence numbers of records that Lambda must deliver again."""

    processed: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)

    def answer(self) -> dict[str, Any]:
        """Return the function's answer: a message like that of AWS's blueprint, and a partial batch response.

        Lambda reads only batchItemFailures.
        https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
        """
        return {
            "message": f"Successfully processed {self.processed} records.",
            "quarantined": self.quarantined,
            **partial_batch.answer(self.failed),
        }


class Processing:
    """Calls `process` with the records of batches."""

    def __init__(self, process: Callable[[Record], object], quarantine: QuarantineWriter) -> None:
        """Take the user's function. Raises WrongProcessError if a call would not run it."""
        require_runnable(process)
        self._process = process
        self._quarantine = quarantine

    def run(self, records: Sequence[UserRecord], remaining: Callable[[], float]) -> Report:
        """Process the records up to one that fails, or until the invocation has little time left.

        `remaining` returns the milliseconds that are left. The records that were not processed are reported as failed.
        Raises the exception of `process` if it was for the batch's first Kinesis record.
        """
        report = Report()
        bad: list[BadRecord] = []
        error_of_first: Exception | None = None
        for place, user in enumerate(records):
            if place and remaining() < RESERVE_MILLISECONDS:
                logger.warning("out of time", extra={"sequence_number": user.sequence_number})
                report.failed.add(user.sequence_number)
                break
            if user.fault:
                bad.append(from_kinesis(user, user.fault))
                continue
            record = Record.of(user)
            _log(record)
            try:
                require_ran(self._process(record))
            except WrongProcessError:
                # The function is wrong, not the record: the invocation fails until the function is corrected.
                raise
            except Unprocessable as error:
                bad.append(from_kinesis(user, str(error)))
            except Exception as error:
                # The cause may be gone at the next delivery.
                logger.exception("not processed", extra=_place(record))
                report.failed.add(user.sequence_number)
                if user.sequence_number == records[0].sequence_number:
                    error_of_first = error
                break
            else:
                report.processed += 1
        not_quarantined = self._quarantine.put(bad)
        if error_of_first:
            raise error_of_first
        report.failed |= not_quarantined
        report.quarantined = sum(each.sequence_number not in not_quarantined for each in bad)
        return report


def _log(record: Record) -> None:
    kind, payload = record.decoded()
    if kind == "json" and _line_bytes(payload) > MAX_LOGGED_BYTES:
        # The beginning of a JSON document is not a document.
        kind, payload = "text", record.text()
    if kind == "text":
        payload = _cut(payload)
    elif kind == "binary":
        payload = payload[:MAX_LOGGED_BYTES]
    logger.info(
        "decoded payload",
        extra={
            "payload": payload,
            "payload_kind": kind,
            "payload_bytes": len(record.data),
            "arrived": record.arrived and record.arrived.isoformat(),
            **_place(record),
        },
    )


def _line_bytes(payload: Any) -> int:
    """Return the number of bytes of a payload in a log line, without the quotation marks around it."""
    return len(json.dumps(payload, ensure_ascii=False).encode()) - len('""')


def _cut(text: str) -> str:
    """Return the beginning of the text, of at most MAX_LOGGED_BYTES in a log line."""
    shown = cut(text, MAX_LOGGED_BYTES)
    if _line_bytes(shown) <= MAX_LOGGED_BYTES:
        return shown
    # The log line has more bytes than the text, because it escapes quotation marks and line ends.
    lengths = range(len(shown) + 1)
    over = bisect_right(lengths, MAX_LOGGED_BYTES, key=lambda length: _line_bytes(shown[:length]))
    return shown[: over - 1]


def _place(record: Record) -> dict[str, Any]:
    return {
        "partition_key": record.partition_key,
        "sequence_number": record.sequence_number,
        "shard": record.shard,
        "event_id": record.event_id,
    }
