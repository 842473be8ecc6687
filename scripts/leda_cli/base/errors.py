"""The error that a user can act on. Standard library only: scripts/bootstrap imports it."""

from __future__ import annotations

import shlex
import sys


class LedaError(Exception):
    """A failure that the user can act on: what happened, and what to do about it.

    `leda` prints both on lines of their own and ends with exit status 1; any other exception is a bug
    and keeps its traceback.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what} {fix}".strip())
        self.what = what
        self.fix = fix


def this_command(*more: str) -> str:
    """The command line that the user typed, with `more` options, to be copied from a message: `leda rebuild --aws`."""
    return f"`{shlex.join(['leda', *sys.argv[1:], *more])}`"
