"""The plugin's tumbling windows, over a poller and a sender that behave like LocalStack's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from leda_localstack.bisect import forward_in_halves
from leda_localstack.windows import (
    MAX_STATE_BYTES,
    QUIET_SECONDS,
    WindowedPoller,
    WindowedSender,
    Windows,
    names_records,
)

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/S"
NOON = int(datetime(2026, 3, 7, 12, tzinfo=UTC).timestamp())
MINUTE = 60

Event = dict[str, Any]


class SendingFailed(Exception):
    """LocalStack's SenderError."""

    def __init__(self, message: str = "", error: object = None) -> None:
        super().__init__(message)
        self.error = error


class SendingPartlyFailed(SendingFailed):
    """LocalStack's PartialFailureSenderError."""

    def __init__(self, answer: Event) -> None:
        super().__init__()
        self.partial_failure_payload = answer


class Sender:
    """Invokes a function, and raises its failures and partial failures as LocalStack's LambdaSender does."""

    target_arn = "arn:aws:lambda:us-east-1:000000000000:function:F"

    def __init__(self, function: Callable[[Event], object]) -> None:
        self.payload_dict = True
        self.function = function
        self.events: list[Event] = []

    def send_events(self, events: Event) -> object:
        assert self.payload_dict is False
        self.events.append(events)
        try:
            answer = self.function(events)
        except ValueError as error:
            raise SendingFailed from error
        if isinstance(answer, dict) and answer.get("batchItemFailures"):
            raise SendingPartlyFailed(answer)
        return answer


class Batcher:
    """Records that wait for MaximumBatchingWindowInSeconds."""

    size = 0

    def get_current_size(self) -> int:
        return self.size


class Poller:
    """A poller that retries and discards as LocalStack's StreamPoller does; `incoming` has the next poll's records."""

    def __init__(self, retries: int = 2) -> None:
        self.processor: Any = self
        self.sender: Any = None
        self.retries = retries
        self.shards: dict[str, str] = {"shard-1": "", "shard-2": ""}
        self.shard_batcher = {shard: Batcher() for shard in self.shards}
        self.incoming: list[Event] = []
        self.discarded: list[Event] = []
        self.bisects = False

    def process_events_batch(self, input_events: list[Event]) -> None:
        self.sender.send_events(input_events)

    def poll_events_from_shard(self, shard: str, iterator: str) -> None:
        records, self.incoming = self.incoming, []
        if records:
            self.forward_events_to_target(shard, records)

    def forward_events_to_target(self, shard: str, records: list[Event]) -> None:
        if self.bisects:
            forward_in_halves(self, Poller.forward, shard, records, SendingFailed)
        else:
            self.forward(shard, records)

    def forward(self, shard: str, records: list[Event]) -> None:
        left = [in_event(record) for record in records]
        for _ in range(self.retries + 1):
            try:
                self.processor.process_events_batch(left)
                return
            except SendingPartlyFailed as error:
                (failure,) = error.partial_failure_payload["batchItemFailures"]
                numbers = [record["kinesis"]["sequenceNumber"] for record in left]
                if failure["itemIdentifier"] in numbers:
                    left = left[numbers.index(failure["itemIdentifier"]) :]
            except SendingFailed:
                continue
        self.discarded += left


class Stopping:
    """The event that stops a mapping, set after `waits` waits."""

    def __init__(self, waits: int = 100) -> None:
        self.left = waits
        self.waited: list[float] = []

    def is_set(self) -> bool:
        return self.left <= 0

    def wait(self, timeout: float) -> bool:
        self.left -= 1
        self.waited.append(timeout)
        return self.is_set()


class Mapping:
    """A poller with windows of a minute, and a clock to set."""

    def __init__(self, function: Callable[[Event], object], poller: Poller | None = None) -> None:
        self.now = float(NOON)
        self.poller = poller or Poller()
        self.inner = Sender(function)
        self.stopping = Stopping()
        windows = Windows(MINUTE, ARN)
        sender = WindowedSender(self.inner, windows, SendingFailed, SendingPartlyFailed)
        self.poller.sender = sender
        stopping: Any = self.stopping
        windowed = WindowedPoller(self.poller, sender, windows, stopping, lambda: self.now)
        self.poller.poll_events_from_shard = windowed.poll_events_from_shard  # type: ignore[method-assign]
        self.poller.forward_events_to_target = windowed.forward_events_to_target  # type: ignore[method-assign]

    @property
    def events(self) -> list[Event]:
        return self.inner.events

    def poll(self, *records: Event, shard: str = "shard-1") -> None:
        self.poller.incoming = list(records)
        self.poller.poll_events_from_shard(shard, "iterator")


def record(number: int, seconds: float = 0) -> Event:
    """A record of GetRecords, written `seconds` after noon."""
    written = datetime.fromtimestamp(NOON + seconds, UTC)
    return {"SequenceNumber": str(number), "ApproximateArrivalTimestamp": written}


