"""Where `leda` starts: its environment is put in order before anything else is imported."""

from __future__ import annotations

import os
import sys

from leda_cli import shell

INTERRUPTED = 130
"""What a shell calls a program that SIGINT ended."""


def interrupted() -> int:
    """Say that Ctrl-C ended the command; return its exit status."""
    print("Interrupted. What is incomplete is mended by the next run.", file=sys.stderr)
    return INTERRUPTED


def main() -> None:
    """Run `leda`, in an interpreter that the caller's shell has not changed."""
    if found := shell.foreign_python_settings(os.environ):
        # PYTHONPATH may hide a package, PYTHONOPTIMIZE the commands' help: they are too late to be undone here.
        for name in found:
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *sys.argv])
    shell.prepare(os.environ, sys.argv[1:])

    try:
        from leda_cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(interrupted())
    run()
