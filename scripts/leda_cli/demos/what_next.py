"""The end of an example's demo: what stays running, and commands to try on it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from leda_cli.base.output import console, heading, info
from leda_cli.demos.examples import ExampleAws
from leda_cli.operate.totals.screen import ACCENT


def say_what_next(aws: ExampleAws, commands: Sequence[str]) -> None:
    """Print commands to try, those of the AWS CLI (version 1 or 2) only where it is installed; the last is the demo."""
    heading("What stays running")
    info(f"Local AWS at {aws.endpoint} with the example; `make down` stops it.")
    info("What to try next:")
    console.print()
    has_cli = shutil.which("aws") is not None
    for line in ("source .local/env", *commands, f"make demo EXAMPLE={aws.name}"):
        if has_cli or "aws " not in line:
            console.print(f"    {line}", style=ACCENT, markup=False)
    console.print()
