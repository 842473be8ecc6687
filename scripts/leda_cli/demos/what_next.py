"""The end of a demo: what stays running, and commands to try on it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from leda_cli.base.output import console, heading, info
from leda_cli.operate.totals.screen import ACCENT

_AWS_CLI = re.compile(r"(^|\| )aws ")


def say_what_next(
    endpoint: str, what: str, commands: Sequence[str], facts: Sequence[str] = ()
) -> None:
    """Print what stays running, and commands to try on it.

    endpoint: where local AWS answers.
    what: what is deployed there.
    commands: in the order in which to try them. LEDA does not install the AWS CLI (version 1 or 2); on a machine
        without it, its commands come last, under a line that says so.
    facts: lines about what runs.
    """
    heading("What stays running")
    for line in (f"Local AWS at {endpoint} with {what}; `make down` stops it.", *facts):
        info(line)
    info("What to try next:")
    of_cli = [each for each in commands if _AWS_CLI.search(each)]
    if of_cli and shutil.which("aws") is None:
        _show([each for each in commands if each not in of_cli])
        info("With the AWS CLI, which is not on this machine's PATH (https://aws.amazon.com/cli/):")
        commands = of_cli
    _show(["source .local/env", *commands] if of_cli else commands)


def _show(commands: Sequence[str]) -> None:
    console.print()
    for line in commands:
        console.print(f"    {line}", style=ACCENT, markup=False, soft_wrap=True)
    console.print()
