"""`terraform test` in every module: plans and applies with a mocked provider, without AWS and without a network."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.hcl import Arguments, blocks, expression

MODULES = sorted(path.parent for path in ROOT.glob("modules/*/versions.tf"))
REQUIRED = re.compile(r'settings\.required\(\s*"(\w+)"')
SUFFIX = "global_name_suffix"
# The modules, and those below them that only their parents call.
TESTED = [*MODULES, *sorted(path.parent for path in ROOT.glob("modules/*/*/versions.tf"))]
FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")


@cache
def read(folder: Path, kind: str, pattern: str = "*.tf") -> list[tuple[tuple[str, ...], Arguments]]:
    """The blocks of that kind in the folder's files."""
    return [
        block for file in sorted(folder.glob(pattern)) for block in blocks(file.read_text(), kind)
    ]


def names(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("module", TESTED, ids=names)
def test_terraform_test_passes(module: Path, terraform: Callable[..., str]) -> None:
    lock = module / ".terraform.lock.hcl"
    had_lock = lock.exists()
    try:
        terraform(module, "init", "-backend=false", "-input=false", "-no-color")
        assert " 0 failed" in terraform(module, "test", "-no-color")
    finally:
        if not had_lock:
            lock.unlink(missing_ok=True)


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_module_has_the_standard_files_and_tests(module: Path) -> None:
    assert [file for file in FILES if not (module / file).is_file()] == []
    assert list(module.glob("tests/*.tftest.hcl"))


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_module_has_no_provider_block_and_does_not_mention_localstack(module: Path) -> None:
    assert read(module, "provider") == []
    for file in module.glob("*.tf"):
        assert "localstack" not in file.read_text().lower()


@pytest.mark.parametrize("module", TESTED, ids=names)
def test_a_test_of_the_module_fails_the_validation_of_each_variable(module: Path) -> None:
    validated = {name for (name,), each in read(module, "variable") if "validation" in each}
    runs = read(module, "run", "tests/*.tftest.hcl")
    refused = " ".join(str(each.get("expect_failures")) for _, each in runs)
    assert validated - set(re.findall(r"\bvar\.(\w+)", refused)) == set()


def functions_of_modules() -> dict[str, Arguments]:
    """The arguments of each module call that makes a LEDA function, by the name of the function's package."""
    calls = [each for module in MODULES for _, each in read(module, "module")]
    return {
        each["package"]: each for each in calls if re.fullmatch(r"\w+", each.get("package", ""))
    }


@pytest.mark.parametrize("guard", [ROOT / "guard.tf", *ROOT.glob("modules/*/guard.tf")])
def test_the_deletion_guard_depends_on_everything_in_its_module(guard: Path) -> None:
    """Terraform may delete what the guard does not depend on before the guard refuses the destroy."""
    made = {f"module.{name}" for (name,), _ in read(guard.parent, "module")}
    made |= {".".join(labels) for labels, _ in read(guard.parent, "resource")}
    (label,), arguments = next(blocks(guard.read_text(), "module"))
    guarded = re.findall(r"[\w.]+", expression(arguments["depends_on"]))
    assert sorted(guarded) == sorted(made - {f"module.{label}"})


def test_every_module_that_reads_a_stream_has_a_deletion_guard() -> None:
    callers = [
        module
        for module in MODULES
        if {each["source"] for _, each in read(module, "module")}
        & {"../stream-function", "../aggregation"}
    ]
    assert len(callers) > 5
    assert [module.name for module in callers if not (module / "guard.tf").is_file()] == []


# Service principals, and the names of services in kms:ViaService, end in amazonaws.com in all partitions, except that
# of CloudWatch Logs.
# https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#viaService_table
SAME_IN_ALL_PARTITIONS = re.compile(
    r'"(?:apigateway|cloudfront|cloudwatch|events|firehose|lambda|sns)\.amazonaws\.com"'
    r'|"(?:dynamodb|s3|\$\{service\})\.\$\{[\w.]+\}\.amazonaws\.com"'
)
PROSE = re.compile(
    r"#[^\n]*$|^ *(?:description|error_message) += (?:<<-EOT$.*?EOT$|[^\n]*$)",
    re.MULTILINE | re.DOTALL,
)


def test_no_configuration_names_a_partition() -> None:
    """ARNs begin with arn:aws-cn in China and arn:aws-us-gov in GovCloud; China's hosts end in amazonaws.com.cn."""
    found = [
        (file.relative_to(ROOT).as_posix(), line.strip())
        for file in [*ROOT.glob("modules/*/*.tf"), *ROOT.glob("examples/*/*.tf"), ROOT / "main.tf"]
        for line in SAME_IN_ALL_PARTITIONS.sub("", PROSE.sub("", file.read_text())).splitlines()
        if re.search(r"arn:aws:|amazonaws\.com|amazoncognito\.com", line)
    ]
    # The blueprint's test event, as the console shows it; and Cognito's host, which ends alike in all partitions that
    # have user pools.
    assert {file for file, _ in found} == {
        "examples/record-processor/outputs.tf",
        "modules/operator-sign-in/main.tf",
    }
    assert len(found) == 3


def test_names_that_must_be_unique_in_an_account_have_the_suffix() -> None:
    """Without the suffix, an apply in a second Region fails (roles) or overwrites the first Region's (dashboards)."""
    names = [
        expression(value)
        for module in MODULES
        for (kind, _), arguments in read(module, "resource")
        if kind.startswith("aws_iam_") or kind == "aws_cloudwatch_dashboard"
        for argument, value in arguments.items()
        if argument in ("name", "dashboard_name")
    ]
    assert len(names) >= 5
    # An inline policy's name is unique in its role.
    assert {name for name in names if SUFFIX not in name} == {"delivery", "function"}


@pytest.mark.parametrize("package", sorted(functions_of_modules()))
def test_a_function_gets_every_setting_that_its_handler_requires(package: str) -> None:
    """Without a required setting, the function fails at its first invocation, and no unit test notices that."""
    handler = (ROOT / "lambda_src" / package / "handler.py").read_text()
    required = set(REQUIRED.findall(handler))
    assert bool(required) is ("settings.required(" in handler)
    environment = str(functions_of_modules()[package]["environment"])
    assert {name for name in required if not re.search(rf"\b{name} =", environment)} == set()
