"""Scores by user as a system under test."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar
from unittest import mock

from simulation.plans import COMMON, WINDOW, Frame, Plan, Put
from simulation.systems import LAMBDA_SRC, System, TableShape
from support import trades

USERS = ("Jane Doe", "John", "Zoë", "李", "a", "b", "c", "d")


class Scores(System):
    """Score records are written, changed, moved to another user and deleted; totals follow."""

    FAMILIES: ClassVar = (*COMMON, WINDOW)
    SUBJECTS: ClassVar = {"LEDA": {"scores": LAMBDA_SRC / "aggregate_scores" / "handler.py"}}
    TABLES: ClassVar = {
        "LEDA": {
            "GameScoreRecords": TableShape({"RecordID": "S"}),
            "GameScoresByUser": TableShape({"Username": "S"}),
            "CheckpointTable": TableShape({"Source": "S", "Lane": "S"}),
        }
    }
    SOURCES: ClassVar = {"scores": "GameScoreRecords"}

    @classmethod
    def plan_of(cls, seed: int, families: tuple[str, ...] | None = None) -> Plan:
        """Some versions of each record, deletes among them, and records that nobody can read."""
        frame = Frame.of("scores", seed, families, cls.FAMILIES)
        draw = frame.draw
        writes: list[tuple[str, bytes]] = []
        for _ in range(draw.choice((1, 10, 40, 80))):
            record = f"r{draw.randrange(draw.choice((1, 5, 30)))}"
            row: dict[str, Any] = {"Username": draw.choice(USERS), "Score": _score(draw.random())}
            if draw.random() < 0.05:
                del row[draw.choice(("Username", "Score"))]
            writes.append((record, b"" if draw.random() < 0.2 else json.dumps(row).encode()))
        shards = {"scores": frame.shards(1, 1, 2, 3)}
        return Plan(
            system="scores",
            seed=seed,
            families=frame.families,
            puts=frame.puts(writes),
            shards=shards,
            small_transactions=draw.random() < 0.6,
            mappings={"scores": frame.exactly_once()},
            fault_rate=frame.fault_rate(),
            disturbances=frame.disturbances((), shards),
        )

    @classmethod
    @contextmanager
    def installed(cls, plan: Plan) -> Iterator[None]:
        """Room for two users in a transaction, where the plan says so."""
        with mock.patch("leda.scores.MAX_EFFECTS", 2 if plan.small_transactions else 98):
            yield

    def variables(self) -> dict[str, str]:
        """The table of the totals."""
        return {"SCORES_TABLE": "GameScoresByUser"}

    def put(self, put: Put) -> None:
        """Write a record, or delete it (no data)."""
        key = {"RecordID": {"S": put.key}}
        if not put.data:
            self.store.delete_item(TableName="GameScoreRecords", Key=key)
            return
        self.store.put_item(TableName="GameScoreRecords", Item=_item(put))

    def differences(self) -> dict[str, tuple[Decimal, Decimal]]:
        """GameScoresByUser against the last write of each record; a user with 0 is as good as none."""
        last = {put.key: json.loads(put.data) if put.data else {} for put in self.plan.puts}
        sums: dict[str, Fraction] = {}
        for row in last.values():
            if "Username" in row and "Score" in row:
                sums[row["Username"]] = sums.get(row["Username"], Fraction(0)) + Fraction(
                    row["Score"]
                )
        found = {
            row["Username"]["S"]: Decimal(row["Score"]["N"])
            for row in self.rows("GameScoresByUser")
        }
        must = {user: trades.decimal_of(total) for user, total in sums.items()}
        zero = Decimal(0)
        return {
            user: (must.get(user, zero), found.get(user, zero))
            for user in sorted({*must, *found})
            if must.get(user, zero) != found.get(user, zero)
        }

    def lost(self) -> int:
        """How many of the rows that nobody can read are not in quarantine."""
        images = [
            json.loads(base64.b64decode(json.loads(body)["data"]))["dynamodb"].get("NewImage")
            for body in self.bucket.objects.values()
        ]
        bad = {put for put in self.plan.puts if put.data and len(json.loads(put.data)) < 2}
        return sum(_item(put) not in images for put in bad)


def _item(put: Put) -> dict[str, Any]:
    row = json.loads(put.data)
    item: dict[str, Any] = {"RecordID": {"S": put.key}}
    if "Username" in row:
        item["Username"] = {"S": row["Username"]}
    if "Score" in row:
        # As DynamoDB keeps it.
        item["Score"] = {"N": format(Decimal(row["Score"]).normalize(), "f")}
    return item


def _score(place: float) -> str:
    """A score that a binary float does not hold, or a plain one."""
    whole = int(place * 1_000_000)
    return (
        str(whole % 500) if whole % 3 else f"{'-' if whole % 2 else ''}{whole}.{whole % 97:02d}0001"
    )
