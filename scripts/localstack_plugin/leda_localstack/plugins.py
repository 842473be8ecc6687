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
def use_installed_emulators() -> None:
    """Run the DynamoDB Local and the kinesis-local that the set-up fetched; LocalStack downloads nothing."""
    from leda_localstack import emulators

    emulators.install()


@hooks.on_infra_start()
def bisect_failed_batches() -> None:
    """Make stream mappings split a failed batch when they are told to."""
    from leda_localstack import bisect

    bisect.install()


@hooks.on_infra_start()
def open_tumbling_windows() -> None:
    """Give events of mappings with a tumbling window their shard, their window and its state."""
    from leda_localstack import windows

    windows.install()


@hooks.on_infra_start()
def listen_on_loopback() -> None:
    """Let nobody but this machine reach the gateway."""
    from leda_localstack import loopback

    loopback.install()


@hooks.on_infra_start()
def poll_all_shards() -> None:
    """Let a mapping see the shards of its stream as often as on AWS."""
    from leda_localstack import polling

    polling.install()


@hooks.on_infra_start()
def type_empty_maps() -> None:
    """Let images of a table's stream show an empty map as on AWS."""
    from leda_localstack import images

    images.install()
