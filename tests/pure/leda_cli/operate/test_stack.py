"""Which stack a command works on."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from leda_cli.base.output import LedaError
from leda_cli.develop.instance import client_variables, free_port
from leda_cli.develop.local import env_file
from leda_cli.operate import stack as stack_module
from leda_cli.operate.account import answering, read_env
from leda_cli.operate.oracle import Names, Total
from leda_cli.operate.stack import Stack, read_outputs

OUTPUTS = {
    "stream": {"sensitive": False, "value": {"name": "x-IncomingDataStream", "arn": "arn"}},
    "tables": {
        "sensitive": False,
        "value": {
            "state": {"name": "x-StateTable"},
            "aggregate": {"name": "x-AggregateTable"},
            "parameter": {"name": "x-ParameterTable"},
        },
    },
    "schema": {
        "sensitive": False,
        "value": {
            "id": "Meter",
            "version": "Version",
            "value": "kWh",
            "timestamp": "Timestamp",
            "deleted": "Deleted",
            "hierarchy": None,
            "levels": ["City", "Street"],
            "max_integer_digits": 12,
            "max_decimal_places": 17,
        },
    },
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "ENV_FILE", tmp_path / "env")
    monkeypatch.setattr(stack_module, "OUTPUTS_FILE", tmp_path / "outputs.json")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_names_and_schema_come_from_terraforms_outputs(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(OUTPUTS))
    stack = Stack.from_outputs(read_outputs(tmp_path / "outputs.json"), {})
    assert stack.stream == "x-IncomingDataStream"
    assert stack.state_table == "x-StateTable"
    assert stack.aggregate_table == "x-AggregateTable"
    assert stack.parameter_table == "x-ParameterTable"
    assert stack.names == Names(id="Meter", value="kWh", hierarchy=None, levels=("City", "Street"))


def test_outputs_without_terraforms_wrapping_are_read_too(tmp_path: Path) -> None:
    plain = {name: output["value"] for name, output in OUTPUTS.items()}
    (tmp_path / "outputs.json").write_text(json.dumps(plain))
    assert read_outputs(tmp_path / "outputs.json") == plain


def test_local_aws_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(OUTPUTS))
    (tmp_path / "env").write_text(
        "# comment\nexport AWS_ENDPOINT_URL=http://127.0.0.1:4750\nexport AWS_REGION='us-east-1'\n"
        "export AWS_ACCESS_KEY_ID=test\nexport AWS_SECRET_ACCESS_KEY=test\n"
    )
    stack = Stack.find()
    assert stack.endpoint == "http://127.0.0.1:4750"
    assert stack.dynamodb.meta.endpoint_url == "http://127.0.0.1:4750"
    assert read_env(tmp_path / "env") == stack.environment


def test_a_local_stack_is_found_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(OUTPUTS))
    (tmp_path / "env").write_text(env_file(client_variables(4750)))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://far.example.com")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://far.example.com")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    stack = Stack.find()
    clients: tuple[Any, ...] = (
        stack.kinesis,
        stack.dynamodb,
        stack.streams,
        stack.lambdas,
        stack.s3,
    )
    for client in clients:
        assert client.meta.endpoint_url == "http://127.0.0.1:4750"
        assert client._request_signer._credentials.access_key == "test"


def test_an_account_is_called_where_the_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://kinesis.example.com")
    stack = Stack.find(aws=True)
    assert stack.endpoint is None
    assert stack.kinesis.meta.endpoint_url == "http://kinesis.example.com"
    assert stack.dynamodb.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"


def test_the_account_is_shown_before_anything_is_asked_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(), pytest.raises(LedaError, match="the stack is not there") as error:
        Stack().check()
    shown = capsys.readouterr().err
    assert "AWS account 123456789012, Region us-east-1, https://dynamodb.us-east-1" in shown
    assert "make up" not in error.value.fix


def test_an_error_of_a_local_command_names_the_local_stack_and_never_aws() -> None:
    stack = Stack(environment=client_variables(free_port()))
    with pytest.raises(LedaError) as nothing_there:
        stack.check()
    with pytest.raises(LedaError) as gone, answering(stack.endpoint):
        stack.totals()
    for error in (nothing_there.value, gone.value):
        assert f"{stack.endpoint}" in error.what
        assert "AWS" not in f"{error.what} {error.fix}".replace("local AWS", "")


def test_an_outputs_file_that_the_user_names_is_not_blamed_on_local_aws(tmp_path: Path) -> None:
    with pytest.raises(LedaError, match="cannot be read") as error:
        Stack.find(aws=True, outputs=tmp_path / "none.json")
    assert "terraform output -json" in error.value.fix


def test_without_local_aws_nothing_is_sent_to_an_account_by_accident() -> None:
    with pytest.raises(LedaError, match="local AWS is not set up") as error:
        Stack.find()
    assert "make up" in error.value.fix
    assert "--aws" in error.value.fix


def test_an_account_has_the_workshops_names_unless_outputs_are_given(tmp_path: Path) -> None:
    assert Stack.find(aws=True) == Stack()
    (tmp_path / "mine.json").write_text(json.dumps(OUTPUTS))
    assert Stack.find(True, tmp_path / "mine.json").stream == "x-IncomingDataStream"


def test_a_stack_that_is_not_there_is_an_error_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(), pytest.raises(LedaError, match="the stack is not there"):
        Stack().check()


def test_tables_are_read_whole_and_numbers_stay_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        for table, key in (("AggregateTable", "Identifier"), ("ParameterTable", "parameter")):
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        wide = "123456789012345678901.12345678901234567"
        # Names as long as keys can be: 1,500 rows are more than the megabyte of one page.
        rows = {f"{number:04d}".ljust(1024, "x"): wide for number in range(1500)}
        for start in range(0, len(rows), 25):
            requests = [
                {
                    "PutRequest": {
                        "Item": {
                            "Identifier": {"S": row},
                            "Value": {"N": wide},
                            "Count": {"N": "3"},
                        }
                    }
                }
                for row in list(rows)[start : start + 25]
            ]
            client.batch_write_item(RequestItems={"AggregateTable": requests})  # type: ignore[dict-item]
        for name, count, value in (("absent", "0", "0"), (":reserved", "1", "1")):
            client.put_item(
                TableName="AggregateTable",
                Item={"Identifier": {"S": name}, "Value": {"N": value}, "Count": {"N": count}},
            )
        stack = Stack()
        assert stack.totals() == {row: Total(3, Decimal(wide)) for row in rows}
        stack.set_parameters({"SCORE": 300, "SPECIAL_TRADES": 1})
        assert stack.parameters() == {"SCORE": 300, "SPECIAL_TRADES": 1}
