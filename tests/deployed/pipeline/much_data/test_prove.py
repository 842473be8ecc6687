"""`leda prove` on the deployed stack, killed half-way and run again, beside other trades."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from leda_cli.base.paths import ROOT, VENV
from leda_cli.operate.deployed.rows import rows_by_text
from leda_cli.operate.prove import trades as proof_trades
from leda_cli.operate.prove.trades import IDS
from support.live_aws import wait_for
from support.live_stack import LiveStack
from support.live_trades import Trades
from support.local_command import leda


def _start(stack: LiveStack, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(VENV / "bin" / "leda"), "prove", "--aws", "--yes", "--write", str(file)],
        cwd=ROOT,
        env={**os.environ, **stack.aws.variables, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _rows(stack: LiveStack, ids: Iterable[str] = IDS) -> dict[str, dict[str, object]]:
    return rows_by_text(stack.dynamodb, stack.table("state"), "id", ids, ("id", "Deleted"))


def test_prove_succeeds_after_a_killed_run_and_leaves_other_trades_alone(
    stack: LiveStack, trades: Trades, tmp_path: Path
) -> None:
    stack.put([trades.message("own", value="2.50")])
    stack.settle(trades)
    others = {
        name: total
        for name, total in stack.totals().items()
        if name.split(":")[0] != proof_trades.ROOT
    }
    file = tmp_path / "proof.json"

    without_yes = leda(stack.aws.variables, tmp_path, "prove", "--write", str(file))
    assert without_yes.returncode == 0, without_yes.stderr
    assert "nothing was sent" in without_yes.stdout
    assert not _rows(stack)

    killed = _start(stack, file)
    wait_for(
        "some trades of the burst",
        lambda: [row for row in _rows(stack).values() if row["Deleted"] == {"BOOL": False}],
        lambda rows: len(rows) > 100,
    )
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert not file.exists()

    proof = _start(stack, file)
    out, errors = proof.communicate(timeout=600)
    assert proof.returncode == 0, out + errors
    assert "trades of an earlier run were there" in out
    assert "assumption 1, each change appears once" in out
    assert "FAILED" not in out
    found = json.loads(file.read_text())
    assert found["proof"]["exact"] is found["proof"]["zero_after_deletion"] is True
    assert found["proof"]["findings"]["wrong"] == 0
    assert {each["verdict"] for each in found["proof"]["assumptions"].values()} == {"held"}
    assert found["call_ms"] > 0
    assert found["statements_ms"] > 0
    assert "000000000000" not in file.with_suffix(".md").read_text()

    totals = stack.totals()
    assert totals == others
    row = stack.dynamodb.get_item(
        TableName=stack.table("aggregate"), Key={"Identifier": {"S": proof_trades.ROOT}}
    )["Item"]
    assert (row["Count"]["N"], Decimal(row["Value"]["N"])) == (
        "0",
        Decimal(0),
    ), "it holds the checkpoint"
    assert not _rows(stack)

    for command in (("cost",), ("scale", "--rates", "1000", "--seconds", "10")):
        taken = leda(stack.aws.variables, tmp_path, *command, "--measured", str(file), "--json")
        assert taken.returncode == 0, taken.stderr
        assert json.loads(taken.stdout)["service_times"]["call_ms"] == found["call_ms"]
