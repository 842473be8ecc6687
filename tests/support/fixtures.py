"""Fixtures of tests that deliver events to functions; a conftest imports those that it needs."""

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
    """Let retries follow without pauses."""
    for module in (state_store, backoff, write_loop, delivery):
        monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0)


@pytest.fixture(autouse=True)
def every_fault_is_met() -> Iterator[None]:
    """Fail the test if a fault is armed and no call meets it."""
    yield
    faults.require_all_met()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The output of a command that runs in the test's process."""
    text = io.StringIO()
    screen = Console(file=text, width=250)
    monkeypatch.setattr(Operation, "screen", property(lambda _self: screen))
    return text
