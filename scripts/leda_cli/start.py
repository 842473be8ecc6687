"""The entry point of `leda`: puts its environment in order before anything else is imported."""

from __future__ import annotations

import locale
import os
import sys

from leda_cli.base import shell, terminal


def main() -> None:
    """Run `leda`, in an interpreter that the caller's shell has not changed."""
    if found := shell.foreign_python_settings(os.environ):
        # PYTHONPATH may hide a package, PYTHONOPTIMIZE the commands' help: they are too late to be undone here.
        for name in found:
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if not sys.flags.utf8_mode and locale.getencoding().lower() != "utf-8":
        # Files, and what other programs say, are in UTF-8; only the terminal is not.
        os.environ.setdefault("PYTHONIOENCODING", locale.getencoding())
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    # What the terminal's encoding lacks is replaced. It is no other program's: those write to pipes and logs.
    terminal.accept_any_encoding()
    os.environ.pop("PYTHONIOENCODING", None)
    shell.prepare(os.environ, sys.argv[1:])

    try:
        from leda_cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(terminal.interrupted())
    run()
