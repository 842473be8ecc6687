"""The live page beside a demo: `leda console` as a child process that is gone at the demo's end."""

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
"""How long the demo waits for the address at most, on a busy machine; the page starts while the demo makes ready."""
END_SECONDS = 5.0
"""How long the demo waits to hear whether somebody looks."""


class LivePage:
    """A running console."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def announce(self) -> None:
        """Print the address, or that there is none: a demo goes on without its page."""
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
        """Let it end: at once where nobody looks, else when the last page is closed."""
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
    """Start the console of a stack; it is gone at the end, however that comes."""
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
        # It has nothing to lose, and on a busy machine it would take its time.
        process.kill()
        process.wait()


def _pipe(found: IO[str] | None) -> IO[str]:
    assert found is not None  # it was asked for
    return found
