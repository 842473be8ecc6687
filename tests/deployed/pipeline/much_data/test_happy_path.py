"""Without failures, the totals are exact."""

from decimal import Decimal

from support.live_stack import LiveStack
from support.live_trades import Trades


def test_duplicates_changes_moves_and_deletions_over_all_shards_are_counted_exactly(
    stack: LiveStack, trades: Trades
) -> None:
    stack.put(trades.load(1500, seed=3, desks=20, regions=30, changes=60))
    stack.settle(trades)


def test_a_message_of_the_largest_size_that_kinesis_takes_is_counted(
    stack: LiveStack, trades: Trades
) -> None:
    key = "k"
    empty = trades.message("t1", value="7.25", Note="")
    filler = "x" * (2**20 - len(key) - len(empty))
    stack.put([trades.message("t1", value="7.25", Note=filler)], key=key)
    stack.settle(trades)
    assert stack.totals(trades.root)[trades.root] == (1, Decimal("7.25"))
