"""Fixtures of tests that deliver events to functions themselves; a conftest imports those that it wants."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from leda.aws import backoff
from leda.pipeline import state_store
from leda.shop import write_loop
from leda.shop.stream import delivery
from leda_cli.base.operations import Operation
from support import faults


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once: their pauses are for others, and here are none."""
    for module in (state_store, backoff, write_loop, delivery):
        monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0)


@pytest.fixture(autouse=True)
def every_fault_is_met() -> Iterator[None]:
    """A fault that is armed and that nothing meets fails the test."""
    yield
    faults.require_that_all_were_met()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a command that runs in the test's process says."""
    text = io.StringIO()
    screen = Console(file=text, width=250)
    monkeypatch.setattr(Operation, "screen", property(lambda _self: screen))
    return text
