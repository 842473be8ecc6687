"""examples/complete and examples/reuse, applied beside each other: they count exactly and can be destroyed."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import BUILD, ROOT
from leda_cli.demos.examples import ExampleAws, terraform_of
from leda_cli.develop import packages
from leda_cli.develop.local import outputs_of
from leda_cli.develop.terraform import TfLocal
from leda_cli.operate.totals.oracle import Names, Oracle
from support.live_aws import BareAws, wait_for

BUCKET = "leda-packages"
PREFIX = "leda/1.0.0"
PRODUCER = "arn:aws:iam::222222222222:role/producer"


def totals_of(example: ExampleAws) -> dict[str, Decimal]:
    table = example.outputs["tables"]["aggregate"]["name"]
    rows = example.client("dynamodb").scan(TableName=table)["Items"]
    return {row["Identifier"]["S"]: Decimal(row["Value"]["N"]) for row in rows}


@pytest.fixture(scope="module")
def examples(bare: BareAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExampleAws]:
    """Both examples, applied on the session's local AWS."""
    aws = dict(bare.aws.variables)
    bare.s3.create_bucket(Bucket=BUCKET)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.items():
            patch.setenv(name, value)
        packages.build(publish=[f"s3://{BUCKET}/{PREFIX}"])
    folder = tmp_path_factory.mktemp("stacks")
    settings: dict[str, dict[str, object]] = {
        "complete": {"producer_principals": [PRODUCER]},
        "reuse": {
            "packages_bucket": BUCKET,
            "packages_prefix": PREFIX,
            "producer_role_arn": PRODUCER,
        },
    }
    roots = {
        name: terraform_of(name, folder / name, aws, variables)
        for name, variables in settings.items()
    }
    for terraform in roots.values():
        terraform.prepare()
        terraform.init()
    with ThreadPoolExecutor() as pool:  # most of an apply is waiting
        list(pool.map(TfLocal.apply, roots.values()))
    return {
        name: ExampleAws(name, terraform, aws, outputs_of(terraform.outputs()))
        for name, terraform in roots.items()
    }


# Attributes that LocalStack 4.9 does not return, so that each plan would set them again.
NOT_GIVEN_BACK = {
    ("aws_cloudwatch_metric_alarm", "tags"),
    ("aws_cloudwatch_metric_alarm", "tags_all"),
    ("aws_kinesis_stream", "tags"),
    ("aws_kinesis_stream", "tags_all"),
    ("aws_lambda_function", "kms_key_arn"),
}


@pytest.mark.parametrize("name", ["complete", "reuse"])
def test_a_second_plan_changes_nothing(examples: dict[str, ExampleAws], name: str) -> None:
    example = examples[name]
    changes = example.terraform.planned_changes()
    assert changes <= NOT_GIVEN_BACK, f"see {example.terraform.log}"


NAMES = {
    "complete": Names("meter", "reading", "kWh", "removed", None, ("country", "city", "tariff")),
    "reuse": Names(id="order", value="amount", levels=("shop", "category")),
}


def mixture(names: Names, count: int = 300) -> list[bytes]:
    """Messages in an example's schema: new ones, duplicates, changes, moves and deletions, in random order."""
    rng = random.Random(1)
    made: list[bytes] = []
    for number in rng.sample(range(count), count):
        if made and rng.random() < 0.2:
            made.append(rng.choice(made))
            continue
        place = {level: f"{level} {rng.randrange(4)}" for level in names.levels}
        fields = {
            names.id: f"id {rng.randrange(count // 2)}",
            names.version: number,
            names.deleted: rng.random() < 0.1,
            **({names.hierarchy: place} if names.hierarchy else place),
        }
        value = f"{rng.randrange(10**6)}.{rng.randrange(100):02d}"
        made.append(f'{{"{names.value}": {value}, {json.dumps(fields)[1:]}'.encode())
    return made


