"""Tumbling windows for Kinesis and DynamoDB stream mappings.

LocalStack stores `TumblingWindowInSeconds` and ignores it. AWS adds the shard, the window and the window's state to
each event, passes the state that an invocation returns to the next invocation of the same window, and invokes the
function once more, without records, when the window is over:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html

The time at which a record was written to the stream decides its window. A batch is split where its records enter
another window, and each part is delivered with its own retries.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]

LOG = logging.getLogger(__name__)

MAX_STATE_BYTES = 1024 * 1024
"""A window with a larger state is terminated early."""
QUIET_SECONDS = 2.0
"""How long after its end a window without new records stays open.

AWS waits up to two minutes for late records; here a record is in its stream once it is written.
"""
FIRST_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 60.0


@dataclass(slots=True)
class Window:
    """An open window of one shard. `start` is in seconds since 1970."""

    start: int
    state: Event = field(default_factory=dict)


class Windows:
    """The open windows of a mapping, at most one per shard. It makes events and keeps states, but delivers nothing.

    seconds: the mapping's TumblingWindowInSeconds.
    source_arn: the mapping's stream.
    """

    def __init__(self, seconds: int, source_arn: str) -> None:
        self._seconds = seconds
        self._source_arn = source_arn
        self._open: dict[str, Window] = {}

    @property
    def shards(self) -> list[str]:
        """The shards that have an open window."""
        return list(self._open)

    def parts(
        self, shard: str, records: Sequence[Event], now: float
    ) -> list[tuple[int, list[Event]]]:
        """Split a batch where its records enter another window; return each part with the start of its window.

        A record that is older than the open window belongs to the open window.
        """
        window = self._open.get(shard)
        start = window.start if window else 0
        found: list[tuple[int, list[Event]]] = []
        for record in records:
            start = max(start, int(_written(record, now) // self._seconds * self._seconds))
            if not found or found[-1][0] != start:
                found.append((start, []))
            found[-1][1].append(record)
        return found

    def enters(self, shard: str, start: int) -> bool:
        """Tell whether the shard's open window must be closed before records of the window that begins at `start`."""
        window = self._open.get(shard)
        return window is not None and window.start != start

    def is_over(self, shard: str, now: float) -> bool:
        """Tell whether the shard's window is over, given that a read that began at `now` found no record."""
        window = self._open.get(shard)
        return window is not None and now >= window.start + self._seconds + QUIET_SECONDS

    def is_too_large(self, shard: str) -> bool:
        """Tell whether the state of the shard's window is larger than AWS allows."""
        window = self._open.get(shard)
        return window is not None and len(json.dumps(window.state).encode()) > MAX_STATE_BYTES

    def event(self, shard: str, start: int, records: Sequence[Event]) -> Event:
        """Return the event for records of the window that begins at `start`, and open that window if necessary."""
        window = self._open.setdefault(shard, Window(start))
        return {"Records": list(records), **self._fields(shard, window)}

    def last_event(self, shard: str, *, early: bool) -> Event:
        """Return the event without records that ends the shard's open window, or that ends its state `early`.

        After an early end "the subsequent invoke will continue the same window with a fresh state", says AWS's own
        library of events (TimeWindowProperties), so such an event is not the window's final one.
        """
        fields = self._fields(shard, self._open[shard])
        fields["isWindowTerminatedEarly" if early else "isFinalInvokeForWindow"] = True
        return {"Records": [], **fields}

    def keep(self, shard: str, state: Event) -> None:
        """Keep the state for the shard's next invocation."""
        self._open[shard].state = state

    def close(self, shard: str) -> None:
        """Forget the shard's window and its state."""
        del self._open[shard]

    def _fields(self, shard: str, window: Window) -> Event:
        return {
            "window": {"start": _text(window.start), "end": _text(window.start + self._seconds)},
            "state": window.state,
            "shardId": shard,
            "eventSourceARN": self._source_arn,
            "isFinalInvokeForWindow": False,
            "isWindowTerminatedEarly": False,
        }


def names_records(answer: Event, records: Sequence[Event]) -> bool:
    """Tell whether a partial batch response names only records of this batch; otherwise the whole batch has failed."""
    numbers = {_sequence_number(record) for record in records}
    failures = answer.get("batchItemFailures")
    return isinstance(failures, list) and all(
        isinstance(failure, dict) and str(failure.get("itemIdentifier")) in numbers
        for failure in failures
    )


def _written(record: Event, now: float) -> float:
    """Return when a record of GetRecords was written to its stream, as exactly as it is known.

    DynamoDB Local gives the time in whole minutes, so windows of whole minutes get exactly their records. For shorter
    windows a record counts as written when it is read, or at the end of its minute if it is read later.
    """
    if "dynamodb" not in record:
        return float(record["ApproximateArrivalTimestamp"].timestamp())
    minute = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return float(max(minute, min(now, minute + 59)))


