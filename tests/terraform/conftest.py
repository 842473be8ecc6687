"""Terraform for the tests: one provider process for all runs of a file (leda_cli/develop/shared_provider.py)."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leda_cli.develop.shared_provider import shared_provider
from leda_cli.develop.terraform import require_terraform, terraform_environment


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Runs Terraform: `terraform(folder, *arguments)` returns its output, and fails unless it ends with status 0.

    What `init` installs for a folder is kept outside of it.
    """
    installed: dict[Path, Path] = {}

    def run(folder: Path, *arguments: str) -> str:
        if folder not in installed:
            installed[folder] = tmp_path_factory.mktemp("terraform")
        done = subprocess.run(
            [require_terraform(), *arguments],
            cwd=folder,
            env={**environment, "TF_DATA_DIR": str(installed[folder])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        # A line of JSON may hold the whole state.
        readable = "\n".join(line for line in done.stdout.splitlines() if len(line) < 10_000)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{readable}{done.stderr}"
        return done.stdout

    with shared_provider(
        terraform_environment(), tmp_path_factory.mktemp("provider")
    ) as environment:
        yield run
