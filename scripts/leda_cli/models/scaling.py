"""A seeded simulation, event by event, of how long messages take through the pipeline at a rate and with settings.

Everything that makes messages wait is simulated: shards that collect batches by size, window and poll; invocations
under the account's concurrency; the tables' warm throughput; write units of the partitions that hold ReduceTable's
lanes; Reduce's lanes, each of which waits for its own rows. The duration of each step comes from `load_model` and the
measured service times. A message is in the totals when every lane that its batch of Map touched has added the batch.

To make a million messages a second possible, not every message is an event: messages arrive at a shard in groups; some
of many similar shards are simulated and stand for all; a batch has the arrival times of a few of its messages. Cold
starts, errors, the delay with which a change appears in a stream, and uneven keys are left out.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from leda_cli.models.load_model import (
    PARTITION_WRITE_UNITS,
    PAYLOAD_BYTES,
    SHARD_BYTES,
    SHARD_RECORDS,
    DeltaRows,
    Settings,
    Workload,
    delta_event_bytes,
    delta_rows,
    kinesis_event_bytes,
    load,
    map_put_rounds,
    map_work_seconds,
    reduce_call_rounds,
    reduce_work_seconds,
    state_event_bytes,
    state_seconds,
    state_units,
    state_write_units,
    totals_of_rows,
)
from leda_cli.models.measured import ServiceTimes

SHARDS_PLAYED = 24
GROUPS_A_SECOND = 40.0
SAMPLES_OF_A_BATCH = 4
# The spread (sigma of a logarithmic normal) of a request's time around its mean; assumed.
REQUEST_SPREAD = 0.5
# The pipeline falls behind if more messages wait in the last third of a run than in the second third, by more than this
# share of the messages of a third.
STEADY_SHARE = 0.05
WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Play:
    """How to simulate: the seed, the seconds, and what only tests change.

    The first third of the seconds is not counted. `burst`: so many messages arrive at once at the start, none later.
    """

    seed: int = 1
    seconds: float = 60.0
    groups: float = GROUPS_A_SECOND
    spread: float = REQUEST_SPREAD
    burst: int = 0


@dataclass(slots=True)
class Outcome:
    """Latencies: the seconds from a message's arrival until its totals are committed; and further figures of a run."""

    latencies: list[float] = field(default_factory=list)
    state_waits: list[float] = field(default_factory=list)
    map_busy: float = 0.0
    committed: float = 0.0
    last_commit: float = 0.0
    fell_behind: bool = False

    def percentile(self, share: float) -> float:
        """The latency that this share (0 to 1) of the messages does not exceed; NaN if no message was counted."""
        if not self.latencies:
            return math.nan
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Bucket:
    """A limit of units a second: requests pass in order, each when the units before it have passed."""

    def __init__(self, units_a_second: float) -> None:
        self._rate = units_a_second
        self._free = 0.0

    def passed(self, now: float, units: float) -> float:
        """The time at which units that are requested now have passed."""
        self._free = max(self._free, now) + units / self._rate
        return self._free


class Concurrency:
    """The account's concurrent executions; executions above the limit wait in order."""

    def __init__(self, limit: float) -> None:
        self._free = limit
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def enter(self, weight: float, begin: Callable[[], None]) -> None:
        """Call `begin` now, or as soon as there is room."""
        self._waiting.append((weight, begin))
        self._admit()

    def leave(self, weight: float) -> None:
        """End an execution of that weight."""
        self._free += weight
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            weight, begin = self._waiting.popleft()
            self._free -= weight
            begin()


_Group = tuple[float, float, float]


@dataclass(slots=True)
class _ShardLane:
    """A lane of the ingest stream and the groups that wait in it: (when the shard took them, count, when they came)."""

    random: random.Random
    phase: float
    next_arrival: float
    intake: Bucket
    waiting: deque[_Group] = field(default_factory=deque)
    count: float = 0.0
    sent: float = 0.0


@dataclass(slots=True)
class _StreamLane:
    """A lane of StateTable's stream: how far it has read the log of changes, and the time of its last batch."""

    phase: float
    cursor: float = 0.0
    sent: float = 0.0


@dataclass(slots=True)
class _Batch:
    """A batch of Map: its changes, its rows, some arrival times, and how many lanes have not added it yet."""

    changes: float
    made: DeltaRows
    samples: tuple[float, ...]
    lanes_left: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch's rows of one lane, and when they were put."""

    at: float
    batch: _Batch

    @property
    def count(self) -> float:
        """How many rows."""
        return self.batch.made.rows / self.batch.made.lanes


