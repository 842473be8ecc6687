"""Totals are exact after any deliveries: random messages in random schedules, over DynamoDB Local.

The simulation plays thousands of schedules over a store in memory; these few use DynamoDB Local.
"""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

import pytest

from simulation import trades
from support.at_once import at_once
from support.deliveries import Environment, Record, Schedule
from support.faults import Faults, FaultyClient
from support.lambda_events import event
from support.pipeline import Function, Pipeline

STREAMS = {"map": "StateTable", "reduce": "ReduceTable"}
WRITES = {"map": "put_item", "reduce": "batch_execute_statement"}


class WrongTotals(AssertionError):
    """The totals differ from the expected ones; the text has both, and the deliveries."""


class Play:
    """One random play; `seed` reproduces it."""

    def __init__(self, pipeline: Pipeline, seed: int, lanes: Sequence[int] = (1,)) -> None:
        """`lanes`: settings of REDUCE_LANES, one of which each new environment gets."""
        self.pipeline = pipeline
        self.random = random.Random(seed)
        self.lanes = lanes
        self.schedules = {
            name: Schedule(self.random, self._environment(name), (True,), WRITES[name])
            for name in STREAMS
        }

    def __call__(self, bursts: int = 2, trades_each: int = 5) -> None:
        """Play. Raises WrongTotals if a total differs."""
        versions = trades.versions(self.random, trades_each, 2 * bursts)
        self.random.shuffle(versions)
        size = -(-len(versions) // bursts)
        sent: list[trades.Version] = []
        for number in range(bursts):
            part = versions[number * size : (number + 1) * size]
            sent += part
            self._store(trades.burst(self.random, part))
            for name, table in STREAMS.items():
                self.schedules[name].run(self.pipeline.stream_records(table))
            self._compare(trades.fold(sent))
        assert any(schedule.struck for schedule in self.schedules.values()), "no fault was met"

    def _compare(self, expected: dict[str, Decimal]) -> None:
        totals = {node: total for node, total in self.pipeline.totals().items() if total}
        log = {name: schedule.log for name, schedule in self.schedules.items()}
        if totals != expected:
            raise WrongTotals(f"found {totals}, expected {expected} after {log}")

    def _store(self, messages: Sequence[bytes]) -> None:
        """Deliver to State in any order, half of the records twice."""
        records = self.pipeline.kinesis_event(*messages)["Records"]
        pending = [*records, *self.random.choices(records, k=len(records) // 2)]
        while pending:
            size = self.random.randint(1, 20)
            batch, pending = pending[:size], pending[size:]
            answer = self.pipeline.function("state")({"Records": batch})
            assert answer == {"batchItemFailures": []}

    def _environment(self, name: str) -> Callable[[], Environment]:
        def new() -> Environment:
            faults = Faults()
            self.pipeline.settings["REDUCE_LANES"] = str(self.random.choice(self.lanes))
            function = self.pipeline.function(name, lambda client: FaultyClient(client, faults))
            shard = self.pipeline.shard(STREAMS[name])
            return Environment(lambda batch, _windowed: _deliver(function, batch, shard), faults)

        return new


def _deliver(function: Function, batch: Sequence[Record], shard: str) -> None:
    answer = function(event(batch, shard))
    assert answer == {"state": {}}


@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("seed", range(6))
def test_totals_are_exact_after_random_deliveries_and_faults(pipeline: Pipeline, seed: int) -> None:
    Play(pipeline, seed)()


@pytest.mark.parametrize("seed", range(100, 103))
def test_totals_are_exact_after_random_deliveries_with_changing_numbers_of_lanes(
    pipeline: Pipeline, seed: int
) -> None:
    Play(pipeline, seed, lanes=(1, 4))()


@pytest.fixture
def stored(pipeline: Pipeline) -> tuple[Pipeline, list[trades.Version]]:
    """StateTable with some trades; nothing of its stream is delivered yet."""
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


@pytest.mark.parametrize("warm", [True, False])
def test_delivering_the_whole_stream_again_changes_nothing(stored: Stored, warm: bool) -> None:
    pipeline, _ = stored
    for name, table in STREAMS.items():
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        function(event(records, shard))
        again = function if warm else pipeline.function(name)
        again(event(records, shard))
        again(event(records[::-1], shard))
    check(stored)


def test_repeated_deliveries_with_another_number_of_lanes_change_nothing(stored: Stored) -> None:
    """The number of lanes belongs to the shard, so that a repeated delivery finds the rows of the first one."""
    pipeline, _ = stored
    for name, table in STREAMS.items():
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for lanes in ("1", "4", "1"):
            pipeline.settings["REDUCE_LANES"] = lanes
            pipeline.function(name)(event(records, shard))
    check(stored)


def test_totals_are_exact_after_two_deliveries_at_once(stored: Stored) -> None:
    pipeline, _ = stored
    for name, table in STREAMS.items():
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        for start in range(0, len(records), 15):
            batch = records[max(0, start - 3) : start + 15]
            deliveries = [event(batch, shard), event(batch[: len(batch) // 2 + 1], shard)]
            at_once([partial(pipeline.function(name), delivery) for delivery in deliveries])
    check(stored)


def test_totals_are_exact_with_any_batch_boundaries(stored: Stored) -> None:
    pipeline, versions = stored
    for name, table in STREAMS.items():
        records, shard = pipeline.stream_records(table), pipeline.shard(table)
        function = pipeline.function(name)
        for size in (1, 2, 3, 5, 8, len(records)):
            # Each size starts from the beginning: larger batches over records that were applied in smaller ones.
            for start in range(0, min(len(records), 4 * size), size):
                function(event(records[start : start + size], shard))
    check((pipeline, versions))
