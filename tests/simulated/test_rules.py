"""The simulated mappings, streams and calls follow the rules that AWS documents."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from simulation import world
from simulation.failures import Killed
from simulation.functions import Failed
from simulation.mappings import EventSourceMapping, Settings
from simulation.streams import Stream
from simulation.systems import DynamoDBStreams
from simulation.world import Endless, World

Batch = list[int]


class Recorder:
    """Stands in for a function, and records its batches as the numbers of their records."""

    name = "Recorder"

    def __init__(self, answer: Callable[[Batch], Any] = lambda batch: {}) -> None:
        self.batches: list[Batch] = []
        self.events: list[Mapping[str, Any]] = []
        self.times: list[float] = []
        self.world: World | None = None
        self._answer = answer

    def invoke(self, event: Mapping[str, Any]) -> Any:
        batch = [record["number"] for record in event["Records"]]
        self.batches.append(batch)
        self.events.append(event)
        assert self.world
        self.times.append(self.world.now)
        self.world.sleep(0.1)
        return self._answer(batch)


class Scene:
    """A stream with numbered records and a mapping."""

    def __init__(self, recorder: Recorder, shards: int = 1, **settings: Any) -> None:
        self.world = recorder.world = World(1)
        self.stream = Stream(self.world, "arn:stream", shards, digits=20)
        self.counts: Counter[str] = Counter()
        self.put(10)
        self.mapping = EventSourceMapping(
            self.world,
            self.stream,
            recorder,  # type: ignore[arg-type]
            Settings(**settings),
            self.counts,
        )

    def put(self, count: int, first: int = 0, key: str | None = None) -> None:
        for number in range(first, first + count):
            self.stream.publish(
                key or f"key{number}",
                lambda _shard, sequence, number=number: {  # type: ignore[misc]
                    "number": number,
                    "sequence": str(sequence),
                },
            )

    def shard_of(self, number: int) -> str:
        return next(
            shard.id
            for shard in self.stream.shards.values()
            for record in shard.records
            if record.raw["number"] == number
        )


def fail(batch: Batch) -> Any:
    raise Failed("broken")


def first_times(batches: list[Batch]) -> list[int]:
    return list(dict.fromkeys(number for batch in batches for number in batch))


def test_batches_have_records_in_order_up_to_the_batch_size() -> None:
    recorder = Recorder()
    Scene(recorder, batch_size=4).world.run()

    assert [n for batch in recorder.batches for n in batch] == list(range(10))
    assert max(map(len, recorder.batches)) == 4


def test_a_batching_window_waits_for_more_records() -> None:
    recorder = Recorder()
    scene = Scene(recorder, batch_size=100, batching_window=5.0)
    scene.world.at(3.0, lambda: scene.put(5, first=10))
    scene.world.run()

    assert recorder.times[0] >= 5.0
    assert first_times(recorder.batches) == list(range(15))


def test_a_failed_batch_is_redelivered_whole_and_blocks_its_shard() -> None:
    failures = iter([True, True, False])
    recorder = Recorder(lambda batch: fail(batch) if next(failures, False) else {})
    scene = Scene(recorder, batch_size=5)
    scene.world.run()

    assert recorder.batches[0] == recorder.batches[1] == recorder.batches[2]
    assert [n for batch in recorder.batches[2:] for n in batch] == list(range(10))
    assert scene.counts["retried batches"] == 2


def test_a_partial_response_is_redelivered_from_its_lowest_record() -> None:
    answered = []

    def answer(batch: Batch) -> Any:
        answered.append(batch)
        if len(answered) > 1:
            return {}
        numbers = {
            r.raw["number"]: r.sequence for s in scene.stream.shards.values() for r in s.records
        }
        return {
            "batchItemFailures": [{"itemIdentifier": str(numbers[number])} for number in (7, 3, 5)]
        }

    recorder = Recorder(answer)
    scene = Scene(recorder, batch_size=10)
    scene.world.run()

    assert recorder.batches[0] == list(range(10))
    assert recorder.batches[1][0] == 3


def test_an_answer_with_a_record_of_another_batch_fails_the_whole_batch() -> None:
    answers = iter([{"batchItemFailures": [{"itemIdentifier": "17"}]}])
    recorder = Recorder(lambda batch: next(answers, {}))
    Scene(recorder, batch_size=10).world.run()

    assert recorder.batches[0] == recorder.batches[1]


def test_bisecting_divides_a_failed_batch_until_the_bad_record_is_alone() -> None:
    recorder = Recorder(lambda batch: fail(batch) if 6 in batch else {})
    scene = Scene(recorder, batch_size=10, bisect=True, maximum_retries=1)
    scene.world.run()

    assert [[r.raw["number"] for r in each.records] for each in scene.mapping.discarded] == [[6]]
    assert recorder.batches.count([6]) == 2
    assert first_times(recorder.batches) == list(range(10))


def test_a_batch_without_retries_left_is_sent_to_the_failure_destination() -> None:
    recorder = Recorder(fail)
    scene = Scene(recorder, batch_size=10, maximum_retries=2)
    scene.world.run()

    given_up = [r.raw["number"] for each in scene.mapping.discarded for r in each.records]
    assert given_up == list(range(10))
    assert all(recorder.batches.count(batch) == 3 for batch in recorder.batches)


def test_records_beyond_the_maximum_age_are_not_retried() -> None:
    recorder = Recorder(fail)
    scene = Scene(recorder, batch_size=10, maximum_record_age=60.0)
    scene.world.run()

    assert sum(len(each.records) for each in scene.mapping.discarded) == 10
    assert recorder.times[-1] <= 60


def test_without_limits_a_batch_is_retried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "MAX_EVENTS", 20_000)
    recorder = Recorder(fail)
    scene = Scene(recorder)

    with pytest.raises(Endless):
        scene.world.run()

    assert scene.mapping.discarded == []


@pytest.mark.parametrize("change", ["split", "merge", "roll"])
def test_parents_are_read_before_their_children(change: str) -> None:
    recorder = Recorder()
    scene = Scene(recorder, shards=2, batch_size=3)
    draw = random.Random(1)
    if change == "roll":
        scene.stream.roll()
    else:
        getattr(scene.stream, change)(draw)
    scene.put(10, first=10)
    scene.world.run()

    assert sorted(first_times(recorder.batches)) == list(range(20))
    order = first_times(recorder.batches)
    for number in range(10, 20):
        shard = scene.stream.shards[scene.shard_of(number)]
        for parent in shard.parents:
            before = [r.raw["number"] for r in scene.stream.shards[parent].records]
            assert all(order.index(early) < order.index(number) for early in before)


@pytest.mark.parametrize("change", ["split", "merge", "roll"])
def test_sequence_numbers_of_a_child_are_above_its_parents(change: str) -> None:
    scene = Scene(Recorder(), shards=3)
    for _ in range(4):
        scene.put(20)
        if change == "roll":
            scene.stream.roll()
        else:
            getattr(scene.stream, change)(random.Random(2))
    scene.put(20)

    shards = scene.stream.shards
    for shard in shards.values():
        numbers = [record.sequence for record in shard.records]
        assert numbers == sorted(set(numbers))
        assert all(number > shard.start for number in numbers)
        assert shard.end is None or all(number <= shard.end for number in numbers)
        for parent in shard.parents:
            assert shard.start > (shards[parent].end or 0)
    # Every key has one open shard.
    bounds = [(shard.low, shard.high) for shard in scene.stream.open_shards()]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 2**32
    assert all(left[1] == right[0] for left, right in itertools.pairwise(bounds))


def test_a_recreated_mapping_reads_all_records_that_are_not_trimmed() -> None:
    recorder = Recorder()
    scene = Scene(recorder, batch_size=100)
    scene.world.at(20 * 3600.0, lambda: scene.put(3, first=10))
    scene.world.at(25 * 3600.0, scene.mapping.recreate)
    scene.world.run()

    assert [n for batch in recorder.batches for n in batch] == [*range(13), 10, 11, 12]


def test_parallel_batches_of_a_shard_have_different_keys() -> None:
    recorder = Recorder()
    scene = Scene(recorder, batch_size=2, parallelization_factor=3)
    scene.put(6, first=10, key="one key")
    scene.world.run()

    assert sorted(n for batch in recorder.batches for n in batch) == list(range(16))
    same = [n for batch in recorder.batches for n in batch if n >= 10]
    assert same == list(range(10, 16))


def test_two_pollers_deliver_twice_and_redeliveries_repeat_records() -> None:
    recorder = Recorder()
    scene = Scene(recorder, batch_size=2)
    draw = random.Random(3)
    scene.world.at(1.0, lambda: scene.mapping.double(draw))
    scene.world.at(500.0, lambda: scene.mapping.redeliver(draw))
    scene.world.run()

    assert sorted(first_times(recorder.batches)) == list(range(10))
    delivered = Counter(n for batch in recorder.batches for n in batch)
    assert max(delivered.values()) > 1
    assert scene.counts["redelivered records"] > 0


def test_a_tumbling_window_gives_the_shard_and_requires_a_state() -> None:
    answers = iter([{}, {"state": None}])
    recorder = Recorder(lambda batch: next(answers, {"state": {}}))
    scene = Scene(recorder, batch_size=100, tumbling_window=True)
    scene.world.run()

    assert recorder.batches[0] == recorder.batches[1] == recorder.batches[2]
    assert recorder.events[0]["shardId"] in scene.stream.shards
    assert recorder.events[0]["isFinalInvokeForWindow"] is False


def test_tasks_switch_and_can_be_interrupted_where_they_wait() -> None:
    world = World(1)
    seen = []

    def count(name: str, pause: float) -> None:
        try:
            for number in range(3):
                seen.append((name, number))
                world.sleep(pause)
        except Killed:
            seen.append((name, -1))

    world.spawn(lambda: count("a", 2))
    task = world.spawn(lambda: count("b", 3))
    world.at(4.0, lambda: task.interrupt(Killed()))
    world.run()

    # At 4 s both are due; the interruption of b was queued first.
    assert seen == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("b", -1), ("a", 2)]
    assert world.now == 6


def test_without_rising_numbers_a_childs_may_be_below_its_parents() -> None:
    world = World(1)
    stream = Stream(world, "arn:stream", 1, digits=23, is_rising=False)
    starts = []
    for _ in range(20):
        starts.append(stream.open_shards()[0].start)
        stream.roll()

    assert starts != sorted(starts)
    assert {len(str(start)) for start in starts} == {23}


def test_a_closed_shard_is_listed_for_a_day_and_stays_its_childs_parent() -> None:
    scene = Scene(Recorder())
    scene.world.at(100.0, scene.stream.roll)
    scene.world.at(100.0 + 24 * 3600, lambda: listed.append(scene.stream.description()))
    scene.world.at(101.0 + 24 * 3600, lambda: listed.append(scene.stream.description()))
    listed: list[Any] = []
    scene.world.run()

    before, after = listed
    parent, child = (each["ShardId"] for each in before)
    assert [each["ShardId"] for each in after] == [child]
    assert after[0]["ParentShardId"] == parent


def test_similar_keys_are_spread_over_several_shards() -> None:
    stream = Stream(World(1), "arn:stream", 8, digits=23)
    for number in range(8):
        stream.publish(f"{{'S': 'd5045f79.8.{number}'}}", lambda _shard, _sequence: {})

    assert sum(bool(shard.records) for shard in stream.shards.values()) > 3


def test_shards_are_described_in_pages() -> None:
    api = DynamoDBStreams(page=2)
    stream = api.known["arn:stream"] = Stream(World(1), "arn:stream", 5, digits=23)
    request: dict[str, Any] = {"StreamArn": "arn:stream"}
    found = []
    while True:
        description = api.describe_stream(**request)["StreamDescription"]
        found.append([each["ShardId"] for each in description["Shards"]])
        if "LastEvaluatedShardId" not in description:
            break
        request["ExclusiveStartShardId"] = description["LastEvaluatedShardId"]

    assert [len(page) for page in found] == [2, 2, 1]
    assert [name for page in found for name in page] == list(stream.shards)


def test_a_window_passes_its_state_on_and_ends_with_an_event_without_records() -> None:
    recorder = Recorder(lambda batch: {"state": {"batches": len(recorder.batches)}})
    scene = Scene(recorder, batch_size=5, tumbling_window=True)
    scene.world.at(950.0, lambda: scene.put(1, first=10))
    scene.world.run()

    assert [event["state"] for event in recorder.events] == [
        *({}, {"batches": 1}, {"batches": 2}),
        {},
    ]
    assert recorder.batches[2:] == [[], [10]]
    assert [event["isFinalInvokeForWindow"] for event in recorder.events] == [
        *(False, False, True, False)
    ]


def test_trimmed_records_are_not_redelivered() -> None:
    recorder = Recorder()
    scene = Scene(recorder, batch_size=100)
    draw = random.Random(1)
    scene.world.at(25 * 3600.0, lambda: scene.mapping.redeliver(draw))
    scene.world.run()

    assert recorder.batches == [list(range(10))]
