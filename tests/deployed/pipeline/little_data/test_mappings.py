"""Mappings may be disabled and enabled, and deleted and created, while messages arrive."""

from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades


def test_totals_are_exact_after_mappings_were_disabled_and_enabled_under_load(
    stack: LiveStack, trades: Trades
) -> None:
    with stack.steady_load(trades, seed=100):
        for part in (*FUNCTIONS, *reversed(FUNCTIONS)):
            with stack.without_mapping(part):
                pass
        with stack.without_mapping(*FUNCTIONS):
            stack.put(trades.load(100, seed=199))
    stack.settle(trades)
    stack.catch_up(trades)


def test_totals_are_exact_after_mappings_were_deleted_and_created_under_load(
    stack: LiveStack, trades: Trades
) -> None:
    before = {part: stack.mapping(part)["UUID"] for part in FUNCTIONS}
    with stack.steady_load(trades, seed=200):
        stack.replace_mappings()
    after = {part: stack.mapping(part)["UUID"] for part in FUNCTIONS}
    assert not set(before.values()) & set(after.values())
    stack.settle(trades)
    stack.catch_up(trades)