@pytest.mark.parametrize("name", NAMES)
def test_an_example_counts_duplicates_changes_moves_and_deletions_exactly(
    examples: dict[str, ExampleAws], name: str
) -> None:
    example, names, oracle = examples[name], NAMES[name], Oracle(NAMES[name])
    messages = mixture(names)
    for message in messages:
        oracle.see_bytes(message)
    answer = example.client("kinesis").put_records(
        StreamARN=example.outputs["stream"]["arn"],
        Records=[{"Data": each, "PartitionKey": str(n)} for n, each in enumerate(messages)],
    )
    assert answer["FailedRecordCount"] == 0

    def totals() -> dict[str, Decimal]:
        rows = totals_of(example).items()
        return {row: total for row, total in rows if row.startswith(names.levels[0]) and total}

    expected = {node: each.value for node, each in oracle.totals().items() if each.value}
    wait_for("exact totals", totals, expected.__eq__)


def test_reuse_runs_the_published_packages(examples: dict[str, ExampleAws]) -> None:
    manifest = json.loads((BUILD / "packages.json").read_text())
    functions = examples["reuse"].client("lambda")
    for package in ("state", "map", "reduce"):
        name = examples["reuse"].outputs["functions"][package]["name"]
        digest = functions.get_function_configuration(FunctionName=name)["CodeSha256"]
        assert digest == manifest[package]["base64sha256"]


def test_reuse_lets_the_producer_of_another_account_put_records_and_nothing_else(
    examples: dict[str, ExampleAws],
) -> None:
    reuse = examples["reuse"]
    arn = reuse.outputs["stream"]["arn"]
    policy = json.loads(reuse.client("kinesis").get_resource_policy(ResourceARN=arn)["Policy"])
    (statement,) = policy["Statement"]
    principal = statement["Principal"]["AWS"]
    assert principal in (PRODUCER, [PRODUCER])
    actions = ["kinesis:DescribeStreamSummary", "kinesis:PutRecord", "kinesis:PutRecords"]
    assert statement["Action"] == actions
    assert statement["Resource"] == arn
    ours = json.loads(reuse.outputs["producer_policy"])["Statement"]
    assert {"Effect": "Allow", "Action": actions, "Resource": arn} in ours


@pytest.fixture(scope="module")
def root(
    bare: BareAws, examples: dict[str, ExampleAws], tmp_path_factory: pytest.TempPathFactory
) -> TfLocal:
    """The root module, ready to plan."""
    root = TfLocal(
        ROOT,
        tmp_path_factory.mktemp("root"),
        dict(bare.aws.variables),
        links={"modules": ROOT / "modules", "build": BUILD},
        log_name="terraform-example-refused",
    )
    root.prepare()
    root.init()
    return root


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('settings={packages={directory="nowhere"}}', "make build"),
        (
            f'settings={{packages={{bucket="{BUCKET}",prefix="nowhere"}}}}',
            "scripts/build --publish",
        ),
    ],
)
def test_a_plan_without_packages_fails_and_names_the_command(
    root: TfLocal, change: str, said: str
) -> None:
    with pytest.raises(LedaError) as refused:
        root.run("plan", "-no-color", "-input=false", "-var", change)
    assert said in " ".join(refused.value.what.replace("│", " ").replace("|", " ").split())


def test_destroy_deletes_everything(bare: BareAws, examples: dict[str, ExampleAws]) -> None:
    """The last test of this file: it destroys the examples, with the messages and totals in them."""
    prefixes = ("meters-", "orders-")

    def of_the_examples() -> dict[str, list[Any]]:
        return {
            kind: [each for each in found if any(name in str(each).lower() for name in prefixes)]
            for kind, found in bare.everything().items()
        }

    assert all(of_the_examples()[kind] for kind in ("tables", "functions", "mappings", "roles"))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda example: example.terraform.destroy(), examples.values()))
    assert {kind: found for kind, found in of_the_examples().items() if found} == {}
