"""`leda example`: deploys one of the examples and plays its demo.

An example's demo is `play(aws: ExampleAws) -> None` in demos/play_<name>.py. It shows the system at work within a
minute, ends with what stays running and what to try next, and raises LedaError if a result is wrong.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from leda_cli.base.errors import LedaError
from leda_cli.demos import examples
from leda_cli.demos.examples import ExampleAws
from leda_cli.operate.deployed.account import answering


def playable() -> list[str]:
    """The names of the examples that have a demo."""
    files = Path(__file__).parent.glob("play_*.py")
    return sorted(file.stem.removeprefix("play_").replace("_", "-") for file in files)


def example(
    name: Annotated[
        str,
        typer.Argument(help=f"Name of a folder under examples/: one of {', '.join(playable())}."),
    ],
) -> None:
    """Deploy an example on local AWS and show it at work; exit status 1 if something is not as it must be."""
    play = player(name)
    aws = examples.deploy(name)
    with answering(aws.endpoint):
        play(aws)


def player(name: str) -> Callable[[ExampleAws], None]:
    """The demo of an example. Raises LedaError if it has none."""
    if name not in playable():
        raise LedaError(
            f"There is no demo of {name!r}.", f"There is one of: {', '.join(playable())}."
        )
    module = importlib.import_module(f"leda_cli.demos.play_{name.replace('-', '_')}")
    play: Callable[[ExampleAws], None] = module.play
    return play
