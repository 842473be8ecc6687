"""Deliveries by a plain `lambda invoke` leave the totals exact, whatever is delivered again and at the same time.

The records are the streams' own. All deliveries keep to what AWS promises: within a shard, a record's first delivery
comes in order, and the event names the shard.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import pytest

from leda_cli.operate.totals.comparison import EXACT, compare, difference_lines, fold_state
from support.at_once import at_once
from support.lambda_events import Record, batches_of, sequence_number
from support.live_aws import wait_for
from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades

TRIES = 5


@pytest.fixture
def applied(stack: LiveStack, trades: Trades) -> Trades:
    """Trades that all three functions have processed."""
    stack.put(trades.load(300, seed=11))
    stack.catch_up(trades)
    return trades


def _batches(source: dict[str, list[Record]], size: int) -> list[tuple[str, Sequence[Record]]]:
    """The records by shard, cut into batches: (shard, records)."""
    return [
        (shard, batch) for shard, records in source.items() for batch in batches_of(records, size)
    ]


def _deliver(stack: LiveStack, part: str, shard: str, batch: Sequence[Record]) -> None:
    """Deliver the batch until the function succeeds, as a mapping does."""
    for attempt in range(TRIES):
        try:
            stack.deliver_batch(part, shard, batch)
            return
        except AssertionError:
            if attempt == TRIES - 1:
                raise


@pytest.mark.parametrize("part", FUNCTIONS)
def test_records_that_were_applied_may_be_delivered_again_in_any_batches_and_order(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    rng = random.Random(part)
    source = stack.records(part)
    ends = {shard: records[-100:] for shard, records in source.items() if records}

    def replay_everything(size: int) -> None:
        for shard, batch in _batches(source, size):
            stack.deliver_batch(part, shard, batch)

    at_once([partial(replay_everything, 1000), partial(replay_everything, 700)])
    for size in (100, 37, 11):
        batches = _batches(ends, size)
        for shard, batch in rng.sample(batches, min(len(batches), 20)):
            stack.deliver_batch(part, shard, rng.sample(batch, len(batch)))

    stack.assert_exact(applied)
    stack.catch_up(applied)


@pytest.mark.parametrize("part", FUNCTIONS)
def test_new_records_may_be_delivered_several_times_at_once(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    with stack.without_mapping(part):
        last = {
            shard: sequence_number(records[-1])
            for shard, records in stack.records(part).items()
            if records
        }
        stack.put(applied.load(200, seed=30, changes=60))
        _wait_for_source(stack, applied, part)
        new = stack.records(part, after=last)

        def deliver(size: int) -> None:
            batches = _batches(new, size)
            if part == "state":  # State takes messages in any order
                random.Random(size).shuffle(batches)
            for shard, batch in batches:
                _deliver(stack, part, shard, batch)

        at_once([partial(deliver, size) for size in (20, 33, 15, 50)])
        stack.settle(applied)
    # The mapping is on again and delivers from the stream's start.
    stack.catch_up(applied)


def _wait_for_source(stack: LiveStack, trades: Trades, part: str) -> None:
    """Wait until everything that was put is in the stream that the function reads; Kinesis has it at once."""
    if part == "state":
        return
    sums = _sums_of_state_table if part == "map" else _sums_of_reduce_table
    expected = {node: total.value for node, total in trades.totals().items()}
    wait_for(
        f"everything put in the source of {part}",
        lambda: list(difference_lines(compare(expected, sums(stack, trades)))),
        lambda wrong: not wrong,
    )


def _sums_of_state_table(stack: LiveStack, trades: Trades) -> dict[str, Decimal]:
    """The sums over the test's rows of StateTable."""
    totals = fold_state(stack.stack).totals()
    return {node: total.value for node, total in totals.items() if _is_of(trades, node)}


def _sums_of_reduce_table(stack: LiveStack, trades: Trades) -> dict[str, Decimal]:
    """The sums over all rows that Map has ever written, from the records of ReduceTable's stream."""
    sums: dict[str, Decimal] = {}
    for records in stack.records("reduce").values():
        for record in records:
            row = record["dynamodb"].get("NewImage", {})
            measures = [name["S"] for name in row.get("Measures", {}).get("L", [])]
            for node, amounts in row.get("Totals", {}).get("M", {}).items():
                if _is_of(trades, node):
                    added = Decimal(amounts["L"][measures.index("Value")]["N"])
                    sums[node] = EXACT.add(sums.get(node, Decimal(0)), added)
    return sums


def _is_of(trades: Trades, node: str) -> bool:
    return node.split(":")[0] == trades.root
