"""The Typer application: one command a function, each defined in the module that does the work."""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import typer

from leda_cli.base.output import LedaError, print_error
from leda_cli.start import INTERRUPTED, interrupted

app = typer.Typer(
    name="leda",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

# command: its module in leda_cli, and the function there, whose parameters carry their typer options.
_COMMANDS = {
    "setup": ("develop.local", "setup"),
    "up": ("develop.local", "up"),
    "down": ("develop.local", "down"),
    "status": ("develop.local", "status"),
    "build": ("develop.packages", "build"),
    "demo": ("demos.demo", "demo"),
    "example": ("demos.example", "example"),
    "load": ("demos.load", "load"),
    "watch": ("operate.watch", "watch"),
    "totals": ("operate.totals_command", "totals"),
    "verify": ("operate.verify", "verify"),
    "redrive": ("operate.redrive", "redrive"),
    "replay": ("operate.replay", "replay"),
    "rebuild": ("operate.rebuild_command", "rebuild"),
    "backfill": ("operate.backfill_command", "backfill"),
    "erase": ("operate.erase", "erase"),
    "simulate": ("develop.simulate", "simulate"),
    "cost": ("models.cost", "cost"),
    "scale": ("models.scale", "scale"),
    "bench": ("develop.bench", "bench"),
    "test": ("develop.checks", "test"),
    "lint": ("develop.checks", "lint"),
    "fmt": ("develop.checks", "fmt"),
    "clean": ("develop.local", "clean"),
}
# pytest's own options are passed on.
_PASSES_ARGUMENTS = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def _finite(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command refuse numbers that are not finite: `1e400` is infinite in Python, and `nan` passes any limit."""

    @functools.wraps(command)
    def checked(*arguments: Any, **options: Any) -> None:
        for name, value in options.items():
            if isinstance(value, float) and not math.isfinite(value):
                option = f"--{name.replace('_', '-')}"
                raise typer.BadParameter(f"{value} is not a finite number", param_hint=option)
        command(*arguments, **options)

    return checked


@app.callback()
def leda() -> None:
    """Exact, near-real-time totals on Kinesis, Lambda and DynamoDB: the local stack and its tools."""


def _register(called: list[str]) -> None:
    """Add the command that is called, or all of them: importing boto3 for `leda up` would take its time."""
    for command, (module, function) in _COMMANDS.items():
        if called and called[0] in _COMMANDS and called[0] != command:
            continue
        imported = importlib.import_module(f"leda_cli.{module}")
        settings = _PASSES_ARGUMENTS if command == "test" else None
        app.command(command, context_settings=settings)(_finite(getattr(imported, function)))


def main() -> None:
    """Run `leda`; a LedaError becomes two lines and exit status 1, Ctrl-C a line and exit status 130."""
    try:
        _register(sys.argv[1:])
        app()
    except LedaError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(interrupted())
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer has seen the Ctrl-C
            interrupted()
        raise


if __name__ == "__main__":
    main()
