"""Finding the stack that a command works on."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from leda_cli.base.errors import LedaError
from leda_cli.develop.instance import client_variables, free_port
from leda_cli.develop.local import env_file
from leda_cli.memory_dynamodb.changes import StreamedDynamoDB
from leda_cli.operate.deployed import account as account_module
from leda_cli.operate.deployed.account import Account, answering, read_env
from leda_cli.operate.stack import Stack
from leda_cli.operate.totals.oracle import Names, Total
from support.lambdas import FakeLambda

SCHEMA = {
    "id": "Meter",
    "version": "Version",
    "value": "kWh",
    "timestamp": "Timestamp",
    "deleted": "Deleted",
    "hierarchy": None,
    "levels": ["City", "Street"],
    "max_integer_digits": 12,
    "max_decimal_places": 17,
}
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/x-IncomingDataStream"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_module, "ENV_FILE", tmp_path / "env")
    monkeypatch.setattr(account_module, "MINISTACK_ENV_FILE", tmp_path / "ministack.env")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def lambdas(monkeypatch: pytest.MonkeyPatch) -> FakeLambda:
    """The functions of a stack with the prefix `x-`, and StateLambda's event source mapping."""
    functions = {
        "x-StateLambda": {
            "STATE_TABLE": "x-StateTable",
            "QUARANTINE_BUCKET": "x-leda-quarantine",
            "SCHEMA": json.dumps(SCHEMA),
        },
        "x-MapLambda": {"REDUCE_TABLE": "x-ReduceTable", "REGISTRY_TABLE": "x-RegistryTable"},
        "x-ReduceLambda": {"AGGREGATE_TABLE": "x-AggregateTable"},
    }
    client = FakeLambda(functions, [("uuid-state", "x-StateLambda", STREAM)])
    monkeypatch.setattr(Account, "lambdas", client)
    return client


@pytest.mark.usefixtures("lambdas")
def test_all_names_are_read_from_the_functions_with_the_prefix() -> None:
    stack = Stack.deployed({}, "x-")

    assert (stack.stream, stack.stream_arn) == ("x-IncomingDataStream", STREAM)
    assert stack.state_mapping == "uuid-state"
    assert stack.state_table == "x-StateTable"
    assert stack.reduce_table == "x-ReduceTable"
    assert stack.aggregate_table == "x-AggregateTable"
    assert stack.registry_table == "x-RegistryTable"
    assert stack.parameter_table == "x-ParameterTable"
    assert stack.quarantine_bucket == "x-leda-quarantine"
    assert stack.names == Names(id="Meter", value="kWh", hierarchy=None, levels=("City", "Street"))


def test_a_state_function_without_a_mapping_is_an_error(lambdas: FakeLambda) -> None:
    lambdas.mappings.clear()
    with pytest.raises(LedaError, match="x-StateLambda has no event source mapping"):
        Stack.deployed({}, "x-")


@pytest.mark.usefixtures("lambdas")
def test_local_aws_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(
        "# comment\nexport AWS_ENDPOINT_URL=http://127.0.0.1:4750\nexport AWS_REGION='us-east-1'\n"
        "export AWS_ACCESS_KEY_ID=test\nexport AWS_SECRET_ACCESS_KEY=test\n"
    )
    stack = Stack.find(name_prefix="x-")
    assert stack.endpoint == "http://127.0.0.1:4750"
    assert stack.dynamodb.meta.endpoint_url == "http://127.0.0.1:4750"
    assert read_env(tmp_path / "env") == stack.environment


def test_local_commands_ignore_the_shells_aws_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text(env_file(client_variables(4750)))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://far.example.com")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://far.example.com")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    local = Account.chosen(aws=False)
    clients: tuple[Any, ...] = (
        local.kinesis,
        local.dynamodb,
        local.streams,
        local.lambdas,
        local.s3,
    )
    for client in clients:
        assert client.meta.endpoint_url == "http://127.0.0.1:4750"
        assert client._request_signer._credentials.access_key == "test"


def test_commands_on_an_account_use_the_shells_aws_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://kinesis.example.com")
    account = Account.chosen(aws=True)
    assert account.endpoint is None
    assert account.kinesis.meta.endpoint_url == "http://kinesis.example.com"
    assert account.dynamodb.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"


@pytest.mark.usefixtures("lambdas")
def test_the_account_is_shown_before_the_stack_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws(), pytest.raises(LedaError, match="names that begin with y-") as error:
        Stack.find(aws=True, name_prefix="y-")
    shown = capsys.readouterr().err
    assert "AWS account 123456789012, Region us-east-1, https://dynamodb.us-east-1" in shown
    assert "no y-StateLambda" in error.value.what
    assert "not for an aggregation of a table" in error.value.fix
    assert "--name-prefix" in error.value.fix
    assert "make up" not in error.value.fix


def test_an_error_of_a_local_command_names_the_local_endpoint(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(env_file(client_variables(free_port())))
    with pytest.raises(LedaError) as nothing_there:
        Stack.find()
    stack = Stack(Account.chosen(aws=False).environment)
    with pytest.raises(LedaError) as gone, answering(stack.endpoint):
        stack.totals()
    for error in (nothing_there.value, gone.value):
        assert f"{stack.endpoint}" in error.what
        assert "AWS" not in f"{error.what} {error.fix}".replace("local AWS", "")


def test_without_local_aws_a_local_command_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LedaError, match="local AWS is not set up") as error:
        Stack.find()
    assert "make up" in error.value.fix
    assert "--aws" in error.value.fix
    assert "shop" not in error.value.fix
    (tmp_path / "ministack.env").touch()
    with pytest.raises(LedaError, match="local AWS is not set up") as error:
        Stack.find()
    # The path is shown from the checkout on, where it is in there.
    assert re.search(r"`\. \S+/ministack\.env`, and the command with --aws", error.value.fix)


def test_all_pages_of_a_table_are_read_with_exact_numbers() -> None:
    def row(name: str, count: str, value: str) -> dict[str, Any]:
        return {"Identifier": {"S": name}, "Count": {"N": count}, "Value": {"N": value}}

    wide = "123456789012345678901.12345678901234567"
    # Names as long as keys can be: 1,500 rows are more than the megabyte of one page.
    names = [f"{number:04d}".ljust(1024, "x") for number in range(1500)]
    stack = Stack()
    tables = {stack.aggregate_table: ("Identifier",), stack.parameter_table: ("parameter",)}
    dynamodb = vars(stack)["dynamodb"] = StreamedDynamoDB(tables)
    rows = [row(name, "3", wide) for name in names]
    dynamodb.restore(
        stack.aggregate_table, [*rows, row("absent", "0", "0"), row(":reserved", "1", "1")]
    )

    assert stack.totals() == {name: Total(3, Decimal(wide)) for name in names}
    stack.set_parameters({"SCORE": 300, "SPECIAL_TRADES": 1})
    assert stack.parameters() == {"SCORE": 300, "SPECIAL_TRADES": 1}
