"""Lines into a Firehose stream. At least once: what is not surely taken is sent again.

PutRecordBatch takes some of a batch's records and names the others in an answer that is a success
(https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html).

A record holds as many lines as fit: Firehose reads JSON documents one after the other
(https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html), and bills every record rounded
up to 5 KB (https://aws.amazon.com/firehose/pricing/).
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from leda.aws.backoff import full_jitter

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_RECORD_BYTES = 1_000 * 1024
MAX_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024

MAX_TRIES = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 3.2


class Firehose(Protocol):
    """Firehose's client, as far as it is needed."""

    def put_record_batch(
        self, *, DeliveryStreamName: str, Records: Sequence[dict[str, bytes]]
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html."""


class NotDeliveredError(RuntimeError):
    """Firehose does not take some of the lines; the batch is delivered again."""


class Delivery:
    """Sends lines to one Firehose stream."""

    def __init__(self, client: Firehose, stream: str) -> None:
        self._client = client
        self._stream = stream

    def send(self, lines: Sequence[bytes]) -> None:
        """Send the lines, each with its newline. Raises NotDeliveredError, or the client's error."""
        records = [b"".join(group) for group in groups(lines, MAX_RECORD_BYTES, None)]
        for batch in groups(records, MAX_BATCH_BYTES, MAX_RECORDS):
            self._send(batch)

    def _send(self, batch: list[bytes]) -> None:
        for tries in range(MAX_TRIES):
            if tries:
                time.sleep(full_jitter(tries, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._stream, Records=[{"Data": record} for record in batch]
            )
            if not answer["FailedPutCount"]:
                return
            results = answer["RequestResponses"]
            codes = {result["ErrorCode"] for result in results if "ErrorCode" in result}
            batch = [
                record for record, each in zip(batch, results, strict=True) if "ErrorCode" in each
            ]
        raise NotDeliveredError(
            f"{self._stream} refuses {len(batch)} records after {MAX_TRIES} tries: {', '.join(sorted(codes))}"
        )


def groups(
    parts: Sequence[bytes], most_bytes: int, most_parts: int | None
) -> Iterator[list[bytes]]:
    """The parts in their order, cut into groups that hold so much; a part that is larger is a group of its own."""
    group: list[bytes] = []
    size = 0
    for part in parts:
        if group and (len(group) == most_parts or size + len(part) > most_bytes):
            yield group
            group, size = [], 0
        group.append(part)
        size += len(part)
    if group:
        yield group
