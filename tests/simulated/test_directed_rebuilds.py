"""Rules of `leda rebuild` that random schedules do not test: a schedule for each, with and without its breach."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from leda.engine import registry
from leda.engine.delta_rows import Lane
from leda.engine.reduce.epochs import Epochs
from leda.engine.registry import MEMORY_SECONDS
from leda_cli.memory_dynamodb.store import Change
from leda_cli.operate.rebuilding.journal import Journal
from leda_cli.operate.rebuilding.lane_rows import LaneRows
from leda_cli.operate.rebuilding.rebuild import Rebuild
from leda_cli.operate.rebuilding.rebuild_source import SourceSide
from leda_cli.operate.rebuilding.rebuild_totals import TotalsSide
from leda_cli.operate.rebuilding.table_sum import TableSum
from leda_cli.operate.rebuilding.watermarks import Tail
from support.scenes import Scene, breach, scene

Patch = pytest.MonkeyPatch


def before(patch: Patch, method: str, call: Callable[[Any], None], of: type) -> None:
    """Call `call` before each call of the method."""
    real = getattr(of, method)

    def changed(self: Any, *arguments: Any, **options: Any) -> Any:
        call(self)
        return real(self, *arguments, **options)

    patch.setattr(of, method, changed)


def damaged(it: Scene, **attributes: Any) -> None:
    """Edit the root's total."""
    row = {**it.totals()["PV"], **attributes}
    it.system.store.put_item(TableName="AggregateTable", Item=row)


@breach(TableSum, "write", lambda self, changes: None)
def test_a_row_that_is_written_during_the_scan_counts_as_it_was_written(
    it: Scene, patch: Patch
) -> Any:
    def write_once(it: Scene) -> None:
        if len(it.system.rows("StateTable")) < 2 or not it.system.counts["written"]:
            it.system.counts["written"] = 1
            it.write("t1", "5")

    it.count("t1", "1")
    damaged(it, Value={"N": "7"})
    # After the scan, before the watermark.
    before(patch, "scanned", lambda _tail: write_once(it), Tail)
    it.rebuild()
    return it.differences()


@breach(TotalsSide, "mend_checkpoints", lambda self, suspects: None)
def test_a_checkpoint_that_reduce_did_not_write_is_removed(it: Scene) -> Any:
    it.count("t1", "1")
    (applied,) = [name for name in it.totals()["PV"] if name.startswith("Applied")]
    ahead = {"S": f"9999999999.{'9' * 40}"}
    damaged(it, Value={"N": "7"}, **{applied: ahead})
    it.rebuild()
    it.count("t2", "2")
    return it.differences()


@breach(LaneRows, "touch", lambda self, lanes, nodes: None)
def test_a_total_gets_a_checkpoint_for_every_number_of_lanes(it: Scene) -> Any:
    it.count("t1", "1")
    it.system.streams["map"].roll()
    it.set("map", REDUCE_LANES="4")
    it.count("t2", "2")
    it.system.store.delete_item(TableName="AggregateTable", Key={"Identifier": {"S": "PV"}})
    it.rebuild()
    assert not it.differences()
    it.deliver("reduce", it.records("reduce")[:1])
    return it.differences()


@breach(SourceSide, "check", lambda self, attempt: None)
def test_rows_that_map_writes_during_a_rebuild_are_not_subtracted(it: Scene, patch: Patch) -> Any:
    """Somebody invokes Map by hand, with a change from after the watermark."""

    def invoke_map_once(it: Scene) -> None:
        if it.system.counts["invoked"]:
            return
        it.system.counts["invoked"] = 1
        it.write("t2", "2")
        it.world.sleep(10)
        event = it.system.mappings["map"].event(it.shards("map")[0], it.records("map"), {})
        it.system.functions["map"].invoke(event)
        it.world.sleep(10)

    it.count("t1", "1")
    damaged(it, Value={"N": "7"})
    before(patch, "drain", lambda _totals: invoke_map_once(it), TotalsSide)
    it.rebuild()
    return it.differences()


def two_rebuilds(
    it: Scene, patch: Patch, of: type, method: str, meanwhile: Callable[[], None]
) -> None:
    """Run two rebuilds. The first one sleeps before its watermark, until the second one comes to the method.

    Then `meanwhile` is called.
    """
    tails: list[Tail] = []
    reached: list[bool] = []

    def sleep(tail: Tail) -> None:
        tails.append(tail)
        if tail is tails[0]:
            sleep_until(it, lambda: bool(reached))

    def reach(_work: object) -> None:
        if not reached:
            reached.append(True)
            meanwhile()

    before(patch, "scanned", sleep, Tail)
    before(patch, method, reach, of)
    it.system.operator.needed = True
    it.world.spawn(it.system.operator.rebuild)
    it.world.at(it.world.now + 30, lambda: it.world.spawn(it.system.operator.rebuild))
    it.go_on()
    assert reached


