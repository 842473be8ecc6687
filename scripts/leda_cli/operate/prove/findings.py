"""What a check of the deployment found, and how much it matters."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from leda_cli.operate.deployed.refusals import denied_action


class Level(enum.Enum):
    """How much a finding matters."""

    RIGHT = "right"
    ADVICE = "advice"
    """Totals stay exact, but somebody should know or change this."""
    WRONG = "wrong"
    """Totals may become wrong, or stop changing."""
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: `what` was found, and `fix`, what to do about it."""

    level: Level
    what: str
    fix: str = ""

    def line(self) -> str:
        """The finding as a line of text."""
        return f"{self.level.value}: {self.what}" + (f"; {self.fix}" if self.fix else "")


def wrong(what: str, fix: str) -> Finding:
    """A finding of what may make totals wrong."""
    return Finding(Level.WRONG, what, fix)


def advice(what: str, fix: str) -> Finding:
    """A finding of what somebody should know or change."""
    return Finding(Level.ADVICE, what, fix)


def checked(what: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Run a check of `what`, and return its findings, or one finding of the level RIGHT if it has none.

    If the caller's credentials may not read what the check needs, the finding says which action they lack. Raises the
    client's other errors.
    """
    try:
        found = list(check())
    except ClientError as error:
        action = denied_action(error)
        if action is None:
            raise
        return [Finding(Level.NOT_CHECKED, what, f"your credentials lack {action}")]
    return found or [Finding(Level.RIGHT, what)]
