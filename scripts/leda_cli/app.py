"""The Typer application: the table of all commands, and the function that runs one of them."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import math
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.output import print_error
from leda_cli.base.paths import IS_CHECKOUT, ROOT
from leda_cli.base.terminal import INTERRUPTED, interrupted, raise_on_ctrl_c

app = typer.Typer(
    name="leda",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

# Where each command is defined. Its parameters carry their typer options.
_OPERATE = {
    "totals": "leda_cli.operate.totals_command:totals",
    "watch": "leda_cli.operate.watch:watch",
    "verify": "leda_cli.operate.verify:verify",
    "prove": "leda_cli.operate.prove.command:prove",
    "redrive": "leda_cli.operate.redrive:redrive",
    "replay": "leda_cli.operate.replay:replay",
    "rebuild": "leda_cli.operate.rebuild_command:rebuild",
    "backfill": "leda_cli.operate.backfill_command:backfill",
    "erase": "leda_cli.operate.erase:erase",
    "cost": "leda_cli.models.cost:cost",
    "scale": "leda_cli.models.scale:scale",
}
_CHECKOUT = {
    "setup": "leda_cli.develop.local:setup",
    "up": "leda_cli.develop.local:up",
    "down": "leda_cli.develop.local:down",
    "status": "leda_cli.develop.local:status",
    "build": "leda_cli.develop.packages:build",
    "release": "leda_cli.develop.release:release",
    "demo": "leda_cli.demos.demo:demo",
    "example": "leda_cli.demos.example:example",
    "load": "leda_cli.demos.load:load",
    "console": "leda_cli.console.command:console_command",
    "simulate": "simulation.command:simulate",
    "bench": "benchmarks.command:bench",
    "test": "leda_cli.develop.checks:run_tests",
    "docs": "leda_cli.develop.site:docs",
    "lint": "leda_cli.develop.checks:lint",
    "fmt": "leda_cli.develop.checks:fmt",
    "clean": "leda_cli.develop.local:clean",
}
"""Commands that work on the files of a checkout. The installed distribution does not hold them."""
# pytest's own options are passed on.
_PASSES_ARGUMENTS = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def _finite(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command refuse numbers that are not finite: Python reads `1e400` as infinite, and no limit stops `nan`."""

    @functools.wraps(command)
    def checked(*arguments: Any, **options: Any) -> None:
        for name, value in options.items():
            if isinstance(value, float) and not math.isfinite(value):
                option = f"--{name.replace('_', '-')}"
                raise typer.BadParameter(f"{value} is not a finite number", param_hint=option)
        command(*arguments, **options)

    return checked


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"leda {importlib.metadata.version('leda-cli')}")
        raise typer.Exit


@app.callback()
def leda(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep exact, near-real-time totals on Kinesis, Lambda and DynamoDB."""


def _register(called: str | None) -> None:
    """Add only the command that is called (`leda up` must not wait for boto3's import), or all if it is unknown."""
    if called in _CHECKOUT and not IS_CHECKOUT:
        raise LedaError(
            f"`leda {called}` works on the files of a checkout of LEDA, and this command is installed without one",
            "clone LEDA's repository, run `make setup` there, and use its .venv/bin/leda",
        )
    commands = _OPERATE
    if IS_CHECKOUT:
        commands = _OPERATE | _CHECKOUT
        sys.path.insert(0, str(ROOT))  # where benchmarks and simulation are
    for command, place in commands.items():
        if called in commands and called != command:
            continue
        module, _, function = place.partition(":")
        settings = _PASSES_ARGUMENTS if command == "test" else None
        imported = importlib.import_module(module)
        app.command(command, context_settings=settings)(_finite(getattr(imported, function)))


def main() -> None:
    """Run `leda`. A LedaError ends it with two lines and exit status 1, Ctrl-C with a line and exit status 130."""
    try:
        _register(next(iter(sys.argv[1:]), None))
        raise_on_ctrl_c()
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
