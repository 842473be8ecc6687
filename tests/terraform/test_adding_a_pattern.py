"""docs/adding-a-pattern.md, with its files written into a copy of the checkout: they build, plan, lint and run."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from leda_cli.base.paths import LOCAL, ROOT
from leda_cli.develop import packages, wheels

# A line with a file's name in backticks, and the code block after it.
_BLOCK = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROCESS = "examples/pages/visits/process.py"
CODE = (PROCESS, "scripts/leda_cli/demos/play_pages.py")

# A plan of the page's example with a mocked provider.
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


@pytest.fixture(scope="module")
def built(followed: Path) -> dict[str, packages.Package]:
    """The package of every function, by function."""
    source = followed / "lambda_src"
    installed = wheels.fetch(source / "requirements.lock", LOCAL / "wheels")
    found = packages.assemble(source, installed, {"visits": (followed / PROCESS).parent})
    return {package.function: package for package in found}


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run the command in the folder; it must succeed. Returns its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_package_has_its_own_process(
    followed: Path, built: dict[str, packages.Package]
) -> None:
    with zipfile.ZipFile(io.BytesIO(built["visits"].content)) as file:
        assert file.read("process.py") == (followed / PROCESS).read_bytes()
        assert "handler.py" in file.namelist()


def test_its_example_is_formatted_valid_and_planned(
    followed: Path, built: dict[str, packages.Package], terraform: Callable[..., str]
) -> None:
    folder = followed / "examples" / "pages"
    (followed / "build").mkdir()
    for name, package in built.items():
        (followed / "build" / f"{name}.zip").write_bytes(package.content)
    (folder / "pages.tftest.hcl").write_text(_PLAN)
    terraform(folder, "fmt", "-check", "-diff", *(file.name for file in folder.glob("*.tf")))
    terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    terraform(folder, "validate", "-no-color")
    terraform(folder, "test", "-no-color")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["60", "read"]),
        ({"left": 1785589503}, ["3", "glance"]),
        ({"left": 1785689500}, ["1800", "read"]),
        ({"left": 1785589400}, "the visitor left before entering"),
        ({"page": 7}, "page is missing or not a string"),
        ({"version": "2"}, "version is missing or not a number"),
    ],
)
def test_its_process_computes_what_the_page_says(
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
    printed = run(
        followed,
        *(sys.executable, "-c", program, json.dumps(visit | given)),
        PYTHONPATH=os.pathsep.join(map(str, folders)),
        VISITS_TABLE="Visits",
        AWS_DEFAULT_REGION="eu-west-1",
    )
    assert json.loads(printed) == expected


@pytest.mark.parametrize(
    "tool", [["black", "--check", "--diff"], ["ruff", "check"], ["mypy"]], ids=lambda tool: tool[0]
)
def test_its_code_passes_the_lint(followed: Path, tool: list[str]) -> None:
    for file in CODE:
        run(followed, str(Path(sys.executable).with_name(tool[0])), *tool[1:], file)


def test_its_demo_is_found(followed: Path) -> None:
    program = (
        "from leda_cli.demos import example, examples\n"
        "print('pages' in examples.names(), example.player('pages').__name__)\n"
    )
    printed = run(followed, sys.executable, "-c", program, PYTHONPATH=str(followed / "scripts"))
    assert printed == "True play\n"
