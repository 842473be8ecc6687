"""Processes a batch for the record processor: decodes and logs each record, and calls the user's function with it.

Records are processed in order. The batch ends at a record that fails: Lambda delivers the batch again from that record
on, so each record is processed after those before it in its shard. A record that cannot be processed is quarantined,
and the batch goes on.

If the batch's first record fails, the invocation fails. Lambda then halves the batch until the record is alone, so a
record that never succeeds is given up alone. After a partial batch response, Lambda would retry and give up all records
from that one on together.
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

# What is logged of a payload, in bytes. A line of a log has at most 256 KB, and the record is in the stream.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_LOGGED_BYTES = 100_000
# What is left of the function's time for the answer, in milliseconds: the quarantine and the log.
RESERVE_MILLISECONDS = 5_000


@dataclass(slots=True)
class Report:
    """What became of a batch. `failed` holds the sequence numbers of records that must be delivered again."""

    processed: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)

    def answer(self) -> dict[str, Any]:
        """Return the function's answer: the blueprint's text for people, and a partial batch response for Lambda.

        Lambda reads batchItemFailures and ignores the rest.
        https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
        """
        return {
            "message": f"Successfully processed {self.processed} records.",
            "quarantined": self.quarantined,
            **partial_batch.answer(self.failed),
        }


class Processing:
    """Runs `process` over batches."""

    def __init__(self, process: Callable[[Record], object], quarantine: QuarantineWriter) -> None:
        """Take the user's function. Raises WrongProcessError where a call of it would run nothing."""
        require_runnable(process)
        self._process = process
        self._quarantine = quarantine

    def run(self, records: Sequence[UserRecord], remaining: Callable[[], float]) -> Report:
        """Process the records up to one that fails; `remaining` tells the milliseconds that the invocation has left.

        When they run out, the records that are left are delivered again, without those that are processed. Raises what
        `process` raised for the first Kinesis record.
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
                # No record is to blame, and none is done: the invocation fails until the function is corrected.
                raise
            except Unprocessable as error:
                bad.append(from_kinesis(user, str(error)))
            except Exception as error:
                # Whatever the user's function met may be over at the next delivery.
                logger.exception("not processed", extra=_place(record))
                report.failed.add(user.sequence_number)
                if user.sequence_number == records[0].sequence_number:
                    error_of_first = error
                break
            else:
                report.processed += 1
        not_kept = self._quarantine.put(bad)
        if error_of_first:
            raise error_of_first
        report.failed |= not_kept
        report.quarantined = sum(each.sequence_number not in not_kept for each in bad)
        return report


def _log(record: Record) -> None:
    kind, payload = record.decoded()
    if kind == "json" and _line_bytes(payload) > MAX_LOGGED_BYTES:
        # A part of a JSON document is not a document.
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
    """Return the bytes that the payload takes in a line of the log, without the quotation marks."""
    return len(json.dumps(payload, ensure_ascii=False).encode()) - len('""')


def _cut(text: str) -> str:
    """Return the beginning of the text that takes at most MAX_LOGGED_BYTES of a line."""
    shown = cut(text, MAX_LOGGED_BYTES)
    if _line_bytes(shown) <= MAX_LOGGED_BYTES:
        return shown
    # A quotation mark or a line end takes two bytes there.
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
