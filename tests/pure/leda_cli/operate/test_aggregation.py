"""Finding an instance of the engine from the name of its Map function."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from leda.engine.group_by.configuration import Configuration
from leda.engine.registry import Registry
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.functions import mappings_of
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.stack import Stack
from support.aggregations import aggregation
from support.lambdas import ARN, FakeLambda
from support.memory_pipeline import MemoryPipeline
from support.pipeline import CONFIGURATION
from support.tables import definition


class Site:
    """An account with the parts of an aggregation, found as `F-Map`, and of another reader of ReduceTable's stream."""

    def __init__(self) -> None:
        self.pipeline = pipeline = MemoryPipeline()
        pipeline.prefix = "F-"
        pipeline.create()
        pipeline._create("Feedback", {"source": "S", "at": "N"}, "NEW_AND_OLD_IMAGES")
        self.source = pipeline.stream_arn("Feedback")
        reduce = pipeline.stream_arn("ReduceTable")
        self.lambdas = FakeLambda(
            {
                "F-Map": {
                    "REDUCE_TABLE": "F-ReduceTable",
                    "REGISTRY_TABLE": "F-RegistryTable",
                    "QUARANTINE_BUCKET": "bad",
                    "CONFIGURATION": CONFIGURATION,
                    "REDUCE_LANES": "4",
                },
                "F-Reader": {},
                "F-Reduce": {"AGGREGATE_TABLE": "F-AggregateTable"},
            },
            [
                ("uuid-map", "F-Map", self.source),
                ("uuid-reader", "F-Reader", reduce),
                ("uuid-reduce", "F-Reduce", reduce),
            ],
        )
        self.account = Account({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
        vars(self.account).update(lambdas=self.lambdas, dynamodb=pipeline.dynamodb)

    @property
    def found(self) -> Aggregation:
        return Aggregation.of_function(self.account, "F-Map")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site()
    monkeypatch.setattr(Account, "chosen", lambda _aws: made.account)
    return made


def test_mappings_of_a_function_with_a_longer_name_are_ignored(site: Site) -> None:
    site.lambdas.mappings.insert(0, ("uuid-other", "Other-F-Map", site.source + "-other"))
    assert site.found.map_mappings == {"uuid-map": site.source}


@pytest.mark.parametrize("name", ["F-Map", f"{ARN}F-Map", "F-Map:live"])
def test_a_function_may_be_given_by_its_arn_or_with_a_qualifier(name: str) -> None:
    client: Any = SimpleNamespace(
        get_paginator=lambda _name: SimpleNamespace(
            paginate=lambda **_: [{"EventSourceMappings": [{"FunctionArn": f"{ARN}F-Map"}]}]
        )
    )
    assert len(list(mappings_of(client, FunctionName=name))) == 1


def test_all_parts_are_found_from_the_map_function(site: Site) -> None:
    found = site.found
    assert found.source.name == "F-Feedback"
    assert [*found.source.keys.items()] == [("source", "S"), ("at", "N")], "partition key first"
    assert (found.reduce_table, found.registry_table) == ("F-ReduceTable", "F-RegistryTable")
    assert (found.reduce_function, found.reduce_mapping) == ("F-Reduce", "uuid-reduce")
    assert found.map_mappings == {"uuid-map": site.source}
    assert (found.totals_table, found.totals_key) == ("F-AggregateTable", "Identifier")
    assert found.quarantine_bucket == "bad"
    assert found.deployed.configuration == Configuration.from_json(CONFIGURATION)
    assert found.deployed.lanes == 4
    assert not found.needs_backfill
    assert not found.is_pipeline
    assert replace(found, account=Stack.__new__(Stack)).is_pipeline


@pytest.mark.parametrize(
    ("aws", "command"),
    [
        (False, "leda backfill --map-function F-Map"),
        # Without --aws, the command that a message names would work on local AWS.
        (True, "leda backfill --aws --map-function F-Map"),
    ],
)
@pytest.mark.usefixtures("site")
def test_suggested_commands_have_the_options_that_find_the_aggregation(
    aws: bool, command: str
) -> None:
    assert Aggregation.find(aws, "", "F-Map").command("backfill") == command


def test_an_unknown_function_is_an_error_that_lists_the_map_functions(site: Site) -> None:
    with pytest.raises(LedaError, match="The account has the Map functions F-Map give") as error:
        Aggregation.find(False, "", "X")
    assert error.value.fix == "give one of them, like --map-function F-Map"
    site.lambdas.functions.clear()
    with pytest.raises(LedaError, match="X cannot be looked at") as error:
        Aggregation.find(False, "", "X")
    assert "--map-function of an aggregation" in error.value.fix


def test_optional_settings_are_read_from_the_functions_environments(site: Site) -> None:
    functions = site.lambdas.functions
    functions["F-Map"]["BACKFILL"] = "required"
    del functions["F-Map"]["REDUCE_LANES"]
    functions["F-Reduce"]["TOTALS_KEY"] = "Username"
    found = site.found
    assert (found.needs_backfill, found.deployed.lanes) == (True, 1)
    assert found.totals_key == "Username"


def test_a_table_of_another_account_is_given_by_its_arn(site: Site) -> None:
    foreign = site.source.replace("0000", "9999").partition("/stream/")[0]
    site.lambdas.mappings[0] = ("uuid-map", "F-Map", f"{foreign}/stream/2026")
    site.pipeline.dynamodb.create_table(
        **definition(foreign, {"id": "N"}, StreamSpecification={"StreamEnabled": False})
    )
    assert site.found.source == SourceTable(foreign, {"id": "N"})


def test_mappings_of_two_streams_of_one_table_are_accepted(site: Site) -> None:
    older = site.source.replace("2026", "2025")
    site.lambdas.mappings.append(("uuid-older", "F-Map", older))
    assert site.found.map_mappings == {"uuid-map": site.source, "uuid-older": older}


@pytest.mark.parametrize("name", ["REDUCE_TABLE", "CONFIGURATION", "QUARANTINE_BUCKET"])
def test_a_function_that_is_not_map_is_refused(site: Site, name: str) -> None:
    del site.lambdas.functions["F-Map"][name]
    with pytest.raises(LedaError, match=f"F-Map has no environment variable {name}"):
        _ = site.found


@pytest.mark.parametrize(("name", "value"), [("CONFIGURATION", "{}"), ("REDUCE_LANES", "many")])
def test_an_environment_that_cannot_be_read_is_refused(site: Site, name: str, value: str) -> None:
    site.lambdas.functions["F-Map"][name] = value
    with pytest.raises(LedaError, match="this version of LEDA cannot read"):
        _ = site.found


def test_a_map_function_without_a_mapping_or_with_two_tables_is_refused(site: Site) -> None:
    site.lambdas.mappings.append(("uuid-other", "F-Map", site.pipeline.stream_arn("StateTable")))
    with pytest.raises(LedaError, match="streams of 2 tables"):
        _ = site.found
    site.lambdas.mappings.clear()
    with pytest.raises(LedaError, match="streams of 0 tables"):
        _ = site.found


def test_a_missing_reduce_function_or_stream_is_named(site: Site) -> None:
    site.lambdas.mappings.pop()
    with pytest.raises(LedaError, match="no Reduce function reads F-ReduceTable's stream"):
        _ = site.found
    site.pipeline.dynamodb.disable_stream("F-ReduceTable")
    with pytest.raises(LedaError, match="F-ReduceTable has no stream"):
        _ = site.found


def test_the_live_configuration_is_read_from_the_registry_and_is_the_deployed_one_at_first(
    site: Site,
) -> None:
    other = Configuration.from_json('{"path": "Path", "measures": {"Rows": {"op": "count"}}}')
    registry = Registry(site.pipeline.dynamodb, "F-RegistryTable")
    assert site.found.live() == Configuration.from_json(CONFIGURATION)
    registry.put("configurations", "live", {"Version": {"S": other.version}})
    with pytest.raises(LedaError, match=f"no configuration {other.version}"):
        site.found.live()
    registry.put("configurations", other.version, {"Document": {"S": other.document}})
    assert site.found.live() == other


def test_a_key_consists_of_all_its_attributes() -> None:
    table = SourceTable("T", {"a": "S", "b": "B"})
    row = {"b": {"B": b"\x01\xff"}, "a": {"S": "x, y"}, "other": {"N": "1"}}
    assert table.key_of(row) == table.key_of(dict(reversed(row.items())))
    assert table.key_of(row) != table.key_of({**row, "b": {"B": b"\x01\xfe"}})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1E+10", "10000000000"),
        ("-0.0", "0"),
        ("007", "7"),
        ("-1.50", "-1.5"),
        ("12345678901234567890123456789012345678.0", "12345678901234567890123456789012345678"),
    ],
)
def test_a_number_key_is_the_same_in_every_form(written: str, kept: str) -> None:
    # DynamoDB Local gives a record's Keys as UpdateItem had them, and its images and a scan the number that it keeps.
    table = SourceTable("T", {"a": "S", "n": "N"})
    assert table.key_of({"a": {"S": "1"}, "n": {"N": written}}) == json.dumps(["1", kept])
    assert table.key_of({"a": {"S": written}, "n": {"N": kept}}) == json.dumps([written, kept])


