"""Computes the workshop's game without AWS: a burst's messages, its expected totals, and a round's points.

A burst is 250 PutRecords calls of 40 messages. In the plain mode every message is a new trade. In the hard
mode each call carries 35 generated messages and 5 duplicates of some of them, and 3 % of the generated messages
modify an earlier trade of the burst: a trade that is still at version 0 gets version 1; one that was modified
before gets an older version with other content, which must lose. The rules are those of
https://catalog.workshops.aws/dynamodb-labs/en-US/event-driven-architecture (the generator of the Amazon DynamoDB
labs).

Values are whole cents inside; a message carries them as JSON numbers with two decimals, the totals as Decimal. No
float takes part. The same seed gives the same messages, partition keys and totals; only the timestamps come from the
clock.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

from leda.pipeline.schema import Schema
from leda.values.numbers import WIDE

CALLS = 250
MESSAGES_PER_CALL = 40
MAX_CENTS = 10_000_000
CHOICES: Mapping[str, tuple[str, ...]] = {
    "RiskType": ("PV", "Delta"),
    "Region": ("EMEA", "APAC", "AMER"),
    "TradeDesk": ("FXSpot", "FXOptions"),
}
OTHER_CHOICES = ("A", "B", "C")  # for a level that the workshop does not have

POINTS = 100
HARD_FROM = 300
"""The score from which the game is hard."""
HARD_PARAMETERS: Mapping[str, int] = {
    "SPECIAL_TRADES": 1,
    "FAILURE_STATE_LAMBDA_PCT": 5,
    "FAILURE_MAP_LAMBDA_PCT": 10,
    "FAILURE_REDUCE_LAMBDA_PCT": 10,
}
"""The rows of ParameterTable in the hard mode. A missing row counts as 0, and in the plain mode all are missing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The composition of a burst. Percentages are from 0 to 100.

    messages: how many messages in all, duplicates included; the last call may be shorter.
    messages_per_call: how many messages one PutRecords call carries.
    duplicates_per_call: how many of them are duplicates of others in the same call.
    modify_percent: how many of the generated messages change an earlier trade of the burst.
    stale_percent: how many of the changes to a trade that was changed before carry an older version.
    delete_percent: how many of the changes with a newer version delete the trade.
    """

    messages: int = CALLS * MESSAGES_PER_CALL
    messages_per_call: int = MESSAGES_PER_CALL
    duplicates_per_call: int = 0
    modify_percent: float = 0
    stale_percent: float = 100
    delete_percent: float = 0

    def __post_init__(self) -> None:
        """Raise ValueError for rules that cannot make a burst."""
        if self.messages < 0 or self.messages_per_call < 1:
            raise ValueError("a burst needs messages >= 0 and messages_per_call >= 1")
        if not 0 <= self.duplicates_per_call < self.messages_per_call:
            raise ValueError("duplicates_per_call must leave at least one generated message a call")
        for name in ("modify_percent", "stale_percent", "delete_percent"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"{name} must be from 0 to 100")


PLAIN = Rules()
HARD = Rules(duplicates_per_call=5, modify_percent=3)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a PutRecords call."""

    data: bytes
    partition_key: str

    def entry(self) -> dict[str, Any]:
        """Return the record's entry in PutRecords."""
        return {"Data": self.data, "PartitionKey": self.partition_key}


@dataclass(slots=True)
class Counts:
    """The messages of a burst so far, by kind. `messages` = new + newer + older + deleted + duplicates."""

    messages: int = 0
    new: int = 0
    newer: int = 0
    older: int = 0
    deleted: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Trade:
    """The newest version of a trade, which is in the burst's expected totals."""

    version: int
    cents: int
    path: tuple[str, ...]
    deleted: bool = False


