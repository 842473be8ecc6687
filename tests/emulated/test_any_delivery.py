"""Any delivery leaves every total exact: random messages under random schedules, over DynamoDB Local.

The simulation plays thousands of them over a store in memory; these few are over the real one.
"""

import random
from functools import partial

import pytest

from simulation import trades
from support.any_delivery import Play
from support.at_once import at_once
from support.lambda_events import event
from support.pipeline import Pipeline


@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("seed", range(6))
def test_any_schedule_of_deliveries_and_faults_leaves_every_total_exact(
    pipeline: Pipeline, seed: int
) -> None:
    Play(pipeline, seed)()


@pytest.mark.parametrize("seed", range(100, 103))
def test_any_schedule_leaves_every_total_exact_while_the_number_of_lanes_changes(
    pipeline: Pipeline, seed: int
) -> None:
    Play(pipeline, seed, lanes=(1, 4))()


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


@pytest.mark.parametrize("warm", [True, False])
def test_the_whole_stream_again_changes_nothing(stored: Stored, warm: bool) -> None:
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        function(event(records, shard))
        again = function if warm else pipeline.function(name)
        again(event(records, shard))
        again(event(records[::-1], shard))
    check(stored)


def test_a_changed_number_of_lanes_neither_loses_nor_doubles_what_comes_again(
    stored: Stored,
) -> None:
    """The number of lanes belongs to the shard: a redelivery has to find the rows of the first delivery."""
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for lanes in ("1", "4", "1"):
            pipeline.settings["REDUCE_LANES"] = lanes
            pipeline.function(name)(event(records, shard))
    check(stored)


def test_two_deliveries_at_once_in_threads_leave_every_total_exact(stored: Stored) -> None:
    pipeline, _ = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for start in range(0, len(records), 15):
            batch = records[max(0, start - 3) : start + 15]
            deliveries = [event(batch, shard), event(batch[: len(batch) // 2 + 1], shard)]
            at_once([partial(pipeline.function(name), delivery) for delivery in deliveries])
    check(stored)


def test_a_batch_in_any_cuts_makes_the_same_totals(stored: Stored) -> None:
    pipeline, versions = stored
    for name, table in STREAMS:
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        for size in (1, 2, 3, 5, 8, len(records)):
            # Each size starts from the beginning: ever larger cuts over what was applied in smaller ones.
            for start in range(0, min(len(records), 4 * size), size):
                function(event(records[start : start + size], shard))
    check((pipeline, versions))
