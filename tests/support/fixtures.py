"""Fixtures of tests that deliver events to functions themselves; a conftest imports those that it wants."""

from collections.abc import Iterator

import pytest

from leda.aws import backoff
from leda.pipeline import state_store
from leda.shop import settling
from leda.shop.stream import delivery
from support import faults


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once: their pauses are for others, and here are none."""
    for module in (state_store, backoff, settling, delivery):
        monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0)


@pytest.fixture(autouse=True)
def every_fault_is_met() -> Iterator[None]:
    """A fault that is armed and that nothing meets fails the test."""
    yield
    faults.require_that_all_were_met()
