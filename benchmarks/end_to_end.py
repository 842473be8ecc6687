"""Part 6: bursts through both designs on one local AWS, from the first message put to the last total right.

The applied stack, and the published design beside it on tables and a stream of its own. One burst at a time; what a
design has not settled within its limit is stopped, and counted as far as it came.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.designs import STAGES
from benchmarks.parts import Say, Section, Target, paragraph, table
from benchmarks.published_stack import PublishedStack
from leda.pipeline import game
from leda_cli.demos.putting import putting_of, schema_of
from leda_cli.develop import local
from leda_cli.develop.local import LocalAws
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.comparison import POLL_SECONDS, Phase, Settling
from leda_cli.operate.totals.oracle import Oracle, Total

BURSTS = (10_000, 50_000)
LIMIT_SECONDS = 600.0
"""How long LEDA may take, from the first message put; so that a run has an end."""
TIMES = 2.2
PUBLISHED_SECONDS = (150.0, 300.0)
"""The published design may take so many times as long as LEDA took, within these bounds."""
SHORT_BURSTS = (1_000,)
DUPLICATES_OF_200 = 14
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Burst:
    """How a burst went, in seconds: `put` until the last message was taken, `settled` from the first message on.

    `settled` is None where the limit came first. `stored`: the rows of StateTable that it made at the end, of `trades`;
    `counted`: the share of the burst's value that had reached the totals.
    """

    design: str
    messages: int
    trades: int
    put: float
    settled: float | None
    limit: float
    stored: int
    counted: float

    @property
    def rate(self) -> float | None:
        """Messages a second, from the first put to the last total."""
        return self.messages / self.settled if self.settled else None


@dataclass
class Subject:
    """A design as it stands on the emulator. `rounded`: its totals are sums of binary floats."""

    name: str
    stack: Stack
    oracle: Oracle
    rounded: bool

    def totals(self) -> dict[str, Decimal]:
        """What AggregateTable holds."""
        found = _values(self.stack.totals())
        if not self.rounded:
            return found
        cents = {path: total.quantize(_CENT) for path, total in found.items()}
        return {path: total for path, total in cents.items() if total}

    def play(self, messages: int, seed: int, limit: float) -> Burst:
        """Put a burst, and wait until its totals are right or so many seconds are over."""
        rules = game.Rules(
            messages=messages,
            messages_per_call=200,
            duplicates_per_call=DUPLICATES_OF_200,
            modify_percent=3,
        )
        burst = game.Burst(rules, random.Random(seed), schema_of(self.stack.names))
        rows, before = self._rows(), sum(self._roots(self.totals()))
        putting = putting_of(burst, self.stack, self.oracle)
        putting.start()
        while putting.running(POLL_SECONDS) and time.monotonic() - putting.began < limit:
            pass
        putting.stop()
        settled = self._settled(putting.began + limit)
        expected = sum(self._roots(_values(self.oracle.totals()))) - before
        return Burst(
            self.name,
            messages,
            burst.counts.new,
            putting.ended - putting.began,
            settled and settled - putting.began,
            limit,
            self._rows() - rows,
            float((sum(self._roots(self.totals())) - before) / expected),
        )

    def _settled(self, deadline: float) -> float | None:
        """When every total was right, None: not before the deadline."""
        settling = Settling(_values(self.oracle.totals()), time.monotonic(), patience=float("inf"))
        while True:
            now = time.monotonic()
            if settling.look(self.totals(), now) is Phase.SETTLED:
                return settling.matched
            if now > deadline and settling.matched is None:
                return None
            time.sleep(POLL_SECONDS)

    def _rows(self) -> int:
        pages = self.stack.dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.state_table, Select="COUNT"
        )
        return sum(page["Count"] for page in pages)

    @staticmethod
    def _roots(totals: Mapping[str, Decimal]) -> Iterator[Decimal]:
        return (total for path, total in totals.items() if ":" not in path)


def _values(totals: Mapping[str, Total]) -> dict[str, Decimal]:
    """The totals' values; the published design has no other measure, and no rows of 0."""
    return {path: total.value for path, total in totals.items() if total.value}


