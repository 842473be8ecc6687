"""Any delivery leaves every total exact: random messages under random schedules, over DynamoDB Local.

The simulation plays thousands of them over a store in memory; these few are over the real one.
"""

import random
import threading
from collections.abc import Callable
from functools import partial

import pytest

from support import trades
from support.any_delivery import Play
from support.pipeline import Pipeline, event

SHAPES = {"windows": (True,), "no windows": (False,), "both": (True, False)}


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize("seed", range(6))
def test_any_schedule_of_deliveries_and_faults_leaves_every_total_exact(
    pipeline: Pipeline, seed: int
) -> None:
    Play(pipeline, seed)()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(100, 101))
def test_any_schedule_leaves_every_total_exact_with_full_transactions(
    pipeline: Pipeline, seed: int, shape: str
) -> None:
    Play(pipeline, seed, SHAPES[shape])()


@pytest.fixture
def stored(pipeline: Pipeline) -> tuple[Pipeline, list[trades.Version]]:
    """StateTable with some trades in it, its stream not yet delivered."""
    draw = random.Random(7)
    versions = trades.versions(draw, trades=12, each=4)
    for _ in range(2):
        pipeline.function("state")(pipeline.kinesis_event(*trades.burst(draw, versions)))
    return pipeline, versions


Stored = tuple[Pipeline, list[trades.Version]]


def check(stored: Stored) -> None:
    pipeline, versions = stored
    found = {node: total for node, total in pipeline.totals().items() if total}
    assert found == trades.fold(versions)


STREAMS = [("map", "StateTable"), ("reduce", "ReduceTable")]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("warm", [True, False])
def test_the_whole_stream_again_in_either_shape_changes_nothing(
    stored: Stored, first: bool, second: bool, warm: bool
) -> None:
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        function(event(records, shard if first else None))
        again = function if warm else pipeline.function(name)
        again(event(records, shard if second else None))
        again(event(records[::-1], shard if first else None))
    check(stored)


@pytest.mark.parametrize("first", [True, False])
def test_a_window_that_is_switched_off_or_on_between_batches_loses_and_doubles_nothing(
    stored: Stored, first: bool
) -> None:
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        for start in range(0, len(records), 5):
            windowed = (start // 5 % 2 == 0) == first
            # The last batch comes once more with the next, in its other shape.
            function(event(records[max(0, start - 5) : start + 5], shard if windowed else None))
    check(stored)


@pytest.mark.parametrize("shapes", [(True, True), (True, False), (False, True), (False, False)])
def test_two_deliveries_at_once_in_threads_leave_every_total_exact(
    stored: Stored, shapes: tuple[bool, bool]
) -> None:
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for start in range(0, len(records), 15):
            batch = records[max(0, start - 3) : start + 15]
            events = [event(batch, shard if windowed else None) for windowed in shapes]
            at_once([partial(pipeline.function(name), delivery) for delivery in events])
    check(stored)


def at_once(calls: list[Callable[[], object]]) -> None:
    """Make the calls in threads that start together; raises the first one's error."""
    start, errors = threading.Barrier(len(calls)), list[BaseException]()

    def run(call: Callable[[], object]) -> None:
        start.wait(30)
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_a_batch_in_any_cuts_makes_the_same_totals(stored: Stored) -> None:
    pipeline, versions = stored
    for name, table in STREAMS:
        records = pipeline.stream_records(table)
        function = pipeline.function(name)
        for size in (1, 2, 3, 5, 8, len(records)):
            # Each size starts from the beginning: ever larger cuts over what was applied in smaller ones.
            for start in range(0, min(len(records), 4 * size), size):
                function(event(records[start : start + size]))
    check((pipeline, versions))
