"""`leda rebuild` repairs the totals after any loss and damage, and refuses what it cannot repair.

tests/simulated/operate/test_rebuild_interrupted.py has runs that are stopped, and writers beside them.
"""

import io
import itertools
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.map import map_batch
from leda_cli.base.errors import LedaError
from leda_cli.operate.rebuilding import rebuild_totals
from simulation import trades
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION, Pipeline
from support.rebuild_site import Calls, Site

pytestmark = pytest.mark.usefixtures("console")

VERSION = Configuration.from_json(CONFIGURATION).version
LANES = pytest.mark.parametrize("lanes", [1, 3], ids=["one lane", "three lanes"])


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def site(request: pytest.FixtureRequest) -> Site:
    """A pipeline in memory, where shards can be closed and streams replaced."""
    return Site.started(MemoryPipeline(), request.param)


def assert_exact(site: Site) -> None:
    """The totals are exact now, and after everything is delivered again."""
    assert site.found() == site.expected()
    site.check()


@LANES
def test_on_dynamodb_local_losses_and_damage_are_repaired_while_messages_arrive(
    pipeline: Pipeline, lanes: int
) -> None:
    local = Site.started(pipeline, lanes)
    local.lose()
    local.damage()
    local.set_total("not a number", {"S": "x"})
    messages = itertools.count()

    def messages_arrive(_seconds: float) -> None:
        if next(messages) < 20:
            local.store(1)
        local.flow()

    result = local.rebuild(sleep=messages_arrive)
    local.flow()

    assert next(messages) > 1
    assert result.changes
    assert_exact(local)


# -- losses and damage


def skip_shards(name: str) -> Callable[[Site], None]:
    """Shards of the function's stream that are closed before the function gets any of their records."""

    def damage(site: Site) -> None:
        for _ in range(2):
            site.roll(name)
            site.store()
            if name == "reduce":
                site.deliver_new("map")
            site.skip(name)
        site.roll(name)

    return damage


def set_value(digits: str) -> Callable[[Site], None]:
    """A total that no addition within 38 digits brings back; the rebuild sets it to 0 first."""
    return lambda site: site.set_total(min(site.expected()), {"N": digits})


def set_checkpoints(checkpoint: dict[str, str]) -> Callable[[Site], None]:
    """Checkpoints that Reduce has not written, and a loss."""

    def damage(site: Site) -> None:
        site.lose()
        for name in site.expected():
            site.set_total(name, checkpoint, f"Applied{VERSION}_{site.lanes}")

    return damage


def empty_table(table: str, *key: str) -> Callable[[Site], None]:
    """A table without its rows. Cold environments read the streams from their beginning and count everything again."""

    def damage(site: Site) -> None:
        for row in site.pipeline.rows(f"{table}Table"):
            site.pipeline.dynamodb.delete_item(
                TableName=site.table(table), Key={name: row[name] for name in key}
            )
        site.functions.clear()
        site.deliver_again()
        site.lose()

    return damage


