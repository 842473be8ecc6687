"""Locks between processes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from leda_cli.base.output import info
from leda_cli.base.paths import LOCAL


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let one process at a time run the block, and print a line if this one has to wait. Not reentrant.

    The operating system releases the lock of a process that dies.
    """
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            info(f"another `leda` holds .local/{name}.lock: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
