"""The record processor's work on a batch: each record decoded, logged, and given to the user's function.

Records are taken in order. At one that fails, the batch ends: Lambda delivers from there on again, so that a record is
processed after those before it in its shard. A record that cannot be processed is put aside, and the batch goes on.

Where the batch's first record fails, so does the invocation. Lambda then cuts the batch in two, and so on, until the
record stands alone: if it never succeeds, it is given up alone. A partial batch response would take all that follow
it along, for Lambda retries them together and gives them up together.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from leda.kinesis import UserRecord
from leda.put_aside import PutAside, bad_record
from leda.quarantine import BadRecord
from leda.records import Record, Unprocessable
from leda.telemetry import logger

# What is logged of a payload; a line of a log has a limit, and the record is in the stream.
MAX_LOGGED = 100_000
# What is left of the function's time for the answer, in milliseconds: the quarantine and the log.
RESERVE_MILLISECONDS = 5_000


@dataclass(slots=True)
class Report:
    """What became of a batch. `failed` holds the sequence numbers of records that must come again."""

    processed: int = 0
    quarantined: int = 0
    failed: set[str] = field(default_factory=set)

    def answer(self) -> dict[str, Any]:
        """What the function returns: the blueprint's text for people, a partial batch response for Lambda.

        Lambda reads batchItemFailures and passes over the rest.
        https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
        """
        failures = [{"itemIdentifier": number} for number in sorted(self.failed)]
        return {
            "message": f"Successfully processed {self.processed} records.",
            "quarantined": self.quarantined,
            "batchItemFailures": failures,
        }


class Processing:
    """Runs `process` over batches."""

    def __init__(self, process: Callable[[Record], object], put_aside: PutAside) -> None:
        self._process = process
        self._put_aside = put_aside

    def run(self, records: Sequence[UserRecord], remaining: Callable[[], float]) -> Report:
        """Process the records up to one that fails; `remaining` tells the milliseconds that the invocation has left.

        When they run out, the rest comes again, and what is done is not done again. Raises what `process` raised for
        the first Kinesis record.
        """
        report = Report()
        bad: list[BadRecord] = []
        error_of_first: Exception | None = None
        for place, user in enumerate(records):
            if place and remaining() < RESERVE_MILLISECONDS:
                logger.warning("out of time", extra={"sequence_number": user.sequence_number})
                report.failed.add(user.sequence_number)
                break
            record = Record.of(user)
            _log(record)
            try:
                self._process(record)
            except Unprocessable as error:
                bad.append(bad_record(user, str(error)))
            except Exception as error:
                # Whatever the user's function met may be over at the next delivery.
                logger.exception("not processed", extra=_place(record))
                report.failed.add(user.sequence_number)
                if user.sequence_number == records[0].sequence_number:
                    error_of_first = error
                break
            else:
                report.processed += 1
        not_kept = self._put_aside.put(bad)
        if error_of_first:
            raise error_of_first
        report.failed |= not_kept
        report.quarantined = sum(each.sequence_number not in not_kept for each in bad)
        return report


def _log(record: Record) -> None:
    kind, payload = record.decoded()
    if len(record.data) > MAX_LOGGED:
        # A part of a JSON document is none.
        kind = "text" if kind == "json" else kind
        payload = (record.text() if kind == "text" else payload)[:MAX_LOGGED]
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


def _place(record: Record) -> dict[str, Any]:
    return {
        "partition_key": record.partition_key,
        "sequence_number": record.sequence_number,
        "shard": record.shard,
        "event_id": record.event_id,
    }