DAMAGES: dict[str, Callable[[Site], None]] = {
    "lost changes": Site.lose,
    "shards that Map did not get": skip_shards("map"),
    "shards that Reduce did not get": skip_shards("reduce"),
    "a value of 38 nines": set_value("9" * 38),
    "a huge value": set_value("1E+100"),
    "checkpoints that are numbers": set_checkpoints({"N": "17"}),
    "checkpoints that are words": set_checkpoints({"S": "by hand"}),
    "checkpoints of a later epoch": set_checkpoints({"S": "9999999999." + "0" * 40}),
    "an empty ReduceTable": empty_table("Reduce", "Lane", "Source"),
    "an empty AggregateTable": empty_table("Aggregate", "Identifier"),
    "an empty RegistryTable": empty_table("Registry", "Scope", "Name"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_rebuild_repairs(site: Site, damage: Callable[[Site], None]) -> None:
    damage(site)

    site.rebuild()

    assert_exact(site)


def test_a_rebuild_of_exact_totals_changes_nothing(site: Site) -> None:
    assert not site.rebuild().changes
    assert_exact(site)


def test_a_rebuild_names_the_totals_that_it_corrects(site: Site) -> None:
    site.damage()
    site.set_total("not a number", {"S": "x"})
    names = sorted(site.expected())
    site.set_total(names[2], {"N": "17"}, "Count")
    site.set_total(names[3], None, "Value")

    result = site.rebuild()

    assert {change.identifier for change in result.changes} == {
        "nobody",
        "not a number",
        *names[:4],
    }
    assert_exact(site)


def test_a_deleted_total_of_0_rows_gets_a_checkpoint(site: Site) -> None:
    """Only ReduceTable's stream names the total, and its records may be delivered again."""
    site.leave_nothing(("PV", "a", "only"))
    site.delete_total("PV:a:only")
    assert "PV:a:only" not in site.expected()

    site.rebuild()

    site.deliver_last_of("PV:a:only")
    assert_exact(site)


def test_corrections_take_as_many_rows_as_they_need(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node takes 48 bytes and its name, so a row has room for two at most.
    monkeypatch.setattr(map_batch, "MAX_ROW_BYTES", 120)
    site.lose()
    site.damage()

    site.rebuild()

    rows = [
        record["dynamodb"]["NewImage"]
        for records in site.records("reduce").values()
        for record in records
    ]
    sizes = [len(row["Totals"]["M"]) for row in rows if row["Source"] == {"S": "rebuild"}]
    assert max(sizes) <= 2
    assert sum(size == 2 for size in sizes) >= 4
    assert_exact(site)


def test_a_dry_run_lists_what_would_change_and_writes_nothing(site: Site) -> None:
    site.lose()
    tables = ("StateTable", "ReduceTable", "AggregateTable", "RegistryTable")
    before = {name: site.pipeline.rows(name) for name in tables}
    calls = Calls()

    result = site.work(calls).look()

    wrong, nothing = site.found(), (0, Decimal(0))
    assert {change.identifier: change.new for change in result.changes} == {
        name: total
        for name, total in (dict.fromkeys(wrong, nothing) | site.expected()).items()
        if wrong.get(name, nothing) != total
    }
    assert result.mappings == ["map"]
    assert set(calls.log) == {"scan", "get_item", "enabled", "describe_table"}
    assert before == {name: site.pipeline.rows(name) for name in tables}


def test_a_mapping_that_was_disabled_before_stays_disabled(site: Site) -> None:
    site.mappings.on["map"] = False

    site.rebuild()

    assert site.mappings.on == {"map": False}


# -- while messages arrive


def test_shards_that_open_and_close_between_the_watermarks_are_read_parents_first(
    site: Site,
) -> None:
    """A row counts as the image of its last record, which is in the youngest of the row's shards."""
    watermarks = iter(range(10**6))
    place = ("PV", "a", "EMEA")

    def scan(_name: str, send: Callable[[], Any]) -> Any:
        answer = send()
        if next(watermarks) == 1:
            for number in range(4):
                site.send([trades.Version("moving", number, str(10**number), place)])
                site.roll("map")
        return answer

    class Moving(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            return super().call(name, send if name != "scan" else lambda: scan(name, send))

    site.rebuild(Moving())
    assert next(watermarks) > 1
    site.flow()
    assert_exact(site)


def test_a_trade_with_the_id_of_a_marker_stays_and_counts_with_its_last_version(site: Site) -> None:
    place = ("PV", "a", "EMEA")
    site.send([trades.Version("leda-watermark-0", 1, "5", place)])
    changes = iter([trades.Version("leda-watermark-0", 2, "11", place)])

    class Changing(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            answer = super().call(name, send)
            if self.log.count("scan") == 2:
                site.send(list(changes))
            return answer

    site.rebuild(Changing())
    site.flow()

    assert next(changes, None) is None
    assert_exact(site)


# -- streams and versions


@pytest.mark.parametrize("table", ["State", "Reduce"])
def test_a_table_without_a_stream_is_refused_by_name(site: Site, table: str) -> None:
    site.pipeline.dynamodb.disable_stream(site.table(table))
    with pytest.raises(LedaError, match=f"{table}Table has no stream"):
        site.rebuild()
    assert site.mappings.on == {"map": True}


def test_checkpoints_of_configurations_without_shards_are_removed(site: Site) -> None:
    gone, used = "0123abcd", "4567cdef"
    name = min(site.expected())
    for version in (gone, used):
        for ending in ("_2", "_2m"):
            site.set_total(name, {"S": "0000000001." + "1" * 40}, f"Applied{version}{ending}")
    shard = {"Version": {"S": used}, "Lanes": {"N": "2"}}
    stream = site.pipeline.stream_arn("StateTable")
    key = {"Scope": {"S": f"source/{stream}"}, "Name": {"S": "shardId-old"}}
    site.pipeline.dynamodb.put_item(TableName=site.table("Registry"), Item={**key, **shard})

    site.rebuild()

    applied = {each for row in site.total_rows().values() for each in row if "Applied" in each}
    assert {each[:15] for each in applied} == {f"Applied{VERSION}", f"Applied{used}"}
    lanes = _names(site, "lanes")
    assert [each for each in lanes if each.startswith(gone)] == []
    assert f"{used}.2" in lanes
    assert site.found() == site.expected()


def test_a_configuration_of_a_recent_rebuild_stays_in_the_registry(site: Site) -> None:
    """The corrections of that rebuild may be delivered again for as long as Map's rows."""
    site.lose()
    site.rebuild()
    measures = {**json.loads(CONFIGURATION)["measures"], "Trades": {"op": "count"}}
    _make_live(site, Configuration.from_json(json.dumps({"path": "Path", "measures": measures})))

    site.rebuild()

    assert any(each.startswith(VERSION) for each in _names(site, "lanes"))
    assert site.found() == site.expected()


def test_totals_are_those_of_the_live_configuration_and_not_of_the_deployed_one(site: Site) -> None:
    live = Configuration.from_json(
        json.dumps({"path": "Path", "measures": {"Trades": {"op": "count"}}})
    )
    _make_live(site, live)
    result = site.rebuild()
    assert result.configuration.version == live.version
    rows = site.total_rows()
    assert {name: int(rows[name]["Trades"]["N"]) for name in site.expected()} == {
        name: count for name, (count, _) in site.expected().items()
    }


def _make_live(site: Site, configuration: Configuration) -> None:
    for name, attributes in (
        (configuration.version, {"Document": {"S": configuration.document}}),
        ("live", {"Version": {"S": configuration.version}}),
    ):
        key = {"Scope": {"S": "configurations"}, "Name": {"S": name}}
        row = {**key, **attributes}
        site.pipeline.dynamodb.put_item(TableName=site.table("Registry"), Item=row)


def _names(site: Site, scope: str) -> list[str]:
    rows = site.pipeline.rows("RegistryTable")
    return [row["Name"]["S"] for row in rows if row["Scope"]["S"] == scope]


# -- what cannot be repaired


def test_a_total_of_more_than_38_digits_is_named_and_nothing_is_changed(site: Site) -> None:
    for name, value in (("a", "1E+27"), ("b\n", "1E-27")):
        row = {"id": {"S": name}, "Version": {"N": "1"}, "Path": {"S": "PV:\nwide"}}
        site.pipeline.dynamodb.put_item(
            TableName=site.table("State"), Item={**row, "Value": {"N": value}}
        )
    before = site.total_rows()
    for run in (site.work(Calls()).look, site.rebuild):
        with pytest.raises(LedaError, match=r"more than the 38 digits .*PV:\\nwide") as error:
            run()
        assert re.search(
            r"decimal places are b\\n \(Value 1E-27\), .*before .* are a \(Value 10{27}\), ",
            error.value.fix or "",
        )
    assert site.total_rows() == before
    site.check_leftovers()


def test_a_row_of_map_ahead_of_its_stream_is_named_and_can_be_deleted(site: Site) -> None:
    source = next(row["Source"] for row in site.pipeline.rows("ReduceTable"))
    key = {"Lane": {"S": f"{VERSION}.{site.lanes}.0"}, "Source": source}
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Reduce"), Item={**key, "Sequence": {"S": "9" * 40}}
    )
    site.skip("reduce")
    site.store()
    with pytest.raises(LedaError, match="beyond what the rebuild has read") as error:
        site.rebuild()
    assert source["S"] in error.value.what
    assert site.mappings.enabled() == []
    site.pipeline.dynamodb.delete_item(TableName=site.table("Reduce"), Key=key)

    site.rebuild()

    assert site.found() == site.expected()
    site.check_leftovers()


def test_a_row_of_map_without_a_readable_sequence_is_named(site: Site) -> None:
    source = next(row["Source"] for row in site.pipeline.rows("ReduceTable"))
    key = {"Lane": {"S": f"{VERSION}.{site.lanes}.0"}, "Source": source}
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Reduce"), Item={**key, "Sequence": {"N": "17"}}
    )
    with pytest.raises(LedaError, match="has no Sequence") as error:
        site.rebuild()
    assert "delete the row" in error.value.fix


def test_a_configuration_missing_from_the_registry_is_named(site: Site) -> None:
    key = {"Scope": {"S": "configurations"}, "Name": {"S": "live"}}
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Registry"), Item={**key, "Version": {"S": "ffffffff"}}
    )
    with pytest.raises(LedaError, match="no configuration ffffffff"):
        site.rebuild()
    assert site.mappings.on == {"map": True}


def test_the_mapping_stays_disabled_while_reduce_does_not_process_its_stream(
    site: Site, console: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_totals, "MAX_MARKERS", 3)
    monkeypatch.setattr(rebuild_totals, "MARKER_SECONDS", 2)
    site.lose()
    site.is_reduce_on = False
    with pytest.raises(LedaError, match="Reduce does not apply what is in"):
        site.rebuild()
    assert console.getvalue().count("Reduce has not applied what is in") == 3
    assert site.mappings.enabled() == []
    site.is_reduce_on = True

    site.rebuild()

    assert site.found() == site.expected()
    assert "taking over from the rebuild that began at" in console.getvalue()
    site.check()


def test_a_lost_marker_is_written_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_totals, "MARKER_SECONDS", 2)
    site.lose()
    looks = itertools.count()

    def sleep(seconds: float) -> None:
        if seconds == rebuild_totals.POLL_SECONDS and next(looks) < 2:
            site.skip("reduce")
        site.flow()

    site.rebuild(sleep=sleep)
    assert next(looks) > 2
    assert_exact(site)
