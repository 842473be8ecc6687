"""`leda rebuild` over DynamoDB Local: after any loss, and where it must refuse.

What happens when it is stopped, or others write meanwhile, is in test_rebuild_interrupted.py.
"""

import itertools
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli import rebuild as rebuild_module
from leda_cli.errors import LedaError
from leda_cli.mappings import LambdaMappings
from support import trades
from support.faults import client_error
from support.pipeline import Pipeline, event
from support.rebuild_site import Calls, Site


@pytest.fixture(params=[False, True], ids=["no window", "window"])
def site(pipeline: Pipeline, request: pytest.FixtureRequest) -> Site:
    return Site.started(pipeline, windowed=request.param)


def test_a_rebuild_of_exact_totals_changes_nothing(site: Site) -> None:
    before = site.pipeline.totals()

    assert site.rebuild().changes == []

    assert site.pipeline.totals() == before
    site.check()


def test_changes_that_were_lost_are_in_the_totals_again_and_counted_once(site: Site) -> None:
    site.lose()
    site.deliver(windowed=False)
    assert site.found() != site.expected()

    assert site.rebuild().changes

    assert site.found() == site.expected()
    site.check()


def test_totals_that_somebody_damaged_are_mended_and_a_row_of_nothing_becomes_0(site: Site) -> None:
    site.damage()
    site.set_total("no number", {"S": "x"})

    result = site.rebuild()

    assert site.found() == site.expected()
    assert site.pipeline.totals()["nobody"] == 0
    assert site.pipeline.totals()["no number"] == 0
    assert len(result.changes) == 4
    site.check()


@pytest.mark.parametrize("function", ["Map", "Reduce"])
def test_lost_checkpoints_are_written_anew(site: Site, function: str) -> None:
    table = "StateTable" if function == "Map" else "ReduceTable"
    stream = site.key(function, table)["Lane"]["S"]
    for lane in (stream, site.pipeline.shard(table)):
        site.pipeline.dynamodb.delete_item(
            TableName=site.table("Checkpoint"),
            Key={**site.key(function, table), "Lane": {"S": lane}},
        )
    # What the streams still hold comes again, in another cut, and is counted twice.
    records = site.pipeline.stream_records(table)
    site.warm(function.lower())(event(records[:3] if function == "Map" else records))
    site.deliver(windowed=True)
    assert site.found() != site.expected()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_changes_that_are_still_in_the_streams_are_not_counted_twice(site: Site) -> None:
    site.store()
    site.warm("map")(event(site.pipeline.stream_records("StateTable")))
    site.store()

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_messages_after_the_rebuild_count(site: Site) -> None:
    site.lose()
    site.rebuild()
    site.store()
    site.check()


def test_a_dry_run_says_what_would_change_and_writes_nothing(site: Site) -> None:
    site.lose()
    before = {
        name: site.pipeline.rows(name) for name in ("StateTable", "ReduceTable", "CheckpointTable")
    }
    calls = Calls()

    result = site.work(calls).look()

    wrong = site.found()
    assert {change.identifier: change.new for change in result.changes} == {
        name: total
        for name, total in (dict.fromkeys(wrong, Decimal(0)) | site.expected()).items()
        if wrong.get(name, 0) != total
    }
    assert result.mappings == ["state", "map", "reduce"]
    assert set(calls.log) == {"scan", "enabled"}
    assert before == {name: site.pipeline.rows(name) for name in before}


def test_mappings_that_were_off_stay_off(site: Site) -> None:
    site.mappings.on["map"] = False

    site.rebuild()

    assert site.mappings.on == {"state": True, "map": False, "reduce": True}


# -- too much for one transaction


