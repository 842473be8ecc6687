"""`terraform test` of modules, one after the other, beside what else the session does."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from leda_cli.terraform import require_terraform, terraform_environment

TIMEOUT_SECONDS = 600


class TerraformTests:
    """Starts at once; `results` has (exit status, output) of each module, to be waited for."""

    def __init__(self, modules: Iterable[Path]) -> None:
        # Now: tests change the environment.
        self._environment = terraform_environment()
        self._terraform = require_terraform()
        self._data = tempfile.TemporaryDirectory(prefix="terraform-tests-")
        self._stopped = threading.Event()
        self._running: subprocess.Popen[str] | None = None
        self._thread = ThreadPoolExecutor(1)
        self.results: dict[Path, Future[tuple[int, str]]] = {
            module: self._thread.submit(self._test, module) for module in modules
        }

    def close(self) -> None:
        """Stop what still runs."""
        self._stopped.set()
        if self._running:
            self._running.terminate()
        self._thread.shutdown(cancel_futures=True)
        self._data.cleanup()

    def _test(self, module: Path) -> tuple[int, str]:
        # A module's tests need only .terraform and the lock file, which belong to this run.
        lock = module / ".terraform.lock.hcl"
        had_lock = lock.exists()
        try:
            status, output = self._run(module, "init", "-backend=false", "-input=false")
            return (status, output) if status else self._run(module, "test")
        finally:
            if not had_lock:
                lock.unlink(missing_ok=True)

    def _run(self, module: Path, *arguments: str) -> tuple[int, str]:
        if self._stopped.is_set():
            return 1, "stopped"
        self._running = subprocess.Popen(
            [self._terraform, *arguments, "-no-color"],
            cwd=module,
            env={**self._environment, "TF_DATA_DIR": str(Path(self._data.name) / module.name)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = self._running.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            output, _ = self._running.communicate()
            output += f"\nnot done in {TIMEOUT_SECONDS} s"
        return self._running.returncode, f"terraform {' '.join(arguments)}\n{output}"
