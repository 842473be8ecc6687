"""Whatever is delivered, to any function, by a plain `lambda invoke`, the totals stay exact.

The records are the streams' own. What holds for all of these deliveries is only what AWS promises: a record is first
delivered in order within its shard. LocalStack's mappings name no shard; deliveries with a tumbling window's fields do.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from leda_cli.oracle import Oracle
from leda_cli.totals import EXACT, compare, difference_lines
from support.lambda_events import Record, cut, sequence_number
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
    for size, window in ((100, False), (100, True), (37, False), (11, True)):
        batches = _all_batches(source, size)
        rng.shuffle(batches)
        for shard, batch in batches:
            stack.deliver_batch(part, shard, batch, window)
    for shard, batch in _all_batches(source, 40):
        shuffled = rng.sample(batch, len(batch))
        stack.deliver_batch(part, shard, shuffled, window=rng.random() < 0.5)
    stack.assert_exact(applied)
    stack.catch_up(applied)


@pytest.mark.parametrize("part", FUNCTIONS)
def test_a_whole_stream_may_come_again_from_its_start_twice_at_once(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    source = stack.records(part)

    def replay(size: int, window: bool) -> None:
        for shard, batch in _all_batches(source, size):
            stack.deliver_batch(part, shard, batch, window)

    _at_once([lambda: replay(1000, False), lambda: replay(700, True)])
    stack.assert_exact(applied)
    stack.catch_up(applied)


@pytest.mark.parametrize(("part", "first"), [("map", True), ("reduce", False)])
def test_the_window_may_be_set_or_removed_between_deliveries(
    stack: LiveStack, applied: Trades, part: str, first: bool
) -> None:
    rng = random.Random(part)
    with stack.without_mapping(part):
        source = stack.records(part)
        recent, last = _tail(source), _last(source)
        for turn, window in enumerate([first, not first, first]):
            stack.put(applied.load(120, seed=20 + turn))
            fresh = _fresh(stack, applied, part, last)
            for shard, records in fresh.items():
                stack.deliver(part, shard, records, size=50, window=window)
                recent.setdefault(shard, []).extend(records)
            if part == "reduce":
                stack.assert_exact(applied)
            # All of it again under the other name, the new records and the old ones in any order.
            batches = _all_batches(recent, 50)
            rng.shuffle(batches)
            for shard, batch in batches:
                stack.deliver_batch(part, shard, batch, window=rng.random() < 0.5)
                stack.deliver_batch(part, shard, batch, window=not window)
            last |= _last(fresh)
            stack.settle(applied, hold=0.5)
    # The mapping is on again and delivers from the stream's start.
    stack.catch_up(applied)


@pytest.mark.parametrize("part", ["map", "reduce"])
def test_new_records_may_come_in_several_deliveries_at_once_with_the_shards_name_and_without(
    stack: LiveStack, applied: Trades, part: str
) -> None:
    with stack.without_mapping(part):
        last = _last(stack.records(part))
        stack.put(applied.load(200, seed=30))
        fresh = _fresh(stack, applied, part, last)

        def deliver(size: int, window: bool) -> None:
            # As a mapping does: a batch that failed comes again, and nothing after it before.
            for shard, batch in _all_batches(fresh, size):
                _until_taken(stack, part, shard, batch, window)

        _at_once(
            [
                lambda: deliver(20, True),
                lambda: deliver(33, False),
                lambda: deliver(15, False),
                lambda: deliver(50, True),
            ]
        )
        stack.settle(applied)
    stack.catch_up(applied)


def test_state_takes_new_messages_in_any_order_and_at_once(
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
                stack.deliver_batch("state", shard, shuffled, window=bool(seed % 2))

        _at_once([lambda: deliver(rng.randrange(9)), lambda: deliver(9), lambda: deliver(10)])
        stack.settle(applied)
    stack.catch_up(applied)


def test_replays_by_hand_beside_the_working_mappings_change_nothing(
    stack: LiveStack, applied: Trades
) -> None:
    done = threading.Event()

    def replay(part: str, window: bool) -> None:
        while not done.is_set():
            for shard, records in stack.records(part).items():
                for batch in cut(records[-400:] if part == "state" else records, 500):
                    _until_taken(stack, part, shard, batch, window)
                    if done.is_set():
                        return

    def load() -> None:
        try:
            for turn in range(2):
                stack.put(applied.load(150, seed=50 + turn))
                stack.settle(applied, hold=0)
        finally:
            done.set()

    _at_once(
        [
            load,
            lambda: replay("map", True),
            lambda: replay("reduce", True),
            lambda: replay("state", False),
        ]
    )
    stack.settle(applied)
    stack.catch_up(applied)


def _at_once(work: Sequence[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(each) for each in work]:
            future.result()


def _until_taken(
    stack: LiveStack, part: str, shard: str, batch: Sequence[Record], window: bool, tries: int = 5
) -> None:
    for attempt in range(tries):
        try:
            stack.deliver_batch(part, shard, batch, window)
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
    expected = trades.totals()
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
    return oracle.totals()


def _delta_sums(stack: LiveStack, trades: Trades) -> dict[str, Decimal]:
    """What the delta rows with totals of the test add up to."""
    sums: dict[str, Decimal] = {}
    for row in _scan(
        stack,
        stack.table("reduce"),
        FilterExpression="attribute_exists(Totals.#root)",
        ExpressionAttributeNames={"#root": trades.root},
    ):
        for path, value in row["Totals"]["M"].items():
            if path.split(":")[0] == trades.root:
                sums[path] = EXACT.add(sums.get(path, Decimal(0)), Decimal(value["N"]))
    return sums


def _scan(stack: LiveStack, table: str, **options: Any) -> Iterator[dict[str, Any]]:
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, **options
    )
    for page in pages:
        yield from page["Items"]
