"""`leda replay` delivers every record of the given time from every shard, whatever errors the stream returns."""

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda_cli.base.errors import LedaError
from leda_cli.operate import replay
from leda_cli.operate.deployed import kinesis_shards
from leda_cli.operate.deployed.kinesis_shards import Cursor, read_range
from leda_cli.operate.quarantine import state_events
from leda_cli.operate.quarantine.quarantined import Bucket
from leda_cli.operate.stack import Stack
from support.clock import Clock
from support.invoked import invoked, reported

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/IncomingDataStream"
NOW = datetime.now(UTC)


class Today(datetime):
    """A clock that stands still at NOW, for which the records are made."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return NOW


@pytest.fixture(autouse=True)
def the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "datetime", Today)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


class ExpiredIteratorException(ClientError):
    pass


def refused(code: str) -> ClientError:
    kind = ExpiredIteratorException if code == "ExpiredIteratorException" else ClientError
    response: Any = {"Error": {"Code": code, "Message": "no"}}
    return kind(response, "GetRecords")


@dataclass
class Kinesis:
    """A stream. Each shard is given by its records' times of arrival; the first `closed` shards are closed."""

    shards: list[list[datetime]]
    closed: int = 0
    retention: int = 24
    created: datetime = field(default_factory=lambda: ago(days=30))
    page: int = 2
    """The number of records in an answer. Every other answer is empty, as Kinesis's may be."""
    errors: list[ClientError] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    arrives: Any = None

    class exceptions:
        ExpiredIteratorException = ExpiredIteratorException

    def describe_stream_summary(self, StreamName: str) -> dict[str, Any]:
        return {
            "StreamDescriptionSummary": {
                "StreamARN": ARN,
                "RetentionPeriodHours": self.retention,
                "StreamCreationTimestamp": self.created,
            }
        }

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_shards"
        pages = [{"Shards": [{"ShardId": str(n)}]} for n in range(len(self.shards))]

        class Pages:
            def paginate(self, StreamName: str) -> Any:
                return pages

        return Pages()

    def get_shard_iterator(self, StreamName: str, ShardId: str, **start: Any) -> dict[str, Any]:
        self.asked.append({"shard": ShardId, **start})
        place = 0
        match start["ShardIteratorType"]:
            case "AT_TIMESTAMP":
                place = sum(each < start["Timestamp"] for each in self.shards[int(ShardId)])
            case "AFTER_SEQUENCE_NUMBER":
                place = int(start["StartingSequenceNumber"]) + 1
            case "AT_SEQUENCE_NUMBER":
                place = int(start["StartingSequenceNumber"])
        return {"ShardIterator": f"{ShardId}/{place}/empty"}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop()
        shard, place, turn = ShardIterator.split("/")
        if self.arrives:
            self.arrives(self.shards[int(shard)])
        records = self.shards[int(shard)]
        start = int(place)
        end = start if turn == "empty" else min(start + self.page, len(records))
        is_done = end == len(records) and turn != "empty"
        following = f"{shard}/{end}/{'full' if turn == 'empty' else 'empty'}"
        return {
            "Records": [
                {
                    "Data": f"{shard}/{number}".encode(),
                    "PartitionKey": "key",
                    "SequenceNumber": str(number),
                    "ApproximateArrivalTimestamp": records[number],
                }
                for number in range(start, end)
            ],
            "MillisBehindLatest": 0 if end == len(records) and turn != "empty" else 1000,
            "NextShardIterator": None if is_done and int(shard) < self.closed else following,
        }