def in_event(record: Event) -> Event:
    return {"kinesis": {"sequenceNumber": record["SequenceNumber"]}}


def numbers(event: Event) -> list[int]:
    return [int(each["kinesis"]["sequenceNumber"]) for each in event["Records"]]


def counting(event: Event) -> Event:
    """A function that counts its window's records."""
    return {"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}


def test_an_event_has_its_shard_and_window() -> None:
    mapping = Mapping(counting)

    mapping.poll(record(1, 61), record(2, 62))

    (event,) = mapping.events
    assert event == {
        "Records": [in_event(record(1)), in_event(record(2))],
        "window": {"start": "2026-03-07T12:01:00Z", "end": "2026-03-07T12:02:00Z"},
        "state": {},
        "shardId": "shard-1",
        "eventSourceARN": ARN,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def test_the_state_is_passed_to_the_next_event_of_the_shard_and_window() -> None:
    mapping = Mapping(counting)

    mapping.poll(record(1), record(2))
    mapping.poll(record(3), shard="shard-2")
    mapping.poll(record(4))

    assert [event["state"] for event in mapping.events] == [{}, {}, {"count": 2}]


def test_a_batch_is_divided_between_windows() -> None:
    mapping = Mapping(counting)

    mapping.poll(record(1, 58), record(2, 59), record(3, 60), record(4, 200))

    seen = [
        (
            numbers(each),
            each["window"]["start"][11:16],
            each["state"],
            each["isFinalInvokeForWindow"],
        )
        for each in mapping.events
    ]
    assert seen == [
        ([1, 2], "12:00", {}, False),
        ([], "12:00", {"count": 2}, True),
        ([3], "12:01", {}, False),
        ([], "12:01", {"count": 1}, True),
        ([4], "12:03", {}, False),
    ]


def test_a_record_older_than_the_open_window_belongs_to_the_open_window() -> None:
    mapping = Mapping(counting)

    mapping.poll(record(1, 60))
    mapping.poll(record(2, 59))

    assert [event["window"]["start"][11:16] for event in mapping.events] == ["12:01", "12:01"]


def test_a_window_ends_when_a_read_after_its_end_returns_no_records() -> None:
    mapping = Mapping(counting)
    mapping.poll(record(1))

    for now in (NOON + 30, NOON + MINUTE + QUIET_SECONDS - 0.1):
        mapping.now = now
        mapping.poll()
    assert len(mapping.events) == 1

    mapping.now = NOON + MINUTE + QUIET_SECONDS
    mapping.poll(shard="shard-2")  # does not concern the other shard
    assert len(mapping.events) == 1
    mapping.poll()
    mapping.poll()

    assert len(mapping.events) == 2
    assert mapping.events[1]["Records"] == []
    assert mapping.events[1]["state"] == {"count": 1}
    assert mapping.events[1]["isFinalInvokeForWindow"] is True
    assert mapping.stopping.waited == []


def test_a_window_does_not_end_while_there_are_records() -> None:
    mapping = Mapping(counting)
    mapping.poll(record(1))

    mapping.now = NOON + 10 * MINUTE
    mapping.poll(record(2, 59))
    mapping.poller.shard_batcher["shard-1"].size = 1
    mapping.poll()

    assert [event["isFinalInvokeForWindow"] for event in mapping.events] == [False, False]


def test_the_window_of_a_closed_shard_ends() -> None:
    mapping = Mapping(counting)
    mapping.poll(record(1), shard="shard-2")

    del mapping.poller.shards["shard-2"]
    mapping.poll()

    assert mapping.events[1]["shardId"] == "shard-2"
    assert mapping.events[1]["isFinalInvokeForWindow"] is True


@pytest.mark.parametrize("answer", [None, {}, [], "text", {"state": None}, {"state": "text"}])
def test_an_answer_without_a_state_fails_the_batch(answer: object) -> None:
    mapping = Mapping(lambda event: answer, Poller(retries=1))

    mapping.poll(record(1))

    assert [numbers(event) for event in mapping.events] == [[1], [1]]
    assert mapping.poller.discarded == [in_event(record(1))]


def test_a_failed_batch_does_not_change_the_state() -> None:
    def failing_on_three(event: Event) -> object:
        if 3 in numbers(event):
            raise ValueError
        return counting(event)

    mapping = Mapping(failing_on_three, Poller(retries=1))

    mapping.poll(record(1), record(2))
    mapping.poll(record(3))
    mapping.poll(record(4))

    assert [(numbers(event), event["state"].get("count")) for event in mapping.events] == [
        ([1, 2], None),
        ([3], 2),
        ([3], 2),
        ([4], 2),
    ]


def test_halves_of_a_bisected_batch_pass_the_state_on_in_their_window() -> None:
    def failing_on_three(event: Event) -> object:
        if 3 in numbers(event):
            raise ValueError
        return counting(event)

    poller = Poller(retries=0)
    poller.bisects = True
    mapping = Mapping(failing_on_three, poller)

    mapping.poll(record(0), *(record(number, 60) for number in (1, 2, 3, 4)))

    seen = [(numbers(event), event["state"].get("count", 0)) for event in mapping.events]
    assert seen == [
        ([0], 0),
        ([], 1),
        ([1, 2, 3, 4], 0),
        ([1, 2], 0),
        ([3, 4], 2),
        ([3], 2),
        ([4], 2),
    ]
    assert poller.discarded == [in_event(record(3))]


def test_the_rest_of_a_partial_response_is_retried_with_its_state() -> None:
    def taking_one(event: Event) -> object:
        _first, *rest = event["Records"]
        count = event["state"].get("count", 0) + 1
        failures = [{"itemIdentifier": rest[0]["kinesis"]["sequenceNumber"]}] if rest else []
        return {"state": {"count": count}, "batchItemFailures": failures}

    mapping = Mapping(taking_one)

    mapping.poll(record(1), record(2), record(3))

    seen = [(numbers(event), event["state"].get("count", 0)) for event in mapping.events]
    assert seen == [([1, 2, 3], 0), ([2, 3], 1), ([3], 2)]


def test_a_partial_response_with_an_unknown_record_fails_the_whole_batch() -> None:
    def foreign(event: Event) -> object:
        return {"state": {"count": 99}, "batchItemFailures": [{"itemIdentifier": "77"}]}

    mapping = Mapping(foreign, Poller(retries=1))

    mapping.poll(record(1), record(2))

    assert [(numbers(event), event["state"]) for event in mapping.events] == [([1, 2], {})] * 2


def test_the_final_event_of_a_window_is_retried_before_anything_else() -> None:
    failures = iter([True, True, False])

    def function(event: Event) -> object:
        if event["isFinalInvokeForWindow"] and next(failures):
            raise ValueError
        return counting(event)

    mapping = Mapping(function)

    mapping.poll(record(1), record(2, 60))

    assert [numbers(event) for event in mapping.events] == [[1], [], [], [], [2]]
    assert [event["state"] for event in mapping.events[1:4]] == [{"count": 1}] * 3
    assert mapping.stopping.waited == [0.5, 1.0]


def test_a_stopped_mapping_does_not_retry_the_final_event() -> None:
    def never_final(event: Event) -> object:
        if event["isFinalInvokeForWindow"]:
            raise ValueError
        return counting(event)

    mapping = Mapping(never_final)
    mapping.stopping.left = 3

    mapping.poll(record(1), record(2, 60))

    assert [numbers(event) for event in mapping.events] == [[1], [], [], []]


def test_a_state_of_more_than_1_mb_ends_the_window_early() -> None:
    def growing(event: Event) -> object:
        return {"state": {"text": "x" * MAX_STATE_BYTES}}

    mapping = Mapping(growing)

    mapping.poll(record(1))
    mapping.inner.function = counting
    mapping.poll(record(2))

    first, early, after = mapping.events
    assert (numbers(early), early["isWindowTerminatedEarly"]) == ([], True)
    assert early["isFinalInvokeForWindow"] is False
    assert len(early["state"]["text"]) == MAX_STATE_BYTES
    assert (numbers(after), after["state"], after["window"]) == ([2], {}, first["window"])
    assert after["isWindowTerminatedEarly"] is False


@pytest.mark.parametrize(
    ("seconds", "read", "start"),
    [
        (MINUTE, NOON, NOON),
        (MINUTE, NOON + 600, NOON),
        (10, NOON + 25, NOON + 20),
        (10, NOON + 600, NOON + 50),
        (10, NOON - 1, NOON),
    ],
)
def test_the_time_of_a_record_of_dynamodb_local_is_refined_by_the_time_of_reading(
    seconds: int, read: int, start: int
) -> None:
    minute = datetime.fromtimestamp(NOON, UTC)
    records = [{"dynamodb": {"ApproximateCreationDateTime": minute}}]

    assert Windows(seconds, ARN).parts("shard", records, read) == [(start, records)]


def test_sequence_numbers_of_both_services_are_recognized() -> None:
    kinesis, dynamodb = in_event(record(1)), {"dynamodb": {"SequenceNumber": "2"}}
    failures = [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]

    assert names_records({"batchItemFailures": failures}, [kinesis, dynamodb])
    assert not names_records({"batchItemFailures": failures}, [kinesis])
    assert not names_records({"batchItemFailures": [{"itemIdentifier": {}}]}, [kinesis])
    assert not names_records({"batchItemFailures": "1"}, [kinesis])
