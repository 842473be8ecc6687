"""Every module plans where its inputs are known only after an apply, and passes what everything takes on to everything.

A caller makes a topic, a key or a bucket and hands it over in one apply. `count` and `for_each` must be known at the
plan, so no module may let them depend on such a value: only on whether an object was given, how many elements a list
has, which keys a map has, or on a switch. https://developer.hashicorp.com/terraform/language/meta-arguments/count

What was applied is read from Terraform's own account of it (`terraform test -json -verbose`), so what counts is not
what a module passes on, but what arrives: tags, and the boundary, the path and the suffix of roles, the VPC and the
tracing of functions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.shared_provider import shared_provider
from leda_cli.develop.terraform import require_terraform, terraform_environment

MODULES = sorted(path.parent.name for path in ROOT.glob("modules/*/versions.tf"))
PACKAGES = ROOT / "modules" / "function" / "tests" / "packages"

# The values, which the plan does not know.
ACCOUNT, REGION = "111111111111", "eu-west-1"
UNKNOWN = {
    "name": "somebody",
    "bucket": "some-bucket-of-mine",
    "email": "ada@example.org",
    "path": "/",
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
    return f"""settings = {{
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


_SETTINGS = _settings("directory = local.packages")
_COMMON = """
  kms_key_arn        = local.unknown.key_arn
  alarm_actions      = [local.unknown.topic_arn]
  freshness_seconds  = local.unknown.days
"""
_QUARANTINE = """
  quarantine_bucket_name    = local.unknown.bucket
  quarantine_retention_days = local.unknown.days
"""
_TABLE = """table = {
    name        = local.unknown.name
    arn         = local.unknown.table_arn
    stream_arn  = local.unknown.table_stream_arn
    kms_key_arn = local.unknown.key_arn
  }"""
_FUNCTION = """{
    memory_mb            = local.unknown.thousand
    timeout_seconds      = local.unknown.days
    reserved_concurrency = local.unknown.one
  }"""

# A module (`root`: the root module): one or more sets of arguments; every value that a caller may compute is unknown.
ARGUMENTS: dict[str, dict[str, str]] = {
    "aggregation": {
        "a bucket of its own": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  {_TABLE}
  names          = {{ map = local.unknown.name }}
  measures = {{
    Count = {{ op = "count" }}
    Score = {{ op = "sum", field = local.unknown.text, missing = local.unknown.one }}
  }}
  group_by       = {{ daily = {{ keys = [local.unknown.text], where = {{ region = [local.unknown.name] }} }} }}
  map_function   = {_FUNCTION}
  reduce_lanes   = local.unknown.one
  reduce_threads = local.unknown.one
  limits         = {{ max_decimal_places = local.unknown.one }}
  indexes        = {{ children = true, top = ["Count"] }}
  audit          = {{ schedule_expression = "rate(1 hour)" }}
""",
        "a given bucket, and functions that write the table": f"""
  {_COMMON}
  {_SETTINGS}
  {_TABLE}
  measures          = {{ Count = {{ op = "count" }} }}
  hierarchy_path    = local.unknown.text
  quarantine_bucket = {{ name = local.unknown.bucket, arn = local.unknown.bucket_arn }}
  writers = {{
    Writer = {{
      name         = local.unknown.name
      mapping_uuid = local.unknown.text
      mapping_arn  = local.unknown.function_arn
    }}
  }}
  backfill          = "none"
""",
    },
    "aggregation-pipeline": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  shard_count            = local.unknown.one
  stream_retention_hours = local.unknown.days
  producer_principals    = [local.unknown.role_arn]
  state_function         = {_FUNCTION}
  reduce_lanes           = local.unknown.one
  write_threads          = local.unknown.one
  audit                  = {{ schedule_expression = "rate(1 hour)" }}
""",
    },
    "change-capture": {
        "table, topic and replica": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  table               = {{ stream_arn = local.unknown.table_stream_arn }}
  redacted_attributes = [local.unknown.text]
  notify = {{
    topic  = {{ arn = local.unknown.topic_arn }}
    emails = [local.unknown.email, "you@example.org"]
  }}
  replica = {{
    table_arn         = local.unknown.table_arn
    role_arn          = local.unknown.role_arn
    kms_key_arn       = local.unknown.key_arn
    tombstone_seconds = local.unknown.seconds * 7
  }}
  capture_function = {_FUNCTION}
""",
        "a table and a topic of its own": f"""
  {_SETTINGS}
  ttl_attribute = local.unknown.text
  notify        = {{ emails = [local.unknown.email] }}
""",
    },
    "change-lake": {
        "": """
  name               = "shop"
  bucket_name        = local.unknown.bucket
  columns            = [{ name = "sequence_number", type = "string" }]
  queries            = { all = { description = local.unknown.text, sql = local.unknown.text } }
  buffering_seconds  = local.unknown.days * 3
  retention_days     = local.unknown.days
  settings = {
    log_retention_days       = local.unknown.days
    permissions_boundary_arn = local.unknown.policy_arn
    role_path                = local.unknown.role_path
    global_name_suffix       = local.unknown.suffix
  }
  kms_key_arn        = local.unknown.key_arn
  alarm_actions      = [local.unknown.topic_arn]
""",
    },
    "deletion-guard": {
        "": """
  protected = false
""",
    },
    "function": {
        "packages in a bucket": f"""
  name                 = local.unknown.name
  service              = local.unknown.name
  description          = local.unknown.text
  package              = "state"
  {_settings("bucket = local.unknown.bucket, prefix = local.unknown.prefix")}
  memory_mb            = local.unknown.thousand
  reserved_concurrency = local.unknown.one
  environment          = {{ NAME = local.unknown.name }}
  policy_statements = [
    {{ sid = "Any", actions = ["s3:GetObject"], resources = ["${{local.unknown.bucket_arn}}/*"] }}
  ]
  kms_key_arn          = local.unknown.key_arn
  alarm_actions        = [local.unknown.topic_arn]
""",
        "packages in a bucket without a prefix": f"""
  name    = "function"
  service = "Function"
  package = "state"
  {_settings("bucket = local.unknown.bucket")}
""",
        "packages in a folder": f"""
  name    = "function"
  service = "Function"
  package = "state"
  {_settings("directory = local.unknown.packages")}
""",
    },
    "game": {
        "": f"""
  stream             = {{ name = local.unknown.name, arn = local.unknown.stream_arn }}
  aggregate_table    = {{ name = local.unknown.name, arn = local.unknown.table_arn }}
  schema = {{
    id                 = local.unknown.text
    version            = local.unknown.name
    value              = "Value"
    timestamp          = "Timestamp"
    deleted            = "Deleted"
    hierarchy          = local.unknown.bucket
    levels             = [local.unknown.text]
    max_integer_digits = local.unknown.one
    max_decimal_places = local.unknown.one
  }}
  kms_key_arn        = local.unknown.key_arn
  alarm_actions      = [local.unknown.topic_arn]
  memory_mb          = local.unknown.thousand
  {_SETTINGS}
""",
    },
    "http-api": {
        "": """
  name               = local.unknown.name
  functions          = { one = { name = local.unknown.name, arn = local.unknown.function_arn } }
  routes = {
    "GET /one" = {
      function = "one"
      token    = true
      throttle = { rate = local.unknown.one, burst = local.unknown.one }
    }
  }
  jwt                = { issuer = local.unknown.url, audience = [local.unknown.name] }
  cors               = { origins = [local.unknown.url] }
  throttle           = { rate = local.unknown.one, burst = local.unknown.one }
  log_retention_days = local.unknown.days
  kms_key_arn        = local.unknown.key_arn
  alarm_actions      = [local.unknown.topic_arn]
""",
    },
    "ingest-stream": {
        "": """
  name                = local.unknown.name
  shard_count         = local.unknown.one
  retention_hours     = local.unknown.days
  kms_key_arn         = local.unknown.key_arn
  producer_principals = [local.unknown.role_arn]
""",
    },
    "operator-sign-in": {
        "": """
  name          = local.unknown.name
  domain_prefix = "leda-operators"
  page_urls     = ["${local.unknown.url}/operators.html"]
  token_minutes = local.unknown.days
""",
    },
    "private-bucket": {
        "": """
  name                      = local.unknown.bucket
  retention_days            = { "one/" = local.unknown.days }
  noncurrent_retention_days = local.unknown.days
  readers                   = [{ service = "cloudfront.amazonaws.com", source_arn = local.unknown.function_arn }]
  kms_key_arn               = local.unknown.key_arn
""",
    },
    "quarantine-bucket": {
        "": """
  name                      = local.unknown.bucket
  retention_days            = local.unknown.days
  noncurrent_retention_days = local.unknown.days
  kms_key_arn               = local.unknown.key_arn
""",
    },
    "record-processor": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  shard_count            = local.unknown.one
  stream_retention_hours = local.unknown.days
  producer_principals    = [local.unknown.role_arn]
  environment            = {{ TABLE = local.unknown.name }}
  policy_statements      = [{{ sid = "Store", actions = ["dynamodb:PutItem"], resources = [local.unknown.table_arn] }}]
  function               = {_FUNCTION}
""",
    },
    "root": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  shard_count     = local.unknown.one
  map_function    = {_FUNCTION}
  fault_injection = true
""",
    },
    "score-aggregation": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  ttl_attribute = local.unknown.text
""",
    },
    "shop": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_SETTINGS}
  site_directory        = "{ROOT}/modules/shop/tests/site"
  site_bucket_name      = local.unknown.bucket
  lake_bucket_name      = local.unknown.bucket
  sign_in_domain_prefix = "leda-operators"
  batch_size            = local.unknown.thousand
  throttle              = {{ rate = local.unknown.one, burst = local.unknown.one }}
""",
    },
    "static-site": {
        "": f"""
  bucket_name     = local.unknown.bucket
  directory       = "{ROOT}/modules/static-site/tests/site"
  files           = {{ "config.json" = local.unknown.text }}
  connect_sources = [local.unknown.url]
  kms_key_arn     = local.unknown.key_arn
""",
    },
    "stream-function": {
        "": f"""
  name              = local.unknown.name
  service           = local.unknown.name
  description       = local.unknown.text
  package           = "state"
  {_SETTINGS}
  event_source      = {{ kind = "dynamodb", arn = local.unknown.table_stream_arn }}
  exactly_once      = true
  function = {{
    memory_mb            = local.unknown.thousand
    reserved_concurrency = local.unknown.one
    batch_size           = local.unknown.thousand
    filter_patterns      = [local.unknown.text]
  }}
  quarantine_bucket = {{ name = local.unknown.bucket, arn = local.unknown.bucket_arn }}
  freshness_seconds = local.unknown.seconds
  environment       = {{ NAME = local.unknown.name }}
  kms_key_arn       = local.unknown.key_arn
  alarm_actions     = [local.unknown.topic_arn]
""",
    },
    "table": {
        "": """
  name          = local.unknown.name
  hash_key      = { name = local.unknown.name, type = "S" }
  range_key     = { name = local.unknown.text, type = "N" }
  ttl_attribute = local.unknown.url
  kms_key_arn   = local.unknown.key_arn
  capacity = {
    read  = { min = local.unknown.one, max = local.unknown.thousand }
    write = { min = local.unknown.one, max = local.unknown.thousand }
  }
""",
    },
}
CASES = [(module, case) for module, cases in ARGUMENTS.items() for case in cases]


TAGS = {"owner": UNKNOWN["owner"]}


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Terraform that uses one provider for all runs."""
    with shared_provider(terraform_environment(), tmp_path_factory.mktemp("provider")) as found:
        yield found


@pytest.fixture(scope="module", params=CASES, ids=[" ".join(case).strip() for case in CASES])
def applied(
    request: pytest.FixtureRequest,
    sharing: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:
    """The resources of a module that was planned and applied with inputs unknown at the plan."""
    module, case = request.param
    folder = tmp_path_factory.mktemp(module)
    (folder / "main.tf").write_text(_caller(module, ARGUMENTS[module][case], folder))
    (folder / "unknown.tftest.hcl").write_text(
        f'{_mocks(module)}\nrun "plan_and_apply" {{\n  command = apply\n}}\n'
    )
    for arguments in (["init", "-input=false", "-no-color"], ["test", "-json", "-verbose"]):
        done = subprocess.run(
            [require_terraform(), *arguments],
            cwd=folder,
            env=sharing,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        lines = done.stdout.splitlines()
        said = "\n".join(line for line in lines if len(line) < 10_000)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{said}{done.stderr}"
    events = [json.loads(line) for line in lines]
    (state,) = (event["test_state"] for event in events if event["type"] == "test_state")
    return list(_resources(state["root_module"]))


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _of_type(applied: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in applied if each["type"] == kind]


def test_every_module_is_applied() -> None:
    assert sorted({*ARGUMENTS} - {"root"}) == MODULES


def test_everything_that_takes_tags_has_them(applied: list[dict[str, Any]]) -> None:
    """The provider gives every resource that can be tagged an attribute `tags`.

    Objects of the site are left out: S3 takes ten tags of an object, fifty of everything else.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    """
    assert len(applied) > 1
    assert {
        each["address"]: each["values"]["tags"]
        for each in applied
        if each["type"] != "aws_s3_object" and each["values"].get("tags", TAGS) != TAGS
    } == {}


def test_every_role_has_the_boundary_the_path_and_the_suffix(applied: list[dict[str, Any]]) -> None:
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


def test_every_function_that_quarantines_has_an_alarm_on_it(applied: list[dict[str, Any]]) -> None:
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


def _caller(module: str, arguments: str, folder: Path) -> str:
    """A configuration that makes the values and calls the module with them in one apply."""
    unknown = {**UNKNOWN, "packages": str(PACKAGES)}
    values = "\n".join(
        # Texts and whole numbers are the same in JSON and in HCL.
        f"    {name} = {json.dumps(value)}"
        for name, value in unknown.items()
    )
    path = ROOT if module == "root" else ROOT / "modules" / module
    # The test's own destroy is not to be refused.
    protection = "deletion_protection = false" if (path / "guard.tf").is_file() else ""
    tags = "" if module == "deletion-guard" else "tags = { owner = local.unknown.owner }"
    # Only a path that begins with a dot is read where it lies, with the modules beside it.
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
{arguments}
  {protection}
  {tags}
}}
"""


def _mocks(module: str) -> str:
    """The mocked provider of the module's own tests, and what they say resources have."""
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