class StateLambda:
    """Counts its records, and reports those in `failing` as failed."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.failing: set[str] = set()
        self.events: list[list[str]] = []

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        return {"Role": "role", "Environment": {"Variables": {"SCHEMA": "{}"}}}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        records = json.loads(Payload)["Records"]
        data = [base64.b64decode(each["kinesis"]["data"]).decode() for each in records]
        assert [each["eventID"] for each in records] == [each.replace("/", ":") for each in data]
        assert {each["eventSourceARN"] for each in records} == {ARN}
        self.events.append(data)
        self.given.update(data)
        failed = [{"itemIdentifier": each.split("/")[1]} for each in data if each in self.failing]
        return {"Payload": io.BytesIO(json.dumps({"batchItemFailures": failed}).encode())}


@dataclass
class Site:
    kinesis: Kinesis
    state: StateLambda
    stack: Stack
    status: int = 0

    def __call__(self, *arguments: str) -> str:
        done = invoked(replay.replay, *arguments)
        self.status = done.exit_code
        return done.output

    def json(self, *arguments: str) -> dict[str, Any]:
        return reported(self(*arguments, "--json"))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(state_events, "FIRST_PAUSE_SECONDS", 0)
    for name in ("READ_SECONDS", "BUSY_SECONDS"):
        monkeypatch.setattr(kinesis_shards, name, 0)
    stack = Stack()
    site = Site(Kinesis([[]]), StateLambda(), stack)
    vars(stack).update(kinesis=site.kinesis, lambdas=site.state, s3=None)
    monkeypatch.setattr(Stack, "find", lambda *_: stack)
    monkeypatch.setattr(Bucket, "keys", lambda *_: [])
    return site


def every(site: Site, wanted: Mapping[int, Sequence[int]]) -> set[str]:
    return {f"{shard}/{number}" for shard, numbers in wanted.items() for number in numbers}


HOURS = [[ago(hours=20 - n) for n in range(9)], [], [ago(hours=15 - n) for n in range(5)]]


@pytest.mark.parametrize("page", [2, 100])
def test_every_record_of_open_and_closed_shards_is_delivered(site: Site, page: int) -> None:
    site.kinesis.shards, site.kinesis.closed, site.kinesis.page = HOURS, 1, page

    report = site.json("--from", "TRIM_HORIZON")

    assert site.state.given == Counter(every(site, {0: range(9), 2: range(5)}))
    assert (report["shards"], report["records"], report["bytes"]) == (3, 14, 14 * 3)
    assert report["invocations"] == len(site.state.events) > 0
    assert (report["first_arrival"], report["last_arrival"]) == (
        HOURS[0][0].isoformat(),
        HOURS[2][-1].isoformat(),
    )
    assert (report["failed"], site.status) == ([], 0)
    assert {len({each.split("/")[0] for each in event}) for event in site.state.events} == {1}


@pytest.mark.parametrize(
    "since", ["870m", ago(hours=14, seconds=1).isoformat()], ids=["a duration", "a time"]
)
def test_only_records_between_the_two_times_are_delivered(site: Site, since: str) -> None:
    site.kinesis.shards = HOURS

    report = site.json("--from", since, "--until", ago(hours=13, seconds=-1).isoformat())

    assert site.state.given.keys() == every(site, {0: (6, 7), 2: (1, 2)})
    assert report["records"] == 4


def test_records_that_arrive_after_the_beginning_are_not_delivered(site: Site) -> None:
    site.kinesis.shards = [[ago(minutes=5)]]
    site.kinesis.arrives = lambda records: records.append(datetime.now(UTC) + timedelta(hours=1))

    assert site.json("--from", "1h")["records"] == 1
    assert site.state.given == Counter(["0/0"])


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredIteratorException",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
    ],
)
def test_transient_errors_of_reading_lose_and_repeat_no_record(site: Site, code: str) -> None:
    site.kinesis.shards = [HOURS[0]]
    site.kinesis.errors = [refused(code)]  # at the first read
    real = site.kinesis.get_records
    turns = iter(range(1000))

    def now_and_then(**request: Any) -> dict[str, Any]:
        if next(turns) % 3 == 2:
            raise refused(code)
        return real(**request)

    vars(site.kinesis)["get_records"] = now_and_then
    site("--from", "23h")

    assert site.state.given == Counter(every(site, {0: range(9)}))
    if code == "ExpiredIteratorException":
        again = {each["ShardIteratorType"] for each in site.kinesis.asked[1:]}
        assert again == {"AT_TIMESTAMP", "AFTER_SEQUENCE_NUMBER"}


def test_a_permanent_error_ends_the_command(site: Site) -> None:
    site.kinesis.shards = HOURS
    site.kinesis.errors = [refused("AccessDeniedException")]
    with pytest.raises(LedaError, match="lack the right"):
        site("--from", "TRIM_HORIZON")


def test_a_record_that_state_does_not_store_is_reported(site: Site) -> None:
    site.kinesis.shards = HOURS
    site.state.failing = {"0/3"}

    report = site.json("--from", "TRIM_HORIZON")

    assert [each["event_id"] for each in report["failed"]] == ["0:3"]
    assert site.status == 1
    assert site.state.given.keys() == every(site, {0: range(9), 2: range(5)})
    assert "not taken: 0:3" in site("--from", "TRIM_HORIZON")


def test_a_dry_run_counts_records_and_delivers_none(site: Site) -> None:
    site.kinesis.shards = HOURS

    report = site.json("--from", "TRIM_HORIZON", "--dry-run")

    assert (report["records"], report["invocations"]) == (14, 0)
    assert site.state.events == []
    assert site.status == 0


def test_a_time_before_the_streams_retention_is_reported(site: Site) -> None:
    site.kinesis.shards = HOURS
    report = site.json("--from", "2d")
    gone = datetime.fromisoformat(report["gone_before"])
    assert abs(gone - NOW + timedelta(hours=24)) < timedelta(minutes=10)
    assert site.status == 1
    assert "the producers must send" in site("--from", "2d")

    site("--from", "23h")
    assert site.status == 0
    site.kinesis.created = ago(hours=2)
    assert site.json("--from", "2d")["gone_before"] is None, "there was no stream before"
    site.kinesis.created = ago(days=30)
    assert site.json("--from", "TRIM_HORIZON")["gone_before"] is None, "all that is left was asked"


def test_newly_quarantined_messages_are_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.kinesis.shards = HOURS
    assert site.json("--from", "TRIM_HORIZON")["newly_quarantined"] == 0

    seen = iter([["old"], ["old", "new 1", "new 2"]] * 2)
    monkeypatch.setattr(Bucket, "keys", lambda *_: next(seen))
    assert site.json("--from", "TRIM_HORIZON")["newly_quarantined"] == 2
    assert "2 more records are in quarantine" in site("--from", "TRIM_HORIZON")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", ago(seconds=90)),
        ("15m", ago(minutes=15)),
        ("6h", ago(hours=6)),
        ("2d", ago(days=2)),
        ("2026-03-07T12:00:00Z", datetime(2026, 3, 7, 12, tzinfo=UTC)),
        ("2026-03-07T13:00+01:00", datetime(2026, 3, 7, 12, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_iso_8601_time_or_a_duration(text: str, moment: datetime) -> None:
    assert replay.moment(text, NOW, "--from") == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-03-07T12:00:00", "6", "h", "-6h", "6w", "trim_horizon", ""]
)
def test_an_invalid_time_is_an_error_with_an_example(site: Site, text: str) -> None:
    with pytest.raises(LedaError, match="not a time with a zone") as error:
        site("--from", text)
    assert "15m" in error.value.fix


@pytest.mark.parametrize("text", ["9999999d", "99999999999d", "0001-01-01T00:00:00+14:00"])
def test_a_time_before_the_first_year_is_an_error(site: Site, text: str) -> None:
    with pytest.raises(LedaError, match="too long ago"):
        site("--from", text)


def test_an_end_before_the_beginning_is_refused(site: Site) -> None:
    with pytest.raises(LedaError, match="is not before"):
        site("--from", "1h", "--until", "2h")
    with pytest.raises(LedaError, match="is not before"):
        site("--from", (NOW + timedelta(days=1)).isoformat())


# -- shards


def cursor(kinesis: Kinesis, shard: str, clock: Clock) -> Cursor:
    client: Any = kinesis
    return Cursor(client, "stream", shard, {"ShardIteratorType": "TRIM_HORIZON"}, clock)


def test_a_shard_is_read_at_half_of_its_throughput() -> None:
    kinesis = Kinesis([[ago(hours=1)] * 4], page=4)
    clock = Clock()
    reading = cursor(kinesis, "0", clock)
    assert (reading.read(), reading.ready) == ([], clock.now + kinesis_shards.READ_SECONDS)
    real = kinesis.get_records

    def large(**request: Any) -> dict[str, Any]:
        answer = real(**request)
        for each in answer["Records"]:
            each["Data"] = bytes(500_000)
        return answer

    vars(kinesis)["get_records"] = large
    assert len(reading.read()) == 4
    assert reading.ready == clock.now + 2_000_000 / kinesis_shards.BYTES_A_SECOND


def test_a_throttled_shard_does_not_delay_the_others() -> None:
    kinesis = Kinesis([[ago(hours=1)] * 4, [ago(hours=1)] * 4])
    clock = Clock()
    pauses: list[float] = []
    real = kinesis.get_records

    def busy(**request: Any) -> dict[str, Any]:
        if request["ShardIterator"].startswith("0") and clock.now < 1002:
            raise refused("ProvisionedThroughputExceededException")
        return real(**request)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.sleep(seconds)

    vars(kinesis)["get_records"] = busy
    cursors = [cursor(kinesis, shard, clock) for shard in "01"]
    found: Iterator[Any] = replay.pages(cursors, NOW, clock, pause)
    order = [(shard, len(page)) for shard, page in found]

    assert order == [("1", 2), ("1", 2), ("0", 2), ("0", 2)]
    assert max(pauses) <= kinesis_shards.BUSY_SECONDS


@pytest.mark.parametrize(
    ("first", "last", "found"), [("1", "3", [1, 2, 3]), ("4", "9", [4]), ("0", "0", [0])]
)
def test_a_range_of_a_shard_is_read_as_far_as_it_is_kept(
    first: str, last: str, found: list[int]
) -> None:
    kinesis: Any = Kinesis([[ago(hours=1)] * 5])
    read = read_range(kinesis, "stream", "0", first, last, pause=lambda _: None)
    assert [int(each["SequenceNumber"]) for each in read] == found
