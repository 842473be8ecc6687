"""The console as a child process of a demo: it ends when the demo has ended and no page is open.

    python -m leda_cli.console.child '{"AWS_ENDPOINT_URL": ...}' NAME_PREFIX

The first argument holds the settings of local AWS; it is an empty object for an account.

It prints its address, and OPEN if a page is open when the demo ends. The demo holds the other end of standard input,
which closes when the demo ends, even if it is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading

from leda_cli.console import OPEN
from leda_cli.console.command import Served
from leda_cli.console.site import Site
from leda_cli.develop import toolchain

NICENESS = 5
"""Lets the demo's own processes run first."""


def main(arguments: list[str]) -> None:
    """Serve until the demo has ended and every page is closed."""
    environment, name_prefix = arguments
    site = Site.beside(json.loads(environment), name_prefix)
    served = Served(site, toolchain.install_console())
    print(served.address, flush=True)
    os.nice(NICENESS)

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        if served.is_looked_at:
            print(OPEN, flush=True)
        served.end_when_alone()

    threading.Thread(target=wait, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        served.run()


if __name__ == "__main__":
    main(sys.argv[1:])