@pytest.mark.parametrize(
    ("keys", "marker"),
    [
        ({"id": "S"}, {"id": {"S": "leda-watermark-7"}}),
        (
            {"id": "B", "at": "N"},
            {
                "id": {"B": b"leda-watermark-7"},
                "at": {"N": "-10000000000000000000000000000000000007"},
            },
        ),
    ],
)
def test_the_key_of_a_marker_has_the_types_of_the_tables_key(
    keys: dict[str, str], marker: dict[str, Any]
) -> None:
    assert SourceTable("T", keys).marker_key(7) == marker


OLD = "arn:aws:dynamodb:us-east-1:111111111111:table/Orders/stream/2026-08-01"


@pytest.mark.parametrize(
    ("table", "stream", "says"),
    [
        ("Orders", "", "Orders has no stream"),
        ("Orders", "arn:new", "Orders's stream arn:new is new"),
        ("Reduced", "arn:new", "Reduced's stream arn:new is new"),
    ],
)
def test_the_age_is_unknown_where_a_stream_is_not_the_one_of_the_totals(
    table: str, stream: str, says: str
) -> None:
    # No record waits in the stream that was met: what changed since is in another one, or in none.
    streams = {"Orders": OLD, "Reduced": OLD, table: stream}

    def describe_table(TableName: str) -> Any:
        specification = {"StreamSpecification": {"StreamEnabled": True}}
        found = streams[TableName]
        return {"Table": {"LatestStreamArn": found} | (specification if found else {})}

    def query(**_: Any) -> Any:
        return {"Items": [{"Name": {"S": OLD}, "IsSettled": {"BOOL": True}}]}

    found = aggregation(
        SimpleNamespace(dynamodb=SimpleNamespace(describe_table=describe_table, query=query)),
        source=SourceTable("Orders", {"id": "S"}),
        reduce_table="Reduced",
        live=lambda: Configuration.from_json(CONFIGURATION),
    )
    age = found.age(found.deployed.configuration)
    assert isinstance(age, str)
    assert age.startswith(says)
    assert age.endswith("then run `leda rebuild --map-function MapLambda`")


def test_a_rebuild_is_not_advised_where_totals_keep_expired_rows() -> None:
    keep = Configuration.from_json(json.dumps(json.loads(CONFIGURATION) | {"on_expiry": "keep"}))
    says = aggregation(live=lambda: keep).unsettled("map", "arn:new")
    assert "rebuild --" not in says
    assert "set up a second aggregation (`name_prefix`)" in says
    assert "`leda redrive --map-function MapLambda --settle`" in says
