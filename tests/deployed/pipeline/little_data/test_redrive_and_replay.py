"""`leda redrive` and `leda replay` on the applied stack bring back what a test has lost; the totals end exact."""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from leda_cli import app
from leda_cli.operate import redrive
from leda_cli.operate.totals.oracle import Total
from support.live_aws import wait_for
from support.live_stack import LiveStack, Put
from support.live_trades import Trades


class Leda:
    """The `leda` command on the stack, run in this process to save the start of another one."""

    def __init__(
        self, stack: LiveStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, value in stack.aws.variables.items():
            monkeypatch.setenv(name, value)
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def report(self, *arguments: str, status: int) -> dict[str, Any]:
        """Run the command and return the JSON that it prints; fails unless it ends with this exit status."""
        arguments = ("leda", *arguments, "--json", "--aws")
        self._monkeypatch.setattr(sys, "argv", list(arguments))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        printed = self._capsys.readouterr()
        assert ended.value.code == status, printed.out + printed.err
        found = json.loads(printed.out)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def leda(
    stack: LiveStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Leda:
    """The command on the stack."""
    return Leda(stack, monkeypatch, capsys)


def wider(stack: LiveStack) -> str:
    """The schema with one more decimal place and one integer digit less."""
    schema = stack.outputs["schema"]
    return json.dumps(
        schema
        | {
            "max_integer_digits": schema["max_integer_digits"] - 1,
            "max_decimal_places": schema["max_decimal_places"] + 1,
        }
    )


def kept_as(stack: LiveStack, put: Put) -> str:
    """Wait until State has quarantined a message, and return the object's key."""
    name = f"{put.shard}_{put.sequence_number}.json"
    return wait_for(
        f"{name} in quarantine",
        lambda: next(
            (key for key in stack.objects(f"{stack.function('state')}/") if key.endswith(name)), ""
        ),
    )


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    """The outcome of each message that has an id."""
    return {each["id"]: each["outcome"] for each in report["messages"] if each["id"]}


def test_redrive_stores_messages_that_a_wider_schema_accepts_and_keeps_the_others(
    stack: LiveStack, trades: Trades, leda: Leda
) -> None:
    # One decimal place more than the schema allows.
    wide = [trades.message(f"wide-{number}", value=f"{number}.{'0' * 17}1") for number in (1, 2)]
    stack.put([trades.message("narrow", value="0.1")])
    put = stack.put([*wide, b"no JSON " + trades.root.encode()])
    keys = [kept_as(stack, each) for each in put]
    meant = [text for key in keys for text in ("--key", key)]
    # One of the trades has a newer version by now.
    stack.put([trades.message("wide-2", 1, "7")])
    wait_for("the newer version", lambda: f"{trades.root}/wide-2" in state_rows(stack))

    listed = leda.report("redrive", *meant, status=1)
    assert sorted(each["key"] for each in listed["objects"]) == sorted(keys)
    shown = leda.report("redrive", "--show", keys[0], status=0)
    assert shown["text"].encode() == wide[0]
    assert "decimal places" in shown["reason"]
    assert shown["expected"][0]["outcome"] == "still bad"

    with stack.with_variables("state", SCHEMA=wider(stack)):
        before = stack.objects("")
        expected = leda.report("redrive", "--put-back", "--dry-run", *meant, status=1)
        assert stack.objects("") == before
        done = leda.report("redrive", "--put-back", *meant, status=1)

    assert (
        done["outcomes"] == expected["outcomes"] == {"stored": 1, "superseded": 1, "still bad": 1}
    )
    assert outcomes(done) == {
        f"{trades.root}/wide-1": "stored",
        f"{trades.root}/wide-2": "superseded",
    }
    (bad,) = (each for each in done["messages"] if each["outcome"] == "still bad")
    assert (bad["key"], bad["kept_as"]) == (keys[2], keys[2])
    assert "not JSON" in bad["reason"]
    assert {*keys} & stack.objects("").keys() == {keys[2]}
    stack.settle(trades)

    again = leda.report("redrive", "--put-back", "--key", keys[2], status=1)
    assert again["outcomes"] == {"still bad": 1}
    left = leda.report("redrive", "--function", "state", status=1)
    assert {*keys} & {each["key"] for each in left["objects"]} == {keys[2]}
    # Later tests deliver the stream again, and State with the old schema would quarantine the stored trade.
    stack.put([trades.message("wide-1", 1, deleted=True)])
    stack.catch_up(trades)


def test_redrive_stores_batches_that_the_mapping_has_discarded(
    stack: LiveStack, trades: Trades, leda: Leda
) -> None:
    prefix = f"aws/lambda/{stack.mapping('state')['UUID']}/"
    before = stack.objects(prefix).keys()
    with stack.few_retries(trades):
        counted = stack.totals(trades.root)
        messages = [trades.message(f"t{number}", 1, f"{number}.5") for number in range(6)]
        bad = b"no JSON " + trades.root.encode()
        with stack.with_variables("state", STATE_TABLE="NoSuchTable"):
            put = stack.put([*messages, bad], key="one shard")
            # The bad message may be in a batch by itself, which does not fail.
            kept = wait_for(
                "the messages at the failure destination",
                lambda: {
                    key: stack.read_object(key) for key in stack.objects(prefix).keys() - before
                },
                lambda kept: {each.sequence_number for each in put[:-1]}
                <= {number for each in kept.values() for number in sequence_numbers(each)},
            )
        for each in kept.values():
            # https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
            request, info = each["requestContext"], each["KinesisBatchInfo"]
            assert request["condition"] == "RetryAttemptsExhausted"
            assert request["approximateInvokeCount"] == 2
            assert request["functionArn"].startswith(stack.outputs["functions"]["state"]["arn"])
            assert info["streamArn"] == stack.outputs["stream"]["arn"]
            assert info["shardId"] == put[0].shard
            assert info["batchSize"] == len(each["payload"]["Records"])
        assert stack.totals(trades.root) == counted, "none of the discarded messages is counted"
        # Lambda leaves the payload out of a large record; `leda redrive` then reads the stream.
        without = max(kept)
        body = {name: value for name, value in kept[without].items() if name != "payload"}
        stack.s3.put_object(Bucket=stack.bucket, Key=without, Body=json.dumps(body))

        meant = [text for key in kept for text in ("--key", key)]
        expected = leda.report("redrive", "--put-back", "--dry-run", *meant, status=1)
        has_bad = any(put[-1].sequence_number in sequence_numbers(each) for each in kept.values())
        done = leda.report("redrive", "--put-back", *meant, status=1 if has_bad else 0)

        assert expected["outcomes"] == done["outcomes"]
        assert outcomes(done) == {f"{trades.root}/t{number}": "stored" for number in range(6)}
        assert not kept.keys() & stack.objects(prefix).keys()
        assert base64.b64decode(stack.read_object(kept_as(stack, put[-1]))["data"]) == bad
        stack.settle(trades)
    stack.catch_up(trades)


def test_redrive_deletes_records_of_map_once_their_rows_are_repaired_and_the_totals_are_exact(
    stack: LiveStack, trades: Trades, leda: Leda
) -> None:
    before = stack.objects(f"{stack.function('map')}/").keys()
    stack.put([trades.message("fine", value="2.5")])
    row = {"id": {"S": f"{trades.root}/damaged"}, "Version": {"N": "1"}}
    stack.dynamodb.put_item(TableName=stack.table("state"), Item=row)
    try:
        (key,) = wait_for("the record in quarantine", lambda: stack.quarantined("map", before))
        stack.settle(trades)
        kept = leda.report("redrive", "--settle", "--key", key, status=1)
        assert (kept["is_exact"], kept["settled"]) == (True, [])
        assert "still cannot be counted" in kept["objects"][0]["today"]
        assert key in stack.objects(key)
    finally:
        stack.dynamodb.delete_item(TableName=stack.table("state"), Key={"id": row["id"]})

    with stack.without_mapping("reduce"):
        stack.put([trades.message("late", value="1")])
        wait_for("its row", lambda: f"{trades.root}/late" in state_rows(stack))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(redrive, "FRESH_SECONDS", 1.0)
            wrong = leda.report("redrive", "--settle", "--key", key, status=1)
        assert trades.root in {each["identifier"] for each in wrong["comparison"]["wrong"]}
        assert key in stack.objects(key)
    stack.settle(trades)

    done = leda.report("redrive", "--settle", "--key", key, status=0)
    assert done["settled"] == [key]
    assert not stack.objects(key)


def state_rows(stack: LiveStack) -> dict[str, dict[str, Any]]:
    """StateTable by id."""
    return {row["id"]: row for row in stack.stack.state()}


def others(totals: dict[str, Total], trades: Trades) -> dict[str, Total]:
    """The totals of all other tests."""
    return {name: value for name, value in totals.items() if name.split(":")[0] != trades.root}


def sequence_numbers(failure: dict[str, Any]) -> set[str]:
    """The sequence numbers of the records in a failure record."""
    return {record["kinesis"]["sequenceNumber"] for record in failure["payload"]["Records"]}


def test_replay_leaves_stored_trades_alone_and_restores_deleted_ones(
    stack: LiveStack, trades: Trades, leda: Leda
) -> None:
    began = datetime.now(UTC).isoformat()
    stack.put(trades.load(150, seed=31))
    stack.catch_up(trades)
    rows, totals = state_rows(stack), stack.totals()

    counted = leda.report("replay", "--from", began, "--dry-run", status=0)
    assert counted["records"] == 150 + len(stack.shard_keys())
    assert (counted["invocations"], counted["shards"]) == (0, len(stack.shard_keys()))

    everything = leda.report("replay", "--from", "TRIM_HORIZON", status=0)
    assert everything["records"] >= counted["records"]
    assert everything["failed"] == []
    assert state_rows(stack) == rows
    stack.catch_up(trades)
    assert others(stack.totals(), trades) == others(totals, trades)

    rows = state_rows(stack)
    lost = {name for name in rows if name.startswith(trades.root)}
    for name in lost:
        stack.dynamodb.delete_item(TableName=stack.table("state"), Key={"id": {"S": name}})
    stack.settle_at({}, trades.root)
    with stack.faults(state=30):
        leda.report("replay", "--from", began, status=0)
    stack.settle(trades)
    assert state_rows(stack) == rows
