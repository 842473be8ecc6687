"""Tests of the simulation itself: with each of a file's mutations built in, it has to find something wrong."""

import inspect
from typing import Any

import pytest


def mutations(names: dict[str, Any]) -> pytest.MarkDecorator:
    """Run a test for each function of its file that takes `patch` alone; `names` are the file's globals()."""
    found = [
        each
        for each in names.values()
        if inspect.isfunction(each) and [*inspect.signature(each).parameters] == ["patch"]
    ]
    return pytest.mark.parametrize("mutation", found, ids=lambda each: each.__name__)
