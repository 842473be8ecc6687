"""ProcessKinesisRecords: the blueprint's test event, every kind of payload, and the errors of a user's function."""

import base64
import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from leda.processor.process_function import WrongProcessError
from leda.records import Record, Unprocessable
from leda_cli.demos.play_record_processor import aggregated
from simulation.failures import client_error
from support.log_lines import recorded
from support.pipeline import SOURCES, Function, Pipeline
from support.user_records import packed

BLUEPRINT = json.loads("""{
  "Records": [
    {
      "kinesis": {
        "partitionKey": "partitionKey-03",
        "kinesisSchemaVersion": "1.0",
        "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0IDEyMy4=",
        "sequenceNumber": "49545115243490985018280067714973144582180062593244200961",
        "approximateArrivalTimestamp": 1428537600
      },
      "eventSource": "aws:kinesis",
      "eventID": "shardId-000000000000:49545115243490985018280067714973144582180062593244200961",
      "invokeIdentityArn": "arn:aws:iam::EXAMPLE",
      "eventVersion": "1.0",
      "eventName": "aws:kinesis:record",
      "eventSourceARN": "arn:aws:kinesis:EXAMPLE",
      "awsRegion": "us-west-2"
    }
  ]
}""")

Process = Callable[[Record], object]


class NoTables(Pipeline):
    """Functions that have no table."""

    def _create(self, *_: Any) -> None: ...


