"""Totals are exact although functions fail or are killed."""

from functools import partial

import pytest

from support.live_aws import wait_for
from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades


@pytest.mark.parametrize(
    ("messages", "rates"),
    [(3000, (5, 10, 10)), (300, (30, 60, 60))],
    ids=["5 10 10 %", "30 60 60 %"],
)
def test_totals_are_exact_after_injected_failures(
    stack: LiveStack, trades: Trades, messages: int, rates: tuple[float, float, float]
) -> None:
    before = stack.injected_failures()
    with stack.faults(*rates):
        stack.put(trades.load(messages, seed=messages))
        stack.settle(trades, hold=2)
        # A burst may take few invocations; go on until each function has failed.
        for turn in range(20):
            after = stack.injected_failures()
            if all(after[part] > before[part] for part in FUNCTIONS):
                break
            stack.put(trades.load(30, seed=turn))
            stack.settle(trades, hold=0)
    assert {part for part in FUNCTIONS if after[part] == before[part]} == set()
    stack.catch_up(trades)


def test_totals_are_exact_after_the_functions_were_killed(stack: LiveStack, trades: Trades) -> None:
    killed = 0
    with stack.steady_load(trades, seed=300):
        for part in FUNCTIONS * 3:
            name = stack.function(part)
            killed += wait_for(f"a process of {name}", partial(stack.aws.kill_functions, name))
    assert killed >= 9
    stack.settle(trades, hold=2)
    stack.catch_up(trades)
