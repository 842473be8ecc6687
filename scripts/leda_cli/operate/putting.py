"""Putting messages into the ingest stream, fast: few calls, several threads, and again what the stream did not take."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.backoff import full_jitter
from leda.pipeline.game import Record
from leda_cli.base.batches import batched
from leda_cli.base.errors import LedaError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_RECORDS = 500
MAX_BYTES = 5 * 1024 * 1024
THREADS = 4
PATIENCE_SECONDS = 60.0
"""How long no record may be taken before a load is given up."""


def regroup(calls: Iterable[list[Record]]) -> Iterator[list[Record]]:
    """Join small calls into as few as PutRecords' limits allow, in order."""
    records = itertools.chain.from_iterable(calls)
    return batched(
        records, MAX_RECORDS, lambda each: len(each.data) + len(each.partition_key), MAX_BYTES
    )


@dataclass(slots=True)
class Putting:
    """Puts calls into the stream from a few threads, while the caller looks on.

    `seen` gets every record once, in the order of generation and before it is sent. Failed records of a call are
    sent again with growing pauses, for as long as any thread still gets records through.
    """

    client: KinesisClient
    stream: str
    calls: Iterator[list[Record]]
    seen: Callable[[Record], None] = lambda record: None
    threads: int = THREADS
    patience: float = PATIENCE_SECONDS
    clock: Callable[[], float] = time.monotonic
    sent: int = 0
    retried: int = 0
    began: float = 0.0
    ended: float = 0.0
    """When the last record was taken."""
    _error: Exception | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _workers: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin; returns at once."""
        self.began = self.ended = self.clock()
        for number in range(self.threads):
            worker = threading.Thread(target=self._work, name=f"put-{number}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def running(self, wait: float) -> bool:
        """Wait at most so many seconds for the end; says whether records are still to be sent.

        Raises LedaError when the stream does not take them.
        """
        limit = time.monotonic() + wait
        for worker in self._workers:
            worker.join(max(0.0, limit - time.monotonic()))
        if any(worker.is_alive() for worker in self._workers):
            return True
        if isinstance(self._error, LedaError):
            raise self._error
        if self._error is not None:
            raise RuntimeError("a sending thread failed") from self._error
        return False

    def stop(self) -> None:
        """End after the calls that are under way; used when the user interrupts."""
        self._stop.set()
        for worker in self._workers:
            worker.join(10)

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    call = next(self.calls, None)
                    for record in call or ():
                        self.seen(record)
                if call is None:
                    return
                self._put(call)
        except Exception as error:  # reaches the user through running()
            self._error = self._error or error
            self._stop.set()

    def _put(self, records: list[Record]) -> None:
        attempt = 0
        while records and not self._stop.is_set():
            if attempt:
                self._stop.wait(full_jitter(attempt, first=0.05, longest=5.0))
            attempt += 1
            asked = len(records)
            records, reason = self._try(records)
            with self._lock:
                self.sent += asked - len(records)
                self.retried += len(records)
                if len(records) < asked:
                    self.ended = self.clock()
                elif self.clock() - self.ended > self.patience:
                    raise LedaError(
                        f"the stream {self.stream} took no record for {self.patience:.0f} s: {reason}",
                        "look at the stream (`leda status`); on a real account give it more shards",
                    )

    def _try(self, records: list[Record]) -> tuple[list[Record], str]:
        """One PutRecords call: the records it did not take, and why."""
        try:
            answer = self.client.put_records(
                StreamName=self.stream,
                Records=[{"Data": r.data, "PartitionKey": r.partition_key} for r in records],
            )
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in ("ResourceNotFoundException", "AccessDeniedException"):
                raise LedaError(
                    f"the stream {self.stream} refuses the load: {error}", "run `leda status`"
                ) from error
            return records, str(error)
        except BotoCoreError as error:
            # It may have been taken: sent again it is a duplicate, which changes no total.
            return records, str(error)
        if not answer.get("FailedRecordCount"):
            return [], ""
        pairs = list(zip(records, answer["Records"], strict=True))
        failed = [record for record, entry in pairs if entry.get("ErrorCode")]
        reason = next(entry["ErrorMessage"] for _, entry in pairs if entry.get("ErrorCode"))
        return failed, reason
