"""Messages in, totals out."""

from decimal import Decimal

from support.live_stack import LiveStack
from support.live_trades import Trades


def test_totals_of_a_burst_equal_an_independent_sum(stack: LiveStack, trades: Trades) -> None:
    stack.put(trades.load(1000, seed=1, changes=0))
    stack.settle(trades)


def test_totals_of_a_wide_tree_are_exact(stack: LiveStack, trades: Trades) -> None:
    stack.put(trades.load(1000, seed=2, desks=20, regions=30))
    stack.settle(trades)
    assert len(stack.totals(trades.root)) > 300


def test_no_digit_is_lost_between_the_largest_and_the_smallest_value(
    stack: LiveStack, trades: Trades
) -> None:
    values = ["999999999999.99999999999999999", "0.00000000000000001", "1e11", "-0.1", "12E-5"]
    stack.put(trades.message(f"t{n}", value=value) for n, value in enumerate(values))
    stack.settle(trades)


def test_the_largest_record_of_kinesis_is_counted_whole(stack: LiveStack, trades: Trades) -> None:
    key = "k"
    empty = trades.message("t1", value="7.25", Note="")
    filler = "x" * (2**20 - len(key) - len(empty))
    stack.put([trades.message("t1", value="7.25", Note=filler)], key=key)
    stack.settle(trades)
    assert stack.totals(trades.root)[trades.root] == (1, Decimal("7.25"))
