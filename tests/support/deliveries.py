"""Random schedules of deliveries, as an event source mapping may make them, and worse.

Every schedule keeps to what AWS promises: a record's first delivery comes in order, so no batch starts after a record
that was never acknowledged. All else is random: the batch boundaries, what is delivered again and in which order,
whether the event names the shard, which environment gets it and what that environment remembers, what fails, and which
other delivery runs in between.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from leda.aws.backoff import MAX_TRIES, GaveUpError
from simulation.failures import Killed, cancelled, client_error, timed_out
from support.faults import Fault, Faults, after, instead, meanwhile, statements

Record = Any
# Delivers a batch; the flag says whether the event names the shard (a mapping with a tumbling window).
Deliver = Callable[[Sequence[Record], bool], object]

WARM_ENVIRONMENTS = 3


@dataclass
class Environment:
    """An execution environment, and the faults of its calls."""

    deliver: Deliver
    faults: Faults


@dataclass
class Schedule:
    """Delivers a growing list of records in random ways; the first `done` records were acknowledged.

    `write` is the function's writing call, which fails most often.
    """

    random: random.Random
    new_environment: Callable[[], Environment]
    windowed: Sequence[bool] = (True, False)
    write: str = "transact_write_items"
    done: int = 0
    struck: int = 0
    """How many faults were met."""
    log: list[str] = field(default_factory=list)
    _warm: list[Environment] = field(default_factory=list)

    def run(self, records: Sequence[Record], extra_steps: int = 4) -> None:
        """Deliver until all records are acknowledged, then some again, and then all, with and without a shard."""
        while self.done < len(records):
            self.step(records)
        for _ in range(extra_steps):
            self.step(records)
        for windowed in self.windowed:
            self._new().deliver(records, windowed)

    def step(self, records: Sequence[Record], depth: int = 0) -> None:
        """One delivery."""
        draw = self.random
        start = draw.choice([self.done, self.done, draw.randint(0, self.done)])
        end = draw.randint(start, min(len(records), start + 12))
        batch = list(records[start:end])
        if end <= self.done and draw.random() < 0.5:
            # Acknowledged records may be delivered again in any order, with gaps, and twice in a batch.
            batch = draw.choices(batch, k=len(batch)) if batch else []
        elif draw.random() < 0.3:
            draw.shuffle(batch)
        if not batch:
            return
        environment, windowed = self._environment(), draw.choice(self.windowed)
        label = f"{'  ' * depth}{start}:{end} {'shard' if windowed else 'stream'}"
        if draw.random() < 0.6:
            label += " " + self._arm(environment.faults, records, depth)
        self.log.append(label)
        met = environment.faults.met
        try:
            environment.deliver(batch, windowed)
        except Killed:
            return
        except (ClientError, BotoCoreError, GaveUpError) as error:
            self.log.append(f"{'  ' * depth}-> {type(error).__name__}")
        else:
            self.done = max(self.done, end)
        finally:
            self.struck += environment.faults.met - met
            environment.faults.disarm()
        if len(self._warm) < WARM_ENVIRONMENTS:
            self._warm.append(environment)

    def _environment(self) -> Environment:
        """A warm environment, which may remember an old position, or a cold one."""
        if self._warm and self.random.random() < 0.7:
            return self._warm.pop(self.random.randrange(len(self._warm)))
        return self._new()

    def _new(self) -> Environment:
        return self.new_environment()

    def _arm(self, faults: Faults, records: Sequence[Record], depth: int) -> str:
        draw = self.random
        if depth < 2 and draw.random() < 0.5:
            other = meanwhile(lambda: self.step(records, depth + 1))
            faults.arm(self.write, draw.choice([1, 1, 2]), other)
            return "with another delivery before its write"
        call = draw.choice([self.write] * 3 + ["get_item", "query"])
        name, fault = draw.choice(FAULTS + (STATEMENT_FAULTS if call == STATEMENTS else []))
        nth = draw.choice([1, 1, 2, 3])
        times = MAX_TRIES if name == "conflict" and draw.random() < 0.2 else 1
        for more in range(times):
            faults.arm(call, nth + more, fault)
        return f"{name} at {call} {nth}{f' to {nth + times - 1}' if times > 1 else ''}"


STATEMENTS = "batch_execute_statement"
STATEMENT_FAULTS: list[tuple[str, Fault]] = [
    ("some statements throttled", statements("ThrottlingError", applied=False)),
    ("some statements' answers lost", statements("InternalServerError", applied=True)),
]
FAULTS: list[tuple[str, Fault]] = [
    ("no answer, no effect", instead(timed_out())),
    ("lost answer", after(timed_out())),
    ("conflict", instead(cancelled("None", "TransactionConflict"))),
    ("throttled transaction", instead(cancelled("ThrottlingError", "None"))),
    ("throttle", instead(client_error("ThrottlingException"))),
    ("server error, no effect", instead(client_error("InternalServerError", 500))),
    ("server error, with effect", after(client_error("InternalServerError", 500))),
    ("refused by IAM", instead(client_error("AccessDeniedException"))),
    ("killed before", instead(Killed())),
    ("killed after", after(Killed())),
]
