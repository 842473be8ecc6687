"""`leda rebuild` after any loss and damage, and where it must refuse.

What happens when it is stopped, or others write meanwhile, is in test_rebuild_interrupted.py.
"""

import io
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.map import map_batch
from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.mappings import LambdaMappings
from leda_cli.operate.rebuilding import rebuild_totals
from simulation import trades
from simulation.failures import client_error
from support.lambda_events import event
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION, Pipeline
from support.rebuild_site import Calls, Site

pytestmark = pytest.mark.usefixtures("console")

VERSION = Configuration.from_json(CONFIGURATION).version


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def local(pipeline: Pipeline, request: pytest.FixtureRequest) -> Site:
    """On DynamoDB Local."""
    return Site.started(pipeline, request.param)


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def site(request: pytest.FixtureRequest) -> Site:
    """In memory, where shards can be closed and streams replaced."""
    return Site.started(MemoryPipeline(), request.param)


# -- over DynamoDB Local


def test_on_dynamodb_local_losses_and_damages_are_repaired_while_messages_come(local: Site) -> None:
    local.lose()
    local.damage()
    local.set_total("no number", {"S": "x"})
    messages = itertools.count()

    def busy(_seconds: float) -> None:
        if next(messages) < 20:
            local.store(1)
        local.flow()

    result = local.rebuild(sleep=busy)
    local.flow()

    assert next(messages) > 1, "messages came while it waited"
    assert result.changes
    assert local.found() == local.expected()
    local.check()


# -- losses


def test_a_rebuild_of_exact_totals_changes_nothing(site: Site) -> None:
    before = site.found()

    assert not site.rebuild().changes

    assert site.found() == before
    site.check()


def test_changes_that_were_lost_are_in_the_totals_again_and_counted_once(site: Site) -> None:
    site.lose()
    site.flow()
    assert site.found() != site.expected()

    assert site.rebuild().changes

    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize("name", ["map", "reduce"])
def test_changes_whose_shards_were_never_delivered_are_in_the_totals_again(
    site: Site, name: str
) -> None:
    for _ in range(2):
        site.roll(name)
        site.store()
        if name == "reduce":
            site.deliver_new("map")
        site.skip(name)
    site.roll(name)

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_totals_that_somebody_damaged_are_repaired(site: Site) -> None:
    site.damage()
    site.set_total("no number", {"S": "x"})
    names = sorted(site.expected())
    site.set_total(names[2], {"N": "17"}, "Count")
    site.set_total(names[3], None, "Value")

    result = site.rebuild()

    assert site.found() == site.expected()
    assert {change.identifier for change in result.changes} == {
        "nobody",
        "no number",
        *names[:4],
    }
    site.check()


@pytest.mark.parametrize("digits", ["9" * 38, "0." + "9" * 38, "1E+100"])
def test_a_total_that_no_sum_brings_back_is_set_to_0_first(site: Site, digits: str) -> None:
    name = min(site.expected())
    site.set_total(name, {"N": digits})
    site.rebuild()
    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize(
    "checkpoint",
    [
        {"N": "17"},
        {"S": "by hand"},
        {"S": "9999999999." + "0" * 40},
        {"S": "0000000000." + "1" * 40},
    ],
)
def test_a_checkpoint_that_reduce_has_not_written_is_removed(
    site: Site, checkpoint: dict[str, str]
) -> None:
    site.lose()
    for name in site.expected():
        site.set_total(name, checkpoint, f"Applied{VERSION}_{site.lanes}")
    site.rebuild()
    assert site.found() == site.expected()
    site.check()


def test_a_checkpoint_that_is_too_far_on_is_found_because_the_total_is_not_as_it_was_set(
    site: Site, console: io.StringIO
) -> None:
    site.lose()
    attribute = f"Applied{VERSION}_{site.lanes}"
    for name, row in site.total_rows().items():
        epoch = row[attribute]["S"].partition(".")[0]
        site.set_total(name, {"S": f"{epoch}.{'9' * 40}"}, attribute)
    site.rebuild()
    assert "is not as it was set: once more" in console.getvalue()
    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize("table", ["Reduce", "Aggregate", "Registry"])
def test_a_table_that_was_lost_whole_is_made_again(site: Site, table: str) -> None:
    keys = {
        "Reduce": ("Lane", "Source"),
        "Aggregate": ("Identifier",),
        "Registry": ("Scope", "Name"),
    }
    for row in site.pipeline.rows(f"{table}Table"):
        key = {name: row[name] for name in keys[table]}
        site.pipeline.dynamodb.delete_item(TableName=site.table(table), Key=key)
    # Cold environments read the streams from their beginning, and count what they find once more.
    site.functions.clear()
    site.deliver_again()
    site.lose()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_a_deleted_total_that_nothing_is_below_gets_a_checkpoint_all_the_same(site: Site) -> None:
    """It is only named in ReduceTable's stream, whose rows may be delivered again."""
    site.leave_nothing(("PV", "a", "only"))
    site.delete_total("PV:a:only")
    assert "PV:a:only" not in site.expected()

    site.rebuild()

    site.deliver_last_of("PV:a:only")
    assert site.found() == site.expected()
    site.check()


