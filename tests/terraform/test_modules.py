"""`terraform test` in every module: plans and applies with a mocked provider, without AWS and without a network."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.shared_provider import shared_provider
from leda_cli.develop.terraform import require_terraform, terraform_environment

MODULES = sorted(path.parent for path in ROOT.glob("modules/*/versions.tf"))
BLOCK = re.compile(r'^module "\w+" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
PACKAGE = re.compile(r'^  package += "(\w+)"', re.MULTILINE)
REQUIRED = re.compile(r'settings\.required\(\s*"(\w+)"')
SUFFIX = "global_name_suffix"
FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")


def names(folder: Path) -> str:
    return folder.name


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Terraform that uses one provider for all runs."""
    with shared_provider(terraform_environment(), tmp_path_factory.mktemp("provider")) as found:
        yield found


@pytest.mark.parametrize("module", MODULES, ids=names)
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
    for file in module.glob("*.tf"):
        text = file.read_text()
        assert not any(line.startswith("provider ") for line in text.splitlines())
        assert "localstack" not in text.lower()


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_every_validation_of_a_variable_is_seen_to_refuse(module: Path) -> None:
    """A variable of a module whose validation no test provokes has a rule that nobody has tried."""
    variables = (module / "variables.tf").read_text()
    validated = {
        block.split('"')[1]
        for block in variables.split("\nvariable ")
        if "\n  validation {" in block
    }
    tests = "".join(file.read_text() for file in module.glob("tests/*.tftest.hcl"))
    refused = " ".join(re.findall(r"expect_failures = \[(.*?)\]", tests, re.DOTALL))
    untried = validated - set(re.findall(r"\bvar\.(\w+)", refused))
    assert untried == set()


def functions_of_modules() -> dict[str, str]:
    """The block of each module call that makes a function of ours, by the name of its package."""
    found = {}
    for file in ROOT.glob("modules/*/*.tf"):
        for block in BLOCK.findall(file.read_text()):
            for package in PACKAGE.findall(block):
                found[package] = block
    return found


@pytest.mark.parametrize("guard", [ROOT / "guard.tf", *ROOT.glob("modules/*/guard.tf")])
def test_the_deletion_guard_depends_on_everything_of_its_module(guard: Path) -> None:
    """What it does not depend on may be deleted before it refuses."""
    text = "".join(file.read_text() for file in guard.parent.glob("*.tf") if file != guard)
    made = [f"module.{name}" for name in re.findall(r'^module "(\w+)"', text, re.MULTILINE)]
    made += [
        ".".join(names) for names in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)
    ]
    guarded = re.findall(r"^    ([\w.]+),$", guard.read_text(), re.MULTILINE)
    assert sorted(guarded) == sorted(made)


def test_every_module_that_reads_a_stream_has_a_deletion_guard() -> None:
    callers = {
        file.parent
        for file in ROOT.glob("modules/*/*.tf")
        if re.search(r'source += "\.\./(?:stream-function|aggregation)"', file.read_text())
    }
    assert {folder.name for folder in callers if not (folder / "guard.tf").is_file()} == set()


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
    named = re.compile(
        r'^resource "(?:aws_iam_\w+|aws_cloudwatch_dashboard)" .*?^  \w*name += (.*?)$',
        re.MULTILINE | re.DOTALL,
    )
    files = ROOT.glob("modules/*/*.tf")
    names = [name for file in files for name in named.findall(file.read_text())]
    assert len(names) >= 5
    # A policy in a role has a name in that role only.
    assert {name for name in names if SUFFIX not in name} == {'"delivery"', '"function"'}


@pytest.mark.parametrize("package", sorted(functions_of_modules()))
def test_a_function_gets_every_setting_that_its_handler_requires(package: str) -> None:
    """A setting that is not there ends the function's first invocation on a real account, and no unit test sees it."""
    handler = (ROOT / "lambda_src" / package / "handler.py").read_text()
    block = functions_of_modules()[package]
    required = set(REQUIRED.findall(handler))
    assert {name for name in required if not re.search(rf"\b{name}\b +=", block)} == set()
