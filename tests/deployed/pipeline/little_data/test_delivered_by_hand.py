"""Whatever is delivered, to any function, by a plain `lambda invoke`, the totals stay exact.

The records are the streams' own. What holds for all of these deliveries is only what AWS promises: a record is first
delivered in order within its shard, and the event names the shard.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from leda_cli.operate.totals.comparison import EXACT, compare, difference_lines
from leda_cli.operate.totals.oracle import Oracle
from support.at_once import at_once
from support.lambda_events import Record, cut, event, sequence_number
from support.live_aws import wait_for
from support.live_stack import FUNCTIONS, LiveStack
from support.live_trades import Trades

_READ = TypeDeserializer()


def _all_batches(source: dict[str, list[Record]], size: int) -> list[tuple[str, Sequence[Record]]]:
    return [(shard, batch) for shard, records in source.items() for batch in cut(records, size)]


@pytest.fixture
def applied(stack: LiveStack, trades: Trades) -> Trades:
    """Trades whose totals are there, with nothing under way."""
    stack.put(trades.load(300, seed=11))
    stack.catch_up(trades)
    return trades


def _tail(source: dict[str, list[Record]], count: int = 100) -> dict[str, list[Record]]:
    """The last records of up to three shards; the test's own are among them."""
    shards = [shard for shard, records in source.items() if records]
    return {
        shard: source[shard][-count:]
        for shard in random.Random(1).sample(shards, min(3, len(shards)))
    }


