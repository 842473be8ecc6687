"""Event source mappings: Lambda's pollers, which deliver a stream's records to a function.

The rules are those of AWS's pages:
- A batch holds records of one shard, in order, up to a size or until a window ends; a failed one is retried whole
  and blocks its shard until it succeeds, expires or has used up its retries; then it goes to the failure
  destination. An error may cut it in two, which costs no retry
  (https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html).
- An answer with batchItemFailures retries from the lowest sequence number in it
  (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
- Parents are read before their children
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing).
- Delivery is at least once: a poller may begin before the place of an earlier one, two may read one shard for a
  while, and records that were delivered may be delivered again, later and in any order
  (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html).
- With a tumbling window the event names the shard and holds the state that the invocation before it in this window
  answered; the answer must hold a state; when a window has ended, an invocation without records follows
  (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html).
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulation.functions import Failed, Function
from simulation.streams import Record, Shard, Stream
from simulation.world import Task, World

POLL_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 60.0
# The longest that Lambda allows, and what the modules set.
WINDOW_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Settings:
    """A mapping's settings; seconds; -1 stands for no limit, as in Lambda's API."""

    batch_size: int = 100
    batching_window: float = 0.0
    parallelization_factor: int = 1
    maximum_retries: int = -1
    maximum_record_age: float = -1.0
    bisect: bool = False
    tumbling_window: bool = False


@dataclass(frozen=True, slots=True)
class Discarded:
    """A batch at the failure destination."""

    shard: str
    records: tuple[Record, ...]


class EventSourceMapping:
    """The mapping of a stream to a function, which begins at TRIM_HORIZON."""

    def __init__(
        self,
        world: World,
        stream: Stream,
        function: Function,
        settings: Settings,
        counts: Counter[str],
    ) -> None:
        self.stream = stream
        self.settings = settings
        self.discarded: list[Discarded] = []
        self.counts = counts
        self.world = world
        self._function = function
        self._random = world.random("mapping", function.name)
        self._pollers: list[_Poller] = []
        self._acknowledged: dict[tuple[str, int], int] = {}
        self._finished: set[tuple[str, int]] = set()
        self._windows: dict[str, _Window] = {}
        self.enabled = True
        stream.listen(self._look)
        self._look()

    # -- disturbances

    def recreate(self) -> None:
        """Delete the mapping and create it again at TRIM_HORIZON. Invocations of the old one continue."""
        self._stop(self._pollers)
        self._acknowledged.clear()
        self._finished.clear()
        self._look()

    def restart(self, draw: random.Random) -> None:
        """Let the pollers begin again at an earlier place, with other batch boundaries."""
        self._stop(self._pollers)
        for lease, count in self._acknowledged.items():
            self._acknowledged[lease] = max(0, count - draw.choice((0, 1, 2, 5, 20, 10**6)))
            if lease in self._finished and draw.random() < 0.5:
                self._finished.discard(lease)
        self._look()

    def double(self, draw: random.Random) -> None:
        """Give each shard two pollers for some time: the old one does not know that it lost its lease."""
        old = list(self._pollers)
        self.world.at(self.world.now + draw.uniform(1, 120), lambda: self._stop(old))
        for poller in old:
            behind = max(0, self._acknowledged.get(poller.lease, 0) - draw.choice((0, 1, 5, 20)))
            self._start(poller.shard, poller.lane, behind)

    def redeliver(self, draw: random.Random) -> None:
        """Deliver a range of a shard's records again, in any order, with gaps and repetitions.

        The range may include records that were not acknowledged, as an invocation by hand can; then it has no gaps.
        """
        leases = [lease for lease, count in self._acknowledged.items() if count]
        if not leases:
            return
        lease = draw.choice(leases)
        shard, acknowledged = self.stream.shards[lease[0]], self._acknowledged[lease]
        start = draw.randrange(acknowledged)
        end = start + draw.randint(1, 30)
        records = self.of_lane(shard, lease[1])[start:end]
        if end <= acknowledged:
            records = draw.choices(records, k=len(records))
        elif draw.random() < 0.5:
            draw.shuffle(records)
        records = [record for record in records if not self.stream.is_trimmed(record)]
        if not records:
            return
        self.counts["redelivered records"] += len(records)

        def deliver() -> None:
            # Nobody waits for this delivery.
            with suppress(Failed):
                self._invoke(
                    self.event(shard, records, {} if self.settings.tumbling_window else None)
                )

        self.world.spawn(deliver)

    def pause(self) -> None:
        """Switch the mapping off. Invocations continue, and their answers are ignored."""
        self.enabled = False
        self._stop(self._pollers)

    def resume(self) -> None:
        """Switch the mapping on; it continues at its former place."""
        self.enabled = True
        self._look()

    def lose(self) -> int:
        """Skip all records in the stream, as if they had been trimmed before delivery. Returns their number."""
        self._stop(self._pollers)
        lost = 0
        for shard in self.stream.shards.values():
            lease = shard.id, 0
            count = len(shard.records)
            lost += count - self._acknowledged.get(lease, 0)
            self._acknowledged[lease] = count
        self._look()
        return lost

    # -- the pollers' side

    def acknowledge(self, lease: tuple[str, int], count: int) -> None:
        """Note that the first `count` records of the lease have been processed."""
        self._acknowledged[lease] = max(count, self._acknowledged.get(lease, 0))

    def finish(self, lease: tuple[str, int]) -> None:
        """Note that a closed shard was read to its end, so its children may be read."""
        self._finished.add(lease)
        self._look()

    def may_begin(self, shard: Shard) -> bool:
        """Whether the shard's parents have been read to their ends."""
        lanes = range(self.settings.parallelization_factor)
        return all((parent, lane) in self._finished for parent in shard.parents for lane in lanes)

    def of_lane(self, shard: Shard, lane: int) -> list[Record]:
        """The shard's records of one lane. With a parallelization factor, a lane has its own partition keys."""
        lanes = self.settings.parallelization_factor
        if lanes == 1:
            return shard.records
        return [r for r in shard.records if zlib.crc32(r.key.encode()) % lanes == lane]

    def _look(self) -> None:
        if not self.enabled:
            return
        leased = {poller.lease for poller in self._pollers}
        for shard in list(self.stream.shards.values()):
            for lane in range(self.settings.parallelization_factor):
                lease = shard.id, lane
                if lease not in leased and lease not in self._finished and self.may_begin(shard):
                    self._start(shard, lane, self._acknowledged.get(lease, 0))
        for poller in list(self._pollers):
            poller.notice()

    def _start(self, shard: Shard, lane: int, done: int) -> None:
        poller = _Poller(self, shard, lane, done, self._random)
        self._pollers.append(poller)

    def _stop(self, pollers: Sequence[_Poller]) -> None:
        for poller in list(pollers):
            poller.stop()
            self.forget(poller)

    def forget(self, poller: _Poller) -> None:
        """Remove a poller that has ended."""
        if poller in self._pollers:
            self._pollers.remove(poller)

    def _invoke(self, event: dict[str, Any]) -> Any:
        self.counts["invocations"] += 1
        return self._function.invoke(event)

    def event(self, shard: Shard, records: Sequence[Record], state: Any = None) -> dict[str, Any]:
        """The event of a batch; with a `state`, the event of a tumbling window."""
        event: dict[str, Any] = {"Records": [record.raw for record in records]}
        if state is not None:
            start = self._window_start()
            event |= {
                "window": {"start": _text(start), "end": _text(start + WINDOW_SECONDS)},
                "state": state,
                "shardId": shard.id,
                "eventSourceARN": self.stream.arn,
                "isFinalInvokeForWindow": not records,
                "isWindowTerminatedEarly": False,
            }
        return event

    def attempt(self, shard: Shard, records: Sequence[Record]) -> int:
        """Deliver the records. Returns how many of them, from the first on, have been processed. Raises Failed."""
        if self.settings.tumbling_window:
            answer = self._attempt_in_window(shard, records)
        else:
            answer = self._invoke(self.event(shard, records))
        numbers = [failure["itemIdentifier"] for failure in answer.get("batchItemFailures", ())]
        if not numbers:
            return len(records)
        known = {str(record.sequence): place for place, record in enumerate(records)}
        if not all(number in known for number in numbers):
            raise Failed(f"batchItemFailures holds what is not in the batch: {numbers}")
        self.counts["partial responses"] += 1
        return min(known[number] for number in numbers)

    def _attempt_in_window(self, shard: Shard, records: Sequence[Record]) -> Any:
        start = self._window_start()
        window = self._windows.setdefault(shard.id, _Window(start))
        if window.start != start:
            self._answered(window, self._invoke(self.event(shard, (), window.state)))
            self.counts["windows that ended"] += 1
            window = self._windows[shard.id] = _Window(start)
        answer = self._invoke(self.event(shard, records, window.state))
        self._answered(window, answer)
        return answer

    @staticmethod
    def _answered(window: _Window, answer: Any) -> None:
        if not isinstance(answer.get("state"), dict):
            raise Failed("a function of a tumbling window answered without a state")
        window.state = answer["state"]

    def _window_start(self) -> float:
        now = self.world.true_clock()
        return now - now % WINDOW_SECONDS


