"""Event source mappings are disabled and enabled as Lambda reports it."""

import itertools
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.mappings import LambdaMappings
from support.lambdas import FakeLambda


def _lambda() -> FakeLambda:
    return FakeLambda({}, [("u1", "MapLambda", "arn")])


def _mappings(client: Any) -> LambdaMappings:
    now = itertools.count()
    return LambdaMappings(
        client, {"map": "MapLambda"}, lambda: float(next(now)), lambda _seconds: None
    )


def test_pause_and_resume_wait_until_the_mapping_has_changed() -> None:
    client = _lambda()
    client.busy = 2
    mappings = _mappings(client)
    assert mappings.enabled() == ["u1"]
    mappings.pause(["u1"])
    assert client.states == {"u1": "Disabled"}
    assert mappings.enabled() == []
    mappings.resume(["u1"])
    assert client.states == {"u1": "Enabled"}


def test_a_function_without_a_mapping_is_named() -> None:
    with pytest.raises(LedaError, match="MapLambda has no event source mapping"):
        _mappings(FakeLambda({}, [])).enabled()


def test_a_mapping_that_never_changes_is_named_with_its_state() -> None:
    client = _lambda()
    client.busy = 10**6
    with pytest.raises(LedaError, match="u1 is Enabled"):
        _mappings(client).pause(["u1"])


def test_mappings_are_listed_by_function() -> None:
    mappings = _mappings(_lambda())
    assert mappings.by_function() == {"MapLambda": "u1"}
