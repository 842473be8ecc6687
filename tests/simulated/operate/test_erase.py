"""`leda erase` deletes a total for good without an effect on others, or refuses.

Over the DynamoDB in memory. A trade's place stands for a personal key.
"""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.erase import Erasure, Result, erase
from leda_cli.operate.rebuilding.lane_rows import NamedNodes
from simulation import trades
from support.aggregations import aggregation
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION
from support.rebuild_site import STREAMS, Site


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream in memory has no delay."""
    monkeypatch.setattr("leda_cli.operate.erase.POLL_SECONDS", 0)


PLACE = ("Ann", "x", "y")
TOTALS = ["Ann", "Ann:x", "Ann:x:y"]


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def site(request: pytest.FixtureRequest) -> Site:
    """Totals of Ann's, below which no trades are left."""
    made = Site.started(MemoryPipeline(), request.param)
    made.leave_nothing(PLACE)
    return made


def _aggregation(site: Site, configuration: str = CONFIGURATION) -> Aggregation:
    pipeline = site.pipeline
    account = SimpleNamespace(endpoint=None, dynamodb=pipeline.dynamodb, streams=pipeline.streams)
    return aggregation(account, configuration, **vars(site.tables))


def _trim(site: Site) -> None:
    """Remove the streams' records, as after a day."""
    for name in STREAMS:
        _trim_only(site, name)


def _trim_only(site: Site, name: str) -> None:
    streams: Any = site.pipeline.streams
    for shard in streams.known[site.pipeline.stream_arn(STREAMS[name])].shards.values():
        shard.records.clear()
    for place in [place for place in site.delivered if STREAMS[name] in place[0]]:
        del site.delivered[place]


def _erase(site: Site, identifiers: list[str] = TOTALS) -> Result:
    work = Erasure(_aggregation(site))
    return work.erase(work.look(identifiers))


def _come_and_go(site: Site) -> None:
    """Add a trade of Ann's and delete it: her totals are 0 again, and these changes may be redelivered."""
    for version, value in enumerate(("5", None)):
        site.send([trades.Version("later", version, value, PLACE)])
        site.flow()


def _naming(site: Site) -> list[str]:
    """The tables that still have Ann's name."""
    return [
        table
        for table in ("AggregateTable", "ReduceTable")
        if "Ann" in json.dumps(site.pipeline.rows(table))
    ]


def test_an_empty_total_is_erased_when_the_streams_no_longer_name_it(site: Site) -> None:
    _trim(site)
    result = _erase(site)
    assert (sorted(result.rows), result.kept) == (TOTALS, {})
    assert _naming(site) == []
    assert site.found() == site.expected()


def test_totals_are_exact_after_redeliveries_and_new_trades(site: Site) -> None:
    _trim(site)
    _erase(site)
    site.store()
    site.send([trades.Version("new", 0, "5", PLACE)])
    site.flow()
    site.check()
    assert "Ann" in site.found()


def test_totals_are_exact_after_a_later_rebuild(site: Site) -> None:
    _trim(site)
    _erase(site)
    assert not site.rebuild().changes
    site.check()
    assert _naming(site) == []


def test_map_continues_at_the_checkpoints_of_its_emptied_rows(site: Site) -> None:
    assert site.records("map")
    _trim_only(site, "reduce")
    assert _erase(site).emptied
    # Map's stream still has all records, and is delivered again from its beginning.
    site.store()
    site.check()


@pytest.mark.parametrize("step", ["at once", "after a rebuild"])
def test_a_total_that_the_stream_still_names_is_kept(site: Site, step: str) -> None:
    if step == "after a rebuild":
        _trim(site)
        site.rebuild()
    result = _erase(site)
    assert result.rows == {}
    assert set(result.kept.values()) == {
        f"ReduceTable's stream still names it: run {this_command()} again in a day"
    }
    assert site.total_rows().keys() >= {*TOTALS}


def test_a_stream_is_read_on_after_some_empty_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = iter([0] * 5)
    real = NamedNodes.read
    monkeypatch.setattr(
        NamedNodes, "read", lambda nodes: real(nodes) if next(pages, None) is None else 0
    )
    assert _erase(site).rows == {}
    assert next(pages, None) is None


def test_deleting_a_total_that_the_stream_still_names_makes_totals_wrong(site: Site) -> None:
    site.delete_total("Ann")
    site.deliver_last_of("Ann")
    assert site.found() != site.expected()


@pytest.mark.parametrize("value", ["5", "0"])
def test_a_total_that_counts_rows_is_kept(site: Site, value: str) -> None:
    site.send([trades.Version("still there", 0, value, PLACE)])
    site.flow()
    _trim(site)
    result = _erase(site)
    assert result.rows == {}
    assert set(result.kept.values()) == {
        "rows of the source table count in it: delete or change them first"
    }
    site.check()


def test_the_expiry_of_a_total_is_not_a_measure(site: Site) -> None:
    _trim(site)
    for name in TOTALS:
        site.set_total(name, {"N": "1785542400"}, "ExpiresAt")
    assert sorted(_erase(site).rows) == TOTALS


def test_a_total_that_changes_before_its_deletion_is_kept(site: Site) -> None:
    _trim(site)
    work = Erasure(_aggregation(site))
    found = work.look(TOTALS)
    _come_and_go(site)
    result = work.erase(found)
    assert result.rows == {}
    assert set(result.kept.values()) == {f"it was changed meanwhile: run {this_command()} again"}
    site.check()


