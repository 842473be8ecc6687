"""Rules of the engine that random schedules do not test: a schedule for each, with and without its breach."""

import time
from typing import Any

import pytest

from leda.engine import delta_rows, registry
from leda.engine.map import map_rows
from leda.engine.map.map_rows import _LaneWriter
from leda.engine.reduce import epochs, reduce_batch, totals
from leda.engine.reduce.epochs import Epochs
from leda.engine.reduce.totals import Totals
from leda.engine.shards import Shard
from support.scenes import Scene, breach, scene

Patch = pytest.MonkeyPatch
HOUR = 3600.0


# Their lanes of four are in different shards of ReduceTable's stream.
ROOTS = ("PV", "Delta", "Vega", "Rho", "Theta", "Gamma")


def test_lanes_of_another_number_have_their_own_rows_and_checkpoints(monkeypatch: Patch) -> None:
    def wrong() -> list[str]:
        return [root for root in ROOTS if one_lane_after_four(root)]

    assert not wrong()
    monkeypatch.setattr(
        delta_rows.Lane, "name", property(lambda lane: f"{lane.version}.4.{lane.number}")
    )
    assert wrong()


def one_lane_after_four(root: str) -> Any:
    with scene(lanes=1, reduce_shards=8) as it:
        places = rows_of_one_and_four_lanes(it, root)
        for place in reversed(places):
            it.deliver("reduce", it.records("reduce", place), place)
        it.write("t3", "4", root)
        it.on()
        return it.differences()


def test_a_total_that_another_invocation_has_inserted_is_updated(monkeypatch: Patch) -> None:
    def wrong() -> list[int]:
        return [seed for seed in range(1, 9) if two_lanes_make_a_total(seed)]

    assert not wrong()
    real = Totals._ask

    def ask(self: Any, line: Any, part: Any) -> Any:
        answers = real(self, line, part)
        return [{} if each.get("Code") == "DuplicateItem" else each for each in answers]

    monkeypatch.setattr(Totals, "_ask", ask)
    assert wrong()


def two_lanes_make_a_total(seed: int) -> Any:
    """Make two deliveries at once; the seed decides the order of their requests."""
    with scene(lanes=1, reduce_shards=8, seed=seed) as it:
        places = rows_of_one_and_four_lanes(it, ROOTS[0])
        # Both shards have epochs already, so both deliveries make the same requests.
        stream = it.system.streams["reduce"].arn
        known = registry.Registry(it.system.store, "RegistryTable")  # type: ignore[arg-type]
        for epoch, place in enumerate(places, 1):
            row = {"Epoch": {"N": str(epoch)}}
            known.put(registry.reduce_scope(stream), it.shards("reduce")[place].id, row)
        it.deliver_together("reduce", [(it.records("reduce", place), place) for place in places])
        return it.differences()


def rows_of_one_and_four_lanes(it: Scene, root: str) -> list[int]:
    """Write two trades at the root, one with one lane and one with four. Returns the shards that have their rows."""
    it.write("t1", "1", root)
    it.on("map")
    it.off("map")
    it.system.streams["map"].roll()
    it.set("map", REDUCE_LANES="4")
    it.write("t2", "2", root)
    it.on("map")
    records = {
        record.raw["dynamodb"]["Keys"]["Source"]["S"]: place
        for place, shard in enumerate(it.shards("reduce"))
        for record in shard.records
    }
    assert len(records) == 2
    return [records[source] for source in sorted(records)]


def test_a_row_beyond_a_partitions_throughput_is_written_in_parts(monkeypatch: Patch) -> None:
    def errors_and_differences() -> tuple[str, Any]:
        with scene(small_transactions=True, unit_bytes=32) as it:
            it.write("first", "1")
            it.on("map")
            it.off("map")
            # Not earlier, because RegistryTable's row of the configuration would be throttled too.
            partitions = it.system.store._partitions
            assert partitions
            partitions.units_per_second = 10.0
            for number in range(8):
                it.write(f"t{number}", "1", f"PV:desk{number}:EMEA")
                it.go_on(seconds=1)
            error = it.deliver("map", it.records("map"))
            it.on("reduce")
            return error, it.differences()

    assert errors_and_differences() == ("", {})
    monkeypatch.setattr(_LaneWriter, "_halved", lambda self, part, sums: [part])
    error, differences = errors_and_differences()
    assert "GaveUpError" in error
    assert differences


@breach(Epochs, "_ancestors", lambda self, shard: [])
def test_a_child_that_is_read_before_its_parent_has_the_higher_epoch(it: Scene) -> Any:
    it.write("t1", "1", "PV:a:EMEA")
    it.on("map")
    it.system.streams["reduce"].roll()
    it.write("t2", "2", "Delta:a:EMEA")
    it.on("map")
    it.deliver("reduce", it.records("reduce", 1), 1)
    it.on()
    it.write("t3", "4", "PV:a:EMEA")
    it.on()
    return it.differences()


