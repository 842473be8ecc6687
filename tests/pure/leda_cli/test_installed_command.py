"""The operators' command installed from its wheel, without a checkout and with the wheel's dependencies only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from leda_cli.base.paths import ROOT, contained_environment
from leda_cli.develop.environments import uv
from support.processes import run

SOURCES = ("pyproject.toml", "docs/operator-command.md", "scripts/leda_cli", "lambda_src/leda")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's wheel, built from a copy: setuptools leaves files beside its sources."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    _make(sys.executable, "-c", code, str(built), cwd=copy)
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def leda(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command. Its dependencies are those of the wheel's metadata, linked from this environment."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    python = str(folder / "bin" / "python")
    _make(
        str(uv()),
        "venv",
        "--no-project",
        "--python",
        sys.executable,
        str(folder),
        cwd=folder.parent,
    )
    install = ("pip", "install", "--no-index", "--no-deps", "--python", python, str(wheel))
    _make(str(uv()), *install, cwd=folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in _required(wheel):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
            source = Path(str(found.locate_file(top)))
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)
    return folder / "bin" / "leda"


def _make(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, env=contained_environment(), check=True, capture_output=True)


def _required(wheel: Path) -> set[str]:
    """The names of all distributions that the wheel needs, directly or not."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    wanted = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    found: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        is_needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if is_needed and requirement.name not in found:
            found.add(requirement.name)
            wanted += distribution(requirement.name).requires or []
    return found


def _run(leda: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder that is not a checkout, without credentials of any account."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "COLUMNS": "120",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return run(leda, *arguments, cwd=folder, env=environment)


def test_the_help_lists_only_the_operators_commands(leda: Path, tmp_path: Path) -> None:
    done = _run(leda, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    for command in ("verify", "redrive", "replay", "rebuild", "backfill", "totals", "cost"):
        assert f" {command} " in done.stdout
    for command in ("setup", "demo", "lint", "simulate"):
        assert f" {command} " not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (["verify"], "installed without one", "--aws"),
        (["up"], "`leda up` works on the files of a checkout", "clone"),
        (
            ["verify", "--aws", "--name-prefix", "Trades-"],
            "there are no credentials",
            "AWS_PROFILE",
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_command_that_cannot_work_is_an_error_with_a_fix(
    leda: Path, tmp_path: Path, arguments: list[str], what: str, fix: str
) -> None:
    done = _run(leda, tmp_path, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    error, _, to_do = done.stderr.replace("\n", " ").partition("What to do: ")
    assert what in error
    assert fix in to_do


def test_a_command_that_needs_no_account_works(leda: Path, tmp_path: Path) -> None:
    done = _run(leda, tmp_path, "cost", "--rate", "10", "--latency", "3")
    assert done.returncode == 0, done.stderr
    assert "DynamoDB" in done.stdout
