"""The Terraform provider that many runs share: its address, and errors at its start."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.develop import shared_provider


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_the_address_is_read_from_the_providers_output() -> None:
    with started(
        "print('Provider started.'); print('\\tTF_REATTACH_PROVIDERS=\\'{}\\'')"
    ) as process:
        assert shared_provider._address(process) == "{}"


def test_a_provider_that_ends_before_it_listens_is_an_error_with_its_status() -> None:
    with (
        started("print('starting'); raise SystemExit(3)") as process,
        pytest.raises(LedaError, match="status 3"),
    ):
        shared_provider._address(process)


def test_a_provider_that_terraform_cannot_install_is_an_error_with_terraforms_output(
    tmp_path: Path,
) -> None:
    terraform = tmp_path / "bin" / "terraform"
    terraform.parent.mkdir()
    terraform.write_text("#!/bin/sh\necho no such registry >&2\nexit 1\n")
    terraform.chmod(0o755)
    environment = {"PATH": str(terraform.parent)}
    with (
        pytest.raises(LedaError, match="no such registry"),
        shared_provider.shared_provider(environment, tmp_path),
    ):
        pytest.fail("it must not start")
