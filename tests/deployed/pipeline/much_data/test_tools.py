"""`leda demo` and `leda verify` on a stack with a wrong total."""

import json
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from leda_cli import app
from leda_cli.demos import settling
from leda_cli.operate.deployed import account
from leda_cli.operate.totals.comparison import wait_until_quiet
from support.live_stack import LiveStack
from support.live_trades import Trades
from support.local_command import leda


def test_verify_and_demo_name_a_changed_total_and_end_with_status_1(
    stack: LiveStack,
    trades: Trades,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack.put([trades.message("t1", value="2.50")])
    stack.settle(trades)
    row = f"{trades.root}:FXSpot"
    read = leda(stack.aws.variables, tmp_path, "totals", row, "--json")
    answer = json.loads(read.stdout)
    assert answer["age"]["unknown"] is None
    assert [Decimal(each["measures"]["Value"]) for each in answer["totals"]] == [Decimal("2.5")]

    _add(stack, row, "0.00000000001")
    try:
        verified = leda(stack.aws.variables, tmp_path, "verify", "--wait", "2")
        assert verified.returncode == 1
        assert row in verified.stdout
        assert "+0.00000000001" in verified.stdout

        # Run the demo in this process, to shorten its wait for a total that may still change.
        monkeypatch.setattr(account, "ENV_FILE", tmp_path / "env")
        monkeypatch.setattr(settling, "wait_until_quiet", partial(wait_until_quiet, patience=2))
        arguments = ["leda", "demo", "--messages", "100"]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            app.main()
        assert ended.value.code == 1
        assert row in capsys.readouterr().out
    finally:
        _add(stack, row, "-0.00000000001")
    assert stack.totals(trades.root)[row].value == Decimal("2.5")
    assert leda(stack.aws.variables, tmp_path, "verify").returncode == 0


def _add(stack: LiveStack, row: str, amount: str) -> None:
    stack.dynamodb.update_item(
        TableName=stack.table("aggregate"),
        Key={"Identifier": {"S": row}},
        UpdateExpression="ADD #Value :amount",
        ExpressionAttributeNames={"#Value": "Value"},
        ExpressionAttributeValues={":amount": {"N": amount}},
    )