@breach(Journal, "moving", lambda self: None)
def test_a_run_that_has_lost_the_journal_moves_no_row_of_map(it: Scene, patch: Patch) -> Any:
    """The first run wakes when the second one has checked Map's rows, and a trade has been written since."""
    it.count("t1", "1")
    damaged(it, Value={"N": "7"})

    def write() -> None:
        it.write("t2", "2")
        it.world.sleep(60)

    two_rebuilds(it, patch, TotalsSide, "write_corrections", write)
    return it.differences()


@breach(Journal, "note", lambda self, enabled: None)
def test_a_mapping_that_was_switched_on_after_a_run_began_is_switched_off_for_the_run(
    it: Scene, patch: Patch
) -> int:
    """Another run had switched the mapping off, and ended before this one wrote its journal."""
    it.count("t1", "1")
    damaged(it, Value={"N": "7"})
    it.off("map")
    before(patch, "open", lambda _journal: it.system.mappings["map"].resume(), Journal)
    it.rebuild()
    it.write("t2", "2")
    it.go_on()
    assert not it.differences()
    return it.system.counts["rebuilds given up"]


@breach(Journal, "hand_over", lambda self: self.open_run() is not None)
def test_the_run_that_closes_the_journal_undoes_late_changes_of_an_overtaken_run(
    it: Scene, patch: Patch
) -> list[str]:
    """The first run wakes and writes markers when the second one has removed them and switched the mapping on."""
    it.count("t1", "1")

    def switch_off() -> None:
        it.world.sleep(60)
        it.off("map")

    two_rebuilds(it, patch, Journal, "close", switch_off)
    assert it.system.counts["rebuilds"] == it.system.counts["rebuilds given up"] == 1
    return it.system.left_over()


