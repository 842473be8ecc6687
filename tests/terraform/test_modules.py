"""`terraform test` in every module: plans and applies with a mocked provider, without AWS and without a network."""

import re
from pathlib import Path

import pytest

from leda_cli.paths import ROOT
from support.terraform_tests import TerraformTests

MODULES = sorted(path.parent for path in ROOT.glob("modules/*/versions.tf"))
FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")


def names(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("module", MODULES, ids=names)
def test_terraform_test_passes(module: Path, terraform_tests: TerraformTests) -> None:
    status, output = terraform_tests.results[module].result()
    assert status == 0, output
    assert " 0 failed" in output


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
    # `name` of stream-function is one of the function module's: its rule is tried there.
    shared = (ROOT / "modules" / "function" / "variables.tf").read_text()
    if module.name == "stream-function":
        untried = {name for name in untried if f'variable "{name}"' not in shared}
    assert untried == set()
