"""Sends lines to a Firehose stream, each at least once.

PutRecordBatch may refuse some records of a batch, and names them in an answer with the status 200. Only those are sent
again (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html).

A record holds as many lines as fit: Firehose reads JSON documents one after the other
(https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html), and bills every record rounded
up to 5 KB (https://aws.amazon.com/firehose/pricing/).
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from leda.aws.backoff import full_jitter
from leda.values.batches import batches
from leda.values.texts import number_of

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_RECORD_BYTES = 1_000 * 1024
MAX_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024

MAX_TRIES = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 3.2


class Firehose(Protocol):
    """The method of Firehose's client that is called here."""

    def put_record_batch(
        self, *, DeliveryStreamName: str, Records: Sequence[dict[str, bytes]]
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html."""


class NotDeliveredError(RuntimeError):
    """Firehose has refused some of the lines after all tries. Lambda delivers the batch again."""


class Delivery:
    """Sends lines to one Firehose stream."""

    def __init__(self, client: Firehose, stream: str) -> None:
        self._client = client
        self._stream = stream

    def send(self, lines: Sequence[bytes]) -> None:
        """Send the lines, which end with a newline. Raises NotDeliveredError, or the client's error."""
        records = [b"".join(part) for part in batches(lines, len, MAX_RECORD_BYTES)]
        for batch in batches(records, len, MAX_BATCH_BYTES, MAX_RECORDS):
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
            f"{self._stream} refuses {number_of(len(batch), 'record')} after {MAX_TRIES} tries: "
            + ", ".join(sorted(codes))
        )
