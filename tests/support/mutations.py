"""Tests of the simulation itself: it must find something wrong with each of a file's mutations built in."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest


def finds_each_mutation(
    names: dict[str, Any], is_found: Callable[[], bool]
) -> Callable[[pytest.MonkeyPatch, Callable[[pytest.MonkeyPatch], None]], None]:
    """Make a test that the simulation finds each mutation of a file.

    The mutations are the file's functions that take `patch` alone; `names` are its globals(). With a mutation built
    in, `is_found` plays seeds and returns whether something is wrong.
    """
    found = [
        each
        for each in names.values()
        if inspect.isfunction(each) and [*inspect.signature(each).parameters] == ["patch"]
    ]

    @pytest.mark.parametrize("mutation", found, ids=lambda each: each.__name__)
    def test(
        monkeypatch: pytest.MonkeyPatch, mutation: Callable[[pytest.MonkeyPatch], None]
    ) -> None:
        mutation(monkeypatch)
        assert is_found()

    return test
