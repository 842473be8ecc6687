"""BisectBatchOnFunctionError for Kinesis and DynamoDB stream mappings.

LocalStack stores the setting and ignores it: it retries a failed batch as a whole until its retries are used up, and
then discards all its records. AWS splits the batch in two and delivers each half, in order, and "splitting batches
doesn't consume the retry quota":
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
A partial batch response is left to LocalStack, which retries from the reported record, as AWS does.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Event = dict[str, Any]


Forward = Callable[[Any, str, list[Event]], None]


class SplitBatch(BaseException):
    """Ends the poller's retry loop, which catches every Exception."""


class _SplitOnFailure:
    """An event processor that asks for a split instead of failing a batch of more than one record."""

    def __init__(self, processor: Any, failure: type[Exception]) -> None:
        self._processor = processor
        self._failure = failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)

    def process_events_batch(self, input_events: list[Event]) -> None:
        try:
            self._processor.process_events_batch(input_events)
        except self._failure as error:
            if len(input_events) > 1:
                raise SplitBatch from error
            raise


def forward_in_halves(
    poller: Any, forward: Forward, shard_id: str, records: list[Event], failure: type[Exception]
) -> None:
    """Forward `records`; whenever a batch fails, forward its first half and then its second half.

    poller: a LocalStack StreamPoller; its `processor` is replaced meanwhile.
    forward: the poller's own method to deliver a batch, with retries and the failure destination.
    failure: the error that the processor raises when the whole batch failed.
    """
    records = list(records)
    if len(records) < 2:
        forward(poller, shard_id, records)
        return
    processor = poller.processor
    poller.processor = _SplitOnFailure(processor, failure)
    try:
        # A copy, because the poller of tables' streams changes the records and cannot deliver them a second time.
        forward(poller, shard_id, deepcopy(records))
        return
    except SplitBatch:
        pass
    finally:
        poller.processor = processor
    middle = len(records) // 2
    for half in (records[:middle], records[middle:]):
        forward_in_halves(poller, forward, shard_id, half, failure)


def install() -> None:
    """Patch LocalStack's stream poller; mappings without the setting behave as before."""
    from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
    from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError
    from localstack.services.lambda_.event_source_mapping.pollers.stream_poller import StreamPoller

    make_worker = EsmWorkerFactory.get_esm_worker
    forward = StreamPoller.forward_events_to_target

    def get_esm_worker(factory: Any) -> Any:
        worker = make_worker(factory)
        worker.poller.bisect_on_error = bool(factory.esm_config.get("BisectBatchOnFunctionError"))
        return worker

    def forward_events_to_target(poller: Any, shard_id: str, records: list[Event]) -> None:
        if getattr(poller, "bisect_on_error", False):
            forward_in_halves(poller, forward, shard_id, records, BatchFailureError)
        else:
            forward(poller, shard_id, records)

    EsmWorkerFactory.get_esm_worker = get_esm_worker
    StreamPoller.forward_events_to_target = forward_events_to_target