def test_more_totals_than_a_transaction_holds_are_refused_and_nothing_is_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "MAX_ACTIONS", 6)
    site.lose()
    site.damage()
    before = site.pipeline.totals()
    with pytest.raises(LedaError, match="one transaction sets 3") as error:
        site.rebuild()
    assert "--in-parts" in error.value.fix
    assert site.pipeline.totals() == before
    site.check_leftovers()

    site.rebuild(in_parts=True)

    assert site.found() == site.expected()
    site.check()


# -- what cannot be mended


def test_a_total_that_no_row_can_hold_is_named_and_nothing_is_changed(site: Site) -> None:
    for name, value in (("a", "1E+27"), ("b", "1E-27")):
        row = {"id": {"S": name}, "Version": {"N": "1"}, "Path": {"S": "PV:wide"}}
        site.pipeline.dynamodb.put_item(
            TableName=site.table("State"), Item={**row, "Value": {"N": value}}
        )
    with pytest.raises(LedaError, match="more than the 38 digits") as error:
        site.rebuild()
    assert "PV:wide" in error.value.what
    site.check_leftovers()


def test_a_checkpoint_that_somebody_wrote_by_hand_is_named(site: Site) -> None:
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Checkpoint"),
        Item={**site.key("Map", "StateTable"), "Sequence": {"S": "17"}},
    )
    with pytest.raises(LedaError, match="not 56 digits") as error:
        site.rebuild()
    assert "delete the row" in error.value.fix


def test_a_checkpoint_beyond_the_stream_is_named_and_deleting_it_mends_it(site: Site) -> None:
    key = site.key("Map", "StateTable")
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Checkpoint"), Item={**key, "Sequence": {"S": "9" * 56}}
    )
    site.store()
    with pytest.raises(LedaError, match="beyond what the rebuild has read"):
        site.rebuild()
    assert site.mappings.enabled() == []
    site.pipeline.dynamodb.delete_item(TableName=site.table("Checkpoint"), Key=key)

    site.rebuild()

    assert site.found() == site.expected()
    site.check()


def test_a_trade_whose_id_is_a_markers_stays(site: Site) -> None:
    site.sent.append(trades.Version("leda-fence-0", 1, "5", ("PV", "a", "EMEA")))
    site.warm("state")(site.pipeline.kinesis_event(site.sent[-1].message()))

    site.rebuild()

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
            {"EventSourceMappings": [{"UUID": each} for each in self.functions[FunctionName]]}
        ]
        return pages


def _mappings(client: Any, uuids: dict[str, str]) -> LambdaMappings:
    now = itertools.count()
    return LambdaMappings(
        client, {"map": "MapLambda"}, uuids, lambda: float(next(now)), lambda _seconds: None
    )


def test_a_mapping_is_off_when_lambda_says_so_and_on_again_likewise() -> None:
    client = FakeLambda({"u1": "Enabled"}, {})
    client.busy = 2
    mappings = _mappings(client, {"map": "u1"})
    assert mappings.enabled() == ["u1"]
    mappings.pause(["u1"])
    assert client.states == {"u1": "Disabled"}
    assert mappings.enabled() == []
    mappings.resume(["u1"])
    assert client.states == {"u1": "Enabled"}


@pytest.mark.parametrize("uuids", [{}, {"map": "gone"}])
def test_a_mapping_that_was_made_anew_is_found_by_its_function(uuids: dict[str, str]) -> None:
    client = FakeLambda({"u2": "Enabled"}, {"MapLambda": ["u2"]})
    assert _mappings(client, uuids).enabled() == ["u2"]


def test_a_function_without_a_mapping_is_an_error_that_names_it() -> None:
    with pytest.raises(LedaError, match="MapLambda has no event source mapping"):
        _mappings(FakeLambda({}, {"MapLambda": []}), {}).enabled()


def test_a_mapping_that_never_changes_ends_the_wait_with_its_state() -> None:
    client = FakeLambda({"u1": "Enabled"}, {})
    client.busy = 10**6
    with pytest.raises(LedaError, match="u1 is Enabled"):
        _mappings(client, {"map": "u1"}).pause(["u1"])
