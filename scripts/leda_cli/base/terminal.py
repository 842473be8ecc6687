"""Makes text from outside safe to print on a terminal, whatever the terminal's encoding; what Ctrl-C does.

Others can choose a name in a message or a reason in quarantine. An escape sequence in it could clear the operator's
screen or rename its window; a line end or a change of direction could forge a line of the report.

Standard library only: scripts/bootstrap uses it before there is an environment.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import unicodedata

# Control characters, invisible marks (directions, a byte order mark), lone surrogates, private and unassigned
# characters, line and paragraph separators. https://www.unicode.org/reports/tr44/#General_Category_Values
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


INTERRUPTED = 130
"""The exit status of a program that SIGINT has ended, as a shell reports it."""


def shown(text: str) -> str:
    r"""The text on one line; characters that a terminal acts on or does not show are escaped as in a Python string.

    >>> shown("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def shown_lines(text: str) -> str:
    """The text with each line escaped by `shown`."""
    return "\n".join(map(shown, text.split("\n")))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _NOT_SHOWN:
        return character
    return character.encode("unicode_escape").decode()


def accept_any_encoding() -> None:
    """Let standard output and error print a replacement for characters that their encoding lacks, and not raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def interrupted() -> int:
    """Print that Ctrl-C ended the command; return the exit status."""
    print(
        "Interrupted. If the command was changing something, the next run completes that.",
        file=sys.stderr,
    )
    return INTERRUPTED


def end_on_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, with the line and the exit status of `interrupted`.

    For the time of imports, in which nothing is there to be undone. A KeyboardInterrupt would show where it met them,
    or would be lost: the import system has callbacks whose exceptions Python only prints.
    """
    # A job in a shell's background ignores the signal, and goes on doing so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_on_ctrl_c() -> None:
    """Let Ctrl-C raise a KeyboardInterrupt again, as before `end_on_ctrl_c`."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    os._exit(interrupted())