@pytest.mark.parametrize("part", FUNCTIONS)
def test_a_batch_that_was_applied_may_come_again_in_any_way(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    rng = random.Random(part)
    source = _tail(stack.records(part))
    for size in (100, 37, 11):
        batches = _all_batches(source, size)
        rng.shuffle(batches)
        for shard, batch in batches:
            stack.deliver_batch(part, shard, batch)
    for shard, batch in _all_batches(source, 40):
        stack.deliver_batch(part, shard, rng.sample(batch, len(batch)))
    stack.assert_exact(applied)
    stack.catch_up(applied)


@pytest.mark.parametrize("part", FUNCTIONS)
def test_a_whole_stream_may_come_again_from_its_start_twiceat_once(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    source = stack.records(part)

    def replay(size: int) -> None:
        for shard, batch in _all_batches(source, size):
            stack.deliver_batch(part, shard, batch)

    at_once([lambda: replay(1000), lambda: replay(700)])
    stack.assert_exact(applied)
    stack.catch_up(applied)


@pytest.mark.parametrize("part", ["map", "reduce"])
def test_an_event_that_names_no_shard_is_refused_and_changes_nothing(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    batch, *_ = _all_batches(_tail(stack.records(part)), 10)
    with pytest.raises(AssertionError, match="tumbling_window_in_seconds"):
        stack.invoke(part, event(batch[1]))
    stack.catch_up(applied)


@pytest.mark.parametrize("part", ["map", "reduce"])
def test_new_records_may_come_by_hand_while_the_mapping_is_off_and_again_when_it_is_on(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    rng = random.Random(part)
    with stack.without_mapping(part):
        source = stack.records(part)
        recent, last = _tail(source), _last(source)
        for turn in range(2):
            stack.put(applied.load(120, seed=20 + turn))
            fresh = _fresh(stack, applied, part, last)
            for shard, records in fresh.items():
                stack.deliver(part, shard, records, size=50)
                recent.setdefault(shard, []).extend(records)
            if part == "reduce":
                stack.assert_exact(applied)
            batches = _all_batches(recent, 50)
            rng.shuffle(batches)
            for shard, batch in batches:
                stack.deliver_batch(part, shard, batch)
            last |= _last(fresh)
            stack.settle(applied, hold=0.5)
    # The mapping is on again and delivers from the stream's start.
    stack.catch_up(applied)


@pytest.mark.parametrize("part", ["map", "reduce"])
def test_new_records_may_come_in_several_deliveriesat_once(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    with stack.without_mapping(part):
        last = _last(stack.records(part))
        stack.put(applied.load(200, seed=30))
        fresh = _fresh(stack, applied, part, last)

        def deliver(size: int) -> None:
            # As a mapping does: a failed batch is delivered again, and nothing after it before that.
            for shard, batch in _all_batches(fresh, size):
                _until_taken(stack, part, shard, batch)

        at_once([partial(deliver, size) for size in (20, 33, 15, 50)])
        stack.settle(applied)
    stack.catch_up(applied)


def test_the_number_of_lanes_may_change_while_everything_comes_again(
    stack: LiveStack, applied: Trades
) -> None:
    """1 -> 4 -> 1: redeliveries find the rows of the first delivery, since the number belongs to the shard."""
    for turn, lanes in enumerate(("4", "1")):
        with stack.with_variables("map", REDUCE_LANES=lanes):
            stack.put(applied.load(100, seed=60 + turn))
            for part in ("map", "reduce"):
                for shard, batch in _all_batches(_tail(stack.records(part)), 40):
                    _until_taken(stack, part, shard, batch)
            stack.settle(applied, hold=0.5)
    stack.catch_up(applied)


def test_state_takes_new_messages_in_any_order_andat_once(
    stack: LiveStack, applied: Trades
) -> None:
    rng = random.Random(5)
    with stack.without_mapping("state"):
        last = _last(stack.records("state"))
        stack.put(applied.load(300, seed=40, changes=60))
        fresh = stack.records("state", after=last)
        assert sum(map(len, fresh.values())) == 300

        def deliver(seed: int) -> None:
            batches = _all_batches(fresh, 8 + seed)
            random.Random(seed).shuffle(batches)
            for shard, batch in batches:
                shuffled = random.Random(seed).sample(list(batch), len(batch))
                stack.deliver_batch("state", shard, shuffled)

        at_once([lambda: deliver(rng.randrange(9)), lambda: deliver(9), lambda: deliver(10)])
        stack.settle(applied)
    stack.catch_up(applied)


def test_replays_by_hand_beside_the_working_mappings_change_nothing(
    stack: LiveStack, applied: Trades
) -> None:
    done = threading.Event()
    # A record that the mapping has not delivered yet must not be skipped: what is there now was delivered.
    there = {part: stack.records(part) for part in FUNCTIONS}

    def replay(part: str) -> None:
        while not done.is_set():
            for shard, records in there[part].items():
                for batch in cut(records[-400:] if part == "state" else records, 500):
                    _until_taken(stack, part, shard, batch)
                    if done.is_set():
                        return

    def load() -> None:
        try:
            for turn in range(2):
                stack.put(applied.load(150, seed=50 + turn))
                stack.settle(applied, hold=0)
        finally:
            done.set()

    at_once([load, *(partial(replay, part) for part in FUNCTIONS)])
    stack.settle(applied)
    stack.catch_up(applied)


def _until_taken(
    stack: LiveStack, part: str, shard: str, batch: Sequence[Record], tries: int = 5
) -> None:
    for attempt in range(tries):
        try:
            stack.deliver_batch(part, shard, batch)
            return
        except AssertionError:
            if attempt == tries - 1:
                raise


def _last(source: dict[str, list[Record]]) -> dict[str, str]:
    """The last sequence number of each shard."""
    return {shard: sequence_number(records[-1]) for shard, records in source.items() if records}


def _fresh(
    stack: LiveStack, trades: Trades, part: str, last: dict[str, str]
) -> dict[str, list[Record]]:
    """What a function's source holds after `last`, once all that was put has come there."""
    summed = _state_sums if part == "map" else _delta_sums
    expected = {node: total.value for node, total in trades.totals().items()}
    wait_for(
        f"everything put in the source of {part}",
        lambda: list(difference_lines(compare(expected, summed(stack, trades)))),
        lambda wrong: not wrong,
    )
    return stack.records(part, after=last)


def _state_sums(stack: LiveStack, trades: Trades) -> dict[str, Decimal]:
    """What the test's rows of StateTable add up to."""
    oracle = Oracle()
    for row in _scan(
        stack,
        stack.table("state"),
        FilterExpression="begins_with(id, :root)",
        ExpressionAttributeValues={":root": {"S": f"{trades.root}/"}},
    ):
        oracle.see_row({name: _READ.deserialize(value) for name, value in row.items()})
    return {node: total.value for node, total in oracle.totals().items()}


def _delta_sums(stack: LiveStack, trades: Trades) -> dict[str, Decimal]:
    """What Map has ever written of the test's totals, by the records of ReduceTable's stream."""
    sums: dict[str, Decimal] = {}
    for records in stack.records("reduce").values():
        for record in records:
            row = record["dynamodb"].get("NewImage", {})
            place = (
                [name["S"] for name in row.get("Measures", {}).get("L", [])].index("Value")
                if row
                else 0
            )
            for node, amounts in row.get("Totals", {}).get("M", {}).items():
                if node.split(":")[0] == trades.root:
                    added = Decimal(amounts["L"][place]["N"])
                    sums[node] = EXACT.add(sums.get(node, Decimal(0)), added)
    return sums


def _scan(stack: LiveStack, table: str, **options: Any) -> Iterator[dict[str, Any]]:
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, **options
    )
    for page in pages:
        yield from page["Items"]
