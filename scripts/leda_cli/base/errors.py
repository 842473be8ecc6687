"""The error that a user can act on. Standard library only: scripts/bootstrap imports it."""

from __future__ import annotations


class LedaError(Exception):
    """A failure that the user can act on: what happened, and what to do about it.

    `leda` prints both on lines of their own and ends with exit status 1; any other exception is a bug
    and keeps its traceback.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what} {fix}".strip())
        self.what = what
        self.fix = fix