def sleep_until(it: Scene, is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        it.world.sleep(1)
    raise AssertionError("the condition never held")


@pytest.mark.parametrize("breach", ["not ignored", "not an ancestor", "both"])
def test_a_shard_that_reduce_never_read_adds_nothing_after_the_rebuild(
    monkeypatch: Patch, breach: str
) -> None:
    """The rebuild makes Reduce ignore the shard; and an ancestor of a known shard has a lower epoch anyway."""
    if breach != "not an ancestor":
        monkeypatch.setattr(TotalsSide, "ignore_unmet", lambda self, closed, mark: None)
    if breach != "not ignored":
        monkeypatch.setattr(Epochs, "_ancestors", lambda self, shard: [])
    with scene() as it:
        it.write("t1", "1")
        it.on("map")
        it.system.streams["reduce"].roll()
        it.system.mappings["reduce"].lose()
        it.count("t2", "2")
        assert it.differences()
        it.rebuild()
        assert not it.differences()
        it.deliver("reduce", it.records("reduce", 0), 0)

        assert bool(it.differences()) is (breach == "both")


@pytest.mark.parametrize("breach", ["no wait", "no comparison", "both"])
def test_rows_that_reduce_has_not_applied_are_waited_for_or_detected(
    monkeypatch: Patch, breach: str
) -> None:
    """Each of the two rules alone is enough."""
    if breach != "no comparison":
        real = TotalsSide.drain
        drains: list[object] = []

        def drain(self: Any) -> Any:
            drains.append(self)
            return [] if len(drains) % 2 else real(self)

        monkeypatch.setattr(TotalsSide, "drain", drain)
    if breach != "no wait":
        do_not_compare(monkeypatch)
    with scene() as it:
        it.count("t0", "1")
        it.off("reduce")
        it.write("t1", "2")
        it.go_on()
        damaged(it, Value={"N": "7"})
        it.world.at(it.world.now + 60, it.system.mappings["reduce"].resume)
        it.rebuild()

        assert bool(it.differences()) is (breach == "both")


def do_not_compare(patch: Patch) -> None:
    real = Rebuild._correct

    def correct(self: Any, attempt: Any, suspects: Any) -> set[str]:
        real(self, attempt, suspects)
        return set()

    patch.setattr(Rebuild, "_correct", correct)


@breach(do_not_compare)
def test_a_total_that_was_not_corrected_is_corrected_again(it: Scene) -> Any:
    """Somebody has moved the total's checkpoint beyond Reduce's position, so the first correction is dropped."""
    it.count("t1", "1")
    (applied,) = [name for name in it.totals()["PV"] if name.startswith("Applied")]
    epoch = it.totals()["PV"][applied]["S"].partition(".")[0]
    damaged(it, Value={"N": "7"}, **{applied: {"S": f"{epoch}.{'9' * 40}"}})
    it.rebuild()
    return it.differences()


def test_a_reserved_node_is_written_after_all_others_of_its_batch(monkeypatch: Patch) -> None:
    def written() -> list[str]:
        with scene() as it:
            it.write("t1", "1")
            it.on("map")
            lane = Lane.parse(it.records("reduce")[0].raw["dynamodb"]["Keys"]["Lane"]["S"])
            LaneRows(it.system.store, "ReduceTable", ("Count", "Value")).mark({lane: ":last"})  # type: ignore[arg-type]
            it.go_on()
            assert len(it.records("reduce")) == 2
            order: list[str] = []
            tell = it.system.store._on_change

            def told(change: Change) -> None:
                if change.table == "AggregateTable":
                    order.append(change.keys["Identifier"]["S"])
                tell(change)

            it.system.store._on_change = told
            it.deliver("reduce", it.records("reduce"))
            return order

    assert written() == ["PV", "PV:a", "PV:a:EMEA", ":last"]
    monkeypatch.setattr("leda.engine.reduce.totals.RESERVED", "PV")
    assert written()[0] == ":last"


def of_the_former_stream_after_a_rebuild(it: Scene) -> Any:
    """Deliver the records of the table's former stream after a rebuild. Returns the differences."""
    older = it.system.streams["map"]
    it.system.replace_stream("map")
    it.count("t2", "4")
    it.rebuild()
    assert not it.differences()
    it.deliver("map", next(iter(older.shards.values())).records, stream=older)
    it.go_on()
    return it.differences()


@breach(SourceSide, "older_shards", lambda self: iter(()))
def test_records_of_an_older_stream_are_not_added_after_the_rebuild(it: Scene) -> Any:
    it.count("t0", "1")
    it.off("map")
    it.write("t1", "2")
    it.go_on()
    return of_the_former_stream_after_a_rebuild(it)


@breach("leda_cli.operate.rebuilding.rebuild_source.streams_of", lambda _client, _table: [])
def test_records_of_a_stream_that_map_never_read_are_not_added_after_the_rebuild(it: Scene) -> Any:
    it.write("t0", "1")
    it.go_on()
    return of_the_former_stream_after_a_rebuild(it)


@breach("leda_cli.operate.rebuilding.rebuild.streams_of", lambda _client, _table: [])
def test_a_late_row_of_reducetables_older_stream_does_not_make_a_total_again(it: Scene) -> Any:
    """The totals are gone with their checkpoints, and no row of the new stream names them."""
    it.count("t0", "1")
    it.write("t0", None)
    it.on()
    older = it.system.streams["reduce"]
    for name in it.totals():
        it.system.store.delete_item(TableName="AggregateTable", Key={"Identifier": {"S": name}})
    it.system.replace_stream("reduce")
    it.on()
    it.rebuild()
    assert not it.differences()
    it.deliver("reduce", next(iter(older.shards.values())).records[:1], stream=older)
    return it.differences()


@breach("leda_cli.operate.rebuilding.rebuild_source.is_older", lambda stream, than: stream != than)
def test_a_stream_that_appears_during_a_rebuild_is_not_treated_as_older(
    it: Scene, patch: Patch
) -> Any:
    it.count("t0", "1")
    came = iter([True])

    def come(_work: SourceSide) -> None:
        if next(came, False):
            it.system.replace_stream("map")
            it.write("t1", "2")

    before(patch, "move_rows", come, SourceSide)
    it.rebuild()
    it.on()
    it.rebuild()
    return it.differences()


def test_an_environment_of_reduce_forgets_a_registry_that_was_lost(monkeypatch: Patch) -> None:
    """`terraform apply` has created RegistryTable again, and warm environments continue."""

    def differences(memory: float) -> Any:
        with scene() as it, monkeypatch.context() as patch:
            patch.setattr(registry, "MEMORY_SECONDS", memory)
            it.write("t1", "1")
            it.on()
            function = it.system.functions["reduce"]
            warm = list(function._environments)
            it.system.store.restore("RegistryTable", [])
            it.go_on(seconds=100)
            function.forget_environments()
            it.rebuild()
            it.write("t2", "2")
            it.on()
            assert not it.differences()
            # Either of two environments may get a batch.
            function._environments[:] = warm
            it.write("t3", "4")
            it.on()
            return it.differences()

    assert not differences(MEMORY_SECONDS)
    assert differences(math.inf)
