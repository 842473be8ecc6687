"""`leda redrive`: lists and shows quarantined objects, and deletes them when their messages are in StateTable."""

import base64
import io
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import boto3
import pytest
from moto import mock_aws

from leda.engine.audit.brackets import Bracket
from leda.engine.audit.source_sum import Expected
from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import Registry
from leda.pipeline.ingest import Ingest
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import StateStore
from leda.quarantine.bucket import BadRecord, Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.streams import partial_batch
from leda.streams.kinesis import user_records
from leda_cli.base.errors import LedaError
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB
from leda_cli.operate import redrive
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.quarantine import state_events
from leda_cli.operate.quarantine.quarantined import Bucket
from leda_cli.operate.rebuilding.journal import Journal
from leda_cli.operate.stack import Stack
from leda_cli.operate.verify import Verdict
from support.aggregations import aggregation
from support.invoked import invoked, reported
from support.user_records import packed

REGION = "us-east-1"
STREAM = f"arn:aws:kinesis:{REGION}:000000000000:stream/IncomingDataStream"
TABLE_STREAM = f"arn:aws:dynamodb:{REGION}:000000000000:table/StateTable/stream/2026"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:000000000000:function:"
SHARD = "shardId-000000000001"
UUID = "0c2d8f86-0000-4000-8000-000000000000"
ARRIVED = datetime(2026, 3, 7, 23, 59, 59, 123456, tzinfo=UTC)
NARROW = Schema()
WIDE = Schema(max_integer_digits=11, max_decimal_places=18)
PLACES_18 = "0.123456789012345678"


def message(name: str, version: int = 0, value: str = "1.5") -> bytes:
    fields = {
        "TradeID": name,
        "Version": version,
        "Hierarchy": {"RiskType": "PV", "TradeDesk": "FX", "Region": "EMEA"},
    }
    return f'{{"Value": {value}, {json.dumps(fields)[1:]}'.encode()


