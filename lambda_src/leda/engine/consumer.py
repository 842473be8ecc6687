"""Consumes an event for Map and for Reduce: reads its records, writes what they add, and reports the outcome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from leda.aws.dynamodb_client import take_request_times
from leda.aws.telemetry import count, logger
from leda.engine import shards
from leda.engine.rejects import Reject, Rejects
from leda.engine.shards import Shard, SingleShardStreams
from leda.streams import stream_records
from leda.streams.stream_records import StreamRecord


class Outcome(Protocol):
    """The outcome of a batch: the records that were quarantined, and the numbers in the metrics and in the log."""

    @property
    def rejected(self) -> list[Reject]:
        """The records that were quarantined, or that one of their totals refused."""

    @property
    def counts(self) -> dict[str, int]:
        """Metrics by name, beside Records and Quarantined."""

    @property
    def summary(self) -> dict[str, int]:
        """Fields of the log line."""


T = TypeVar("T", bound=Outcome)


class Consumer:
    """Reads the events of a DynamoDB stream's mapping for one function.

    `single` finds the shard of an event that does not name it, for emulators whose mappings have no tumbling window.
    """

    def __init__(self, rejects: Rejects, single: SingleShardStreams | None) -> None:
        self._rejects = rejects
        self._single = single

    def consume(
        self, event: Mapping[str, Any], write: Callable[[Shard, Sequence[StreamRecord]], T]
    ) -> T | None:
        """Write the event's records; return the outcome, or None if the event has no record that can be read.

        The last event of a tumbling window has no records.
        """
        if not event["Records"]:
            return None
        batch = stream_records.read(event["Records"])
        self._rejects.put_unreadable(event, batch.unreadable)
        outcome = None
        quarantined = len(batch.unreadable)
        if batch.records:
            shard = shards.of_event(event, batch.records, self._single)
            outcome = write(shard, batch.records)
            quarantined += len(outcome.rejected)
            extent = shards.extent(shard, batch.records)
            requests = {"requests": take_request_times()}
            logger.info("consumed", extra={**extent, **outcome.summary, **requests})
        counts = outcome.counts if outcome else {}
        count(Records=len(event["Records"]), Quarantined=quarantined, **counts)
        return outcome