def test_changes_that_are_still_in_the_streams_are_not_counted_twice(site: Site) -> None:
    site.store()
    site.deliver_new("map")
    site.store()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_messages_after_the_rebuild_count(site: Site) -> None:
    site.lose()
    site.rebuild()
    site.store()
    site.flow()
    assert site.found() == site.expected()
    site.check()


def test_every_number_of_lanes_that_there_was_is_brought_in_line(site: Site) -> None:
    site.change_lanes()
    site.lose()
    site.damage()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()
    site.change_lanes()


def test_corrections_take_as_many_rows_as_they_need(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node takes 48 bytes and its name, so a row has two at most.
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
    assert site.found() == site.expected()
    site.check()


def test_a_dry_run_says_what_would_change_and_writes_nothing(site: Site) -> None:
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


def test_a_mapping_that_was_off_stays_off(site: Site) -> None:
    site.mappings.on["map"] = False

    site.rebuild()

    assert site.mappings.on == {"map": False}


# -- while messages come


def test_state_and_readers_go_on_all_the_while(site: Site) -> None:
    """Versions of a few trades come between any two calls, so that most rows have records between the watermarks."""
    site.lose()
    busy = trades.versions(site.draw, 4, 40)
    site.draw.shuffle(busy)
    left = iter(busy)

    class Busy(Calls):
        def call(self, name: str, send: Callable[[], Any]) -> Any:
            if made := next(left, None):
                site.send([made])
            return super().call(name, send)

    site.rebuild(Busy())
    assert len([*left]) < len(busy) - 20
    site.flow()
    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize("name", ["map", "reduce"])
def test_shards_may_be_closed_at_any_of_its_calls(site: Site, name: str) -> None:
    site.rebuild(calls := Calls())
    for number in range(1, len(calls.log) + 1, 5):
        site.lose()

        class Rolling(Calls):
            def call(self, call: str, send: Callable[[], Any]) -> Any:
                if len(self.log) + 1 == number:  # noqa: B023
                    site.roll(name)
                    site.store(1)
                return super().call(call, send)

        site.rebuild(Rolling())
        site.flow()
        assert site.found() == site.expected(), f"a shard closed at call {number}"
    site.check()


def test_shards_that_come_and_go_between_the_watermarks_are_read_parents_first(site: Site) -> None:
    """A row's last record says what it is, and it is in the youngest of the shards that the row has been in."""
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
    assert next(watermarks) > 1, "the shards came and went"
    site.flow()
    assert site.found() == site.expected()
    site.check()


def test_a_trade_whose_id_is_a_markers_stays_and_counts_as_it_is_in_the_end(site: Site) -> None:
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

    assert next(changes, None) is None, "the trade has changed meanwhile"
    assert site.found() == site.expected()
    site.check()


# -- streams and versions


def test_a_stream_that_was_disabled_and_enabled_is_settled_by_the_rebuild(site: Site) -> None:
    table = site.table("State")
    site.pipeline.dynamodb.disable_stream(table)
    site.store()
    site.pipeline.dynamodb.enable_stream(table)
    site.store()
    site.functions.pop("map")
    site.flow()
    assert site.found() != site.expected()
    assert _settled(site, "map") == [True, False]

    site.rebuild()

    assert site.found() == site.expected()
    assert _settled(site, "map") == [True, True]
    site.check()


def test_what_is_late_from_a_stream_that_is_no_more_counts_for_nothing(site: Site) -> None:
    site.store()
    late = site.records("map")
    table = site.table("State")
    site.pipeline.dynamodb.disable_stream(table)
    site.pipeline.dynamodb.enable_stream(table)
    site.flow()
    site.rebuild()
    assert site.found() == site.expected()

    for shard, records in late.items():
        site.pipeline.function("map")(event(records, shard))
    site.flow()

    assert site.found() == site.expected()
    site.check()


def test_reduce_tables_stream_may_be_new_too(site: Site) -> None:
    table = site.table("Reduce")
    site.store()
    site.deliver_new("map")
    site.pipeline.dynamodb.disable_stream(table)
    site.store()
    site.deliver_new("map")
    site.pipeline.dynamodb.enable_stream(table)
    site.store()
    site.flow()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


@pytest.mark.parametrize("table", ["State", "Reduce"])
def test_a_table_without_a_stream_is_named(site: Site, table: str) -> None:
    site.pipeline.dynamodb.disable_stream(site.table(table))
    with pytest.raises(LedaError, match=f"{table}Table has no stream"):
        site.rebuild()
    assert site.mappings.on == {"map": True}


def test_checkpoints_of_versions_whose_shards_are_gone_are_removed(site: Site) -> None:
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


def test_a_version_that_a_rebuild_has_lately_written_under_stays(site: Site) -> None:
    """Its corrections may be delivered again for as long as Map's rows."""
    site.lose()
    site.rebuild()
    measures = {**json.loads(CONFIGURATION)["measures"], "Trades": {"op": "count"}}
    _make_live(site, Configuration.from_json(json.dumps({"path": "Path", "measures": measures})))

    site.rebuild()

    assert any(each.startswith(VERSION) for each in _names(site, "lanes"))
    assert site.found() == site.expected()


def test_the_live_configuration_decides_and_not_the_deployed_one(site: Site) -> None:
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


def _settled(site: Site, name: str) -> list[bool]:
    rows = [
        row for row in site.pipeline.rows("RegistryTable") if row["Scope"]["S"] == f"streams/{name}"
    ]
    return [row["IsSettled"]["BOOL"] for row in sorted(rows, key=lambda row: row["Name"]["S"])]


# -- what cannot be repaired


def test_a_total_that_no_row_can_hold_is_named_and_nothing_is_changed(site: Site) -> None:
    for name, value in (("a", "1E+27"), ("b", "1E-27")):
        row = {"id": {"S": name}, "Version": {"N": "1"}, "Path": {"S": "PV:wide"}}
        site.pipeline.dynamodb.put_item(
            TableName=site.table("State"), Item={**row, "Value": {"N": value}}
        )
    before = site.total_rows()
    with pytest.raises(LedaError, match="more than the 38 digits") as error:
        site.rebuild()
    assert "PV:wide" in error.value.what
    assert "most digits before the point: a (Value 1" in error.value.fix
    assert "most after it: b (Value " in error.value.fix
    assert site.total_rows() == before
    site.check_leftovers()


def test_a_row_of_map_beyond_its_stream_is_named_and_deleting_it_mends_it(site: Site) -> None:
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


def test_a_configuration_that_the_registry_has_lost_is_named(site: Site) -> None:
    key = {"Scope": {"S": "configurations"}, "Name": {"S": "live"}}
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Registry"), Item={**key, "Version": {"S": "ffffffff"}}
    )
    with pytest.raises(LedaError, match="no configuration ffffffff"):
        site.rebuild()
    assert site.mappings.on == {"map": True}