def test_a_total_with_a_new_checkpoint_of_other_lanes_is_kept(site: Site) -> None:
    _trim(site)
    work = Erasure(_aggregation(site))
    found = work.look(TOTALS)
    site.set_lanes(7)
    site.roll("map")
    _come_and_go(site)
    assert work.erase(found).rows == {}
    site.check()


def test_checkpoints_of_lanes_that_the_registry_has_lost_are_compared_too(site: Site) -> None:
    _trim(site)
    work = Erasure(_aggregation(site))
    found = work.look(TOTALS)
    _come_and_go(site)
    for row in site.pipeline.rows("RegistryTable"):
        if row["Scope"] == {"S": "lanes"}:
            key = {name: row[name] for name in ("Scope", "Name")}
            site.pipeline.dynamodb.delete_item(TableName=site.table("Registry"), Key=key)
    assert work.erase(found).rows == {}


def test_nothing_is_erased_while_a_rebuild_is_open(site: Site) -> None:
    _trim(site)
    site.pipeline.dynamodb.put_item(
        TableName=site.table("Registry"), Item={"Scope": {"S": "rebuild"}, "Name": {"S": "journal"}}
    )
    with pytest.raises(LedaError, match="a rebuild or a backfill is open"):
        _erase(site)


def test_rows_of_reducetable_are_emptied_even_without_the_total(site: Site) -> None:
    _trim(site)
    for name in TOTALS:
        site.delete_total(name)
    result = _erase(site)
    assert result.rows == {}
    assert result.emptied
    assert _naming(site) == []
    site.store()
    site.flow()
    site.check()


def test_a_row_that_map_has_replaced_is_not_emptied(site: Site) -> None:
    _trim(site)
    work = Erasure(_aggregation(site))
    found = work.look(TOTALS)
    site.store(12)
    site.deliver_new("map")
    assert len(work.erase(found).emptied) < len(found.emptied)
    site.flow()
    site.check()


# -- totals that keep expired rows

KEEP = json.dumps(json.loads(CONFIGURATION) | {"on_expiry": "keep"})


@pytest.mark.parametrize("is_there", [True, False])
def test_a_total_that_keeps_expired_rows_is_erased_when_no_row_is_left(is_there: bool) -> None:
    """Ann's totals are not 0, and their trade has expired or still exists."""
    pipeline = MemoryPipeline()
    pipeline.settings["CONFIGURATION"] = KEEP
    site = Site.started(pipeline)
    site.send([trades.Version("Ann's", 0, "5", PLACE)])
    site.flow()
    if not is_there:
        rows = [row for row in pipeline.rows("StateTable") if row["id"] != {"S": "Ann's"}]
        pipeline.dynamodb.restore(site.table("State"), rows)
    _trim(site)
    work = Erasure(_aggregation(site, KEEP))
    result = work.erase(work.look(TOTALS))
    assert sorted(result.rows) == ([] if is_there else TOTALS)
    assert bool(_naming(site)) is is_there


# -- the choice of totals


def test_a_key_selects_its_totals_in_all_present_and_former_groupings(site: Site) -> None:
    rows = {
        "users:Ann": {"user": "Ann"},
        "spent:Ann:2026": {"user": "Ann", "year": "2026"},
        "users:Bob": {"user": "Bob"},
        "boss:Ann": {"boss": "Ann"},
    }
    for identifier, keys in rows.items():
        item = {
            "Identifier": {"S": identifier},
            "Count": {"N": "0"},
            "Keys": {"M": {name: {"S": text} for name, text in keys.items()}},
        }
        site.pipeline.dynamodb.put_item(TableName=site.table("Aggregate"), Item=item)
    work = Erasure(_aggregation(site))
    assert work.with_key("user", "Ann") == ["spent:Ann:2026", "users:Ann"]


# -- the command


@pytest.fixture
def command(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(Aggregation, "find", lambda *_: _aggregation(site))
    return site


def test_a_dry_run_lists_totals_and_erases_none(
    command: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    _trim(command)
    erase(["Ann"], dry_run=True)
    assert "Ann: would be erased" in capsys.readouterr().out
    for dry_run in (True, False):
        assert "Ann" in command.total_rows()
        erase(["Ann"], dry_run=dry_run, as_json=True)
        report = json.loads(capsys.readouterr().out)
        assert (report["erased"], report["dry_run"]) == (["Ann"], dry_run)
    assert "Ann" not in command.total_rows()


def test_an_identifier_without_a_total_is_named(
    command: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    _trim(command)
    erase(["Ann", "Anne"])
    lines = capsys.readouterr().out
    assert "Ann: erased" in lines
    assert "Anne: there is no such total" in lines
    erase(["Anne"], as_json=True)
    assert json.loads(capsys.readouterr().out)["absent"] == ["Anne"]
    erase([":Ann"])
    assert (
        ":Ann: there is no such total (:Ann is not the identifier of a total"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("identifier", ["", "a" * 2049])
def test_an_identifier_that_is_no_key_of_dynamodb_is_named(
    command: Site, capsys: pytest.CaptureFixture[str], identifier: str
) -> None:
    erase([identifier], as_json=True)
    assert json.loads(capsys.readouterr().out)["absent"] == [identifier]


def test_what_is_kept_ends_with_an_error(command: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LedaError, match="1 of 1 total is not erased"):
        erase(["Ann"])
    assert "Ann: kept, ReduceTable's stream still names it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "not both"),
        ({"identifiers": ["Ann"], "key": "user=Ann"}, "not both"),
        ({"key": "Ann"}, "has no ="),
    ],
)
def test_totals_must_be_chosen_by_identifier_or_key(
    command: Site, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(LedaError, match=says):
        erase(**options)
