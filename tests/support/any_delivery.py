"""The whole pipeline under random deliveries: the check behind test_any_delivery."""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

from simulation import trades
from support.deliveries import Environment, Record, Schedule
from support.faults import Faults, FaultyClient
from support.lambda_events import event
from support.pipeline import Function, Pipeline

SOURCES = {"map": "StateTable", "reduce": "ReduceTable"}
WRITES = {"map": "put_item", "reduce": "batch_execute_statement"}


class WrongTotals(AssertionError):
    """The totals differ from the plain fold; the text has both, and the deliveries that were made."""


class Play:
    """One random play; `seed` reproduces it."""

    def __init__(self, pipeline: Pipeline, seed: int, lanes: Sequence[int] = (1,)) -> None:
        """`lanes` are the settings of REDUCE_LANES, of which each new environment has one."""
        self.pipeline = pipeline
        self.random = random.Random(seed)
        self.lanes = lanes
        self.schedules = {
            name: Schedule(self.random, self._environment(name), (True,), WRITES[name])
            for name in SOURCES
        }

    def __call__(self, bursts: int = 2, trades_each: int = 5) -> None:
        """Play; raises WrongTotals where one differs."""
        versions = trades.versions(self.random, trades_each, 2 * bursts)
        self.random.shuffle(versions)
        size = -(-len(versions) // bursts)
        sent: list[trades.Version] = []
        for number in range(bursts):
            part = versions[number * size : (number + 1) * size]
            sent += part
            self._store(trades.burst(self.random, part))
            for name, table in SOURCES.items():
                self.schedules[name].run(self.pipeline.stream_records(table))
            self._compare(trades.fold(sent))
        assert any(schedule.struck for schedule in self.schedules.values()), "no fault was met"

    def _compare(self, expected: dict[str, Decimal]) -> None:
        totals = {node: total for node, total in self.pipeline.totals().items() if total}
        log = {name: schedule.log for name, schedule in self.schedules.items()}
        if totals != expected:
            raise WrongTotals(f"found {totals}, expected {expected} after {log}")

    def _store(self, messages: Sequence[bytes]) -> None:
        """State takes its records in any order: what it makes of them does not depend on it."""
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
            shard = self.pipeline.shard(SOURCES[name])
            return Environment(lambda batch, _windowed: _deliver(function, batch, shard), faults)

        return new


def _deliver(function: Function, batch: Sequence[Record], shard: str) -> None:
    answer = function(event(batch, shard))
    assert answer == {"state": {}}
