"""Runs a command of `leda` in the test's process."""

import json
from collections.abc import Callable
from typing import Any

import typer
from typer.testing import CliRunner, Result


def invoked(command: Callable[..., None], *arguments: str) -> Result:
    """Run the command; an error that it does not turn into an exit status is raised."""
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def reported(output: str) -> dict[str, Any]:
    """The JSON at the end of a command's output."""
    found = json.loads(output[output.index("\n{") if "\n{" in output else 0 :])
    assert isinstance(found, dict)
    return found