def _sequence_number(record: Event) -> str:
    """Return the sequence number of a record in an event."""
    if "kinesis" in record:
        return str(record["kinesis"]["sequenceNumber"])
    return str(record["dynamodb"]["SequenceNumber"])


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class WindowedSender:
    """Wraps LocalStack's sender of a mapping, and sends each batch with the fields of its window.

    sender: its send_events sends an event and returns the function's answer, or raises `failed`, or its subclass
        `partly_failed`, which has the answer as `partial_failure_payload`.
    """

    def __init__(
        self,
        sender: Any,
        windows: Windows,
        failed: Callable[..., Exception],
        partly_failed: type[Exception],
    ) -> None:
        self._sender = sender
        self._windows = windows
        self._failed = failed
        self._partly_failed = partly_failed
        sender.payload_dict = False  # the event is complete, so LocalStack must not wrap it
        self.shard = ""
        self.start = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sender, name)

    def send_events(self, events: Sequence[Event]) -> Event:
        """Deliver records of the window of `shard` that begins at `start`; a failure does not change the state."""
        event = self._windows.event(self.shard, self.start, events)
        try:
            answer, state = self._invoke(event)
        except self._partly_failed as error:
            partial: Event = error.partial_failure_payload  # type: ignore[attr-defined]
            state = self._state(partial)
            if names_records(partial, events):
                self._windows.keep(self.shard, state)
            raise
        self._windows.keep(self.shard, state)
        return answer

    def send_last(self, shard: str, *, early: bool) -> None:
        """Deliver the event that ends the shard's window, or ends its state `early`. Raises if the delivery fails."""
        self._invoke(self._windows.last_event(shard, early=early))
        if early:
            self._windows.keep(shard, {})
        else:
            self._windows.close(shard)

    def _invoke(self, event: Event) -> tuple[Event, Event]:
        answer: Event = self._sender.send_events(event)
        return answer, self._state(answer)

    def _state(self, answer: object) -> Event:
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            what = f"{self._sender.target_arn} returned no state to a tumbling window"
            raise self._failed(
                what,
                error={"message": what, "functionError": "Unhandled", "httpStatusCode": 200},
            )
        return state


class WindowedPoller:
    """Delivers the batches of a LocalStack StreamPoller window by window, and ends the windows that are over.

    poller: a StreamPoller, whose own methods poll a shard and forward a batch.
    stopping: set when the mapping is switched off or deleted.
    """

    def __init__(
        self,
        poller: Any,
        sender: WindowedSender,
        windows: Windows,
        stopping: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._poller = poller
        self._sender = sender
        self._windows = windows
        self._stopping = stopping
        self._clock = clock
        self._poll = poller.poll_events_from_shard
        self._forward = poller.forward_events_to_target
        self._brought_records = False

    def poll_events_from_shard(self, shard: str, iterator: str) -> None:
        """Poll a shard once; end its window if the window is over, and the windows of shards that have ended."""
        began = self._clock()
        self._brought_records = False
        self._poll(shard, iterator)
        waiting = self._poller.shard_batcher[shard].get_current_size()
        if not self._brought_records and not waiting and self._windows.is_over(shard, began):
            self._end(shard)
        # "When a shard ends, Lambda considers the current window to be closed."
        for ended in set(self._windows.shards) - set(self._poller.shards):
            self._end(ended)

    def forward_events_to_target(self, shard: str, records: Collection[Event]) -> None:
        """Deliver each window's part of a batch by itself, after the end of the window before."""
        self._brought_records = True
        for start, part in self._windows.parts(shard, list(records), self._clock()):
            if self._windows.enters(shard, start):
                self._end(shard)
            if self._stopping.is_set():
                return
            self._sender.shard, self._sender.start = shard, start
            self._forward(shard, part)
            if self._windows.is_too_large(shard):
                self._end(shard, early=True)

    def _end(self, shard: str, *, early: bool = False) -> None:
        """Send the last event of the shard's window until the function accepts it, as AWS does before anything else."""
        pause = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                self._sender.send_last(shard, early=early)
                return
            except Exception:
                LOG.warning("The end of a window of %s failed; it is tried again.", shard)
            self._stopping.wait(pause)
            pause = min(2 * pause, MAX_RETRY_SECONDS)


def install() -> None:
    """Patch LocalStack's workers; mappings without a window behave as before."""
    from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
    from localstack.services.lambda_.event_source_mapping.pollers.stream_poller import StreamPoller
    from localstack.services.lambda_.event_source_mapping.senders.sender import (
        PartialFailureSenderError,
        SenderError,
    )

    make_worker = EsmWorkerFactory.get_esm_worker

    def get_esm_worker(factory: Any) -> Any:
        worker = make_worker(factory)
        seconds = factory.esm_config.get("TumblingWindowInSeconds")
        if seconds and isinstance(worker.poller, StreamPoller):
            poller = worker.poller
            windows = Windows(seconds, factory.esm_config["EventSourceArn"])
            sender = WindowedSender(
                poller.processor.sender, windows, SenderError, PartialFailureSenderError
            )
            poller.processor.sender = sender
            windowed = WindowedPoller(poller, sender, windows, worker._shutdown_event)
            # On the instance, before the patch of `bisect` on the class, so that a failure splits a window's part.
            poller.poll_events_from_shard = windowed.poll_events_from_shard
            poller.forward_events_to_target = windowed.forward_events_to_target
        return worker

    EsmWorkerFactory.get_esm_worker = get_esm_worker
