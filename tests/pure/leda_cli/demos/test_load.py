"""Putting a load into the stream: few calls, every record at least once, failed records again."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from leda.pipeline.game import Record
from leda_cli.base.errors import LedaError
from leda_cli.operate.putting import MAX_BYTES, MAX_RECORDS, Putting, regroup


def record(number: int, size: int = 10) -> Record:
    return Record(str(number).encode().ljust(size), "k" * 64)


@given(st.lists(st.integers(min_value=0, max_value=700), max_size=12))
def test_calls_are_joined_in_order_up_to_the_limit_of_records(sizes: list[int]) -> None:
    numbers = iter(range(sum(sizes)))
    calls = [[record(next(numbers)) for _ in range(size)] for size in sizes]
    joined = list(regroup(calls))
    assert [r for call in joined for r in call] == [r for call in calls for r in call]
    assert all(len(call) == MAX_RECORDS for call in joined[:-1])
    assert all(joined)


def test_a_call_has_at_most_five_megabytes() -> None:
    joined = list(regroup([[record(n, 900_000) for n in range(14)]]))
    assert [len(call) for call in joined] == [5, 5, 4]
    assert all(
        sum(len(r.data) + len(r.partition_key) for r in call) <= MAX_BYTES for call in joined
    )


class Stream:
    """Accepts records; `refuse` returns the numbers of a call's records that fail, or raises an error."""

    def __init__(self, refuse: Any = lambda call, records: set()) -> None:
        self.taken: Counter[bytes] = Counter()
        self.calls = 0
        self._refuse = refuse
        self._lock = threading.Lock()

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            self.calls += 1
            refused = self._refuse(self.calls, Records)
            answer = []
            for number, entry in enumerate(Records):
                if number in refused:
                    answer.append(
                        {
                            "ErrorCode": "ProvisionedThroughputExceededException",
                            "ErrorMessage": "Rate",
                        }
                    )
                else:
                    self.taken[entry["Data"]] += 1
                    answer.append({"SequenceNumber": "1", "ShardId": "shardId-0"})
        return {"FailedRecordCount": len(refused), "Records": answer}


def putting(stream: Stream, calls: list[list[Record]], **settings: Any) -> Putting:
    return Putting(stream, "IncomingDataStream", iter(calls), **settings)  # type: ignore[arg-type]


def run(load: Putting) -> None:
    load.start()
    while load.running(0.05):
        pass


def test_every_record_is_sent_once() -> None:
    stream, seen = Stream(), list[Record]()
    calls = [[record(call * 100 + n) for n in range(20)] for call in range(30)]
    load = putting(stream, calls, seen=seen.append)
    run(load)
    everything = [r for call in calls for r in call]
    assert stream.taken == Counter(r.data for r in everything)
    assert seen == everything
    assert (load.sent, load.retried) == (600, 0)
    assert load.ended >= load.began


def test_only_the_failed_records_of_a_call_are_sent_again() -> None:
    stream = Stream(lambda call, records: {0, 3} if call == 1 else set())
    load = putting(stream, [[record(n) for n in range(5)]], threads=1)
    run(load)
    assert stream.taken == Counter(record(n).data for n in range(5))
    assert (stream.calls, load.sent, load.retried) == (2, 5, 2)


def test_a_call_without_an_answer_is_sent_again() -> None:
    def refuse(call: int, records: list[dict[str, Any]]) -> set[int]:
        if call == 1:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        return set()

    stream = Stream(refuse)
    load = putting(stream, [[record(1)]], threads=1)
    run(load)
    assert stream.taken == Counter([record(1).data])


def test_a_stream_that_accepts_nothing_ends_the_load_with_the_reason() -> None:
    stream = Stream(lambda call, records: set(range(len(records))))
    load = putting(stream, [[record(1)]], threads=1, patience=0.0)
    with pytest.raises(LedaError, match="took no record for 0 s: Rate"):
        run(load)


def test_a_missing_stream_ends_the_load_at_once() -> None:
    def refuse(call: int, records: list[dict[str, Any]]) -> set[int]:
        raise ClientError(
            {"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "PutRecords"
        )

    stream = Stream(refuse)
    with pytest.raises(LedaError, match="gone"):
        run(putting(stream, [[record(n)] for n in range(50)], threads=1))
    assert stream.calls == 1


def test_an_error_while_generating_is_not_swallowed() -> None:
    def broken() -> Iterator[list[Record]]:
        yield [record(1)]
        raise ZeroDivisionError

    load = Putting(Stream(), "s", broken(), threads=2)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="sending thread"):
        run(load)


def test_a_stopped_load_sends_no_further_call() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def refuse(call: int, records: list[dict[str, Any]]) -> set[int]:
        entered.set()
        assert go_on.wait(5)
        return set()

    stream = Stream(refuse)
    load = putting(stream, [[record(n)] for n in range(50)], threads=1)
    load.start()
    assert entered.wait(5)
    stopper = threading.Thread(target=load.stop)
    stopper.start()
    go_on.set()
    stopper.join(5)
    assert not load.running(1)
    assert stream.calls <= 2
