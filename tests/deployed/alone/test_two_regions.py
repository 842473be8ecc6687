"""examples/two-regions: the same pipeline under the same names in two Regions of one account."""

import json
from decimal import Decimal
from typing import Any

import pytest

from leda_cli.base.clients import local_client
from leda_cli.demos.examples import ExampleAws
from support.live_aws import BareAws, wait_for

EXAMPLE = "two-regions"
FIRST, SECOND = "eu-west-1", "eu-central-1"


def client(example: ExampleAws, service: str, region: str) -> Any:
    return local_client(service, {**example.variables, "AWS_REGION": region})


def put(example: ExampleAws, region: str, trade: str, value: str) -> None:
    hierarchy = {"RiskType": "Delta", "TradeDesk": "FXSpot", "Region": "EMEA"}
    message = {"TradeID": trade, "Version": 1, "Value": float(value), "Hierarchy": hierarchy}
    client(example, "kinesis", region).put_record(
        StreamARN=example.outputs["pipelines"][region]["stream"]["arn"],
        Data=json.dumps(message).encode(),
        PartitionKey=trade,
    )


def totals(example: ExampleAws, region: str) -> dict[str, Decimal]:
    table = example.outputs["pipelines"][region]["tables"]["aggregate"]["name"]
    rows = client(example, "dynamodb", region).scan(TableName=table)["Items"]
    return {row["Identifier"]["S"]: Decimal(row["Value"]["N"]) for row in rows}


def test_a_second_plan_is_empty(example: ExampleAws) -> None:
    assert example.terraform.plan_is_empty(), f"see {example.terraform.log}"


def wait_for_totals(example: ExampleAws, region: str, value: str) -> None:
    nodes = ("Delta", "Delta:FXSpot", "Delta:FXSpot:EMEA")
    wanted = dict.fromkeys(nodes, Decimal(value))
    wait_for(f"the totals of {region}", lambda: totals(example, region), wanted.__eq__)


def test_each_region_counts_its_own_messages(example: ExampleAws) -> None:
    put(example, FIRST, "t1", "1.5")
    put(example, SECOND, "t1", "20.25")
    wait_for_totals(example, FIRST, "1.5")
    wait_for_totals(example, SECOND, "20.25")


@pytest.mark.parametrize("part", ["state", "map", "reduce", "health"])
def test_a_function_has_one_name_in_both_regions_and_a_role_in_each(
    example: ExampleAws, part: str
) -> None:
    first, second = (
        example.outputs["pipelines"][region]["functions"][part] for region in (FIRST, SECOND)
    )
    assert first["name"] == second["name"] == first["role_name"]
    assert second["role_name"] == f"{second['name']}-{SECOND}"
    for region, function in ((FIRST, first), (SECOND, second)):
        found = client(example, "lambda", region).get_function_configuration(
            FunctionName=function["name"]
        )
        assert found["Role"].endswith(f":role/{function['role_name']}")


def test_each_region_has_a_dashboard_of_another_name(example: ExampleAws) -> None:
    names = [
        each["DashboardName"]
        for region in (FIRST, SECOND)
        for each in client(example, "cloudwatch", region).list_dashboards()["DashboardEntries"]
    ]
    assert sorted(names) == ["LEDA", f"LEDA-{SECOND}"]


def test_destroy_deletes_everything(alone: BareAws, example: ExampleAws) -> None:
    """The last test of this file: it destroys both pipelines."""
    example.terraform.destroy()
    assert alone.client("iam").list_roles()["Roles"] == []
    for region in (FIRST, SECOND):
        assert client(example, "dynamodb", region).list_tables()["TableNames"] == []
        assert client(example, "kinesis", region).list_streams()["StreamNames"] == []
        assert client(example, "lambda", region).list_functions()["Functions"] == []
