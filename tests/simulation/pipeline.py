"""The aggregation pipeline as a system under test."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from unittest import mock

from simulation.functions import in_one_thread
from simulation.mappings import Settings
from simulation.operator import Operator
from simulation.plans import LOSS, Disturbance, Frame, Plan, Put
from simulation.streams import Raw
from simulation.systems import KINESIS, LAMBDA_SRC, System
from simulation.world import World
from support import trades

STAGES = ("state", "map", "reduce")
PUBLISHED = Path(__file__).resolve().parent / "published"


class Pipeline(System):
    """State, Map and Reduce, or the published design's versions of them."""

    SUBJECTS: ClassVar = {
        "LEDA": {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
        "published": {stage: PUBLISHED / f"{stage}.py" for stage in STAGES},
    }
    TABLES: ClassVar = {
        "StateTable": {"id": "S"},
        "ReduceTable": {"Lane": "N", "Delta": "S"},
        "AggregateTable": {"Identifier": "S"},
        "CheckpointTable": {"Source": "S", "Lane": "S"},
    }
    SOURCES: ClassVar = {"map": "StateTable", "reduce": "ReduceTable"}

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        super().__init__(world, plan, subject)
        self._operator = Operator(self)

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Messages in any order, some twice and some bad; between one and three shards of each stream."""
        frame = Frame.of("pipeline", seed, families)
        draw = frame.draw
        versions = trades.versions(
            draw, trades=draw.choice((1, 4, 10, 20)), each=draw.randint(1, 4)
        )
        burst = trades.burst(draw, versions, bad=draw.choice((0, 1, 3)))
        shards = {"map": frame.shards(1, 1, 2, 3), "reduce": frame.shards(1, 1, 3)}
        state = Settings(
            batch_size=draw.choice((1, 5, 25, 100)),
            batching_window=draw.choice((0.0, 0.0, 2.0)),
            parallelization_factor=draw.choice((1, 1, 2, 4)),
            maximum_retries=draw.choice((0, 2, 10, -1)),
            maximum_record_age=draw.choice((60.0, 600.0, -1.0, -1.0)),
            bisect=draw.random() < 0.5,
        )
        puts = frame.puts([(f"k{draw.randrange(20)}", message) for message in burst])
        disturbances = frame.disturbances(("state",), shards)
        if LOSS in frame.families:
            disturbances += _loss(draw, puts)
        return Plan(
            system="pipeline",
            seed=seed,
            families=frame.families,
            puts=puts,
            shards={"state": draw.randint(1, 3), **shards},
            small_transactions=draw.random() < 0.6,
            mappings={"state": state} | {stage: frame.exactly_once() for stage in shards},
            fault_rate=frame.fault_rate(),
            disturbances=tuple(sorted(disturbances, key=lambda disturbance: disturbance.at)),
        )

    @staticmethod
    @contextmanager
    def installed(plan: Plan) -> Iterator[None]:
        """One thread; and, where the plan says so, room for few totals, so that few records take many transactions."""
        with ExitStack() as stack:
            in_one_thread(stack, "leda.state_store", "leda.put_aside", "leda.audit")
            if plan.small_transactions:
                for name, value in (
                    ("leda.deltas.MAX_NODES_OF_A_DELTA", 4),
                    ("leda.deltas.MAX_EFFECTS", 3),
                    ("leda.totals.MAX_EFFECTS", 6),
                ):
                    stack.enter_context(mock.patch(name, value))
            yield

    def variables(self) -> dict[str, str]:
        """The tables' names and the schema."""
        tables = {
            f"{name.upper()}_TABLE": f"{name}Table" for name in ("State", "Reduce", "Aggregate")
        }
        return {"SCHEMA": "{}", "REDUCE_LANES": str(self.plan.shards["reduce"]), **tables}

    def put(self, put: Put) -> None:
        """A producer's record."""
        arrived = self.world.true_clock()

        def raw(shard: str, sequence: int) -> Raw:
            return {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": put.key,
                    "sequenceNumber": str(sequence),
                    "data": base64.b64encode(put.data).decode(),
                    "approximateArrivalTimestamp": arrived,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/StateLambda",
                "awsRegion": "us-east-1",
                "eventSourceARN": KINESIS,
            }

        self.streams["state"].publish(put.key, raw)

    def rebuild(self) -> None:
        """Run `leda rebuild`, if something was lost."""
        if self._operator.needed:
            self.world.spawn(self._operator.rebuild)

    def redrive(self) -> None:
        """Put back what the State mapping gave up, as `leda redrive` does."""
        mapping = self.mappings["state"]
        discarded, mapping.discarded = mapping.discarded, []

        def work() -> None:
            for batch in discarded:
                done = mapping.attempt(self.streams["state"].shards[batch.shard], batch.records)
                assert done == len(batch.records), "nothing is wrong any more, and yet it failed"

        self.world.spawn(work)
        super().redrive()

    def disturb_otherwise(self, kind: str, stage: str, draw: random.Random) -> None:
        """Records, totals or checkpoints are lost; or an operator rebuilds the totals, and may be stopped half-way."""
        match kind:
            case "records lost":
                self.counts["records that were lost"] += self.mappings[stage].lose()
                self._operator.needed = True
            case "total damaged":
                self._operator.damage(draw)
            case "rebuild":
                self._operator.start(draw)
            case _:
                super().disturb_otherwise(kind, stage, draw)

    def differences(self) -> dict[str, tuple[Decimal, Decimal]]:
        """AggregateTable against a plain fold over the messages; a row that is 0 is as good as none."""
        good = (put.data for put in self.plan.puts if put.data not in trades.BAD)
        must = trades.fold(trades.version_of(data) for data in good)
        found = {
            row["Identifier"]["S"]: Decimal(row["Value"]["N"])
            for row in self.rows("AggregateTable")
        }
        zero = Decimal(0)
        return {
            node: (must.get(node, zero), found.get(node, zero))
            for node in sorted({*must, *found})
            if must.get(node, zero) != found.get(node, zero)
        }

    def lost(self) -> int:
        """How many bad messages are not in State's quarantine; and one, if a rebuild did not come to its end."""
        bad = Counter(put.data for put in self.plan.puts if put.data in trades.BAD)
        kept = Counter(
            base64.b64decode(json.loads(body)["data"])
            for key, body in self.bucket.objects.items()
            if key.startswith("StateLambda/")
        )
        return (bad - kept).total() + self._operator.needed


def _loss(draw: random.Random, puts: tuple[Put, ...]) -> tuple[Disturbance, ...]:
    """Something is lost while messages come, and soon after it an operator rebuilds the totals."""
    at = draw.choice(puts).at + draw.uniform(0, 5)

    def one(kind: str, at: float) -> Disturbance:
        stage = draw.choice(("map", "reduce"))
        return Disturbance(round(at, 3), kind, stage, draw.getrandbits(32))

    lost = draw.choice(("records lost", "total damaged"))
    return one(lost, max(0.0, at - draw.uniform(0, 5))), one("rebuild", at)
