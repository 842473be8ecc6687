"""docs/adding-a-pattern.md, followed to the letter in a copy of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leda_cli import packages, wheels
from leda_cli.paths import LOCAL, ROOT
from leda_cli.terraform import require_terraform, terraform_environment

# A line with the file's name in backticks, and the block that follows it.
_BLOCK = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = (
    "lambda_src/leda/page_seconds.py",
    "lambda_src/seconds_by_page/handler.py",
    "tests/simulation/page_seconds.py",
    "scripts/leda_cli/play_pages.py",
)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout with the page's files in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("lambda_src", "modules", "tests/simulation", "tests/support", "scripts"):
        leave = shutil.ignore_patterns("__pycache__", ".terraform*")
        shutil.copytree(ROOT / folder, copy / folder, ignore=leave)
    page = (ROOT / "docs" / "adding-a-pattern.md").read_text()
    blocks = dict(_BLOCK.findall(page))
    assert len(blocks) == 12
    for name, text in blocks.items():
        file = copy / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    return copy


def test_its_package_is_built_with_what_the_handler_imports(followed: Path) -> None:
    source = followed / "lambda_src"
    distributions = wheels.fetch(source / "requirements.lock", LOCAL / "wheels")
    built = {package.function: package for package in packages.assemble(source, distributions)}

    files = built["seconds_by_page"].files
    assert "handler.py" in files
    assert "leda/page_seconds.py" in files
    assert "leda/exactly_once.py" in files
    assert "leda/messages.py" not in files


def test_its_totals_are_exact_in_the_simulation(followed: Path) -> None:
    program = (
        "from simulation.campaign import Job, play\n"
        "from simulation.page_seconds import PageSeconds\n"
        "from simulation.runs import SYSTEMS\n"
        "SYSTEMS['pages'] = PageSeconds\n"
        "tally = play([Job(seed, system='pages') for seed in range(1, 41)])\n"
        "print(tally.schedules, tally.wrong, tally.counts['redelivered records'] > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(followed / part) for part in ("tests", "lambda_src")),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "40 [] True\n", done.stderr


@pytest.mark.parametrize("folder", ["modules/page-seconds", "examples/pages"])
def test_its_module_and_its_example_are_valid_and_formatted(
    followed: Path, tmp_path: Path, folder: str
) -> None:
    environment = {**terraform_environment(), "TF_DATA_DIR": str(tmp_path / "terraform")}
    for arguments in (
        ["fmt", "-check", "-diff"],
        ["init", "-backend=false", "-input=false", "-no-color"],
        ["validate", "-no-color"],
    ):
        done = subprocess.run(
            [require_terraform(), *arguments],
            cwd=followed / folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


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


def test_its_demo_is_found_and_its_readme_written(followed: Path) -> None:
    program = (
        "from leda_cli import example, examples, module_docs\n"
        "print('pages' in examples.names(), example.player('pages').__name__)\n"
        "module_docs.main([])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(followed / "scripts")},
        cwd=followed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "True play",
        "written: modules/page-seconds/README.md",
    ], done.stderr
    assert "| `pages_table` |" in (followed / "modules/page-seconds/README.md").read_text()
