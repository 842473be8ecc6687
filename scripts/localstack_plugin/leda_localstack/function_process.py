"""A process of the runtime client: its start, its environment and its output. Independent of LocalStack."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from leda_localstack.runtime_api import Outcome, RuntimeApi, error_document

# Variables that are copied from LocalStack's environment. LEDA_INSTANCE marks every process of a local AWS, so that
# `leda` finds the functions' processes, and tests can kill them.
_INHERITED = ("PATH", "LEDA_INSTANCE", "TMPDIR")


def interpreter() -> str:
    """Return the Python that has awslambdaric: LEDA_FUNCTIONS_PYTHON, or LocalStack's own."""
    return os.environ.get("LEDA_FUNCTIONS_PYTHON") or sys.executable


def process_environment(
    inherited: Mapping[str, str],
    function_variables: Mapping[str, object],
    code: Path,
    layers: Sequence[Path],
    runtime: str,
    runtime_api: str,
) -> dict[str, str]:
    """Return the environment of a function's process: Lambda's variables and nothing of the user's shell.

    inherited: LocalStack's own environment, of which only a few variables are kept.
    function_variables: what LocalStack sets for the function, its configured variables included.
    code, layers: unpacked folders; modules are found in the code first, then in the layers.
    """
    environment = {name: inherited[name] for name in _INHERITED if name in inherited}
    environment["LANG"] = "en_US.UTF-8"
    environment["HOME"] = inherited.get("TMPDIR") or tempfile.gettempdir()
    environment.update({name: str(value) for name, value in function_variables.items()})
    path = [
        str(code),
        *(str(layer / "python") for layer in layers),
        environment.get("PYTHONPATH", ""),
    ]
    environment.update(
        PYTHONPATH=os.pathsep.join(folder for folder in path if folder),
        PYTHONDONTWRITEBYTECODE="1",
        LAMBDA_TASK_ROOT=str(code),
        AWS_LAMBDA_RUNTIME_API=runtime_api,
        AWS_EXECUTION_ENV=f"AWS_Lambda_{runtime}",
    )
    return environment


class FunctionProcess:
    """A process that runs a handler. When it dies, its invocation fails with Runtime.ExitError."""

    def __init__(
        self, command: Sequence[str], code: Path, environment: dict[str, str], api: RuntimeApi
    ) -> None:
        self._api = api
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._shown = 0
        self._process = subprocess.Popen(
            command,
            cwd=code,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        threading.Thread(target=self._watch, name="lambda-process", daemon=True).start()

    def _watch(self) -> None:
        status = self._process.wait()
        error = error_document("Runtime.ExitError", f"Runtime exited with exit status: {status}")
        self._api.fail_start(error)
        self._api.finish(None, Outcome(error, is_error=True))

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def new_output(self) -> str:
        """Return the output since the last call; it ends in a newline unless it is empty."""
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), size - self._shown, self._shown).decode(
            errors="replace"
        )
        self._shown = size
        return text if not text or text.endswith("\n") else text + "\n"

    def all_output(self) -> str:
        """Return the first megabyte of the process's output."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")
