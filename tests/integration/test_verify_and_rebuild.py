"""Changes lost on purpose: `leda verify` finds it, `leda rebuild` mends it, whatever comes meanwhile."""

import json
import os
import signal
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leda.audit import read_state
from leda.checkpoints import padded
from leda_cli.paths import ROOT, VENV
from leda_cli.rebuild import JOURNAL
from leda_cli.totals import compare, difference_lines
from support.lambda_events import sequence_number
from support.live_aws import wait_for
from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades


@pytest.fixture
def outputs(stack: LiveStack, tmp_path: Path) -> Path:
    """The file of the stack's outputs."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(stack.outputs))
    return file


def _start(stack: LiveStack, outputs: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(VENV / "bin" / "leda"), *arguments, "--outputs", str(outputs)],
        cwd=ROOT,
        env={**os.environ, **stack.aws.variables, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in a shell's background ignores SIGINT, and what it starts does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _run(
    stack: LiveStack, outputs: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    process = _start(stack, outputs, *arguments)
    out, errors = process.communicate(timeout=500)
    assert process.returncode == status, out + errors
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def _lose(stack: LiveStack, trades: Trades, messages: list[bytes]) -> None:
    """Changes that Map never sees: they wait while its mapping is off, and its checkpoint passes them by hand."""
    with stack.without_mapping("map"):
        stack.put(messages)
        _stored(stack, trades)
        last = max(int(sequence_number(each[-1])) for each in stack.records("map").values() if each)
        arn = stack.stream_arn("state")
        stack.dynamodb.update_item(
            TableName=stack.table("checkpoint"),
            Key={"Source": {"S": f"{stack.function('map')}|{arn}"}, "Lane": {"S": arn}},
            UpdateExpression="SET #Sequence = :last",
            ExpressionAttributeNames={"#Sequence": "Sequence"},
            ExpressionAttributeValues={":last": {"S": padded(last)}},
        )


def _stored(stack: LiveStack, trades: Trades) -> None:
    def wrong() -> list[str]:
        sums = read_state(stack.dynamodb, stack.table("state"), segments=1).totals
        mine = {name: total for name, total in sums.items() if name.split(":")[0] == trades.root}
        return list(difference_lines(compare(trades.totals(), mine)))

    wait_for("everything put in StateTable", wrong, lambda lines: not lines)


def _states(stack: LiveStack) -> dict[str, str]:
    return {part: stack.mapping(part)["State"] for part in FUNCTIONS}


def _journal(stack: LiveStack) -> dict[str, Any] | None:
    answer = stack.dynamodb.get_item(
        TableName=stack.table("checkpoint"), Key=JOURNAL, ConsistentRead=True
    )
    found: dict[str, Any] | None = answer.get("Item")
    return found


def test_changes_whose_24_hours_were_missed_are_found_and_mended_under_load(
    stack: LiveStack, trades: Trades, outputs: Path
) -> None:
    _lose(stack, trades, [trades.message("lost", value="17.25"), *trades.load(60, seed=70)])

    verified = _run(stack, outputs, "verify", "--wait", "4", "--json", status=1)
    rows = {row["identifier"]: row for row in json.loads(verified.stdout)["wrong"]}
    assert trades.root in rows
    assert Decimal(rows[trades.root]["expected"]) == trades.totals()[trades.root]
    running = _run(stack, outputs, "verify", "--while-running", "--wait", "2", status=1)
    assert trades.root in running.stdout

    planned = _run(stack, outputs, "rebuild", "--dry-run", "--json")
    changes = {row["identifier"]: row["new"] for row in json.loads(planned.stdout)["changes"]}
    assert Decimal(changes[trades.root]) == trades.totals()[trades.root]
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")

    with stack.steady_load(trades, seed=700):
        _run(stack, outputs, "rebuild")
    stack.settle(trades)
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")
    assert _journal(stack) is None

    stack.put(trades.load(60, seed=71))
    stack.catch_up(trades)
    assert "exact" in _run(stack, outputs, "verify").stdout


def test_a_rebuild_that_was_interrupted_says_so_and_the_next_one_finishes(
    stack: LiveStack, trades: Trades, outputs: Path
) -> None:
    _lose(stack, trades, [trades.message("lost", value="17.25")])

    process = _start(stack, outputs, "rebuild")
    wait_for("the journal", lambda: _journal(stack))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 130, out + errors
    assert "Run `leda rebuild` again" in out
    assert _journal(stack)

    done = _run(stack, outputs, "rebuild")
    assert "going on with the rebuild that began at" in done.stdout
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")
    stack.settle(trades)
    stack.catch_up(trades)


def test_audit_finds_no_drift_in_exact_totals(stack: LiveStack, trades: Trades) -> None:
    stack.put(trades.load(50, seed=72))
    stack.catch_up(trades)
    found = stack.invoke("audit", {})
    assert (found["Drift"], found["InFlight"], found["UnreadableRows"]) == (0, 0, 0)
    assert found["Totals"] >= len(trades.totals())
    assert found["Rows"] > 0
