"""`terraform test` in every module: plans and applies with a mocked provider, without AWS and without a network."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.hcl import Arguments, blocks, expression
from leda_cli.develop.shared_provider import shared_provider
from leda_cli.develop.terraform import require_terraform, terraform_environment

MODULES = sorted(path.parent for path in ROOT.glob("modules/*/versions.tf"))
REQUIRED = re.compile(r'settings\.required\(\s*"(\w+)"')
SUFFIX = "global_name_suffix"
# Modules that only another module calls have tests, too.
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


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Terraform that uses one provider for all runs."""
    with shared_provider(terraform_environment(), tmp_path_factory.mktemp("provider")) as found:
        yield found


@pytest.mark.parametrize("module", TESTED, ids=names)
def test_terraform_test_passes(module: Path, sharing: dict[str, str], tmp_path: Path) -> None:
    terraform = require_terraform()
    # A module's tests need only .terraform and the lock file, which belong to this run.
    environment = {**sharing, "TF_DATA_DIR": str(tmp_path / "terraform")}
    lock = module / ".terraform.lock.hcl"
    had_lock = lock.exists()
    try:
        for arguments in (
            ["init", "-backend=false", "-input=false", "-no-color"],
            ["test", "-no-color"],
        ):
            done = subprocess.run(
                [terraform, *arguments],
                cwd=module,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"
    finally:
        if not had_lock:
            lock.unlink(missing_ok=True)
    assert " 0 failed" in done.stdout


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_module_has_the_standard_files_and_tests(module: Path) -> None:
    assert [file for file in FILES if not (module / file).is_file()] == []
    assert list(module.glob("tests/*.tftest.hcl"))


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_module_has_no_provider_block_and_no_word_of_local_aws(module: Path) -> None:
    assert read(module, "provider") == []
    for file in module.glob("*.tf"):
        assert "localstack" not in file.read_text().lower()


@pytest.mark.parametrize("module", TESTED, ids=names)
def test_every_validation_of_a_variable_is_seen_to_refuse(module: Path) -> None:
    """A variable of a module whose validation no test provokes has a rule that nobody has tried."""
    validated = {name for (name,), each in read(module, "variable") if "validation" in each}
    runs = read(module, "run", "tests/*.tftest.hcl")
    refused = " ".join(str(each.get("expect_failures")) for _, each in runs)
    untried = validated - set(re.findall(r"\bvar\.(\w+)", refused))
    assert untried == set()


def functions_of_modules() -> dict[str, Arguments]:
    """The arguments of each module call that makes a function of ours, by the name of its package."""
    calls = [each for module in MODULES for _, each in read(module, "module")]
    return {
        each["package"]: each for each in calls if re.fullmatch(r"\w+", each.get("package", ""))
    }


@pytest.mark.parametrize("guard", [ROOT / "guard.tf", *ROOT.glob("modules/*/guard.tf")])
def test_the_deletion_guard_depends_on_everything_of_its_module(guard: Path) -> None:
    """What it does not depend on may be deleted before it refuses."""
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


# Service principals, and the names of services in kms:ViaService, end in amazonaws.com in all partitions. That of
# Logs does not.
# https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#viaService_table
ALIKE_EVERYWHERE = re.compile(
    r'"(?:apigateway|cloudfront|cloudwatch|events|firehose|lambda|sns)\.amazonaws\.com"'
    r'|"(?:dynamodb|s3|\$\{service\})\.\$\{[\w.]+\}\.amazonaws\.com"'
)
PROSE = re.compile(
    r"#[^\n]*$|^ *(?:description|error_message) += (?:<<-EOT$.*?EOT$|[^\n]*$)",
    re.MULTILINE | re.DOTALL,
)


def test_nothing_names_the_partition_it_runs_in() -> None:
    """ARNs begin with arn:aws-cn in China, arn:aws-us-gov in GovCloud; China's hosts end in amazonaws.com.cn."""
    found = [
        (file.relative_to(ROOT).as_posix(), line.strip())
        for file in [*ROOT.glob("modules/*/*.tf"), *ROOT.glob("examples/*/*.tf"), ROOT / "main.tf"]
        for line in ALIKE_EVERYWHERE.sub("", PROSE.sub("", file.read_text())).splitlines()
        if re.search(r"arn:aws:|amazonaws\.com|amazoncognito\.com", line)
    ]
    # The blueprint's test event, as it is printed in the console; and Cognito's host, which has one end in all
    # partitions that have user pools.
    assert {file for file, _ in found} == {
        "examples/record-processor/outputs.tf",
        "modules/operator-sign-in/main.tf",
    }
    assert len(found) == 3


def test_every_name_that_an_account_has_only_once_has_the_suffix() -> None:
    """Without it a second Region's apply fails (roles), or overwrites what the first one made (dashboards)."""
    names = [
        expression(value)
        for module in MODULES
        for (kind, _), arguments in read(module, "resource")
        if kind.startswith("aws_iam_") or kind == "aws_cloudwatch_dashboard"
        for argument, value in arguments.items()
        if argument in ("name", "dashboard_name")
    ]
    assert len(names) >= 5
    # A policy in a role has a name in that role only.
    assert {name for name in names if SUFFIX not in name} == {"delivery", "function"}


@pytest.mark.parametrize("package", sorted(functions_of_modules()))
def test_a_function_gets_every_setting_that_its_handler_requires(package: str) -> None:
    """A setting that is not there ends the function's first invocation on a real account, and no unit test sees it."""
    handler = (ROOT / "lambda_src" / package / "handler.py").read_text()
    required = set(REQUIRED.findall(handler))
    assert bool(required) is ("settings.required(" in handler)
    environment = str(functions_of_modules()[package]["environment"])
    assert {name for name in required if not re.search(rf"\b{name} =", environment)} == set()