@dataclass(slots=True)
class _ReduceLane:
    phase: float
    waiting: deque[_Rows] = field(default_factory=deque)
    rows: float = 0.0
    sent: float = 0.0


class Simulation:
    """One run; `run` plays it."""

    def __init__(
        self, workload: Workload, settings: Settings, times: ServiceTimes, play: Play
    ) -> None:
        self._workload, self._settings, self._times, self._play = workload, settings, times, play
        self._random = random.Random(play.seed)
        self._outcome = Outcome()
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._concurrency = Concurrency(settings.concurrency)

        steady = load(workload, settings, times)
        self._lanes = steady.state.lanes
        self._played = min(self._lanes, SHARDS_PLAYED)
        self._weight = self._lanes / self._played
        self._lane_rate = 0.0 if play.burst else workload.rate / self._lanes
        units = state_units(workload, self._lanes)
        each = state_write_units(workload, self._lanes)
        self._units_of_a_message = each * units.unique / units.messages
        self._requests = units.requests["state"] / units.messages
        self._state_limit = min(
            settings.state_batch_size, PAYLOAD_BYTES / kinesis_event_bytes(workload)
        )
        self._state_table = Bucket(settings.warm_write_units)

        # The log of changes: when State stored each batch, the number of changes until then, the groups of the batch.
        self._stored_at: list[float] = []
        self._stored: list[float] = [0.0]
        self._groups: list[list[_Group]] = []
        self._mappers = steady.map.lanes
        self._map_limit = min(settings.map_batch_size, PAYLOAD_BYTES / state_event_bytes(workload))
        self._delta_table = Bucket(settings.warm_delta_units)
        self._deltas = [Bucket(PARTITION_WRITE_UNITS) for _ in range(settings.reduce_lanes)]

        self._reducers = [
            _ReduceLane(self._random.random() * times.dynamodb_poll_seconds)
            for _ in range(settings.reduce_lanes)
        ]
        self._reducers_by_number = range(settings.reduce_lanes)
        self._reduce_limit = min(
            settings.reduce_batch_size, PAYLOAD_BYTES / delta_event_bytes(steady.of_a_batch)
        )
        self._totals = Bucket(settings.warm_total_units)
        self._waited: list[float] = []

    def run(self) -> Outcome:
        """Run the simulation for its seconds."""
        for _ in range(self._played):
            draw = random.Random(self._random.random())
            phase = draw.random() * self._times.kinesis_poll_seconds
            lane = _ShardLane(draw, phase, math.inf, Bucket(self._intake()))
            if self._play.burst:
                self._arrive(lane, 0.0, self._play.burst / self._lanes)
            else:
                lane.next_arrival = self._gap(lane)
                # As in a pipeline that has run for long, the lanes are at different places of their windows.
                lane.sent = draw.random() * self._settings.state_window
            self._gather_messages(lane)
        for _ in range(self._mappers):
            mapper = _StreamLane(
                self._random.random() * self._times.dynamodb_poll_seconds,
                sent=0 if self._play.burst else self._random.random() * self._settings.map_window,
            )
            self._at(mapper.phase, lambda mapper=mapper: self._first_poll(mapper))  # type: ignore[misc]
        for reducer in self._reducers:
            self._at(reducer.phase, lambda reducer=reducer: self._poll_rows(reducer))  # type: ignore[misc]
        self._at(WATCH_SECONDS, self._watch)
        while self._events and self._events[0][0] <= self._play.seconds:
            self._now, _, event = heapq.heappop(self._events)
            event()
        third = len(self._waited) // 3
        before, after = (sum(self._waited[third * place :][:third]) for place in (1, 2))
        allowed = STEADY_SHARE * self._play.seconds / 3 * self._workload.unique_rate
        self._outcome.fell_behind = not self._play.burst and (after - before) / third > allowed
        self._outcome.map_busy /= self._mappers * self._play.seconds
        return self._outcome

    def _watch(self) -> None:
        """Record how many changes have arrived and are not in the totals yet."""
        self._waited.append(self._workload.unique_rate * self._now - self._outcome.committed)
        self._at(self._now + WATCH_SECONDS, self._watch)

    def _at(self, when: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, event))

    def _is_counted(self, arrival: float) -> bool:
        return bool(self._play.burst) or arrival >= self._play.seconds / 3

    # State: lanes of the ingest stream.

    def _gap(self, lane: _ShardLane) -> float:
        if not self._lane_rate:
            return math.inf
        return lane.random.expovariate(min(self._lane_rate, self._play.groups))

    def _intake(self) -> float:
        """Messages a second that a shard accepts; producers retry the others."""
        return min(SHARD_RECORDS, SHARD_BYTES / self._workload.message_bytes)

    def _arrive(self, lane: _ShardLane, when: float, count: float) -> None:
        taken = when if self._play.burst else lane.intake.passed(when, count)
        lane.waiting.append((taken, count, when))
        lane.count += count

    def _fill(self, lane: _ShardLane, until: float, limit: float) -> None:
        """Let groups arrive until a time, or until a batch is full."""
        group = max(1.0, self._lane_rate / self._play.groups)
        while lane.next_arrival <= until and lane.count < limit:
            self._arrive(lane, lane.next_arrival, group)
            lane.next_arrival += self._gap(lane)

    def _gather_messages(self, lane: _ShardLane) -> None:
        """Find when a free lane sends its next batch to the function."""
        limit = self._state_limit
        self._fill(lane, self._now, limit)
        if not lane.waiting:
            self._fill(lane, lane.next_arrival, limit)
        if not lane.waiting:
            return
        first = max(self._now, lane.waiting[0][0])
        if lane.count >= limit:
            when = max(first, lane.waiting[-1][0])
        else:
            # A batch begins with the first poll that finds a record, even while the batch before is being processed.
            oldest = max(lane.sent, lane.waiting[0][0])
            begin = _next_poll(oldest, lane.phase, self._times.kinesis_poll_seconds)
            end = max(self._now, begin + self._settings.state_window)
            self._fill(lane, end, limit)
            when = max(begin, lane.waiting[-1][0]) if lane.count >= limit else end
        self._at(when, lambda: self._concurrency.enter(self._weight, lambda: self._store(lane)))

    def _store(self, lane: _ShardLane) -> None:
        taken: list[_Group] = []
        room = self._state_limit
        while lane.waiting and room > 0 and lane.waiting[0][0] <= self._now:
            there, count, arrival = lane.waiting.popleft()
            if count > room:
                lane.waiting.appendleft((there, count - room, arrival))
                count = room
            taken.append((there, count, arrival))
            room -= count
            if self._is_counted(arrival):
                self._outcome.state_waits.append(self._now - arrival)
        batch = sum(count for _, count, _ in taken)
        lane.count -= batch
        lane.sent = self._now
        worked = self._now + state_seconds(batch, self._settings, self._times, self._requests)
        units = batch * self._units_of_a_message * self._weight
        self._at(
            max(worked, self._state_table.passed(self._now, units)),
            lambda: self._stored_batch(lane, batch, taken),
        )

    def _stored_batch(self, lane: _ShardLane, batch: float, taken: list[_Group]) -> None:
        self._concurrency.leave(self._weight)
        changes = batch * (1 - self._workload.duplicates) * self._weight
        self._stored_at.append(self._now)
        self._stored.append(self._stored[-1] + changes)
        self._groups.append(taken)
        self._gather_messages(lane)

    # Map: lanes of StateTable's stream. Each lane gets its share of every stored batch.

    def _first_poll(self, lane: _StreamLane) -> None:
        """Begin as if a batch with everything before `sent` had been sent then."""
        if self._now < lane.sent or (self._stored[-1] == 0 and not self._play.burst):
            lane.cursor = self._stored[-1]
            self._at(self._now + self._times.dynamodb_poll_seconds, lambda: self._first_poll(lane))
        else:
            self._poll_changes(lane)

    def _poll_changes(self, lane: _StreamLane) -> None:
        waiting = (self._stored[-1] - lane.cursor) / self._mappers
        window = self._settings.map_window
        if waiting + self._random.random() < 1:
            self._at(
                self._now + self._times.dynamodb_poll_seconds, lambda: self._poll_changes(lane)
            )
            return
        oldest = max(lane.sent, self._stored_at[bisect_right(self._stored, lane.cursor) - 1])
        left = (
            _next_poll(oldest, lane.phase, self._times.dynamodb_poll_seconds) + window - self._now
        )
        if left > 1e-9 and waiting < self._map_limit:
            rate = max(self._workload.unique_rate / self._mappers, 1e-9)
            until_full = (self._map_limit - waiting) / rate
            self._at(
                self._now + min(left, max(self._times.dynamodb_poll_seconds, until_full)),
                lambda: self._poll_changes(lane),
            )
            return
        self._concurrency.enter(1, lambda: self._map(lane))

    def _map(self, lane: _StreamLane) -> None:
        began = lane.sent = self._now
        share = min(self._stored[-1] - lane.cursor, self._map_limit * self._mappers)
        samples = tuple(self._sample(lane.cursor, share) for _ in range(SAMPLES_OF_A_BATCH))
        changes = share / self._mappers
        made = delta_rows(self._workload, changes, self._settings.reduce_lanes)
        # The batch touches the average number of lanes, each time other ones.
        lanes = self._random.sample(self._reducers_by_number, round(made.lanes))
        batch = _Batch(changes, made, samples, len(lanes))
        work = map_work_seconds(changes, made, self._settings, self._times)

        def write() -> None:
            end = self._now + self._request_seconds(self._times.call_ms, map_put_rounds(made))
            end = max(end, self._delta_table.passed(self._now, made.write_units))
            for number in lanes:
                units = made.write_units / len(lanes)
                end = max(end, self._deltas[number].passed(self._now, units))
            self._at(end, written)

        def written() -> None:
            self._concurrency.leave(1)
            self._outcome.map_busy += self._now - began
            lane.cursor += share
            for number in lanes:
                rows = _Rows(self._now, batch)
                self._reducers[number].waiting.append(rows)
                self._reducers[number].rows += rows.count
            is_full = (self._stored[-1] - lane.cursor) / self._mappers >= self._map_limit
            poll = self._times.dynamodb_poll_seconds
            when = self._now if is_full else _next_poll(self._now, lane.phase, poll)
            self._at(when, lambda: self._poll_changes(lane))

        self._at(self._now + work, write)

    def _sample(self, cursor: float, share: float) -> float:
        """The arrival time of a message that is drawn from a batch's part of the log."""
        position = cursor + self._random.random() * share
        place = min(bisect_right(self._stored, position), len(self._groups)) - 1
        groups = self._groups[place]
        left = self._random.random() * sum(count for _, count, _ in groups)
        for _, count, arrival in groups:
            left -= count
            if left <= 0:
                return arrival
        return groups[-1][2]

    def _request_seconds(self, milliseconds: float, rounds: int) -> float:
        """The time of `rounds` requests, one after the other."""
        spread = self._play.spread
        # The draw's mean is 1.
        draw = self._random.lognormvariate(-(spread**2) / 2, spread)
        return rounds * milliseconds / 1000 * draw

    # Reduce: lanes of ReduceTable's stream.

    def _poll_rows(self, lane: _ReduceLane) -> None:
        poll, now = self._times.dynamodb_poll_seconds, self._now
        if lane.waiting:
            begin = _next_poll(max(lane.sent, lane.waiting[0].at), lane.phase, poll)
            is_due = now >= begin + self._settings.reduce_window - 1e-9
            if is_due or lane.rows >= self._reduce_limit:
                self._concurrency.enter(1, lambda: self._reduce(lane))
                return
        self._at(now + poll, lambda: self._poll_rows(lane))

    def _reduce(self, lane: _ReduceLane) -> None:
        taken: list[_Rows] = []
        count = 0.0
        while lane.waiting and (not taken or count + lane.waiting[0].count <= self._reduce_limit):
            taken.append(lane.waiting.popleft())
            count += taken[-1].count
        lane.rows -= count
        lane.sent = self._now
        changes = sum(each.batch.changes for each in taken)
        made = taken[0].batch.made
        totals = totals_of_rows(
            self._workload, count, made, changes / len(taken), len(self._reducers)
        )
        work = reduce_work_seconds(count, made, totals, self._settings, self._times)

        def write() -> None:
            rounds = reduce_call_rounds(totals, self._settings)
            end = self._now + self._request_seconds(self._times.statements_ms, rounds)
            self._at(max(end, self._totals.passed(self._now, totals)), written)

        def written() -> None:
            self._concurrency.leave(1)
            for each in taken:
                self._added(each.batch)
            is_full = lane.rows >= self._reduce_limit
            poll = self._times.dynamodb_poll_seconds
            when = self._now if is_full else _next_poll(self._now, lane.phase, poll)
            self._at(when, lambda: self._poll_rows(lane))

        self._at(self._now + work, write)

    def _added(self, batch: _Batch) -> None:
        """A lane has added its rows of the batch; with the last lane, the batch's messages are in the totals."""
        batch.lanes_left -= 1
        if batch.lanes_left:
            return
        self._outcome.committed += batch.changes
        self._outcome.last_commit = self._now
        self._outcome.latencies += [
            self._now - arrival for arrival in batch.samples if self._is_counted(arrival)
        ]


def simulate(
    workload: Workload, settings: Settings, times: ServiceTimes, play: Play | None = None
) -> Outcome:
    """Simulate a workload with these settings; the same seed gives the same outcome."""
    return Simulation(workload, settings, times, play or Play()).run()


def _next_poll(now: float, phase: float, interval: float) -> float:
    """The first poll of a lane after `now`."""
    if interval <= 0:
        return now
    return phase + math.ceil((now - phase) / interval - 1e-9) * interval
