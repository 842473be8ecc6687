"""The entry point of `leda`: cleans the environment before anything else is imported."""

from __future__ import annotations

import os
import sys

from leda_cli.base import terminal


def main() -> None:
    """Run `leda` in an interpreter without the caller's settings for Python."""
    terminal.end_on_ctrl_c()

    import locale

    from leda_cli.base import shell

    if found := shell.foreign_python_settings(os.environ):
        # PYTHONPATH may hide a package, PYTHONOPTIMIZE removes the commands' help. Only a new interpreter undoes them.
        for name in found:
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if not sys.flags.utf8_mode and locale.getencoding().lower() != "utf-8":
        # Files and the output of other programs are in UTF-8; only the terminal may have another encoding.
        os.environ.setdefault("PYTHONIOENCODING", locale.getencoding())
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    # Other programs, which write to pipes and logs, do not get the terminal's encoding.
    terminal.accept_any_encoding()
    os.environ.pop("PYTHONIOENCODING", None)
    shell.prepare(os.environ, sys.argv[1:])

    from leda_cli.app import main as run

    run()
