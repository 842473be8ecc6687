"""Every module plans where its inputs are known only after an apply: ARNs, names and numbers that others compute.

A caller makes a topic, a key or a bucket and hands it over in one apply. `count` and `for_each` must be known at the
plan, so no module may let them depend on such a value: only on whether an object was given, how many elements a list
has, which keys a map has, or on a switch. https://developer.hashicorp.com/terraform/language/meta-arguments/count
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

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
}

_PACKAGES = """packages = { directory = local.packages }"""
_COMMON = """
  kms_key_arn        = local.unknown.key_arn
  alarm_actions      = [local.unknown.topic_arn]
  log_retention_days = local.unknown.days
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

# A module: one or more sets of arguments; every value that a caller may compute is unknown.
ARGUMENTS: dict[str, dict[str, str]] = {
    "aggregation": {
        "a bucket of its own": f"""
  {_COMMON}
  {_QUARANTINE}
  {_PACKAGES}
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
  {_PACKAGES}
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
  {_PACKAGES}
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
  {_PACKAGES}
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
  {_PACKAGES}
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
  log_retention_days = local.unknown.days
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
        "packages in a bucket": """
  name                 = local.unknown.name
  description          = local.unknown.text
  package              = "state"
  packages             = { bucket = local.unknown.bucket, prefix = local.unknown.prefix }
  memory_mb            = local.unknown.thousand
  reserved_concurrency = local.unknown.one
  environment          = { NAME = local.unknown.name }
  policy_statements    = [{ sid = "Any", actions = ["s3:GetObject"], resources = ["${local.unknown.bucket_arn}/*"] }]
  log_retention_days   = local.unknown.days
  kms_key_arn          = local.unknown.key_arn
  alarm_actions        = [local.unknown.topic_arn]
""",
        "packages in a bucket without a prefix": """
  name     = "function"
  package  = "state"
  packages = { bucket = local.unknown.bucket }
""",
        "packages in a folder": """
  name     = "function"
  package  = "state"
  packages = { directory = local.unknown.packages }
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
  log_retention_days = local.unknown.days
  memory_mb          = local.unknown.thousand
  {_PACKAGES}
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
  {_PACKAGES}
  shard_count            = local.unknown.one
  stream_retention_hours = local.unknown.days
  producer_principals    = [local.unknown.role_arn]
  environment            = {{ TABLE = local.unknown.name }}
  policy_statements      = [{{ sid = "Store", actions = ["dynamodb:PutItem"], resources = [local.unknown.table_arn] }}]
  function               = {_FUNCTION}
""",
    },
    "score-aggregation": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_PACKAGES}
  ttl_attribute = local.unknown.text
""",
    },
    "shop": {
        "": f"""
  {_COMMON}
  {_QUARANTINE}
  {_PACKAGES}
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
  name                 = local.unknown.name
  description          = local.unknown.text
  package              = "state"
  {_PACKAGES}
  event_source         = {{ kind = "dynamodb", arn = local.unknown.table_stream_arn }}
  exactly_once         = true
  mapping              = {{ batch_size = local.unknown.thousand, filter_patterns = [local.unknown.text] }}
  failure_bucket_arn   = local.unknown.bucket_arn
  freshness_seconds    = local.unknown.seconds
  memory_mb            = local.unknown.thousand
  reserved_concurrency = local.unknown.one
  environment          = {{ NAME = local.unknown.name }}
  kms_key_arn          = local.unknown.key_arn
  alarm_actions        = [local.unknown.topic_arn]
""",
    },
    "table": {
        "": """
  name          = local.unknown.name
  hash_key      = { name = local.unknown.name, type = "S" }
  range_key     = { name = local.unknown.text, type = "N" }
  ttl_attribute = local.unknown.url
  kms_key_arn   = local.unknown.key_arn
""",
    },
}
CASES = [(module, case) for module, cases in ARGUMENTS.items() for case in cases]


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Terraform that uses one provider for all runs."""
    with shared_provider(terraform_environment(), tmp_path_factory.mktemp("provider")) as found:
        yield found


def test_every_module_is_played() -> None:
    assert sorted(ARGUMENTS) == MODULES


@pytest.mark.parametrize(("module", "case"), CASES, ids=[" ".join(case).strip() for case in CASES])
def test_a_module_plans_and_applies_with_inputs_that_are_unknown_at_the_plan(
    module: str, case: str, sharing: dict[str, str], tmp_path: Path
) -> None:
    terraform = require_terraform()
    (tmp_path / "main.tf").write_text(_root(module, ARGUMENTS[module][case], tmp_path))
    (tmp_path / "unknown.tftest.hcl").write_text(
        f'{_mocks(module)}\nrun "plan_and_apply" {{\n  command = apply\n}}\n'
    )
    for arguments in (["init", "-input=false", "-no-color"], ["test", "-no-color"]):
        done = subprocess.run(
            [terraform, *arguments],
            cwd=tmp_path,
            env=sharing,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"
    assert "1 passed, 0 failed" in done.stdout


def _root(module: str, arguments: str, folder: Path) -> str:
    """A configuration that makes the values and calls the module with them in one apply."""
    unknown = {**UNKNOWN, "packages": str(PACKAGES)}
    values = "\n".join(
        # Texts and whole numbers are the same in JSON and in HCL.
        f"    {name} = {json.dumps(value)}"
        for name, value in unknown.items()
    )
    # The test's own destroy is none that is to be refused.
    guarded = (ROOT / "modules" / module / "guard.tf").is_file()
    protection = "deletion_protection = false" if guarded else ""
    # Only a path that begins with a dot is read where it lies, with the modules beside it.
    source = os.path.relpath(ROOT / "modules" / module, folder)
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
}}
"""


def _mocks(module: str) -> str:
    """The mocked provider of the module's own tests, and what they say resources have."""
    (tests,) = (ROOT / "modules" / module / "tests").glob("*.tftest.hcl")
    blocks = re.findall(
        r'^(?:mock_provider "aws"|override_resource) \{.*?^\}\n',
        tests.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    return "".join(blocks or ['mock_provider "aws" {}\n']).replace(
        "target = ", "target = module.it."
    )