@dataclass(slots=True)
class _Window:
    """A shard's tumbling window: its beginning (epoch seconds) and the last answered state."""

    start: float
    state: Any = field(default_factory=dict)


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Poller:
    """Reads a shard, or one of its lanes with a parallelization factor, after its first `done` records."""

    def __init__(
        self, mapping: EventSourceMapping, shard: Shard, lane: int, done: int, draw: random.Random
    ) -> None:
        self.shard = shard
        self.lane = lane
        self.lease = shard.id, lane

        self._mapping = mapping
        self._random = draw
        self._done = done
        self._stopped = False
        self._waits = False
        self._task: Task = mapping.world.spawn(self._run)

    def notice(self) -> None:
        """Wake the poller: there may be new records."""
        if self._waits:
            self._waits = False
            self._task.wake()

    def stop(self) -> None:
        """Take the lease away. A running invocation continues, and its answer is ignored."""
        self._stopped = True
        self.notice()

    def _run(self) -> None:
        while not self._stopped:
            self._task.sleep(self._random.uniform(0, POLL_SECONDS))
            batch = self._take()
            if not batch:
                if not self.shard.is_open:
                    self._mapping.forget(self)
                    self._mapping.finish(self.lease)
                    return
                self._waits = True
                self._task.wait()
                continue
            window = self._mapping.settings.batching_window
            if window and len(batch) < self._mapping.settings.batch_size:
                self._task.sleep(window)
                batch = self._take()
            self._deliver(batch)

    def _take(self) -> list[Record]:
        size = self._mapping.settings.batch_size
        mine = self._mapping.of_lane(self.shard, self.lane)
        while self._done < len(mine) and self._mapping.stream.is_trimmed(mine[self._done]):
            self._done += 1
        # A poll may return fewer records than there are.
        return mine[self._done : self._done + self._random.choice((size, size, 1 + size // 3))]

    def _deliver(self, batch: Sequence[Record]) -> None:
        mapping = self._mapping
        pending: list[Sequence[Record]] = [batch]
        failures = 0
        while pending and not self._stopped:
            part = pending.pop(0)
            age = mapping.world.now - part[0].arrived
            limit = mapping.settings.maximum_record_age
            if 0 <= limit < age:
                self._discard(part)
                continue
            try:
                done = mapping.attempt(self.shard, part)
            except Failed:
                failures += 1
                if mapping.settings.bisect and len(part) > 1:
                    mapping.counts["bisected batches"] += 1
                    failures -= 1
                    pending[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
                elif 0 <= mapping.settings.maximum_retries < failures:
                    self._discard(part)
                    failures = 0
                else:
                    mapping.counts["retried batches"] += 1
                    pending.insert(0, part)
            else:
                if self._stopped:
                    return
                self._acknowledge(done)
                failures = 0 if done == len(part) else 1 if done else failures + 1
                if 0 <= mapping.settings.maximum_retries < failures:
                    self._discard(part[done:])
                    failures = 0
                elif failures:
                    pending.insert(0, part[done:])
            if failures:
                longest = min(LONGEST_BACKOFF_SECONDS, 2.0 ** min(failures, 10))
                self._task.sleep(self._random.uniform(0, longest))

    def _acknowledge(self, count: int) -> None:
        self._done += count
        self._mapping.acknowledge(self.lease, self._done)

    def _discard(self, part: Sequence[Record]) -> None:
        if self._stopped:
            return
        self._mapping.counts["batches at the failure destination"] += 1
        self._mapping.discarded.append(Discarded(self.shard.id, tuple(part)))
        self._acknowledge(len(part))
