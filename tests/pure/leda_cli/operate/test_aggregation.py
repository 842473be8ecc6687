"""Finding an instance of the engine from the name of its Map function."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leda.engine.group_by.configuration import Configuration
from leda_cli.base.errors import LedaError
from leda_cli.operate.aggregation import Aggregation
from leda_cli.operate.deployed.account import Account
from leda_cli.operate.deployed.functions import mappings_of
from leda_cli.operate.deployed.mappings import LambdaMappings
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.stack import Stack
from support.pipeline import CONFIGURATION

ACCOUNT = "arn:aws:lambda:eu-west-1:111122223333:function:"
SOURCE = "arn:aws:dynamodb:eu-west-1:111122223333:table/Feedback/stream/2026-08-01T00:00:00.000"
REDUCE = (
    "arn:aws:dynamodb:eu-west-1:111122223333:table/F-ReduceTable/stream/2026-08-02T00:00:00.000"
)
MAP = {
    "REDUCE_TABLE": "F-ReduceTable",
    "REGISTRY_TABLE": "F-RegistryTable",
    "QUARANTINE_BUCKET": "bad",
    "CONFIGURATION": CONFIGURATION,
    "REDUCE_LANES": "4",
}
KEY_SCHEMAS = {
    "Feedback": [("at", "RANGE", "N"), ("source", "HASH", "S")],
    "F-ReduceTable": [("Lane", "HASH", "S")],
    SOURCE.partition("/stream/")[0].replace("1111", "9999"): [("id", "HASH", "B")],
}


class FakeAccount:
    """Functions with their environments, mappings, and tables."""

    def __init__(self) -> None:
        self.dynamodb = self.lambdas = self
        self.functions = {
            "F-Map": dict(MAP),
            "F-Reader": {},
            "F-Reduce": {"AGGREGATE_TABLE": "F-AggregateTable"},
        }
        self.mappings = [
            ("uuid-map", "F-Map", SOURCE),
            ("uuid-reader", "F-Reader", REDUCE),
            ("uuid-reduce", "F-Reduce", REDUCE),
        ]
        self.has_reduce_stream = True
        self.registry: dict[tuple[str, str], Any] = {}

    def reached(self, *_: str) -> AbstractContextManager[None]:
        return nullcontext()

    def get_item(self, Key: dict[str, Any], **_: Any) -> Any:
        row = self.registry.get((Key["Scope"]["S"], Key["Name"]["S"]))
        return {} if row is None else {"Item": row}

    def get_function_configuration(self, FunctionName: str) -> Any:
        variables = self.functions[FunctionName]
        return {"FunctionArn": ACCOUNT + FunctionName, "Environment": {"Variables": variables}}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_event_source_mappings"
        return self

    def paginate(self, FunctionName: str | None = None, EventSourceArn: str | None = None) -> Any:
        for uuid, function, source in self.mappings:
            # LocalStack finds mappings by a part of a function's name.
            if (FunctionName and FunctionName in function) or source == EventSourceArn:
                found = {"UUID": uuid, "FunctionArn": ACCOUNT + function, "EventSourceArn": source}
                yield {"EventSourceMappings": [found]}

    def describe_table(self, TableName: str) -> Any:
        keys = KEY_SCHEMAS[TableName]
        return {
            "Table": {
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind, _ in keys],
                "AttributeDefinitions": [
                    {"AttributeName": "of an index", "AttributeType": "S"},
                    *({"AttributeName": name, "AttributeType": type_} for name, _, type_ in keys),
                ],
                "StreamSpecification": {"StreamEnabled": self.has_reduce_stream},
                "LatestStreamArn": REDUCE,
            }
        }


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount()


def _found(account: Any) -> Aggregation:
    return Aggregation.of_function(account, "F-Map")


def test_mappings_of_a_function_with_a_longer_name_are_ignored(account: FakeAccount) -> None:
    other = SOURCE.replace("Feedback", "Other")
    account.mappings = [("uuid-other", "Other-F-Map", other), *account.mappings]
    assert _found(account).map_mappings == {"uuid-map": SOURCE}
    client: Any = account
    assert LambdaMappings(client, {"map": "F-Map"}).by_function() == {"F-Map": "uuid-map"}


@pytest.mark.parametrize("name", ["F-Map", f"{ACCOUNT}F-Map", "F-Map:live"])
def test_a_function_may_be_given_by_its_arn_or_with_a_qualifier(name: str) -> None:
    client: Any = SimpleNamespace(
        get_paginator=lambda _name: SimpleNamespace(
            paginate=lambda **_: [{"EventSourceMappings": [{"FunctionArn": f"{ACCOUNT}F-Map"}]}]
        )
    )
    assert len(list(mappings_of(client, FunctionName=name))) == 1


def test_all_parts_are_found_from_the_map_function(account: FakeAccount) -> None:
    found = _found(account)
    assert found.source == SourceTable("Feedback", {"source": "S", "at": "N"})
    assert list(found.source.keys) == ["source", "at"], "the partition key is first"
    assert (found.reduce_table, found.registry_table) == ("F-ReduceTable", "F-RegistryTable")
    assert (found.reduce_function, found.reduce_mapping) == ("F-Reduce", "uuid-reduce")
    assert found.map_mappings == {"uuid-map": SOURCE}
    assert (found.totals_table, found.totals_key) == ("F-AggregateTable", "Identifier")
    assert found.quarantine_bucket == "bad"
    assert found.deployed.configuration == Configuration.from_json(CONFIGURATION)
    assert found.deployed.lanes == 4
    assert not found.needs_backfill


@pytest.mark.parametrize(
    ("aws", "command"),
    [
        (False, "leda backfill --map-function F-Map"),
        # Without --aws, the command that a message names would work on local AWS.
        (True, "leda backfill --aws --map-function F-Map"),
    ],
)
def test_suggested_commands_have_the_options_that_find_the_aggregation(
    aws: bool, command: str, account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "chosen", lambda _aws: account)
    assert Aggregation.find(aws, "", "F-Map").command("backfill") == command
    assert _found(account).command("backfill") == "leda backfill"


def test_an_unknown_function_is_an_error_that_lists_the_map_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lambdas:
        def get_function_configuration(self, **_: str) -> Any:
            raise ClientError({"Error": {"Code": "404", "Message": "Function not found: X"}}, "Get")

        def get_paginator(self, name: str) -> Any:
            assert name == "list_functions"
            return SimpleNamespace(paginate=lambda: pages)

    pages: list[Any] = [{"Functions": []}]
    local = Account({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    monkeypatch.setitem(local.__dict__, "lambdas", Lambdas())
    monkeypatch.setattr(Account, "chosen", lambda _aws: local)
    with pytest.raises(LedaError, match="X cannot be looked at") as error:
        Aggregation.find(False, "", "X")
    assert "--map-function of an aggregation" in error.value.fix

    for name, variables in {"F-Reduce": {"AGGREGATE_TABLE": "T"}, "F-Map": MAP, "None": {}}.items():
        one = {"FunctionName": name, "Environment": {"Variables": variables}}
        pages.append({"Functions": [one]})
    with pytest.raises(LedaError, match="The account has the Map functions F-Map give") as error:
        Aggregation.find(False, "", "X")
    assert error.value.fix == "give one of them, like --map-function F-Map"


def test_optional_settings_are_read_from_the_functions_environments(account: FakeAccount) -> None:
    account.functions["F-Map"]["BACKFILL"] = "required"
    del account.functions["F-Map"]["REDUCE_LANES"]
    account.functions["F-Reduce"]["TOTALS_KEY"] = "Username"
    found = _found(account)
    assert found.needs_backfill
    assert found.deployed.lanes == 1
    assert found.totals_key == "Username"


def test_a_table_of_another_account_is_given_by_its_arn(account: FakeAccount) -> None:
    foreign = SOURCE.replace("1111", "9999")
    account.mappings[0] = ("uuid-map", "F-Map", foreign)
    assert _found(account).source == SourceTable(foreign.partition("/stream/")[0], {"id": "B"})


def test_mappings_of_two_streams_of_one_table_are_accepted(account: FakeAccount) -> None:
    account.mappings.append(("uuid-older", "F-Map", SOURCE.replace("08-01", "07-01")))
    assert _found(account).source.name == "Feedback"
    assert len(_found(account).map_mappings) == 2


@pytest.mark.parametrize("name", ["REDUCE_TABLE", "CONFIGURATION", "QUARANTINE_BUCKET"])
def test_a_function_that_is_not_map_is_refused(account: FakeAccount, name: str) -> None:
    del account.functions["F-Map"][name]
    with pytest.raises(LedaError, match=f"F-Map has no environment variable {name}"):
        _found(account)


@pytest.mark.parametrize(("name", "value"), [("CONFIGURATION", "{}"), ("REDUCE_LANES", "many")])
def test_an_environment_that_cannot_be_read_is_refused(
    account: FakeAccount, name: str, value: str
) -> None:
    account.functions["F-Map"][name] = value
    with pytest.raises(LedaError, match="this version of LEDA cannot read"):
        _found(account)


def test_a_map_function_without_a_mapping_or_with_two_tables_is_refused(
    account: FakeAccount,
) -> None:
    account.mappings.append(("uuid-other", "F-Map", REDUCE))
    with pytest.raises(LedaError, match="streams of 2 tables"):
        _found(account)
    account.mappings = []
    with pytest.raises(LedaError, match="streams of 0 tables"):
        _found(account)


def test_a_missing_reduce_function_or_stream_is_named(account: FakeAccount) -> None:
    account.mappings.pop()
    with pytest.raises(LedaError, match="no Reduce function reads F-ReduceTable's stream"):
        _found(account)
    account.has_reduce_stream = False
    with pytest.raises(LedaError, match="F-ReduceTable has no stream"):
        _found(account)


def test_the_live_configuration_is_read_from_the_registry_and_is_the_deployed_one_at_first(
    account: FakeAccount,
) -> None:
    other = Configuration.from_json('{"path": "Path", "measures": {"Rows": {"op": "count"}}}')
    found = _found(account)
    assert found.live() == Configuration.from_json(CONFIGURATION)
    account.registry = {
        ("configurations", "live"): {"Version": {"S": other.version}},
        ("configurations", other.version): {"Document": {"S": other.document}},
    }
    assert found.live() == other
    del account.registry["configurations", other.version]
    with pytest.raises(LedaError, match=f"no configuration {other.version}"):
        found.live()


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


def test_only_a_part_of_the_pipeline_has_a_table_that_is_not_a_users() -> None:
    found = Aggregation.of_function(FakeAccount(), "F-Map")  # type: ignore[arg-type]
    assert not found.is_pipeline
    assert replace(found, account=Stack.__new__(Stack)).is_pipeline
