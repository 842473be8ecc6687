"""`leda verify` finds changes that a test has lost, and `leda rebuild` repairs the totals while messages arrive."""

import json
import os
import signal
import subprocess
import time
from decimal import Decimal
from typing import Any

from leda.engine.registry import Registry, source_scope
from leda.engine.shards import Shard, padded
from leda_cli.base.paths import ROOT, VENV
from leda_cli.operate.rebuilding import journal
from leda_cli.operate.rebuilding.lane_rows import LaneRows, Lanes
from leda_cli.operate.totals.comparison import compare, difference_lines, fold_state
from leda_cli.operate.totals.oracle import Total
from support.lambda_events import sequence_number
from support.live_aws import wait_for
from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades

_TOMORROW = int(time.time()) + 24 * 3600


def _start(stack: LiveStack, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(VENV / "bin" / "leda"), *arguments, "--aws"],
        cwd=ROOT,
        env={**os.environ, **stack.aws.variables, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell ignores SIGINT, and so do the processes that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _run(stack: LiveStack, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    process = _start(stack, *arguments)
    out, errors = process.communicate(timeout=500)
    assert process.returncode == status, out + errors
    assert status == 0 or "differ" in errors or "may not stay so" in errors, errors
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def _meet(stack: LiveStack, trades: Trades) -> None:
    """Let Map process a message, so that it has rows for the shards."""
    stack.put([trades.message("before")])
    stack.catch_up(trades)


def _lose(stack: LiveStack, trades: Trades, messages: list[bytes]) -> None:
    """Put messages while Map's mapping is disabled, and move Map's checkpoints past them, so that Map skips them."""
    arn = stack.stream_arn("state")
    registry = Registry(stack.dynamodb, stack.table("registry"))
    with stack.without_mapping("map"):
        stack.put(messages)
        _stored(stack, trades)
        records = stack.records("map")
        for row in registry.rows(source_scope(arn)):
            shard, lanes = row["Name"]["S"], Lanes(row["Version"]["S"], int(row["Lanes"]["N"]))
            if not records.get(shard):
                continue
            rows = LaneRows(stack.dynamodb, stack.table("reduce"), ("Count", "Value"))
            last = padded(int(sequence_number(records[shard][-1])))
            for lane in lanes.each():
                assert rows.move(lane, Shard(arn, shard).source, last, _TOMORROW) == last


def _stored(stack: LiveStack, trades: Trades) -> None:
    def wrong() -> list[str]:
        sums = fold_state(stack.stack).totals()
        mine = {name: total for name, total in sums.items() if name.split(":")[0] == trades.root}
        return list(difference_lines(compare(trades.totals(), mine)))

    wait_for("everything put in StateTable", wrong, lambda lines: not lines)


def _states(stack: LiveStack) -> dict[str, str]:
    return {part: stack.mapping(part)["State"] for part in FUNCTIONS}


def _journal(stack: LiveStack) -> dict[str, Any] | None:
    answer = stack.dynamodb.get_item(
        TableName=stack.table("registry"), Key=journal.KEY, ConsistentRead=True
    )
    found: dict[str, Any] | None = answer.get("Item")
    return found


def test_verify_finds_lost_changes_and_rebuild_repairs_them_under_load(
    stack: LiveStack, trades: Trades
) -> None:
    _meet(stack, trades)
    _lose(stack, trades, [trades.message("lost", value="17.25"), *trades.load(60, seed=70)])

    verified = _run(stack, "verify", "--wait", "4", "--json", status=1)
    wrong = {
        (row["identifier"], row["measure"]): Decimal(row["expected"])
        for row in json.loads(verified.stdout)["wrong"]
    }
    assert wrong[trades.root, "Value"] == trades.totals()[trades.root].value
    assert wrong[trades.root, "Count"] == trades.totals()[trades.root].trades
    running = _run(stack, "verify", "--while-running", "--wait", "2", status=1)
    assert trades.root in running.stdout

    planned = _run(stack, "rebuild", "--dry-run", "--json")
    changes = {row["identifier"]: row["new"] for row in json.loads(planned.stdout)["changes"]}
    new = changes[trades.root]
    assert Total(int(new["Count"]), Decimal(new["Value"])) == trades.totals()[trades.root]
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")

    with stack.steady_load(trades, seed=700):
        _run(stack, "rebuild")
    stack.settle(trades)
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")
    assert _journal(stack) is None

    stack.put(trades.load(60, seed=71))
    stack.catch_up(trades)
    assert "exact" in _run(stack, "verify").stdout


def test_an_interrupted_rebuild_is_finished_by_the_next_one(
    stack: LiveStack, trades: Trades
) -> None:
    _meet(stack, trades)
    _lose(stack, trades, [trades.message("lost", value="17.25")])

    process = _start(stack, "rebuild")
    wait_for("the journal", lambda: _journal(stack))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 130, out + errors
    assert "Run `leda rebuild --aws` again" in out
    assert _journal(stack)
    assert "a rebuild is open" in _run(stack, "verify", "--wait", "2", status=1).stdout

    done = _run(stack, "rebuild")
    assert "taking over from the rebuild that began at" in done.stdout
    assert _states(stack) == dict.fromkeys(FUNCTIONS, "Enabled")
    stack.settle(trades)
    stack.catch_up(trades)


def test_the_audit_finds_no_drift_in_exact_totals(stack: LiveStack, trades: Trades) -> None:
    stack.put(trades.load(50, seed=72))
    stack.catch_up(trades)
    found = stack.invoke("audit", {})
    assert (found["Drift"], found["InFlight"], found["UnreadableRows"]) == (0, 0, 0)
    assert found["Totals"] >= len(trades.totals())
    assert found["Rows"] > 0
