"""The live page of a demo: `leda console` as a child process, which ends with the demo."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from leda_cli.base.output import console, info
from leda_cli.console import OPEN
from leda_cli.operate.stack import Stack

START_SECONDS = 30.0
"""How long the demo waits for the page's address at most; the page starts while the demo prepares."""
END_SECONDS = 5.0
"""How long the demo waits to hear whether the page is open in a browser."""


class LivePage:
    """A running console."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def announce(self) -> None:
        """Print the address, or that the page did not start, in which case the demo goes on without it."""
        output = _pipe(self._process.stdout)
        ready, _, _ = select.select([output], [], [], START_SECONDS)
        address = output.readline().strip() if ready else ""
        if address:
            console.print(f"    Watch it live: {address}", soft_wrap=True)
        else:
            info(
                "The live page did not start in time; `leda console` in another terminal starts it."
            )

    def end(self) -> None:
        """Let the console end: at once if no page is open, otherwise when the last page is closed."""
        output = _pipe(self._process.stdout)
        _pipe(self._process.stdin).close()
        ready, _, _ = select.select([output], [], [], END_SECONDS)
        if ready and output.readline().strip() == OPEN:
            info(
                "The live page is open in a browser. It ends when you close it there, or with Ctrl-C here."
            )
            self._process.wait()


@contextmanager
def live_page(stack: Stack, name_prefix: str) -> Iterator[LivePage]:
    """Start the console of a stack, and end it at the end of the block, even after an error."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "leda_cli.console.child",
            json.dumps(dict(stack.environment)),
            name_prefix,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield LivePage(process)
    finally:
        # Killed, because it has nothing to save and an orderly end takes long on a busy machine.
        process.kill()
        process.wait()


def _pipe(found: IO[str] | None) -> IO[str]:
    assert found is not None  # it was asked for
    return found