def test_a_child_whose_grandparent_is_trimmed_can_be_read() -> None:
    with scene(rising_numbers=False) as it:
        it.count("t1", "1")
        it.system.streams["reduce"].roll()
        it.go_on(seconds=25 * 3600)
        it.system.streams["reduce"].roll()
        it.count("t2", "2")
        listed = it.system.dynamodb_streams.describe_stream(
            StreamArn=it.system.streams["reduce"].arn
        )

        assert not it.differences()
        assert "shardId-000000000000" not in str(
            [shard["ShardId"] for shard in listed["StreamDescription"]["Shards"]]
        )


@breach(map_rows, "time_of_youngest", lambda _records: time.time())
def test_a_row_of_map_expires_by_the_time_of_its_records(it: Scene) -> Any:
    """The function's clock is 47 hours slow; two hours later the batch is delivered again."""
    it.write("t1", "5")
    it.world.skew = -47 * HOUR
    it.on()
    it.go_on(seconds=2 * HOUR)
    it.system.store.delete_expired("ReduceTable")
    it.deliver("map", it.records("map"))
    it.on()
    return it.differences()


@breach(Shard, "source", property(lambda shard: shard.id))
def test_rows_of_two_streams_with_the_same_shard_ids_are_kept_apart(it: Scene) -> Any:
    it.count("t1", "1")
    it.system.replace_stream("map")
    (shard,) = it.shards("map")
    shard.start = 10**22
    it.count("t2", "2")
    return it.differences()


@breach(Epochs, "_is_of_older_stream", lambda self, shard: False)
def test_records_of_an_older_stream_are_repaired_by_a_rebuild_and_not_added_later(it: Scene) -> Any:
    it.write("t1", "1")
    it.on("map")
    older = it.system.streams["reduce"]
    it.system.replace_stream("reduce")
    it.count("t2", "2")
    assert it.differences()
    it.rebuild()
    assert not it.differences()
    it.deliver("reduce", next(iter(older.shards.values())).records, stream=older)
    return it.differences()


def test_a_replaced_stream_is_not_settled_until_a_rebuild() -> None:
    def settled(it: Scene) -> list[bool]:
        rows = registry.Registry(it.system.store, "RegistryTable").rows(f"streams/{stage}")  # type: ignore[arg-type]
        return [row["IsSettled"]["BOOL"] for row in rows]

    for stage in ("map", "reduce"):
        with scene() as it:
            it.count("t1", "1")
            assert settled(it) == [True]
            it.system.replace_stream(stage)
            it.count("t2", "2")
            assert settled(it) == [True, False]
            it.rebuild()
            assert settled(it) == [True, True]
            assert not it.differences()


write = _LaneWriter.write


def unless_zero(self: Any, part: Any, sums: Any) -> None:
    if any(any(each) for each in sums.values()):
        write(self, part, sums)


@breach(_LaneWriter, "write", unless_zero)
def test_map_writes_a_sum_of_0_because_the_row_is_the_checkpoint(it: Scene) -> Any:
    it.write("t1", "5")
    it.write("t1", None)
    it.on()
    it.deliver("map", it.records("map")[:1])
    it.on()
    return it.differences()


def without_zeros(rows: Any) -> Any:
    return [each for each in reduce_batch.pending_totals(rows) if any(each.sums or (1,))]


@breach(totals, "pending_totals", without_zeros)
def test_a_sum_of_0_is_added_by_reduce_for_the_total_says_how_far_it_has_come(it: Scene) -> Any:
    for value in ("5", None):
        it.write("t1", value)
        it.on("map")
    it.on("reduce")
    it.deliver("reduce", it.records("reduce")[:1])
    return it.differences()


def judged_first(self: Epochs, shard: Shard, created: float | None) -> int:
    older = self._is_of_older_stream(shard)
    epoch = epochs.IGNORED if older else self._registry.next_number(registry.EPOCHS)
    attributes = {"Epoch": {"N": str(epoch)}}
    self._registry.put_if_absent(registry.reduce_scope(shard.stream), shard.id, attributes)
    return epoch


@breach(Epochs, "_assign_epoch", judged_first)
def test_an_older_stream_gets_no_epoch_above_those_of_a_younger_one(it: Scene, patch: Patch) -> Any:
    """Reduce meets a shard of the older stream, and is slow; meanwhile it meets the younger stream."""
    real = registry.Registry.next_number
    it.write("t1", "1")
    it.on("map")
    older = it.system.streams["reduce"]
    it.system.replace_stream("reduce")
    it.off("reduce")
    it.write("t2", "2", "Delta:a:EMEA")
    it.on("map")
    slow = iter([True])

    def next_number(self: registry.Registry, counter: str) -> int:
        if counter == registry.EPOCHS and next(slow, False):
            it.world.sleep(5)
        return real(self, counter)

    patch.setattr(registry.Registry, "next_number", next_number)
    it.world.at(it.world.now + 1, it.system.mappings["reduce"].resume)
    it.deliver("reduce", next(iter(older.shards.values())).records, stream=older)
    it.go_on()
    it.rebuild()
    assert not it.differences()
    it.write("t3", "4")
    it.go_on()
    return it.differences()
