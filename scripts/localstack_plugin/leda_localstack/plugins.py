"""LocalStack's entry points into this package.

LocalStack imports this module on every start, so each entry point imports what it needs when it runs.
"""

from __future__ import annotations

from typing import Any

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen with LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type:
        """Return the executor class, as LocalStack's plugin manager expects."""
        from leda_localstack.executor import ProcessExecutor

        return ProcessExecutor


@hooks.on_infra_start()
def install_patches() -> None:
    """Install every patch of this package; each module says what its patch changes."""
    from leda_localstack import bisect, emulators, images, loopback, polling, windows

    for patch in (loopback, emulators, polling, images, bisect, windows):
        patch.install()
