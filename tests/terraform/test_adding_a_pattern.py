"""docs/adding-a-pattern.md, followed to the letter in a copy of the checkout."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from leda_cli.base.paths import LOCAL, ROOT
from leda_cli.develop import packages, wheels
from leda_cli.develop.terraform import require_terraform, terraform_environment

# A line with the file's name in backticks, and the block that follows it.
_BLOCK = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROCESS = "examples/pages/visits/process.py"
CODE = (PROCESS, "scripts/leda_cli/demos/play_pages.py")

# The page's own variables, and what the plan of a provider that is not there knows of nothing.
_PLAN = """
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111111111111" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

run "is_planned" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = output.totals_table == "Pages-AggregateTable" && output.visits_table == "Visits"
    error_message = "The tables must have the names of the page."
  }
}
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout with the page's files in it, and its package built."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("lambda_src", "modules", "scripts"):
        leave = shutil.ignore_patterns("__pycache__", ".terraform*")
        shutil.copytree(ROOT / folder, copy / folder, ignore=leave)
    page = (ROOT / "docs" / "adding-a-pattern.md").read_text()
    blocks = dict(_BLOCK.findall(page))
    assert len(blocks) == 7
    for name, text in blocks.items():
        file = copy / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    return copy


def build(followed: Path) -> dict[str, packages.Package]:
    source = followed / "lambda_src"
    distributions = wheels.fetch(source / "requirements.lock", LOCAL / "wheels")
    folder = (followed / PROCESS).parent
    found = packages.assemble(source, distributions, {"visits": folder})
    return {package.function: package for package in found}


def test_its_package_is_built_with_its_own_process(followed: Path) -> None:
    package = build(followed)["visits"]

    with zipfile.ZipFile(io.BytesIO(package.content)) as file:
        assert file.read("process.py") == (followed / PROCESS).read_bytes()
        assert "handler.py" in file.namelist()


def test_its_example_is_formatted_valid_and_planned(followed: Path, tmp_path: Path) -> None:
    folder = followed / "examples" / "pages"
    build_folder = followed / "build"
    build_folder.mkdir(exist_ok=True)
    for name, package in build(followed).items():
        (build_folder / f"{name}.zip").write_bytes(package.content)
    (folder / "pages.tftest.hcl").write_text(_PLAN)
    environment = {**terraform_environment(), "TF_DATA_DIR": str(tmp_path / "terraform")}
    for arguments in (
        ["fmt", "-check", "-diff", *(str(file.name) for file in folder.glob("*.tf"))],
        ["init", "-backend=false", "-input=false", "-no-color"],
        ["validate", "-no-color"],
        ["test", "-no-color"],
    ):
        done = subprocess.run(
            [require_terraform(), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("60", "read")),
        ({"left": 1785589503}, ("3", "glance")),
        ({"left": 1785689500}, ("1800", "read")),
        ({"left": 1785589400}, "the visitor left before entering"),
        ({"page": 7}, "page is missing or not a string"),
        ({"version": "2"}, "version is missing or not a number"),
    ],
)
def test_its_arithmetic_is_what_the_page_says(
    followed: Path, given: dict[str, object], expected: object
) -> None:
    visit = {"visit": "v", "version": 2, "page": "/help", "entered": 1785589500, "left": 1785589560}
    program = (
        "import json, sys\n"
        "from leda.records import Unprocessable\n"
        "from process import item_of\n"
        "try:\n"
        "    item = item_of(json.loads(sys.argv[1]))\n"
        "    print(json.dumps([item['Seconds']['N'], item['Kind']['S']]))\n"
        "except Unprocessable as error:\n"
        "    print(json.dumps(str(error)))\n"
    )
    folders = (followed / "lambda_src", (followed / PROCESS).parent)
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(visit | given)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "VISITS_TABLE": "Visits",
            "AWS_DEFAULT_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout) if done.stdout else done.stderr
    assert found == (list(expected) if isinstance(expected, tuple) else expected)


@pytest.mark.parametrize(
    "tool", [["black", "--check", "--diff"], ["ruff", "check"], ["mypy"]], ids=lambda tool: tool[0]
)
def test_its_code_passes_the_lint(followed: Path, tool: list[str]) -> None:
    for file in CODE:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(tool[0])), *tool[1:], file],
            cwd=followed,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_demo_is_found(followed: Path) -> None:
    program = (
        "from leda_cli.demos import example, examples\n"
        "print('pages' in examples.names(), example.player('pages').__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(followed / "scripts")},
        cwd=followed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True play\n", done.stderr
