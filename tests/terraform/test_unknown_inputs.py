"""Every module plans with inputs that are known only after an apply, and passes tags and settings to all its resources.

A caller makes a topic, a key or a bucket and passes it to a module in one apply. `count` and `for_each` must be known
at the plan, so they may depend on whether an object was given, on the number of a list's elements, on a map's keys or
on a switch, but never on such a value. https://developer.hashicorp.com/terraform/language/meta-arguments/count

The tests read the resources as they were applied (`terraform test -json -verbose`): their tags, the permissions
boundary, path and suffix of roles, and the VPC and tracing of functions.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.hcl import blocks

MODULES = sorted(path.parent.name for path in ROOT.glob("modules/*/versions.tf"))
PACKAGES = ROOT / "modules" / "function" / "tests" / "packages"

# The values that the plan does not know: `local.unknown.<name>`.
ACCOUNT, REGION = "111111111111", "eu-west-1"
UNKNOWN = {
    "name": "somebody",
    "bucket": "some-bucket-of-mine",
    "email": "ada@example.org",
    "text": "text",
    "url": "https://example.org",
    "prefix": "releases/1.2.3",
    "seconds": 86400,
    "days": 30,
    "one": 1,
    "thousand": 1024,
    "topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:mine",
    "key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "role_arn": f"arn:aws:iam::{ACCOUNT}:role/Mine",
    "table_arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Mine",
    "table_stream_arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Mine/stream/2026-01-01T00:00:00.000",
    "stream_arn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/Mine",
    "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Mine",
    "bucket_arn": "arn:aws:s3:::some-bucket-of-mine",
    "policy_arn": f"arn:aws:iam::{ACCOUNT}:policy/Boundary",
    "role_path": "/leda/",
    "suffix": "-eu-west-1",
    "subnet_id": "subnet-0123456789abcdef0",
    "group_id": "sg-0123456789abcdef0",
    "owner": "somebody",
}


def _settings(packages: str) -> str:
    return f"""{{
    packages                 = {{ {packages} }}
    log_retention_days       = local.unknown.days
    tracing                  = true
    vpc = {{
      subnet_ids         = [local.unknown.subnet_id]
      security_group_ids = [local.unknown.group_id]
    }}
    permissions_boundary_arn = local.unknown.policy_arn
    role_path                = local.unknown.role_path
    global_name_suffix       = local.unknown.suffix
  }}"""


_FUNCTION = """{
    memory_mb            = local.unknown.thousand
    timeout_seconds      = local.unknown.days
    reserved_concurrency = local.unknown.one
  }"""
_RATE = "{ rate = local.unknown.one, burst = local.unknown.one }"

# What each module is given for a variable of that name, unless ARGUMENTS has another expression.
COMMON = {
    "aggregate_function": _FUNCTION,
    "alarm_actions": "[local.unknown.topic_arn]",
    "audit": '{ schedule_expression = "rate(1 hour)" }',
    "batch_size": "local.unknown.thousand",
    "bucket_name": "local.unknown.bucket",
    "capture_function": _FUNCTION,
    "deletion_protection": "false",  # or the test could not destroy what it has applied
    "description": "local.unknown.text",
    "environment": "{ NAME = local.unknown.name }",
    "freshness_seconds": "local.unknown.days",
    "function": _FUNCTION,
    "kms_key_arn": "local.unknown.key_arn",
    "lake_bucket_name": "local.unknown.bucket",
    "limits": "{ max_decimal_places = local.unknown.one }",
    "log_retention_days": "local.unknown.days",
    "map_function": _FUNCTION,
    "memory_mb": "local.unknown.thousand",
    "name": "local.unknown.name",
    "noncurrent_retention_days": "local.unknown.days",
    "package": '"state"',
    "producer_principals": "[local.unknown.role_arn]",
    "quarantine_bucket_name": "local.unknown.bucket",
    "quarantine_retention_days": "local.unknown.days",
    "reduce_function": _FUNCTION,
    "reduce_lanes": "local.unknown.one",
    "reduce_threads": "local.unknown.one",
    "replica_function": _FUNCTION,
    "reserved_concurrency": "local.unknown.one",
    "retention_days": "local.unknown.days",
    "retention_hours": "local.unknown.days",
    "service": "local.unknown.name",
    "settings": _settings("directory = local.packages"),
    "shard_count": "local.unknown.one",
    "sign_in_domain_prefix": '"leda-operators"',
    "site_bucket_name": "local.unknown.bucket",
    "state_function": _FUNCTION,
    "stream_retention_hours": "local.unknown.days",
    "tags": "{ owner = local.unknown.owner }",
    "throttle": _RATE,
    "ttl_attribute": "local.unknown.text",
    "write_threads": "local.unknown.one",
}
_POLICY = """[
    { sid = "Any", actions = ["s3:GetObject"], resources = ["${local.unknown.bucket_arn}/*"] }
  ]"""
_TABLE = """{
    name        = local.unknown.name
    arn         = local.unknown.table_arn
    stream_arn  = local.unknown.table_stream_arn
    kms_key_arn = local.unknown.key_arn
  }"""
_BUCKET = "{ name = local.unknown.bucket, arn = local.unknown.bucket_arn }"

# Each module (`root`: the root module), and the arguments that COMMON has not; None leaves an argument of COMMON out.
ARGUMENTS: dict[str, dict[str, dict[str, str | None]]] = {
    "aggregation": {
        "with a bucket of its own": {
            "table": _TABLE,
            "names": "{ map = local.unknown.name }",
            "measures": """{
    Count = { op = "count" }
    Score = { op = "sum", field = local.unknown.text, missing = local.unknown.one }
  }""",
            "group_by": """{
    daily = { keys = [local.unknown.text], where = { region = [local.unknown.name] } }
  }""",
            "indexes": '{ children = true, top = ["Count"] }',
        },
        "with a given bucket and writers": {
            "table": _TABLE,
            "measures": '{ Count = { op = "count" } }',
            "hierarchy_path": "local.unknown.text",
            "quarantine_bucket": _BUCKET,
            "quarantine_bucket_name": None,
            "quarantine_retention_days": None,
            "writers": """{
    Writer = {
      name         = local.unknown.name
      mapping_uuid = local.unknown.text
      mapping_arn  = local.unknown.function_arn
    }
  }""",
            "backfill": '"none"',
        },
    },
    "aggregation-pipeline": {"": {}},
    "change-capture": {
        "with a given table, topic and replica": {
            "table": "{ stream_arn = local.unknown.table_stream_arn }",
            "ttl_attribute": None,
            "redacted_attributes": "[local.unknown.text]",
            "notify": """{
    topic  = { arn = local.unknown.topic_arn }
    emails = [local.unknown.email, "you@example.org"]
  }""",
            "replica": """{
    table_arn         = local.unknown.table_arn
    role_arn          = local.unknown.role_arn
    kms_key_arn       = local.unknown.key_arn
    tombstone_seconds = local.unknown.seconds * 7
  }""",
        },
        "with a table and a topic of its own": {
            "kms_key_arn": None,
            "notify": "{ emails = [local.unknown.email] }",
        },
    },
    "change-lake": {
        "": {
            "name": '"shop"',
            "columns": '[{ name = "sequence_number", type = "string" }]',
            "queries": "{ all = { description = local.unknown.text, sql = local.unknown.text } }",
            "buffering_seconds": "local.unknown.days * 3",
            "settings": """{
    log_retention_days       = local.unknown.days
    permissions_boundary_arn = local.unknown.policy_arn
    role_path                = local.unknown.role_path
    global_name_suffix       = local.unknown.suffix
  }""",
        }
    },
    "deletion-guard": {"": {"protected": "false"}},
    "function": {
        "with packages in a bucket": {
            "settings": _settings("bucket = local.unknown.bucket, prefix = local.unknown.prefix"),
            "policy_statements": _POLICY,
        },
        "with packages in a bucket without a prefix": {
            "settings": _settings("bucket = local.unknown.bucket"),
            "kms_key_arn": None,
            "alarm_actions": None,
        },
        "with packages in a folder": {"settings": _settings("directory = local.unknown.packages")},
    },
    "game": {
        "": {
            "stream": "{ name = local.unknown.name, arn = local.unknown.stream_arn }",
            "aggregate_table": "{ name = local.unknown.name, arn = local.unknown.table_arn }",
            "schema": """{
    id                 = local.unknown.text
    version            = local.unknown.name
    value              = "Value"
    timestamp          = "Timestamp"
    deleted            = "Deleted"
    hierarchy          = local.unknown.bucket
    levels             = [local.unknown.text]
    max_integer_digits = local.unknown.one
    max_decimal_places = local.unknown.one
  }""",
        }
    },
    "http-api": {
        "": {
            "functions": "{ one = { name = local.unknown.name, arn = local.unknown.function_arn } }",
            "routes": f'{{ "GET /one" = {{ function = "one", token = true, throttle = {_RATE} }} }}',
            "jwt": "{ issuer = local.unknown.url, audience = [local.unknown.name] }",
            "cors": "{ origins = [local.unknown.url] }",
        }
    },
    "ingest-stream": {"": {}},
    "operator-sign-in": {
        "": {
            "domain_prefix": '"leda-operators"',
            "page_urls": '["${local.unknown.url}/operators.html"]',
            "token_minutes": "local.unknown.days",
        }
    },
    "private-bucket": {
        "": {
            "name": "local.unknown.bucket",
            "retention_days": '{ "one/" = local.unknown.days }',
            "readers": """[
    { service = "cloudfront.amazonaws.com", source_arn = local.unknown.function_arn }
  ]""",
        }
    },
    "quarantine-bucket": {"": {"name": "local.unknown.bucket"}},
    "record-processor": {"": {"package": None, "policy_statements": _POLICY}},
    "root": {"": {"fault_injection": "true"}},
    "score-aggregation": {"": {}},
    "shop": {"": {"site_directory": f'"{ROOT}/modules/shop/tests/site"'}},
    "static-site": {
        "": {
            "directory": f'"{ROOT}/modules/static-site/tests/site"',
            "files": '{ "config.json" = local.unknown.text }',
            "connect_sources": "[local.unknown.url]",
        }
    },
    "stream-function": {
        "": {
            "event_source": '{ kind = "dynamodb", arn = local.unknown.table_stream_arn }',
            "exactly_once": "true",
            "function": """{
    memory_mb            = local.unknown.thousand
    reserved_concurrency = local.unknown.one
    batch_size           = local.unknown.thousand
    filter_patterns      = [local.unknown.text]
  }""",
            "quarantine_bucket": _BUCKET,
        }
    },
    "table": {
        "": {
            "hash_key": '{ name = local.unknown.name, type = "S" }',
            "range_key": '{ name = local.unknown.text, type = "N" }',
            "ttl_attribute": "local.unknown.url",
            "capacity": """{
    read  = { min = local.unknown.one, max = local.unknown.thousand }
    write = { min = local.unknown.one, max = local.unknown.thousand }
  }""",
        }
    },
}
CASES = [(module, case) for module, cases in ARGUMENTS.items() for case in cases]
TAGS = {"owner": UNKNOWN["owner"]}


@pytest.fixture(scope="module", params=CASES, ids=[" ".join(case).strip() for case in CASES])
def applied(
    request: pytest.FixtureRequest,
    terraform: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:
    """The resources of a module that was planned and applied with inputs unknown at the plan."""
    module, case = request.param
    folder = tmp_path_factory.mktemp(module)
    (folder / "main.tf").write_text(_caller(module, ARGUMENTS[module][case], folder))
    (folder / "unknown.tftest.hcl").write_text(
        f'{_mocks(module)}\nrun "plan_and_apply" {{\n  command = apply\n}}\n'
    )
    terraform(folder, "init", "-input=false", "-no-color")
    lines = terraform(folder, "test", "-json", "-verbose").splitlines()
    (state,) = (event["test_state"] for event in map(json.loads, lines) if "test_state" in event)
    return list(_resources(state["root_module"]))


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _of_type(applied: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in applied if each["type"] == kind]


def test_every_module_is_among_the_cases() -> None:
    assert sorted({*ARGUMENTS} - {"root"}) == MODULES


def test_every_resource_that_takes_tags_has_the_callers(applied: list[dict[str, Any]]) -> None:
    """The provider gives every resource that can be tagged an attribute `tags`.

    Objects of the site are left out: S3 allows ten tags for an object, and fifty for everything else.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    """
    assert len(applied) > 1
    assert {
        each["address"]: each["values"]["tags"]
        for each in applied
        if each["type"] != "aws_s3_object" and each["values"].get("tags", TAGS) != TAGS
    } == {}


def test_every_role_has_the_boundary_path_and_suffix(applied: list[dict[str, Any]]) -> None:
    for role in _of_type(applied, "aws_iam_role"):
        values = role["values"]
        assert values["permissions_boundary"] == UNKNOWN["policy_arn"], role["address"]
        assert values["path"] == UNKNOWN["role_path"], role["address"]
        assert values["name"].endswith(str(UNKNOWN["suffix"])), role["address"]


def test_every_function_is_in_the_vpc_and_traced(applied: list[dict[str, Any]]) -> None:
    for function in _of_type(applied, "aws_lambda_function"):
        values = function["values"]
        (vpc,), (tracing,) = values["vpc_config"], values["tracing_config"]
        assert vpc["subnet_ids"] == [UNKNOWN["subnet_id"]], function["address"]
        assert vpc["security_group_ids"] == [UNKNOWN["group_id"]], function["address"]
        assert tracing["mode"] == "Active", function["address"]


def test_every_function_with_a_quarantine_has_an_alarm_for_it(
    applied: list[dict[str, Any]],
) -> None:
    watched = {
        (alarm["values"]["dimensions"]["service"], alarm["values"]["dimensions"]["function_name"])
        for alarm in _of_type(applied, "aws_cloudwatch_metric_alarm")
        if alarm["values"]["metric_name"] == "Quarantined"
    }
    functions = [each["values"] for each in _of_type(applied, "aws_lambda_function")]
    variables = [(each["function_name"], each["environment"][0]["variables"]) for each in functions]
    assert watched == {
        (settings["POWERTOOLS_SERVICE_NAME"], name)
        for name, settings in variables
        if "QUARANTINE_BUCKET" in settings
    }


def _caller(module: str, arguments: dict[str, str | None], folder: Path) -> str:
    """A configuration that makes the values and calls the module with them in one apply."""
    unknown = {**UNKNOWN, "packages": str(PACKAGES)}
    values = "\n".join(
        # Strings and whole numbers are the same in JSON and in HCL.
        f"    {name} = {json.dumps(value)}"
        for name, value in unknown.items()
    )
    path = ROOT if module == "root" else ROOT / "modules" / module
    variables = {name for (name,), _ in blocks((path / "variables.tf").read_text(), "variable")}
    common: dict[str, str | None] = {name: COMMON[name] for name in COMMON if name in variables}
    given = "\n".join(
        f"  {name} = {value}" for name, value in (common | arguments).items() if value
    )
    # Terraform reads only a path that begins with a dot in place, together with the modules beside it.
    source = os.path.relpath(path, folder)
    return f"""
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}

resource "terraform_data" "values" {{
  input = {{
{values}
  }}
}}

locals {{
  unknown  = terraform_data.values.output
  packages = "{PACKAGES}"
}}

module "it" {{
  source = "./{source}"
{given}
}}
"""


def _mocks(module: str) -> str:
    """The mocked provider and the overridden attributes of resources, from the module's own tests."""
    if module == "root":
        return _mocks_of("aggregation-pipeline", "module.it.module.pipeline.") + _mocks_of(
            "game", "module.it.module.game.", overrides_only=True
        )
    return _mocks_of(module, "module.it.")


def _mocks_of(module: str, inside: str, *, overrides_only: bool = False) -> str:
    (tests,) = (ROOT / "modules" / module / "tests").glob("*.tftest.hcl")
    kinds = "override_resource" if overrides_only else '(?:mock_provider "aws"|override_resource)'
    blocks = re.findall(rf"^{kinds} \{{.*?^\}}\n", tests.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(blocks or ['mock_provider "aws" {}\n']).replace(
        "target = ", f"target = {inside}"
    )
