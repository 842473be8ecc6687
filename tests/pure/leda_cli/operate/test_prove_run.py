"""`leda prove`: its messages, its reading of logs and streams, its figures, price and report."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leda.pipeline.messages import parse
from leda.pipeline.schema import Schema
from leda_cli.base.errors import LedaError
from leda_cli.models.measured import service_times
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.prove import assumptions, command, function_logs, measurements, price
from leda_cli.operate.prove.findings import Finding, Level
from leda_cli.operate.prove.function_logs import Invocation, Log
from leda_cli.operate.prove.proof import Outcome, Single
from leda_cli.operate.prove.report import Report, require_file
from leda_cli.operate.prove.trades import IDS, MESSAGES, ROOT, SINGLES, VERSIONS, Trades, totals_of
from leda_cli.operate.totals.comparison import Difference
from leda_cli.operate.totals.oracle import Names, Oracle

SCHEMAS = (
    Schema(),
    Schema(hierarchy=None, levels=("Desk",)),
    Schema(
        id="Order",
        value="Cents",
        levels=("A", "B", "C", "D", "E"),
        max_integer_digits=5,
        max_decimal_places=0,
    ),
)


# -- messages


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_message_is_valid_and_of_the_proofs_own_trades(schema: Schema) -> None:
    trades = Trades(schema, 70, random.Random(1))
    records = [*map(trades.single, range(SINGLES)), *trades.burst(), *trades.deletions()]
    assert len(records) == MESSAGES - len(IDS), "a run deletes twice"
    oracle = Oracle(Names.of_schema(asdict(schema)))
    for record in records[: -len(IDS)]:
        message = parse(record.data, schema)
        assert message.id == record.partition_key in IDS
        assert 70 <= message.version < trades.last_version
        oracle.see_bytes(record.data)
    found = oracle.totals()
    assert set(found) == set(totals_of(schema))
    assert all(node.split(":")[0] == ROOT for node in found)
    assert 0 < found[ROOT].trades < len(IDS), "some trades have ended"
    for record in records[-len(IDS) :]:
        message = parse(record.data, schema)
        assert (message.deleted, message.version) == (True, trades.last_version)
        oracle.see_bytes(record.data)
    assert oracle.totals() == {}
    assert trades.last_version < 70 + VERSIONS


def test_a_burst_has_duplicates_and_one_content_for_each_version() -> None:
    records = list(Trades(Schema(), 0, random.Random(2)).burst())
    counts = Counter(record.data for record in records)
    assert sum(counts.values()) - len(counts) == 700
    versions = Counter((parse(each, Schema()).id, parse(each, Schema()).version) for each in counts)
    assert set(versions.values()) == {1}


# -- logs

REPORT = (
    "REPORT RequestId: r1\tDuration: 20.00 ms\tBilled Duration: 21 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 90 MB\tInit Duration: 310.50 ms\t"
)


def _line(**more: Any) -> str:
    fields = {"message": "consumed", "function_request_id": "r1", "shard": "s", "records": 3}
    numbers = {"first_sequence_number": "1" * 21, "last_sequence_number": "3" * 21}
    return json.dumps(fields | numbers | {"duplicates": 1} | more)


def test_an_invocation_is_read_from_its_log_lines() -> None:
    requests = {"PutItem": [2, 9.0]}
    log = function_logs.parse(
        [
            (5, "START RequestId: r1 Version: $LATEST\n"),
            (6, _line(requests=requests)),
            (6, json.dumps({"Lag": [120.0], "_aws": {}})),
            (7, REPORT),
            (8, _line(function_request_id="of an invocation without an end")),
            (9, "[ERROR] MissingShardIdError: the event names no shardId"),
            (9, "2026-11-29T00:00:00 r2 Task timed out after 60.06 seconds"),
            (9, json.dumps({"level": "ERROR", "exception_name": "ClientError", "message": "m"})),
            (9, "{not JSON"),
        ]
    )
    (found,) = log.invocations
    assert (found.duration, found.memory, found.init) == (20, 512, 310.5)
    assert (found.records, found.duplicates, found.shard) == (3, 1, "s")
    assert found.waiting == 9
    assert log.lags == [120.0]
    assert log.errors == ["MissingShardIdError", "Task timed out", "ClientError"]


def test_the_number_of_states_records_is_the_sum_of_its_results() -> None:
    line = {"message": "stored", "function_request_id": "r1", "stored": 4, "duplicates": 2}
    log = function_logs.parse([(1, json.dumps(line)), (2, REPORT.replace("\tInit", "\tNo"))])
    assert (log.invocations[0].records, log.invocations[0].init) == (6, None)


# -- assumptions


def _batch(first: int, last: int, shard: str = "s") -> Invocation:
    return Invocation(duration=1, records=1, shard=shard, first=first, last=last)


def test_batches_in_order_and_repeated_deliveries_are_accepted() -> None:
    batches = [
        _batch(10, 19),
        _batch(30, 39),
        _batch(35, 50),
        _batch(30, 39),
        _batch(3, 5, "t"),
        _batch(1, 9),
    ]
    assert not [*assumptions.out_of_order("map", batches)], "1 to 9 may be from before the log"


def test_records_delivered_first_after_later_ones_are_found() -> None:
    (found,) = assumptions.out_of_order("map", [_batch(10, 19), _batch(30, 39), _batch(20, 29)])
    assert "20 to 29 of s came first after later ones" in found


def test_each_assumption_has_a_verdict() -> None:
    good = {"map": Log([_batch(1, 2)]), "reduce": Log([_batch(1, 2)]), "state": Log()}
    assert [each.verdict for each in assumptions.of_logs(good)] == ["held", "held"]
    assert [each.verdict for each in assumptions.of_logs({})] == ["not seen", "not seen"]
    _, nameless = assumptions.of_logs({"map": Log(errors=["MissingShardIdError"])})
    assert (nameless.number, nameless.verdict) == (4, "FAILED")
    assert nameless.broken == ("map: an event named no shard",)
    _, short = assumptions.of_logs({"reduce": Log([_batch(1, 2, "made-up")])})
    assert "fewer than 21 digits" in short.broken[0]


def _record(old: int | None, new: int | None, identifier: str = IDS[0]) -> dict[str, Any]:
    def image(version: int) -> dict[str, Any]:
        return {"id": {"S": identifier}, "Version": {"N": str(version)}}

    change: dict[str, Any] = {"Keys": {"id": {"S": identifier}}}
    if old is not None:
        change["OldImage"] = image(old)
    if new is not None:
        change["NewImage"] = image(new)
    return {"dynamodb": change}


def test_missing_repeated_and_reordered_changes_of_a_stream_are_found() -> None:
    good = [_record(None, 1), _record(5, 6, IDS[1]), _record(1, 2), _record(2, None)]
    assert assumptions.of_stream(good).verdict == "held"
    assert assumptions.of_stream([]).verdict == "not seen"
    for records in (
        [_record(None, 1), _record(2, 3)],
        [_record(None, 1), _record(1, 2), _record(1, 2)],
        [_record(1, 2), _record(None, 1)],
        [_record(1, 1)],
    ):
        assert assumptions.of_stream(records).verdict == "FAILED"


# -- figures

SETTINGS = ({"state": 1.0, "map": 0.0, "reduce": 0.0}, 4)


def _took(milliseconds: float, records: int, **requests: tuple[int, float]) -> Invocation:
    return Invocation(
        duration=milliseconds, memory=1769, records=records, shard="s", requests=requests
    )


def test_the_figures_are_those_of_the_models() -> None:
    large = _took(1000, 1000, BatchExecuteStatement=(40, 480.0))
    logs = {
        "state": Log([_took(20, 1, BatchExecuteStatement=(1, 12.0)), *[large] * 3]),
        "map": Log([_took(12, 1, PutItem=(1, 4.0))]),
        "reduce": Log([_took(20, 1, BatchExecuteStatement=(1, 12.0))]),
    }
    singles = [Single(1.52, 0.282)] * 8
    assert measurements.figures(logs, singles, *SETTINGS) == {
        "call_ms": 4.0,
        "statements_ms": 12.0,
        "invocation_cpu_ms": 8.0,
        # 1,000 ms, of which 480 / 4 are waits and 8 every invocation's.
        "state_cpu_ms_per_1000": 872.0,
        # 1.52 s without 20 ms of work and a window of 1 s are half of an interval, on average.
        "kinesis_poll_seconds": 1.0,
        # 282 ms without 12 and 20 ms of work are two halves.
        "dynamodb_poll_seconds": 0.25,
    }
    assert measurements.figures({}, singles, *SETTINGS) == {}


def test_figures_are_scaled_by_memory_and_exclude_cold_starts() -> None:
    half = Invocation(duration=18, memory=1769 // 2, records=1, requests={"PutItem": (1, 8.0)})
    cold = Invocation(duration=500, memory=1769, records=1, init=300.0)
    found = measurements.figures({"map": Log([half, cold])}, [], *SETTINGS)
    assert found["invocation_cpu_ms"] == pytest.approx(5, rel=0.01)
    seen = measurements.observations({"map": Log([half, cold])}, [Single(1, 1)], OUTCOME)
    assert seen["stages"]["map"]["cold_starts"] == 1
    assert seen["stages"]["map"]["cold_start_p50_ms"] == 300


# -- price and report

OUTCOME = Outcome(3.2, [], 9)


def test_the_price_includes_every_write_and_has_a_default_region() -> None:
    found = price.of_proof("us-east-1", 3, 9, 512)
    assert found.region == "us-east-1"
    writes = (MESSAGES * 6 + len(IDS)) / 1e6 * 0.625
    assert writes < found.dollars < 0.10
    assert price.of_proof("mx-central-1", 3, 9, 512) == found
    assert price.of_proof("us-east-1", 10, 9, 512).dollars > found.dollars
    # 4 KB a unit, read consistently.
    assert price.of_reading("us-east-1", 4096 * 10**6).dollars == pytest.approx(0.125)


def _report(**more: Any) -> Report:
    held = assumptions.Assumption(4, "an event has shardId")
    given: dict[str, Any] = {
        "source": "leda prove on eu-west-1, 2026-11-29",
        "deployed": {"runtime": "python3.13"},
        "findings": [Finding(Level.ADVICE, "nobody hears")],
        "burst": OUTCOME,
        "deleted": OUTCOME,
        "rows_left": 0,
        "assumptions": [held],
        "errors": {},
        "figures": {"call_ms": 4.5},
        "observations": measurements.observations({}, [Single(1, 1)], OUTCOME),
    }
    return Report(**(given | more))


def test_the_report_states_the_proof_and_is_read_by_the_models(tmp_path: Path) -> None:
    report = _report()
    assert report.is_proved
    file = tmp_path / "proof.json"
    text = report.write(file).read_text()
    assert "9 totals: exact, 3.2 s after the last message" in text
    assert "assumption 4, an event has shardId: held" in text
    found = service_times(file)
    assert found.call_ms == 4.5
    assert found.sources["call_ms"] == "measured: leda prove on eu-west-1, 2026-11-29"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"burst": Outcome(120, [Difference(ROOT, Decimal(1), Decimal(2))], 9)}, "WRONG"),
        ({"deleted": Outcome(120, [Difference(ROOT, Decimal(0), Decimal(2))], 9)}, "NOT 0"),
        (
            {"assumptions": [assumptions.Assumption(1, "in order", ("a change came twice",))]},
            "FAILED\n  - a change came twice",
        ),
    ],
)
def test_a_wrong_total_or_a_failed_assumption_is_no_proof(more: dict[str, Any], said: str) -> None:
    report = _report(**more)
    assert not report.is_proved
    assert said in "\n".join(report.markdown())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none/proof.json", "there is no folder"),
        ("", "is a folder"),
        ("proof.md", "is the name of the report"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(LedaError, match=says):
        require_file(tmp_path / name)


def test_a_file_that_can_be_written_is_taken(tmp_path: Path) -> None:
    require_file(tmp_path / "proof.json")


def test_totals_that_keep_expired_rows_are_refused_before_the_price(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = SimpleNamespace(keeps_expired=True)
    aggregation = SimpleNamespace(
        account=SimpleNamespace(endpoint=None, dynamodb=None), live=lambda: live
    )
    checks = SimpleNamespace(check=lambda: [Finding(Level.RIGHT, "the indexes")])
    monkeypatch.setattr(Aggregation, "find", lambda *_: aggregation)
    monkeypatch.setattr(command, "Deployment", lambda *_: checks)
    monkeypatch.setattr(command, "not_live", lambda *_: None)
    with pytest.raises(LedaError, match="nothing to compare them with"):
        command.prove(map_function="AggregateScoresByUser")
    out = capsys.readouterr().out
    assert "right: the indexes" in out
    assert "--yes" not in out
