"""Event source mappings are disabled and enabled as Lambda reports it."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.operate.deployed.mappings import LambdaMappings
from simulation.failures import client_error


class FakeLambda:
    """Mappings that change with the next look at them; the next `busy` updates are refused."""

    def __init__(self, states: dict[str, str], functions: dict[str, list[str]]) -> None:
        self.states, self.functions = states, functions
        self.busy = 0

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:
        if UUID not in self.states:
            raise client_error("ResourceNotFoundException")
        state = self.states[UUID]
        self.states[UUID] = {"Disabling": "Disabled", "Enabling": "Enabled"}.get(state, state)
        return {"State": state}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:
        if self.busy:
            self.busy -= 1
            raise client_error("ResourceInUseException")
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def get_paginator(self, _name: str) -> Any:
        pages = SimpleNamespace()
        pages.paginate = lambda FunctionName: [
            {
                "EventSourceMappings": [
                    {"UUID": each, "FunctionArn": FunctionName}
                    for each in self.functions[FunctionName]
                ]
            }
        ]
        return pages


def _mappings(client: Any) -> LambdaMappings:
    now = itertools.count()
    return LambdaMappings(
        client, {"map": "MapLambda"}, lambda: float(next(now)), lambda _seconds: None
    )


def test_pause_and_resume_wait_until_the_mapping_has_changed() -> None:
    client = FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]})
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
        _mappings(FakeLambda({}, {"MapLambda": []})).enabled()


def test_a_mapping_that_never_changes_is_named_with_its_state() -> None:
    client = FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]})
    client.busy = 10**6
    with pytest.raises(LedaError, match="u1 is Enabled"):
        _mappings(client).pause(["u1"])


def test_mappings_are_listed_by_function() -> None:
    mappings = _mappings(FakeLambda({"u1": "Enabled"}, {"MapLambda": ["u1"]}))
    assert mappings.by_function() == {"MapLambda": "u1"}