@pytest.fixture
def pipeline() -> Pipeline:
    return NoTables("http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def process_py(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The default process.py, beside the handler as it is in the package."""
    monkeypatch.syspath_prepend(SOURCES / "process_records")
    sys.modules.pop("process", None)
    yield
    sys.modules.pop("process", None)


def processor(pipeline: Pipeline, process: Process | None = None) -> Function:
    """The function with `process` instead of the default."""
    if process:
        importlib.import_module("process").__dict__["process"] = process
    return pipeline.function("process_records")


def answer(processed: int, *failed: str, quarantined: int = 0) -> dict[str, Any]:
    return {
        "message": f"Successfully processed {processed} records.",
        "quarantined": quarantined,
        "batchItemFailures": [{"itemIdentifier": number} for number in failed],
    }


def numbers(event: dict[str, Any]) -> list[str]:
    return [record["kinesis"]["sequenceNumber"] for record in event["Records"]]


def test_the_blueprints_test_event_gives_the_blueprints_result(pipeline: Pipeline) -> None:
    with recorded() as log:
        assert processor(pipeline)(BLUEPRINT) == answer(1)

    (line,) = log.of("decoded payload")
    shown = ("payload", "payload_kind", "payload_bytes", "partition_key", "arrived", "shard")
    assert {name: line[name] for name in shown} == {
        "payload": "Hello, this is a test 123.",
        "payload_kind": "text",
        "payload_bytes": 26,
        "partition_key": "partitionKey-03",
        "arrived": "2015-04-09T00:00:00+00:00",
        "shard": "shardId-000000000000",
    }
    assert line["sequence_number"] == "49545115243490985018280067714973144582180062593244200961"


PAYLOADS: dict[str, tuple[bytes, str, Any]] = {
    "JSON": (b'{"celsius": 21.50, "id": 7}', "json", {"celsius": 21.5, "id": 7}),
    "a long number": (b"[0.12345678901234567890]", "json", ["0.12345678901234567890"]),
    "a huge exponent": (b"[1e400]", "json", ["1e400"]),
    "a number": (b"42", "json", 42),
    "text": ("Größe: 3\t€\r\n".encode(), "text", "Größe: 3\t€\r\n"),
    "nothing": (b"", "text", ""),
    "almost JSON": (b'{"a": NaN}', "text", '{"a": NaN}'),
    "a lone surrogate": (b'"\\ud800"', "text", '"\\ud800"'),
    "too deep to be read": (b"[" * 20_000 + b"]" * 20_000, "text", "[" * 20_000 + "]" * 20_000),
    "too deep to be logged": (b"[" * 9_991 + b"]" * 9_991, "text", "[" * 9_991 + "]" * 9_991),
    "objects that are too deep": (
        b'{"a":' * 101 + b"1" + b"}" * 101,
        "text",
        '{"a":' * 101 + "1" + "}" * 101,
    ),
    "deep": (b"[" * 100 + b"]" * 100, "json", json.loads("[" * 100 + "]" * 100)),
    "brackets in a string": (b'"' + b"[" * 200 + b'"', "json", "[" * 200),
    "a byte order mark": (b"\xef\xbb\xbf{}", "text", "\ufeff{}"),
    "many digits": (b"9" * 5000, "json", "9" * 5000),
    "bytes": (b"\x00\xff", "binary", "AP8="),
    "control characters": (b"a\x00b", "binary", "YQBi"),
}


@pytest.mark.parametrize(("data", "kind", "payload"), PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_is_logged_by_its_kind(
    pipeline: Pipeline, data: bytes, kind: str, payload: Any
) -> None:
    with recorded() as log:
        assert processor(pipeline)(pipeline.kinesis_event(data)) == answer(1)

    (line,) = log.of("decoded payload")
    assert (line["payload_kind"], line["payload"]) == (kind, payload)


TOO_LONG = {
    "a JSON string": (b'"' + b"x" * 900_000 + b'"', '"' + "x" * 99_998),
    "text": (b"y" * 900_000, "y" * 100_000),
    "bytes": (b"\x00" * 900_000, "A" * 100_000),
    "characters of four bytes": ("\U0001f600".encode() * 100_000, "\U0001f600" * 25_000),
    "characters of three bytes": ("€".encode() * 50_000, "€" * 33_333),
    "line ends": (b"\n" * 99_000, "\n" * 50_000),
    "JSON that grows in a line": (b"[" + b"1," * 49_000 + b"1e9]", "[" + "1," * 49_000 + "1e9]"),
}


@pytest.mark.parametrize(("data", "shown"), TOO_LONG.values(), ids=TOO_LONG)
def test_a_payload_that_is_too_long_for_a_log_line_is_cut(
    pipeline: Pipeline, data: bytes, shown: str
) -> None:
    with recorded() as log:
        assert processor(pipeline)(pipeline.kinesis_event(data)) == answer(1)

    (line,) = log.of("decoded payload")
    assert line["payload"] == shown
    assert line["payload_bytes"] == len(data)
    (written,) = [each for each in log.text.splitlines() if "decoded payload" in each]
    assert len(written.encode()) < 101_000


def test_a_long_reason_is_cut_in_the_log_and_whole_in_quarantine(pipeline: Pipeline) -> None:
    reason = "\U0001f600" * 100_000

    with recorded() as log:
        processor(pipeline, failing(b"bad", Unprocessable(reason)))(pipeline.kinesis_event(b"bad"))

    (line,) = log.of("quarantined")
    assert line["reason"] == "\U0001f600" * 2_500
    assert pipeline.bucket.reasons == [reason]


def test_each_message_of_a_packed_record_is_a_record(pipeline: Pipeline) -> None:
    data = aggregated([("a", b"from a"), ("b", b"from b")])
    seen: list[Record] = []

    with recorded() as log:
        event = pipeline.kinesis_event(data, b"plain")
        assert processor(pipeline, seen.append)(event) == answer(3)

    assert [(each.partition_key, each.data) for each in seen] == [
        ("a", b"from a"),
        ("b", b"from b"),
        ("key", b"plain"),
    ]
    assert len({each.event_id for each in seen}) == 3
    assert [line["partition_key"] for line in log.of("decoded payload")] == ["a", "b", "key"]


def test_a_record_has_the_attributes_of_the_kinesis_record(pipeline: Pipeline) -> None:
    seen: list[Record] = []
    event = pipeline.kinesis_event(b'{"n": 0.1, "i": 12345678901234567890}')
    processor(pipeline, seen.append)(event)

    (record,) = seen
    assert json.dumps(record.json(), default=str) == '{"n": "0.1", "i": 12345678901234567890}'
    assert record.sequence_number == numbers(event)[0]
    assert record.arrived is not None
    assert record.arrived.isoformat() == "2021-03-22T11:40:58.900000+00:00"


# -- a `process` whose call would not run its body


def generator(record: Record) -> Iterator[bytes]:
    yield record.data


async def coroutine(record: Record) -> None: ...


async def async_generator(record: Record) -> AsyncIterator[bytes]:
    yield record.data


class Later:
    async def __call__(self, record: Record) -> None: ...


class Now:
    def __call__(self, record: Record) -> None: ...


RUN_NOTHING: dict[str, Any] = {
    "a generator": generator,
    "a coroutine": coroutine,
    "an asynchronous generator": async_generator,
    "a partial coroutine": partial(coroutine),
    "an object whose call is a coroutine": Later(),
}
WRONG_PARAMETERS: list[Any] = [
    lambda: None,
    lambda _record, _context: None,
    partial(lambda record: None, 1),
]


@pytest.mark.parametrize("process", RUN_NOTHING.values(), ids=RUN_NOTHING)
def test_a_generator_or_coroutine_fails_the_start_of_the_function(
    pipeline: Pipeline, process: Any
) -> None:
    with pytest.raises(WrongProcessError, match="without `yield`"):
        processor(pipeline, process)


@pytest.mark.parametrize("process", WRONG_PARAMETERS)
def test_a_process_without_exactly_one_parameter_fails_the_start_of_the_function(
    pipeline: Pipeline, process: Any
) -> None:
    with pytest.raises(WrongProcessError, match="one argument, the record"):
        processor(pipeline, process)


def test_a_process_that_is_not_callable_fails_the_start_of_the_function(pipeline: Pipeline) -> None:
    with pytest.raises(WrongProcessError, match="not a function"):
        processor(pipeline, "process")  # type: ignore[arg-type]


def test_a_process_that_returns_a_generator_or_coroutine_fails_at_its_first_record(
    pipeline: Pipeline,
) -> None:
    def hiding(hidden: Callable[[Record], object]) -> Process:
        return lambda record: hidden(record)

    for hidden in (generator, coroutine, async_generator):
        function = processor(pipeline, hiding(hidden))
        with pytest.raises(WrongProcessError, match="does not run it"):
            function(pipeline.kinesis_event(b"x"))
    assert pipeline.bucket.objects == {}


@pytest.mark.parametrize("process", [Now(), Now().__call__, partial(lambda _n, _r: None, 1), print])
def test_any_callable_with_one_parameter_is_accepted(pipeline: Pipeline, process: Any) -> None:
    assert processor(pipeline, process)(pipeline.kinesis_event(b"x")) == answer(1)


# -- what `process` may raise


def failing(word: bytes, error: Exception) -> Process:
    def process(record: Record) -> None:
        if word in record.data:
            raise error

    return process


def test_a_bad_record_is_quarantined_with_its_reason_and_the_others_are_processed(
    pipeline: Pipeline,
) -> None:
    event = pipeline.kinesis_event(b"one", b"bad", b"three")

    function = processor(pipeline, failing(b"bad", Unprocessable("no celsius")))
    assert function(event) == answer(2, quarantined=1)

    (kept,) = pipeline.bucket.objects.values()
    assert kept["reason"] == "no celsius"
    assert kept["sequenceNumber"] == numbers(event)[1]
    assert base64.b64decode(kept["data"]) == b"bad"


@pytest.mark.parametrize("error", [ValueError("away"), KeyError("x"), client_error("Throttled")])
def test_any_other_error_fails_the_record_and_all_later_ones(
    pipeline: Pipeline, error: Exception
) -> None:
    event = pipeline.kinesis_event(b"one", b"bad", b"later", b"three")
    seen: list[bytes] = []

    def process(record: Record) -> None:
        failing(b"later", error)(record)
        failing(b"bad", Unprocessable("bad"))(record)
        seen.append(record.data)

    function = processor(pipeline, process)
    with recorded() as log:
        assert function(event) == answer(1, numbers(event)[2], quarantined=1)
    assert seen == [b"one"]
    (line,) = log.of("not processed")
    assert line["exception_name"] == type(error).__name__
    assert line["sequence_number"] == numbers(event)[2]

    # Lambda delivers again from the lowest reported record on, and the error has passed.
    importlib.import_module("process").__dict__["process"] = lambda r: seen.append(r.data)
    again = processor(pipeline)({"Records": event["Records"][2:]})
    assert again == answer(2)
    assert seen == [b"one", b"later", b"three"]


@pytest.mark.parametrize("is_packed", [False, True])
def test_the_invocation_fails_if_the_first_record_fails(
    pipeline: Pipeline, is_packed: bool
) -> None:
    data = packed(b"one", b"bad", b"later") if is_packed else b"later"

    def process(record: Record) -> None:
        failing(b"later", OSError("away"))(record)
        failing(b"bad", Unprocessable("bad"))(record)

    with pytest.raises(OSError, match="away"):
        processor(pipeline, process)(pipeline.kinesis_event(data, b"two"))
    assert pipeline.bucket.reasons == ["bad"] * is_packed


def test_a_bad_record_is_reported_as_failed_while_the_bucket_refuses_it(pipeline: Pipeline) -> None:
    event = pipeline.kinesis_event(b"one", b"bad", b"three")
    function = processor(pipeline, failing(b"bad", Unprocessable("bad")))
    pipeline.bucket.error = client_error("SlowDown", 503)

    assert function(event) == answer(2, numbers(event)[1])
    pipeline.bucket.error = None
    assert function({"Records": event["Records"][1:]}) == answer(1, quarantined=1)


def test_records_processed_before_the_timeout_are_not_delivered_again(pipeline: Pipeline) -> None:
    event = pipeline.kinesis_event(b"one", b"two", b"three")
    function = processor(pipeline)
    left = iter([10_000, 100])

    report = function.module.processing.run(
        list(function.module.user_records(event["Records"])), lambda: next(left)
    )

    assert report.answer() == answer(2, numbers(event)[2])


def test_the_first_record_is_processed_even_without_time_left(pipeline: Pipeline) -> None:
    event = pipeline.kinesis_event(b"one", b"two")
    function = processor(pipeline)

    report = function.module.processing.run(
        list(function.module.user_records(event["Records"])), lambda: 0
    )

    assert report.answer() == answer(1, numbers(event)[1])


def test_a_record_that_is_read_as_json_and_is_not_json_is_quarantined(pipeline: Pipeline) -> None:
    event = pipeline.kinesis_event(b"{}", b"not JSON", b"\xff", b"[" * 100_000, b"{}")

    assert processor(pipeline, Record.json)(event) == answer(2, quarantined=3)
    assert [reason.partition(":")[0] for reason in pipeline.bucket.reasons] == [
        "not JSON",
        "not UTF-8",
        "not readable JSON",
    ]
