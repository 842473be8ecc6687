"""Virtual time: tasks run one at a time and switch where they wait, in an order that the seed decides.

The idea is FoundationDB's (https://apple.github.io/foundationdb/testing.html): with one thread, one clock and one
source of randomness, a run can be repeated to the last step.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from unittest import mock

from greenlet import GreenletExit, getcurrent, greenlet

# 2026-01-01T00:00:00Z, the beginning of the simulated clock.
EPOCH = 1_767_225_600.0

# A run with more events is stopped; the longest plans take a tenth of them.
MAX_EVENTS = 400_000


class Endless(AssertionError):
    """The run does not end: something is delivered again and again."""


class World:
    """The clock and the queue of events.

    `now` counts seconds from the start. The clock that the functions see may jump (`skew`).
    """

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.skew = 0.0
        self.events = 0
        self._seed = seed
        self._hub = getcurrent()
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._tasks: list[Task] = []

    def random(self, *name: object) -> random.Random:
        """A source of random numbers for each name, so that one part's draws do not change another's."""
        return random.Random(f"{self._seed}/{'/'.join(map(str, name))}")

    def clock(self) -> float:
        """The time as a function sees it, in epoch seconds."""
        return EPOCH + self.now + self.skew

    def true_clock(self) -> float:
        """The time as AWS sees it, in epoch seconds."""
        return EPOCH + self.now

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Make the call at this time (seconds from the start)."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._count), call))

    def spawn(self, run: Callable[[], object]) -> Task:
        """Start a task."""
        task = Task(self, run)
        self._tasks.append(task)
        self.at(self.now, task.resume)
        return task

    def sleep(self, seconds: float) -> None:
        """Let the current task sleep."""
        self.current().sleep(seconds)

    def current(self) -> Task:
        """The running task."""
        task = getcurrent()
        assert isinstance(task, Task), "only a task can wait"
        return task

    def run(self) -> None:
        """Run until no event is left. Raises Endless, and any error of a task."""
        assert getcurrent() is self._hub
        while self._queue:
            when, _, call = heapq.heappop(self._queue)
            self.now = when
            self.events += 1
            if self.events > MAX_EVENTS:
                raise Endless(f"no end after {MAX_EVENTS} events, {self.now:.0f} s")
            call()

    def close(self) -> None:
        """End the waiting tasks: Python cannot free a suspended greenlet that refers to itself."""
        for task in self._tasks:
            if task:
                task.throw(GreenletExit)
        self._tasks.clear()
        self._queue.clear()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Give the code under test this world's clock and pauses."""
        with (
            mock.patch.object(time, "sleep", self.sleep),
            mock.patch.object(time, "time", self.clock),
            closing(self),
        ):
            yield


class Task(greenlet):
    """One flow of control: a poller and the invocation that it waits for."""

    def __init__(self, world: World, run: Callable[[], object]) -> None:
        super().__init__(run, world._hub)
        self._world = world
        self._turn = 0

    def sleep(self, seconds: float) -> None:
        """Sleep, while other tasks run."""
        self._wake_at(self._world.now + max(0.0, seconds))
        self._world._hub.switch()

    def wait(self) -> None:
        """Wait until `wake`."""
        self._turn += 1
        self._world._hub.switch()

    def wake(self) -> None:
        """Continue the task now, wherever it waits."""
        self._wake_at(self._world.now)

    def interrupt(self, error: BaseException) -> None:
        """Raise the error where the task waits. Call it between tasks (`World.at`)."""
        self._turn += 1
        self.throw(error)

    def resume(self) -> None:
        """Continue the task; called from the world's queue."""
        self.switch()

    def _wake_at(self, when: float) -> None:
        self._turn += 1
        turn = self._turn

        def resume() -> None:
            # The task may have been woken or ended meanwhile.
            if turn == self._turn and not self.dead:
                self.switch()

        self._world.at(when, resume)
