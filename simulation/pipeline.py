"""The aggregation pipeline as a system under test."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from leda.engine.delta_rows import RESERVED
from simulation import trades
from simulation.engine import (
    MOST_LANES,
    NARROW_PARTITIONS,
    REDUCE_TABLE,
    REGISTRY_TABLE,
    Engine,
    differing,
    number_of,
    of_the_engine,
)
from simulation.mappings import Settings
from simulation.plans import COMMON, EXPIRY, LOSS, NARROW, OFF, SETTINGS, STREAMS, Frame, Plan, Put
from simulation.streams import Raw
from simulation.systems import KINESIS, LAMBDA_SRC, TableShape
from simulation.world import World

STAGES = ("state", "map", "reduce")
PUBLISHED = Path(__file__).resolve().parent / "published"

VALUE = {"op": "sum", "field": "Value"}
CONFIGURATION = {"path": "Path", "measures": {"Count": {"op": "count"}, "Value": VALUE}}
# Configurations that may be deployed later. They have no effect, because Map uses the live configuration.
OTHER_CONFIGURATIONS = (
    CONFIGURATION,
    {"path": "Path", "measures": {"Value": VALUE}},
    {
        "path": "Path",
        "measures": {
            "Count": {"op": "count"},
            "Value": VALUE,
            "Versions": {"op": "sum", "field": "Version"},
        },
    },
    {"path": "id", "measures": {"Value": {"op": "count"}}},
)
MOST_REDRIVES = 100


class Pipeline(Engine):
    """State, Map and Reduce, or the published design's versions of them."""

    FAMILIES: ClassVar = (*COMMON, SETTINGS, OFF, EXPIRY, NARROW, STREAMS, LOSS)
    SUBJECTS: ClassVar = {
        "LEDA": {stage: LAMBDA_SRC / stage / "handler.py" for stage in STAGES},
        "published": {stage: PUBLISHED / f"{stage}.py" for stage in STAGES},
    }
    TABLES: ClassVar = {
        "LEDA": {
            "StateTable": TableShape({"id": "S"}),
            "ReduceTable": REDUCE_TABLE,
            "AggregateTable": TableShape({"Identifier": "S"}),
            "RegistryTable": REGISTRY_TABLE,
        },
        "published": {
            "StateTable": TableShape({"id": "S"}),
            "ReduceTable": TableShape({"Lane": "N", "Delta": "S"}),
            "AggregateTable": TableShape({"Identifier": "S"}),
        },
    }
    SOURCES: ClassVar = {"map": "StateTable", "reduce": "ReduceTable"}
    COMPARED_WITH: ClassVar = "the published design"
    NOT_COMPARED: ClassVar = {
        LOSS: "no way back",
        STREAMS: "no way back",
        NARROW: "a transaction that never fits is tried for ever",
    }
    THREADED: ClassVar = ("leda.pipeline.state_store", "leda.quarantine.writer")

    def __init__(self, world: World, plan: Plan, subject: str) -> None:
        super().__init__(world, plan, subject)
        self._is_leda = subject == "LEDA"

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Messages in any order, some repeated and some bad; one to three shards of each stream."""
        frame = Frame.of("pipeline", seed, families, cls.FAMILIES)
        draw = frame.draw
        versions = trades.versions(
            draw, trades=draw.choice((1, 4, 10, 20)), each=draw.randint(1, 4)
        )
        burst = trades.burst(draw, versions, bad=draw.choice((0, 1, 3)))
        shards = {stage: draw.choice((1, 1, 2, 3)) for stage in cls.SOURCES}
        state = Settings(
            batch_size=draw.choice((1, 5, 25, 100)),
            batching_window=draw.choice((0.0, 0.0, 2.0)),
            parallelization_factor=draw.choice((1, 1, 2, 4)),
            maximum_retries=draw.choice((0, 2, 10, -1)),
            maximum_record_age=draw.choice((60.0, 600.0, -1.0, -1.0)),
            bisect=draw.random() < 0.5,
        )
        puts = frame.puts([(f"k{draw.randrange(20)}", message) for message in burst])
        disturbances = [*frame.disturbances(("state",), shards), *of_the_engine(frame, puts)]
        is_narrow = NARROW in frame.families
        return Plan(
            system="pipeline",
            seed=seed,
            families=frame.families,
            puts=puts,
            shards={"state": draw.randint(1, 3), **shards},
            small_transactions=is_narrow or draw.random() < 0.6,
            mappings={"state": state} | {stage: frame.exactly_once() for stage in shards},
            fault_rate=frame.fault_rate(),
            disturbances=tuple(sorted(disturbances, key=lambda disturbance: disturbance.at)),
            lanes=draw.choice((1, 1, 2, MOST_LANES)),
            rising_numbers=draw.random() < 0.5,
            partitions=draw.choice((1, 4)),
            **(NARROW_PARTITIONS if is_narrow else {}),
        )

    def variables(self) -> dict[str, str]:
        """StateTable, the schema and the configuration."""
        return {
            **super().variables(),
            "STATE_TABLE": "StateTable",
            "SCHEMA": "{}",
            "LIMITS": "{}",
            "CONFIGURATION": json.dumps(CONFIGURATION),
        }

    def put(self, put: Put) -> None:
        """Put a producer's record into the Kinesis stream."""
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

    def redrive(self) -> None:
        """Process the batches that the State mapping gave up, as `leda redrive` does."""
        mapping = self.mappings["state"]
        discarded, mapping.discarded = mapping.discarded, []

        def work() -> None:
            for batch in discarded:
                shard, records = self.streams["state"].shards[batch.shard], batch.records
                for _ in range(MOST_REDRIVES):
                    records = records[mapping.attempt(shard, records) :]
                    if not records:
                        break
                    # A narrow partition accepts the rest a little later.
                    self.world.sleep(1)
                assert not records, "failed without a fault"

        self.world.spawn(work)
        super().redrive()

    @property
    def other_configurations(self) -> Sequence[dict[str, Any]]:
        """Configurations with other measures, and with another hierarchy."""
        return OTHER_CONFIGURATIONS

    def differences(self) -> dict[str, tuple[object, object]]:
        """Compare AggregateTable with a plain sum over the messages. A total of 0 equals an absent one."""
        good = [trades.version_of(put.data) for put in self.plan.puts if put.data not in trades.BAD]
        must = trades.fold(good)
        rows = {
            row["Identifier"]["S"]: row
            for row in self.rows("AggregateTable")
            if not row["Identifier"]["S"].startswith(RESERVED)
        }
        found = {node: number_of(row, "Value") for node, row in rows.items()}
        if self._is_leda:
            must |= {_count(node): Decimal(count) for node, count in trades.count(good).items()}
            found |= {_count(node): number_of(row, "Count") for node, row in rows.items()}
            found |= dict.fromkeys(self.left_over(), Decimal(1))
        return differing(must, found)

    def lost(self) -> int:
        """The number of bad messages missing in State's quarantine, and 1 more if a rebuild is still needed."""
        bad = Counter(put.data for put in self.plan.puts if put.data in trades.BAD)
        kept = Counter(
            base64.b64decode(json.loads(body)["data"])
            for key, body in self.bucket.objects.items()
            if key.startswith("StateLambda/")
        )
        return (bad - kept).total() + self.operator.needed


def _count(node: str) -> str:
    return f"{node}, count"