@dataclass(slots=True)
class Burst:
    """One burst, generated call by call while it is sent, so that its timestamps are the times of sending.

    `choices` are the names that a message may have at each level of the hierarchy. `expected` and `counts` include the
    calls that were generated so far.
    """

    rules: Rules = PLAIN
    rng: random.Random = field(default_factory=random.Random)
    schema: Schema = field(default_factory=Schema)
    clock: Callable[[], float] = time.time
    choices: Mapping[str, Sequence[str]] = field(default_factory=lambda: CHOICES)
    counts: Counts = field(default_factory=Counts)
    _trades: dict[str, _Trade] = field(default_factory=dict)
    _ids: list[str] = field(default_factory=list)

    def calls(self) -> Iterator[list[Record]]:
        """Yield the records of each PutRecords call, in order."""
        left = self.rules.messages - self.counts.messages
        while left > 0:
            size = min(left, self.rules.messages_per_call)
            duplicates = min(self.rules.duplicates_per_call, size - 1)
            records = [self._generate() for _ in range(size - duplicates)]
            records += [records[self.rng.randrange(size - duplicates)] for _ in range(duplicates)]
            self.counts.duplicates += duplicates
            self.counts.messages += size
            left -= size
            yield records

    def expected(self) -> dict[str, Decimal]:
        """Return the totals that the burst must add, for every node of every trade."""
        cents: dict[str, int] = {}
        for trade in self._trades.values():
            for depth in range(1, len(trade.path) + 1):
                row = ":".join(trade.path[:depth])
                cents[row] = cents.get(row, 0) + (0 if trade.deleted else trade.cents)
        return {row: Decimal(total).scaleb(-2) for row, total in cents.items()}

    def _generate(self) -> Record:
        rng, rules = self.rng, self.rules
        deleted = False
        if self._ids and rng.uniform(0, 100) < rules.modify_percent:
            trade_id = rng.choice(self._ids)
            current = self._trades[trade_id].version
            if current > 0 and rng.uniform(0, 100) < rules.stale_percent:
                version = current - 1
                self.counts.older += 1
            else:
                version = current + 1
                deleted = rng.uniform(0, 100) < rules.delete_percent
                if deleted:
                    self.counts.deleted += 1
                else:
                    self.counts.newer += 1
        else:
            trade_id, version = str(uuid.UUID(int=rng.getrandbits(128), version=4)), 0
            self._ids.append(trade_id)
            self.counts.new += 1
        cents = rng.randint(0, MAX_CENTS)
        place = {
            level: rng.choice(self.choices.get(level, OTHER_CHOICES))
            for level in self.schema.levels
        }
        before = self._trades.get(trade_id)
        if before is None or before.version < version:
            path = tuple(place[level] for level in self.schema.levels)
            self._trades[trade_id] = _Trade(version, cents, path, deleted)
        return self._encode(trade_id, version, cents, place, deleted)

    def _encode(
        self, trade_id: str, version: int, cents: int, place: dict[str, str], deleted: bool
    ) -> Record:
        names = self.schema
        # The text of the number is made here, because json.dumps cannot write an exact decimal.
        parts = [
            (names.id, json.dumps(trade_id)),
            (names.value, f"{cents // 100}.{cents % 100:02d}"),
            (names.version, str(version)),
        ]
        if deleted:
            parts.append((names.deleted, "true"))
        if names.hierarchy:
            parts.append((names.hierarchy, json.dumps(place)))
        else:
            parts.extend((level, json.dumps(member)) for level, member in place.items())
        # The partition key does not depend on the timestamp, so that the same seed gives the same shards at any time.
        key = hashlib.sha256(_object(parts).encode()).hexdigest()
        parts.insert(3, (names.timestamp, repr(self.clock())))
        return Record(_object(parts).encode(), key)


def _object(parts: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in parts) + "}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of AggregateTable with a wrong change: by how much it should have changed, and has."""

    identifier: str
    expected: Decimal
    found: Decimal


def differences(
    before: Mapping[str, Decimal], after: Mapping[str, Decimal], expected: Mapping[str, Decimal]
) -> list[Difference]:
    """Return the rows whose change from `before` to `after` is not exactly the expected one, sorted by identifier.

    A missing row counts as 0. A row that is not in `expected` must not change.
    """
    wrong = []
    # The difference of two totals of 38 digits may have more digits.
    with localcontext(WIDE):
        for row in sorted({*before, *after, *expected}):
            wanted = expected.get(row, Decimal(0))
            found = after.get(row, Decimal(0)) - before.get(row, Decimal(0))
            if wanted != found:
                wrong.append(Difference(row, wanted, found))
    return wrong


def points(wrong: Sequence[Difference]) -> int:
    """Return a round's points: POINTS if no row is wrong, else 0."""
    return 0 if wrong else POINTS


def parameters_at(score: int) -> dict[str, int]:
    """Return the rows of ParameterTable to set at this score: HARD_PARAMETERS from HARD_FROM on."""
    return dict(HARD_PARAMETERS) if score >= HARD_FROM else {}