@contextmanager
def _published(aws: LocalAws, applied: Stack, prefix: str) -> Iterator[Subject]:
    """The published design, deployed; at the end nothing of it works any more, however much is left to do."""
    state = applied.lambdas.get_function_configuration(FunctionName=applied.functions["state"])
    deployed = PublishedStack(applied, prefix, state["Runtime"])
    deployed.deploy()
    try:
        stack = deployed.named()
        yield Subject("published", stack, Oracle(stack.names), rounded=True)
    finally:
        deployed.stop()
        for stage in STAGES:
            aws.kill_functions(deployed.function(stage))


def section(short: bool, say: Say) -> Section:
    """Start a local AWS of its own, play all bursts, stop it."""
    bursts: list[Burst] = []
    with local.running("bench") as aws:
        applied = Stack.deployed(aws.variables)
        leda = Subject("LEDA", applied, Oracle(applied.names), rounded=False)
        for number, messages in enumerate(SHORT_BURSTS if short else BURSTS):
            ours = leda.play(messages, number, LIMIT_SECONDS)
            bursts.append(ours)
            say(_said(ours))
            with _published(aws, applied, f"Published{number}-") as published:
                bursts.append(published.play(messages, number, published_limit(ours)))
            say(_said(bursts[-1]))
    return Section("End to end on local AWS", _lines(bursts), _targets(bursts))


def published_limit(ours: Burst) -> float:
    """How long the published design may take for a burst: enough to see whether it takes twice as long as LEDA."""
    least, most = PUBLISHED_SECONDS
    return min(most, max(least, TIMES * (ours.settled or most)))


def _said(burst: Burst) -> str:
    return f"{burst.messages:,} messages, {burst.design}: {_settled_text(burst)}"


def _settled_text(burst: Burst) -> str:
    if burst.settled is not None:
        return f"{burst.settled:.1f} s"
    counted = round(burst.counted * burst.trades)
    return f"not within {burst.limit:.0f} s: {counted:,} of {burst.trades:,} trades in the totals"


def _lines(bursts: list[Burst]) -> list[str]:
    rows = [
        [
            f"{burst.messages:,}",
            burst.design,
            f"{burst.put:.1f} s",
            _settled_text(burst),
            f"{burst.settled - burst.put:.1f} s" if burst.settled else "",
            f"{burst.rate:,.0f}" if burst.rate else "",
            f"{burst.stored:,} of {burst.trades:,}",
        ]
        for burst in bursts
    ]
    columns = [
        "messages",
        "design",
        "put",
        "settled, from the first put",
        "after the last put",
        "messages/s",
        "trades stored",
    ]
    return [
        *paragraph(
            "Bursts with 7 % duplicates and 3 % newer versions, in calls of 500, into 16 shards; batches of 1,000 in "
            "both designs. Settled: every total right, and still so two seconds later (LEDA's to the last digit; "
            "the published design's, which are binary floats, to the cent). Where a burst did not settle, how many "
            "trades are in the totals is estimated from the value that these hold. Local AWS is not AWS: one thread "
            "polls a mapping, one serves all tables."
        ),
        "",
        *table(columns, rows, left=2),
    ]


def _targets(bursts: list[Burst]) -> list[Target]:
    """Of the smaller burst: of the larger one, the published design is not given the time that it would take."""
    ours, theirs = bursts[:2]
    least = theirs.settled or theirs.limit
    if ours.settled is None:
        found = "not settled"
    else:
        more = "" if theirs.settled else "more than "
        found = f"{ours.settled:.1f} s against {more}{least:.1f} s"
    is_met = ours.settled is not None and ours.settled <= least / 2
    return [
        Target(f"A burst of {ours.messages:,} settles", "in at most half the time", found, is_met)
    ]