def test_a_reduce_that_stands_still_is_said_and_the_mapping_stays_off(
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
    assert "going on with the rebuild that began at" in console.getvalue()
    site.check()


def test_a_marker_that_was_lost_on_its_way_is_written_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_totals, "MARKER_SECONDS", 2)
    site.lose()
    looks = itertools.count()

    def sleep(seconds: float) -> None:
        if seconds == rebuild_totals.POLL_SECONDS and next(looks) < 2:
            site.skip("reduce")
        site.flow()

    site.rebuild(sleep=sleep)
    assert next(looks) > 2, "markers were lost"
    assert site.found() == site.expected()
    site.check()


# -- the mappings themselves


class FakeLambda:
    """Mappings that take a look or two to change, and refuse a second change meanwhile."""

    def __init__(self, states: dict[str, str], functions: dict[str, list[str]]) -> None:
        self.states, self.functions = states, functions
        self.busy = 0

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:
        if UUID not in self.states:
            raise client_error("ResourceNotFoundException")
        state = self.states[UUID]
        self.states[UUID] = {"Disabling": "Disabled", "Enabling": "Enabled"}.get(state, state)
        return {"State": state}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:
        if self.busy:
            self.busy -= 1
            raise client_error("ResourceInUseException")
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def get_paginator(self, _name: str) -> Any:
        pages = SimpleNamespace()
        pages.paginate = lambda FunctionName: [
            {
                "EventSourceMappings": [
                    {"UUID": each, "FunctionArn": FunctionName}
                    for each in self.functions[FunctionName]
                ]
            }
        ]
        return pages


def _mappings(client: Any) -> LambdaMappings:
    now = itertools.count()
    return LambdaMappings(
        client, {"map": "MapLambda"}, lambda: float(next(now)), lambda _seconds: None
    )


def test_a_mapping_is_off_when_lambda_says_so_and_on_again_likewise() -> None:
    client = FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]})
    client.busy = 2
    mappings = _mappings(client)
    assert mappings.enabled() == ["u1"]
    mappings.pause(["u1"])
    assert client.states == {"u1": "Disabled"}
    assert mappings.enabled() == []
    mappings.resume(["u1"])
    assert client.states == {"u1": "Enabled"}


def test_a_function_without_a_mapping_is_an_error_that_names_it() -> None:
    with pytest.raises(LedaError, match="MapLambda has no event source mapping"):
        _mappings(FakeLambda({}, {"MapLambda": []})).enabled()


def test_a_mapping_that_never_changes_ends_the_wait_with_its_state() -> None:
    client = FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]})
    client.busy = 10**6
    with pytest.raises(LedaError, match="u1 is Enabled"):
        _mappings(client).pause(["u1"])


def test_the_mappings_are_found_by_their_functions_names() -> None:
    mappings = _mappings(FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]}))
    assert mappings.by_function() == {"MapLambda": "u1"}
