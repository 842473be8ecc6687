"""Fixtures of the tests that use the models of cost and scale."""

from functools import cache

import pytest

from leda_cli.models import load_model
from leda_cli.models.pipeline_units import Mix, Units, leda_units


@cache
def _metered(duplicates: float, modifications: float, near: bool, environments: int) -> Units:
    mix = Mix(duplicates, modifications, 100, near, environments=environments)
    return leda_units(mix, messages=800)


@pytest.fixture
def few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count State's units over a tenth of the messages, for tests that compare no units with a figure."""
    monkeypatch.setattr(load_model, "_metered", _metered)