class StateLambda:
    """Stands in for Lambda with the function StateLambda: State's own parts, which fail as a test says.

    failing: ids of messages that cannot be stored. forgets: no message is stored, and none is reported.
    """

    def __init__(self, dynamodb: Any, table: str, s3: Any, bucket: str) -> None:
        self._store = StateStore(dynamodb, table, threads=1)
        self._quarantine = QuarantineWriter(Quarantine(s3, bucket, "StateLambda"))
        self.schema = NARROW
        self.failing: set[str] = set()
        self.forgets = False
        self.crashes: Callable[[list[bytes]], bool] = lambda _: False
        self.delivered: list[bytes] = []

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        assert FunctionName == "StateLambda"
        variables = {"SCHEMA": json.dumps(asdict(self.schema))}
        return {"Role": "arn:aws:iam::0:role/State", "Environment": {"Variables": variables}}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert FunctionName == "StateLambda"
        records = list(user_records(json.loads(Payload)["Records"]))
        if self.crashes([each.data for each in records]):
            error = b'{"errorType": "RecursionError", "errorMessage": "too deep"}'
            return {"Payload": io.BytesIO(error), "FunctionError": "Unhandled"}
        self.delivered += [each.data for each in records]
        failed = [
            each
            for each in records
            if any(f'"{name}"'.encode() in each.data for name in self.failing)
        ]
        taken = [] if self.forgets else [each for each in records if each not in failed]
        report = Ingest(self.schema, self._store, self._quarantine).store(taken)
        answer = partial_batch.answer(report.failed | {each.sequence_number for each in failed})
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass
class Site:
    """A stack with a quarantine bucket, and the command on it."""

    stack: Stack
    state: StateLambda
    s3: Any
    kinesis: Any
    status: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**55, 10**56)))

    def quarantine(
        self, data: bytes, function: str = "StateLambda", place: int | None = None, **changes: Any
    ) -> str:
        """Quarantine a record; `place` is its number in an aggregated record. Returns the object's key."""
        number = str(next(self._numbers))
        bad = BadRecord(
            "it was bad",
            STREAM,
            SHARD,
            number,
            f"{SHARD}:{number}" + ("" if place is None else f"-{place}"),
            ARRIVED,
            data,
        )
        bad = replace(bad, **changes)
        return Quarantine(self.s3, self.bucket, function).put(bad)

    def records(self, *data: bytes) -> list[state_events.Record]:
        return [
            state_events.record(
                stream=STREAM,
                role="role",
                event_id=f"{SHARD}:{number}",
                sequence_number=str(number),
                partition_key="key",
                arrived=ARRIVED,
                data=each,
            )
            for number, each in zip(self._numbers, data, strict=False)
        ]

    def give_up(
        self,
        records: Sequence[state_events.Record],
        function: str = "StateLambda",
        payload: Any = ...,
        **info: Any,
    ) -> str:
        """Write a failure record as an event source mapping does. Returns the object's key."""
        numbers = [each["kinesis"]["sequenceNumber"] for each in records] or ["1"]
        source = "KinesisBatchInfo" if function == "StateLambda" else "DDBStreamBatchInfo"
        body = {
            "requestContext": {
                "requestId": "c9b8fa9f-5a7f-4a4f-af9c-0c604cde93a5",
                "functionArn": f"{FUNCTION_ARN}{function}:$LATEST",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 11,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": "2026-03-08T00:38:06.021Z",
            source: {
                "shardId": SHARD,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "approximateArrivalOfFirstRecord": "2026-03-07T23:38:04.835Z",
                "approximateArrivalOfLastRecord": "2026-03-07T23:38:05.580Z",
                "batchSize": len(numbers),
                "streamArn": STREAM,
            }
            | info,
            "payload": json.dumps({"Records": records}) if payload is ... else payload,
        }
        if payload is None:
            del body["payload"]
        key = f"aws/lambda/{UUID}/{SHARD}/2026/03/08/2026-03-08T00.38.06-{numbers[0]}"
        return self.put(key, json.dumps(body).encode())

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def put_row(self, name: str, **attributes: Any) -> None:
        """Write a row of StateTable."""
        row = {"id": {"S": name}, **attributes}
        self.stack.dynamodb.put_item(TableName=self.stack.state_table, Item=row)

    @property
    def versions(self) -> dict[str, int]:
        """The versions of StateTable's rows."""
        rows = self.stack.dynamodb.scan(TableName=self.stack.state_table, ConsistentRead=True)
        return {row["id"]["S"]: int(row["Version"]["N"]) for row in rows["Items"]}

    @property
    def bucket(self) -> str:
        return str(self.stack.quarantine_bucket)

    @property
    def keys(self) -> set[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {entry["Key"] for entry in found}

    def reason(self, key: str) -> str:
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return str(json.loads(body)["reason"])

    def __call__(self, *arguments: str) -> str:
        """Run the command and return its output; `status` is its exit status."""
        done = invoked(redrive.redrive, *arguments)
        self.status = done.exit_code
        return done.output

    def json(self, *arguments: str) -> dict[str, Any]:
        return reported(self(*arguments, "--json"))

    def put_back(self, *arguments: str) -> dict[str, str]:
        """Put messages back, and return each one's outcome by its trade's id, or by its event's id without one."""
        messages = self.json("--put-back", *arguments)["messages"]
        return {each["id"] or each["event_id"]: each["outcome"] for each in messages}


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """Made once: a client takes longer than a test."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with mock.patch.dict(os.environ, credentials), mock_aws():
        session = boto3.Session(region_name=REGION)
        yield {"s3": session.client("s3"), "kinesis": session.client("kinesis")}


@pytest.fixture
def site(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(state_events, "FIRST_PAUSE_SECONDS", 0)
    own = uuid.uuid4().hex[:12]
    stack = Stack(
        stream_arn=f"{own}-stream",
        state_table=f"{own}-table",
        registry_table=f"{own}-registry",
        quarantine_bucket=f"{own}-quarantine",
    )
    s3 = clients["s3"]
    dynamodb = StreamedDynamoDB(
        {stack.state_table: ("id",), stack.registry_table: ("Scope", "Name")}
    )
    s3.create_bucket(Bucket=stack.quarantine_bucket)
    s3.put_bucket_versioning(
        Bucket=stack.quarantine_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    state = StateLambda(dynamodb, stack.state_table, s3, stack.quarantine_bucket)
    vars(stack).update(clients, dynamodb=dynamodb, lambdas=state)
    found = aggregation(
        stack,
        source=SourceTable(stack.state_table, {"id": "S"}),
        registry_table=stack.registry_table,
        quarantine_bucket=stack.quarantine_bucket,
        option="",
    )
    monkeypatch.setattr(Aggregation, "find", lambda *_: found)
    return Site(stack, state, s3, clients["kinesis"])


# -- putting State's messages back


def test_a_message_that_can_be_read_now_is_stored_and_its_object_deleted(site: Site) -> None:
    site.quarantine(message("t1", value=PLACES_18))
    site.state.schema = WIDE

    assert site.put_back() == {"t1": "stored"}
    assert site.status == 0
    assert site.versions == {"t1": 0}
    assert site.keys == set()
    assert site.put_back() == {}
    assert site.status == 0


@pytest.mark.parametrize("arrived", [ARRIVED, None])
def test_a_message_that_is_still_bad_keeps_its_key_and_gets_the_new_reason(
    site: Site, arrived: datetime | None
) -> None:
    key = site.quarantine(b"no JSON", arrived=arrived)
    assert ("/undated/" in key) is (arrived is None)

    report = site.json("--put-back")

    (became,) = report["messages"]
    assert (became["outcome"], became["key"], became["kept_as"]) == ("still bad", key, key)
    assert became["reason"] == site.reason(key) != "it was bad"
    assert site.keys == {key}
    assert site.status == 1


def test_a_message_older_than_the_stored_version_is_superseded(site: Site) -> None:
    site.quarantine(message("t1", 3))
    site.put_row("t1", Version={"N": "4"})

    assert site.put_back() == {"t1": "superseded"}
    assert (site.keys, site.status) == (set(), 0)
    assert site.versions == {"t1": 4}


def test_each_of_many_messages_gets_its_own_outcome(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leda_cli.operate.quarantine.put_back.GROUP_OBJECTS", 7)
    good = {f"t{number}" for number in range(20)}
    for name in good:
        site.quarantine(message(name))
    bad = {site.quarantine(b"bad %d" % number) for number in range(5)}

    report = site.json("--put-back")

    assert report["outcomes"] == {"stored": 20, "still bad": 5}
    assert site.versions.keys() == good
    assert site.keys == bad


def test_a_message_that_state_cannot_store_now_stays_in_quarantine(site: Site) -> None:
    key = site.quarantine(message("stuck"))
    site.quarantine(message("fine"))
    site.state.failing = {"stuck"}

    report = site.json("--put-back")

    assert report["outcomes"] == {"failed": 1, "stored": 1}
    (failed,) = (each for each in report["messages"] if each["outcome"] == "failed")
    assert failed["id"] == "stuck"
    assert failed["reason"].startswith("StateLambda could not store it")
    assert (site.keys, site.status) == ({key}, 1)
    site.state.failing = set()
    assert site.put_back() == {"stuck": "stored"}


@pytest.mark.parametrize("row", [None, {}, {"Version": {"N": "4"}}, {"Version": {"N": "4.5"}}])
def test_a_message_that_statetable_does_not_have_stays_whatever_the_function_answers(
    site: Site, row: dict[str, Any] | None
) -> None:
    key = site.quarantine(message("t1", 5))
    if row is not None:
        site.put_row("t1", **row)
    site.state.forgets = True

    assert site.put_back() == {"t1": "failed"}
    assert (site.keys, site.status) == ({key}, 1)


def test_a_message_that_statetable_has_is_done_although_the_function_failed(site: Site) -> None:
    site.quarantine(message("t1"))
    site.put_row("t1", Version={"N": "0"})
    site.state.crashes = lambda _: True

    assert site.put_back() == {"t1": "stored"}
    assert (site.keys, site.status) == (set(), 0)


@pytest.mark.parametrize("place", ["delete", "rows_by_text"])
def test_the_run_after_a_killed_one_has_the_same_report(
    site: Site, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    site.quarantine(message("t1"))
    site.quarantine(message("t2", 1))
    bad = site.quarantine(b"no JSON")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if place == "delete":
            patched.setattr(Bucket, "delete", killed)
        else:
            patched.setattr("leda_cli.operate.quarantine.put_back.rows_by_text", killed)
        with pytest.raises(KeyboardInterrupt):
            redrive.redrive(put_back=True)
    assert len(site.keys) == 3, "delivered, and nothing is deleted yet"
    assert site.versions == {"t1": 0, "t2": 1}

    outcomes = site.put_back()

    assert sorted(outcomes.values()) == ["still bad", "stored", "stored"]
    assert site.keys == {bad}


def test_a_dry_run_predicts_the_outcomes_and_changes_nothing(site: Site) -> None:
    site.quarantine(message("t1", value=PLACES_18))
    site.quarantine(message("t2"))
    site.quarantine(b"no JSON")
    site.give_up(site.records(message("t3"), b"bad"))
    site.put_row("t2", Version={"N": "7"})
    site.state.schema = WIDE
    keys = site.keys

    foretold = site.json("--put-back", "--dry-run")
    assert site.status == 1
    assert (site.keys, site.state.delivered, site.versions) == (keys, [], {"t2": 7})
    done = site.json("--put-back")

    def told(report: dict[str, Any]) -> list[tuple[str, str]]:
        return sorted((each["event_id"], each["outcome"]) for each in report["messages"])

    assert told(foretold) == told(done)
    assert done["outcomes"] == {"stored": 2, "superseded": 1, "still bad": 2}


def test_the_text_report_counts_outcomes_and_lists_some_of_what_is_left(site: Site) -> None:
    site.quarantine(message("t1"))
    keys = {site.quarantine(b"bad %d" % number) for number in range(25)}

    assert "25 would be still bad" in site("--put-back", "--dry-run")
    said = site("--put-back")

    assert " 1 stored" in said
    assert "25 still bad" in said
    assert "not JSON" in said
    assert sum(key in said for key in keys) == 20
    assert "and 5 messages more: --json names all" in said


# -- user records of the Kinesis Producer Library


def test_one_user_record_is_put_back_without_the_others_of_its_kinesis_record(site: Site) -> None:
    event = {"Records": site.records(packed(message("a"), message("b", value=PLACES_18), b"bad"))}
    site.state.invoke("StateLambda", json.dumps(event).encode())
    two, three = sorted(site.keys)
    assert (two[-7:], three[-7:]) == ("-1.json", "-2.json")
    site.state.delivered.clear()
    site.state.schema = WIDE

    assert site.put_back("--key", two) == {"b": "stored"}
    assert site.state.delivered == [message("b", value=PLACES_18)]
    assert site.keys == {three}
    (became,) = site.json("--put-back")["messages"]
    assert (became["outcome"], became["kept_as"]) == ("still bad", three)
    assert site.keys == {three}, "overwritten under the same key"


def test_user_records_of_one_kinesis_record_have_separate_outcomes(site: Site) -> None:
    one = site.quarantine(message("a"), place=0, sequence_number="7", event_id=f"{SHARD}:7-0")
    site.quarantine(message("b"), place=1, sequence_number="7", event_id=f"{SHARD}:7-1")
    site.state.failing = {"a"}

    assert site.put_back() == {"a": "failed", "b": "stored"}
    assert site.keys == {one}


# -- what the mapping gave up


def test_a_batch_that_the_mapping_gave_up_stays_until_all_its_records_are_stored(
    site: Site,
) -> None:
    key = site.give_up(
        site.records(message("t1"), message("t2"), packed(message("a"), message("b")))
    )
    stored = dict.fromkeys(("t1", "t2", "a", "b"), "stored")
    site.state.failing = {"t2"}

    assert site.put_back() == stored | {"t2": "failed"}
    assert (site.keys, site.status) == ({key}, 1)
    site.state.failing = set()
    assert site.put_back() == stored
    assert (site.keys, site.status) == (set(), 0)


def test_bad_records_of_a_batch_get_objects_of_their_own(site: Site) -> None:
    records = site.records(message("t1"), b"no JSON")
    site.give_up(records, payload={"Records": records})

    report = site.json("--put-back")

    assert report["outcomes"] == {"stored": 1, "still bad": 1}
    (bad,) = (each for each in report["messages"] if each["outcome"] == "still bad")
    assert site.keys == {bad["kept_as"]}
    assert site.reason(bad["kept_as"]) == bad["reason"]
    assert site.status == 1


def in_stream(site: Site, *data: bytes) -> list[str]:
    """The sequence numbers of messages in the stream, which has one shard."""
    site.kinesis.create_stream(StreamName=site.stack.stream, ShardCount=1)
    put = [
        site.kinesis.put_record(StreamName=site.stack.stream, Data=each, PartitionKey="k")
        for each in data
    ]
    return [each["SequenceNumber"] for each in put]


@pytest.mark.parametrize("payload", [None, {"Records": []}])
def test_records_that_a_batchs_object_lacks_are_read_from_the_stream(
    site: Site, payload: Any
) -> None:
    numbers = in_stream(site, *(message(f"t{number}") for number in range(6)))
    site.give_up(
        [],
        payload=payload,
        shardId="shardId-000000000000",
        startSequenceNumber=numbers[1],
        endSequenceNumber=numbers[4],
        batchSize=4,
    )

    assert site.put_back() == {f"t{number}": "stored" for number in (1, 2, 3, 4)}
    assert (site.keys, site.status) == (set(), 0)


@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000009"])
def test_a_batch_that_the_stream_no_longer_has_is_reported_as_lost(site: Site, shard: str) -> None:
    in_stream(site, message("t1"))
    key = site.give_up(
        [],
        payload=None,
        shardId=shard,
        startSequenceNumber="1000",
        endSequenceNumber="1003",
        batchSize=4,
    )

    report = site.json("--put-back")

    (became,) = report["messages"]
    assert (became["key"], became["outcome"]) == (key, "failed")
    assert "of its 4 records" in became["reason"]
    assert "still has 0" in became["reason"]
    assert (site.keys, site.status) == ({key}, 1)


# -- what Map and Reduce could not process


def change(name: str) -> bytes:
    return json.dumps(
        {"eventID": "1", "dynamodb": {"Keys": {"id": {"S": name}}, "SequenceNumber": "100"}}
    ).encode()


DELTA = json.dumps(
    {"dynamodb": {"Keys": {"Lane": {"S": "3f2a9c01.4.2"}, "Source": {"S": "2026/shardId-7"}}}}
).encode()


@pytest.fixture
def downstream(site: Site) -> dict[str, str]:
    """The keys of quarantined records of Map and Reduce, with the text that the command shows for each."""
    fine = {"Version": {"N": "1"}, "Path": {"S": "PV:FX:EMEA"}, "Value": {"N": "2.50"}}
    site.put_row("corrected", **fine)
    site.put_row("damaged", Version={"N": "1"}, Path={"S": "PV"})
    site.put_row("deleted", Deleted={"BOOL": True})
    said = {
        "is gone today": change("gone"),
        "can be counted today: PV:FX:EMEA Count 1, Value 2.5": change("corrected"),
        "damaged still cannot be counted (the row has no Value": change("damaged"),
        "is deleted today": change("deleted"),
        "does not name": b"[]",
    }
    keys = {
        site.quarantine(data, "MapLambda", stream=TABLE_STREAM, event_id=f"e{place}"): text
        for place, (text, data) in enumerate(said.items())
    }
    keys[site.quarantine(DELTA, "ReduceLambda")] = (
        "row 3f2a9c01.4.2 of 2026/shardId-7 were not added: "
    )
    records = [{"dynamodb": {"SequenceNumber": "1"}, "kinesis": {"sequenceNumber": "1"}}]
    keys[site.give_up(records, "MapLambda")] = "1 change of"
    return keys


def test_records_of_map_and_reduce_are_listed_with_their_rows_state_today(
    site: Site, downstream: dict[str, str]
) -> None:
    listed = site.json("--put-back")

    assert {each["key"] for each in listed["objects"]} == downstream.keys()
    for each in listed["objects"]:
        assert downstream[each["key"]] in each["today"]
    assert site.state.delivered == []
    assert (site.keys, site.status) == ({*downstream}, 1)
    text = site()
    assert "leda rebuild" in text
    assert "--settle" in text


def verdict(
    wrong: Sequence[Bracket] = (), in_flight: Sequence[Bracket] = ()
) -> Callable[..., Verdict]:
    """A comparison that finds these rows."""
    return lambda *_: Verdict(Expected(), 3, list(wrong), list(in_flight))


OFF = Bracket("PV", "Value", Decimal(2), Decimal(1), Decimal(1))
FLYING = Bracket("PV", "Value", Decimal(2), Decimal(1), Decimal(3))


@pytest.mark.parametrize(
    ("found", "advice"),
    [(verdict(wrong=[OFF]), "leda rebuild"), (verdict(in_flight=[FLYING]), "quieter moment")],
)
def test_nothing_is_cleared_unless_all_totals_are_exact(
    site: Site,
    downstream: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    found: Callable[..., Verdict],
    advice: str,
) -> None:
    monkeypatch.setattr(redrive, "running", found)
    assert advice in site("--settle")
    assert (site.keys, site.status) == ({*downstream}, 1)


def test_settling_clears_records_of_readable_rows_once_totals_are_exact(
    site: Site, downstream: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "running", verdict())
    site("--settle", "--dry-run")
    assert (site.keys, site.status) == ({*downstream}, 1)

    states = site.quarantine(b"of State")
    report = site.json("--settle")
    (damaged,) = (key for key, text in downstream.items() if "damaged" in text)
    assert [each["key"] for each in report["objects"]] == [damaged]
    assert site.keys == {damaged, states}
    assert site.status == 1


def test_records_quarantined_during_the_comparison_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.quarantine(change("gone"), "MapLambda")
    late = []

    def compare(*_: object) -> Verdict:
        late.append(site.quarantine(change("late"), "MapLambda"))
        return verdict()()

    monkeypatch.setattr(redrive, "running", compare)
    site("--settle")
    assert (site.keys, site.status) == (set(late), 0)


# -- an aggregation over a table


GROUPED = json.dumps(
    {
        "group_by": {"daily": {"keys": ["date"], "where": {"kind": ["sale"]}}},
        "measures": {"Count": {"op": "count"}, "Sum": {"op": "sum", "field": "amount"}},
    }
)


class Streams(StreamedDynamoDB):
    """Tables whose streams have the ARNs `<table>/2`, unless a test says otherwise."""

    def __init__(self, tables: Any) -> None:
        super().__init__(tables)
        self.streams: dict[str, str] = {}

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        stream = self.streams.get(TableName, f"{TableName}/2")
        enabled = {"StreamSpecification": {"StreamEnabled": True}} if stream else {}
        return {"Table": {"LatestStreamArn": stream} | enabled}


@pytest.fixture
def orders(site: Site, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Aggregation:
    """An aggregation of a user's table with a sort key, in the place of the pipeline's."""
    table = SourceTable("Orders", {"customer": "S", "number": "S"})
    account = Account()
    tables = {table.name: tuple(table.keys), site.stack.registry_table: ("Scope", "Name")}
    vars(account).update(clients, dynamodb=Streams(tables))
    found = aggregation(
        account,
        GROUPED,
        source=table,
        registry_table=site.stack.registry_table,
        quarantine_bucket=site.bucket,
        option=" --map-function Orders-Map",
        map_function="Orders-Map",
        map_mappings={"uuid": "Orders/2"},
        reduce_function="Orders-Reduce",
    )
    monkeypatch.setattr(Aggregation, "find", lambda *_: found)
    return found


def order(customer: str, **attributes: dict[str, str]) -> dict[str, Any]:
    return {"customer": {"S": customer}, "number": {"S": "7"}, **attributes}


def order_change(customer: str) -> bytes:
    keys = {"customer": {"S": customer}, "number": {"S": "7"}}
    change = {"Keys": keys, "OldImage": keys, "NewImage": keys, "SequenceNumber": "1" * 21}
    return json.dumps({"eventID": "1", "eventName": "MODIFY", "dynamodb": change}).encode()


SALE = {"kind": {"S": "sale"}, "date": {"S": "2026-08-01"}}
SAID_OF_ORDERS = {
    "ann": (order("ann", **SALE, amount={"N": "2.50"}), "can be counted today: daily:2026-08-01 Count 1, Sum 2.5"),
    "bob": (order("bob", **SALE, amount={"S": "x"}), "still cannot be counted (the row has no amount"),
    "cem": (order("cem", kind={"S": "gift"}), "is in no grouping today"),
    "dağ": (None, "is gone today"),
}  # fmt: skip


def test_a_tables_refused_rows_are_listed_by_key_and_cleared_once_totals_are_exact(
    site: Site, orders: Aggregation, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {}
    for customer, (row, _) in SAID_OF_ORDERS.items():
        if row:
            orders.account.dynamodb.put_item(TableName="Orders", Item=row)
        keys[site.quarantine(order_change(customer), "Orders-Map", event_id=customer)] = customer

    listed = site.json()
    assert {each["key"] for each in listed["objects"]} == keys.keys()
    for each in listed["objects"]:
        customer = keys[each["key"]]
        assert f"Orders's row {customer}, 7 " in each["today"]
        assert SAID_OF_ORDERS[customer][1] in each["today"]
        assert customer in site("--show", each["key"])
    assert "`leda redrive --map-function Orders-Map --settle`" in site()

    monkeypatch.setattr(redrive, "running", verdict())
    site("--settle")
    assert {keys[key] for key in site.keys} == {"bob"}


@pytest.fixture
def keeping(orders: Aggregation, monkeypatch: pytest.MonkeyPatch) -> Aggregation:
    """The aggregation, whose totals keep rows that have expired."""
    live = Configuration.from_json(json.dumps(json.loads(GROUPED) | {"on_expiry": "keep"}))
    monkeypatch.setattr(Aggregation, "live", lambda _: live)
    return orders


def test_totals_that_keep_expired_rows_are_not_compared_but_the_rows_are_looked_at(
    site: Site, keeping: Aggregation
) -> None:
    keys = {}
    for customer, (row, _) in SAID_OF_ORDERS.items():
        if row:
            keeping.account.dynamodb.put_item(TableName="Orders", Item=row)
        keys[site.quarantine(order_change(customer), "Orders-Map", event_id=customer)] = customer
    # Nothing says whether a total lacks what Reduce could not add, or a change that does not name its row.
    keys[site.quarantine(b"{}", "Orders-Reduce")] = "reduce"
    keys[site.quarantine(b"{}", "Orders-Map")] = "nameless"
    # Map has counted nothing of a change without its images, whatever the row is today.
    for name in ("OldImage", "SequenceNumber"):
        record = json.loads(order_change("ann"))
        del record["dynamodb"][name]
        keys[site.quarantine(json.dumps(record).encode(), "Orders-Map", event_id=name)] = name
    assert "nothing can be compared" in site()

    report = site.json("--settle")

    assert report["is_exact"] is None
    assert {keys[key] for key in report["settled"]} == {"ann", "cem", "dağ"}
    left = {"bob", "reduce", "nameless", "OldImage", "SequenceNumber"}
    assert {keys[key] for key in site.keys} == left
    assert site.status == 1
    assert "on_expiry is keep" in site("--settle")


def replace_streams(of: Aggregation) -> Registry:
    """Let Map and Reduce meet a first and a second stream of their tables."""
    registry = Registry(of.account.dynamodb, of.registry_table)
    for number in (1, 2):
        registry.register_stream("map", f"Orders/{number}")
        registry.register_stream("reduce", f"{of.reduce_table}/{number}")
    return registry


def test_new_streams_of_totals_that_keep_expired_rows_are_settled_and_the_loss_is_said(
    site: Site, keeping: Aggregation
) -> None:
    replace_streams(keeping)
    new = {"map": "Orders/2", "reduce": f"{keeping.reduce_table}/2"}
    # Whoever clears some objects has not said anything of the streams.
    assert site.json("--settle", "--function", "map")["streams"] == []
    assert "would be settled: Orders/2" in site("--settle", "--dry-run")
    assert (keeping.unsettled_streams(), site.status) == (new, 1)

    text = site("--settle")

    assert (keeping.unsettled_streams(), site.status) == ({}, 0)
    assert "settled: Orders/2: changes of Orders that Map had not counted before" in text
    assert "sums in ReduceTable that Reduce had not added" in text
    assert text.count("Totals may be too low or too high for good") == 2
    assert "exact" not in text
    assert site.json("--settle")["streams"] == []


@pytest.mark.parametrize("stream", ["Orders/3", ""])
def test_a_stream_that_map_does_not_read_yet_is_not_settled(
    site: Site, keeping: Aggregation, stream: str
) -> None:
    replace_streams(keeping)
    tables: Any = keeping.account.dynamodb
    tables.streams["Orders"] = stream
    text = site("--settle")
    assert (keeping.unsettled_streams(), site.status) == ({"map": stream}, 1)
    assert "settled: Orders" not in text
    assert "`terraform apply`" in text


def test_streams_are_left_to_a_backfill_that_is_open(site: Site, keeping: Aggregation) -> None:
    replace_streams(keeping)
    Journal(keeping.account.dynamodb, keeping.registry_table).open([], "1" * 8, is_first=True)
    with pytest.raises(LedaError, match="a backfill is open"):
        site("--settle")
    assert keeping.unsettled_streams()


def test_streams_of_totals_that_a_rebuild_can_compute_are_left_to_it(
    site: Site, orders: Aggregation
) -> None:
    replace_streams(orders)
    assert site.json("--settle")["streams"] == []
    assert orders.unsettled_streams()


def test_a_row_with_a_binary_key_is_read_by_its_bytes(
    site: Site, orders: Aggregation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def batch_get_item(RequestItems: Any) -> Any:
        asked.extend(RequestItems["Parts"]["Keys"])
        return {"Responses": {"Parts": [{"part": {"B": b"\x01\xff"}}]}, "UnprocessedKeys": {}}

    monkeypatch.setattr(orders.account.dynamodb, "batch_get_item", batch_get_item)
    parts = replace(orders, source=SourceTable("Parts", {"part": "B"}))
    monkeypatch.setattr(Aggregation, "find", lambda *_: parts)
    # Lambda delivers bytes as base64.
    change = {"dynamodb": {"Keys": {"part": {"B": base64.b64encode(b"\x01\xff").decode()}}}}
    site.quarantine(json.dumps(change).encode(), "Orders-Map")

    (listed,) = site.json()["objects"]
    assert listed["today"] == "Parts's row 01ff is in no grouping today"
    assert asked == [{"part": {"B": b"\x01\xff"}}]


def test_putting_back_is_refused_for_a_table(site: Site, orders: Aggregation) -> None:
    key = site.quarantine(order_change("ann"), "Orders-Map")
    with pytest.raises(LedaError, match="Orders-Map counts the rows of Orders") as raised:
        site("--put-back")
    assert "correct the row in Orders" in str(raised.value.fix)
    assert "`leda redrive --map-function Orders-Map --settle`" in str(raised.value.fix)
    assert site.keys == {key}


# -- listing and filters


def test_the_exit_status_is_0_for_an_empty_bucket_and_1_otherwise(site: Site) -> None:
    assert "nothing" in site()
    assert site.status == 0
    site.quarantine(b"bad")
    assert "it was bad" in site()
    assert site.status == 1


FOREIGN = {
    "notes.txt": b"hello",
    "StateLambda/2026/03/07/cut.json": b'{"reason": "x"',
    "StateLambda/2026/03/07/array.json": b"[]",
    "StateLambda/2026/03/07/fields.json": b'{"reason": "x"}',
    "StateLambda/2026/03/07/base64.json": b'{"data": "?", "dataLength": 1}',
    "StateLambda/2026/03/07/size.json": b'{"data": "aGVsbG8=", "dataLength": 4}',
    "StateLambda/2026/03/07/deep.json": b"[" * 100_000,
    f"aws/lambda/{UUID}/x/2026/03/07/bad": b"no JSON",
    f"aws/lambda/{UUID}/x/2026/03/07/none": b"{}",
    f"aws/lambda/{UUID}/x/2026/03/07/null": b'{"requestContext": null}',
    f"aws/lambda/{UUID}/x/2026/03/07/other": json.dumps(
        {"requestContext": {"functionArn": FUNCTION_ARN + "OtherLambda"}}
    ).encode(),
}


def test_foreign_and_damaged_objects_are_listed_and_not_changed(site: Site) -> None:
    for key, body in FOREIGN.items():
        site.put(key, body)
    numbered = site.records(b"x")
    del numbered[0]["eventID"]
    no_id = site.give_up(numbered)
    no_records = site.give_up(site.records(b"x"), payload=7)
    keys = site.keys
    site.quarantine(message("t1"))

    report = site.json("--put-back")

    assert {each["key"] for each in report["foreign"]} == {*FOREIGN, no_id, no_records} == keys
    assert all(each["reason"] for each in report["foreign"])
    assert report["outcomes"] == {"stored": 1}
    assert (site.keys, site.status) == (keys, 1)
    listed = site()
    assert "left alone: notes.txt" in listed
    with pytest.raises(LedaError, match=r"notes\.txt is not"):
        site("--show", "notes.txt")


def test_an_object_of_another_function_is_left_with_the_names_of_those_that_were_looked_for(
    site: Site, orders: Aggregation
) -> None:
    """As with --map-function on a pipeline, whose StateLambda has the same bucket."""
    site.quarantine(b"bad")
    assert "not an object of Orders-Map, Orders-Reduce or of their mappings" in site()


def test_objects_are_filtered_by_function_day_reason_and_key(
    site: Site, downstream: dict[str, str]
) -> None:
    old = site.quarantine(b"old", arrived=ARRIVED.replace(day=1), reason="not JSON: old")
    new = site.quarantine(b"new", arrived=ARRIVED.replace(day=5), reason="not JSON: new")
    undated = site.quarantine(b"when", arrived=None)
    batch = site.give_up(site.records(message("t1")), "StateLambda")
    foreign = site.put("notes.txt", b"hello")

    def meant(*arguments: str) -> set[str]:
        report = site.json(*arguments)
        return {each["key"] for each in [*report["objects"], *report["foreign"]]}

    assert meant() == site.keys
    assert meant("--function", "state") == {old, new, undated, batch}
    assert meant("--function", "map") | meant("--function", "reduce") == downstream.keys()
    assert meant("--function", "state", "--since", "2026-03-05") == {new, batch}
    assert meant("--since", "2026-03-01", "--until", "2026-03-05") == {old, new}
    assert meant("--reason", "NOT json") == {old, new}
    assert meant("--reason", "exhausted", "--function", "state") == {batch}
    assert meant("--key", old, "--key", foreign) == {old, foreign}
    assert meant("--key", old, "--reason", "new") == set()
    site("--put-back", "--reason", "json: new", "--key", new)
    assert site.state.delivered == [b"new"]


def test_an_absent_key_is_an_error(site: Site) -> None:
    with pytest.raises(LedaError, match=r"no object gone in the bucket [^ ]+ list them") as error:
        site("--key", "gone")
    assert "leda redrive" in error.value.fix
    with pytest.raises(LedaError, match=r"no object gone in .* on these days"):
        site("--key", "gone", "--since", "2026-03-05")
    with pytest.raises(LedaError, match="no object gone"):
        site("--show", "gone")
    with pytest.raises(LedaError, match="no object without a name"):
        site("--show", "")


def test_one_object_is_shown_in_full(site: Site, downstream: dict[str, str]) -> None:
    key = site.quarantine(message("t1", 4, PLACES_18))
    shown = site.json("--show", key)
    assert shown["text"].encode() == base64.b64decode(shown["data"]) == message("t1", 4, PLACES_18)
    assert (shown["reason"], shown["stream"], shown["shard"]) == ("it was bad", STREAM, SHARD)
    assert shown["arrived"] == ARRIVED.isoformat()
    assert "18 decimal" not in shown["expected"][0]["reason"]
    assert shown["expected"][0]["outcome"] == "still bad"
    site.state.schema = WIDE
    (expected,) = site.json("--show", key)["expected"]
    assert (expected["outcome"], expected["id"], expected["version"]) == ("stored", "t1", 4)
    assert PLACES_18 in site("--show", key)

    binary = site.quarantine(b"\xff\x00")
    assert site.json("--show", binary)["text"] is None
    assert base64.b64encode(b"\xff\x00").decode() in site("--show", binary)
    batch = site.give_up(site.records(message("t1"), b"bad"))
    assert [each["outcome"] for each in site.json("--show", batch)["expected"]] == [
        "stored",
        "still bad",
    ]
    for key, text in downstream.items():
        assert text in site("--show", key)
    assert site.state.delivered == []


def test_days_in_the_wrong_order_are_refused(site: Site) -> None:
    with pytest.raises(LedaError, match="--since 2026-03-05 is after --until 2026-03-01"):
        site("--since", "2026-03-05", "--until", "2026-03-01")


def test_two_actions_at_once_are_refused(site: Site) -> None:
    with pytest.raises(LedaError, match="exclude each other"):
        site("--put-back", "--settle")


def test_a_bucket_without_versioning_works_too(site: Site) -> None:
    suspended: Any = {"Status": "Suspended"}
    site.s3.put_bucket_versioning(Bucket=site.bucket, VersioningConfiguration=suspended)
    site.quarantine(message("t1"))
    bad = site.quarantine(b"no JSON")

    assert sorted(site.put_back().values()) == ["still bad", "stored"]
    assert site.keys == {bad}


def test_a_schema_that_this_version_cannot_read_is_an_error(site: Site) -> None:
    site.quarantine(message("t1"))

    def configuration(**_: Any) -> dict[str, Any]:
        return {"Role": "r", "Environment": {"Variables": {"SCHEMA": '{"colour": "red"}'}}}

    vars(site.state)["get_function_configuration"] = configuration
    with pytest.raises(LedaError, match="colour"):
        site("--put-back")
