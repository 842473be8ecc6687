"""What may go to a terminal: texts of others without control characters, in whatever encoding the terminal has.

A name in a message or a reason in quarantine was written by somebody else. An escape sequence in it could clear the
operator's screen or rename its window, a line end or a change of direction could forge a line of the report.

Standard library only: scripts/bootstrap uses it before there is an environment.
"""

from __future__ import annotations

import io
import sys
import unicodedata

# Control characters, marks that are not seen (directions, a byte order mark), lone surrogates, characters without a
# meaning, line and paragraph separators. https://www.unicode.org/reports/tr44/#General_Category_Values
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


INTERRUPTED = 130
"""The exit status of a program that SIGINT has ended, as a shell reports it."""


def shown(text: str) -> str:
    r"""The text on one line, with what a terminal would act on, or not show, as Python writes it in a string.

    >>> shown("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def shown_lines(text: str) -> str:
    """The text as `shown` gives it, line by line."""
    return "\n".join(map(shown, text.split("\n")))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _NOT_SHOWN:
        return character
    return character.encode("unicode_escape").decode()


def accept_any_encoding() -> None:
    """From now on, standard output and error show a replacement for what their encoding lacks, and raise nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def interrupted() -> int:
    """Say that Ctrl-C ended the command; return its exit status."""
    print("Interrupted. The next run completes what is incomplete.", file=sys.stderr)
    return INTERRUPTED
