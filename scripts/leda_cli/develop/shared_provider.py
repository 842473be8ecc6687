"""One process of the AWS provider for many runs of Terraform that call no AWS: `validate`, and `test` with mocks.

Terraform starts the provider for every command and for every `run` of a test. Each start reads a file of 675 MB and the
schemas of all resources. So the tests of a module with 11 runs take 11 s of processor time, and 2 s with a provider
that already runs (measured). Terraform finds a running provider by an environment variable:
https://developer.hashicorp.com/terraform/plugin/debugging#starting-a-provider-in-debug-mode

A running provider keeps the configuration of its last user, so no plan or apply of a real or local AWS may share it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT
from leda_cli.develop.environments import captured
from leda_cli.develop.terraform import PROVIDER

# Every module has the same requirements of the provider as this one.
REQUIREMENTS = ROOT / "modules" / "table" / "versions.tf"
_STARTED = re.compile(r"TF_REATTACH_PROVIDERS='(.*)'")


@contextmanager
def shared_provider(environment: Mapping[str, str], work: Path) -> Iterator[dict[str, str]]:
    """Start a provider for the time of the block; yield the environment in which Terraform uses it.

    environment: Terraform's (`terraform_environment`). work: an empty folder to install the provider in. Raises
    LedaError when the provider is not found or does not start.
    """
    program = _installed(environment, work)
    process = subprocess.Popen(
        [str(program), "-debug"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # It would have a line for every call.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield {**environment, "TF_REATTACH_PROVIDERS": _address(process)}
    finally:
        process.terminate()
        process.wait()


def _installed(environment: Mapping[str, str], work: Path) -> Path:
    """Let `terraform init` install the provider, and return the path of its program."""
    (work / REQUIREMENTS.name).write_text(REQUIREMENTS.read_text())
    done = captured(["terraform", "init", "-input=false", "-no-color"], work, environment)
    folder = work / ".terraform" / "providers" / PROVIDER
    programs = sorted(folder.glob("*/*/terraform-provider-aws*"))
    if done.returncode != 0 or not programs:
        raise LedaError(
            f"terraform init did not install the AWS provider.\n{done.stdout}{done.stderr}",
            "Set LEDA_TF_PLUGIN_MIRROR to a folder that holds it, or let Terraform reach its registry.",
        )
    return programs[0]


def _address(process: subprocess.Popen[str]) -> str:
    """Read where the provider listens from its output. Raises LedaError if it ends before it listens."""
    assert process.stdout
    for line in process.stdout:
        if found := _STARTED.search(line):
            return found[1]
    raise LedaError(
        f"The AWS provider ended with status {process.wait()} before it listened.",
        "Run `terraform validate` in a module: it starts the same program and shows the error.",
    )
