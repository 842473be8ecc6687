"""`leda test`, `leda lint` and `leda fmt`: every check, each step under its name."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.locks import only_one
from leda_cli.base.output import console, heading
from leda_cli.base.paths import CACHE, LOCAL, ROOT, VENV
from leda_cli.develop import site, toolchain
from leda_cli.develop.environments import captured
from leda_cli.develop.shared_provider import shared_provider
from leda_cli.develop.terraform import require_terraform, terraform_environment

# What black and ruff read: folders, and scripts/bootstrap, which has no .py ending.
PYTHON_SOURCES = ("scripts", "lambda_src", "benchmarks", "simulation", "tests", "scripts/bootstrap")
# What mypy reads in one run. The handlers follow one by one, because all of them are named `handler`.
TYPED = (
    "scripts/leda_cli",
    "scripts/localstack_plugin/leda_localstack",
    "lambda_src/leda",
    "benchmarks",
    "simulation",
    "tests",
)

# check-jsonschema brings these schemas, so no network is needed.
SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "renovate": "renovate.json",
}


def terraform_roots() -> list[Path]:
    """Return every folder that Terraform can validate by itself: the root, the modules, the examples."""
    folders = {
        file.parent
        for pattern in ("*.tf", "modules/*/*.tf", "examples/*/*.tf")
        for file in ROOT.glob(pattern)
    }
    return sorted(folders)


def _run(command: list[str], environment: Mapping[str, str], cwd: Path = ROOT) -> bool:
    return subprocess.run(command, cwd=cwd, env=dict(environment), check=False).returncode == 0


def _tool(name: str) -> str:
    return str(VENV / "bin" / name)


def _validate(folder: Path, environment: Mapping[str, str]) -> bool:
    """Run terraform init and validate with Terraform's files under .local/; print their output only on failure."""
    name = "-".join(folder.relative_to(ROOT).parts) or "root"
    private = {**environment, "TF_DATA_DIR": str(LOCAL / "validate" / name)}
    lock_file = folder / ".terraform.lock.hcl"
    had_lock = lock_file.exists()
    try:
        for arguments in (
            ["init", "-backend=false", "-input=false", "-no-color"],
            ["validate", "-no-color"],
        ):
            done = captured(["terraform", *arguments], folder, private)
            if done.returncode != 0:
                console.print(
                    f"terraform {arguments[0]} in {folder.relative_to(ROOT)}:", markup=False
                )
                console.print(done.stdout + done.stderr, markup=False)
                return False
    finally:
        if not had_lock:
            lock_file.unlink(missing_ok=True)
    return True


def run_tests(
    context: typer.Context,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Run only the tests that are quick and need no emulator."),
    ] = False,
) -> None:
    """Run every test; arguments are passed to pytest."""
    environment = dict(os.environ)
    # A process gets all tests of one local AWS; a free process takes the next (tests/conftest.py). Three processes even
    # on two cores, because an apply mostly waits.
    arguments = ["-n", "3"]
    if fast:
        arguments = ["-n", "2", "-m", "not slow", "tests/simulated", "tests/pure"]
    else:
        require_terraform()
        with only_one("setup"):
            toolchain.install()
        environment = terraform_environment()
    python = str(VENV / "bin" / "python")
    os.chdir(ROOT)
    scheduling = ["--dist", "loadscope", "--no-loadscope-reorder"]
    os.execve(python, [python, "-m", "pytest", *scheduling, *arguments, *context.args], environment)


def lint() -> None:
    """Check black, ruff, mypy, layers of imports, terraform fmt and validate, checkov; the pages' words and links."""
    require_terraform()
    environment = terraform_environment()
    environment.update(
        RUFF_CACHE_DIR=str(CACHE / "ruff"),
        MYPY_CACHE_DIR=str(CACHE / "mypy"),
        BLACK_CACHE_DIR=str(CACHE / "black"),
        # Otherwise checkov asks its vendor's service for rules, and reports usage to it.
        BC_SKIP_MAPPING="TRUE",
        CHECKOV_RUN_SCA_PACKAGE_SCAN_V2="false",
    )
    failed = []

    def check(name: str, passed: bool, began: float) -> None:
        verdict = "[green]passed[/]" if passed else "[bold red]FAILED[/]"
        console.print(f"    {verdict} {name} ({time.monotonic() - began:.1f} s)")
        if not passed:
            failed.append(name)

    commands = {
        "black": [_tool("black"), "--check", "--quiet", "--diff", *PYTHON_SOURCES],
        "ruff": [_tool("ruff"), "check", "--quiet", *PYTHON_SOURCES],
        "mypy": [_tool("mypy"), *TYPED],
        **{
            f"mypy {handler.parent.name}": [_tool("mypy"), str(handler)]
            for handler in sorted((ROOT / "lambda_src").glob("*/handler.py"))
        },
        "imports": [
            *("env", f"PYTHONPATH={ROOT}:{ROOT / 'tests'}", _tool("lint-imports")),
            *("--config", "pyproject.toml", "--cache-dir", str(CACHE / "import-linter")),
        ],
        **{
            schema: [
                _tool("check-jsonschema"),
                "--builtin-schema",
                f"vendor.{schema}",
                *sorted(map(str, ROOT.glob(files))),
            ]
            for schema, files in SCHEMAS.items()
        },
        "pre-commit": [_tool("pre-commit"), "validate-config"],
        "module READMEs": [_tool("python"), "-m", "leda_cli.develop.module_docs", "--check"],
        "terraform fmt": ["terraform", "fmt", "-check", "-recursive", "-diff", "."],
    }
    for name, command in commands.items():
        heading(name)
        began = time.monotonic()
        check(name, _run(command, environment), began)

    for name, problems in {"words": site.wrong_words, "links": site.broken_links}.items():
        heading(name)
        began = time.monotonic()
        found = problems()
        console.print(found, markup=False, end="\n" if found else "")
        check(name, not found, began)

    heading("terraform validate")
    with (
        tempfile.TemporaryDirectory(dir=environment["TMPDIR"]) as work,
        shared_provider(environment, Path(work)) as sharing,
    ):
        for folder in terraform_roots():
            began = time.monotonic()
            name = str(folder.relative_to(ROOT))
            check(
                f"terraform validate {'the root module' if name == '.' else name}",
                _validate(folder, sharing),
                began,
            )

    heading("checkov")
    checkov = str(toolchain.install_tool("checkov", "checkov"))
    began = time.monotonic()
    check("checkov", _run([checkov, "--config-file", ".checkov.yaml"], environment), began)

    if failed:
        raise LedaError(
            f"{len(failed)} of the checks failed: {', '.join(failed)}.",
            "make fmt corrects formatting; the rest is above.",
        )
    console.print("All checks passed.")


def fmt() -> None:
    """Format Python with black and ruff's import order, Terraform with terraform fmt."""
    environment = terraform_environment()
    environment.update(RUFF_CACHE_DIR=str(CACHE / "ruff"), BLACK_CACHE_DIR=str(CACHE / "black"))
    heading("Formatting")
    commands = (
        [_tool("ruff"), "check", "--quiet", "--fix-only", "--select", "I", *PYTHON_SOURCES],
        [_tool("black"), "--quiet", *PYTHON_SOURCES],
        ["terraform", "fmt", "-recursive", "."],
    )
    done = [_run(command, environment) for command in commands]
    if not all(done):
        raise LedaError("Not everything could be formatted.", "The lines above name the files.")
