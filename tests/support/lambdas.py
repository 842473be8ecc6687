"""Lambda as the operators' commands ask it: functions with their environments, and event source mappings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from simulation.failures import client_error

ARN = "arn:aws:lambda:eu-west-1:000000000000:function:"


class FakeLambda:
    """Functions by name with their variables, and mappings as [UUID, function, stream].

    A mapping changes its state with the next look at it; the next `busy` updates are refused.
    """

    meta = SimpleNamespace(endpoint_url="https://lambda.us-east-1.amazonaws.com")

    def __init__(
        self, functions: dict[str, dict[str, str]], mappings: list[tuple[str, str, str]]
    ) -> None:
        self.functions, self.mappings = functions, mappings
        self.states = dict.fromkeys((uuid for uuid, _, _ in mappings), "Enabled")
        self.busy = 0

    def get_function_configuration(self, FunctionName: str) -> Any:
        if FunctionName not in self.functions:
            raise client_error(
                "ResourceNotFoundException",
                Error={"Code": "ResourceNotFoundException", "Message": f"no {FunctionName}"},
            )
        variables = self.functions[FunctionName]
        return {"FunctionArn": ARN + FunctionName, "Environment": {"Variables": variables}}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=getattr(self, f"_{name}"))

    def _list_functions(self) -> Any:
        for name, variables in self.functions.items():
            found = {"FunctionName": name, "Environment": {"Variables": variables}}
            yield {"Functions": [found]}

    def _list_event_source_mappings(self, FunctionName: str = "", EventSourceArn: str = "") -> Any:
        for uuid, function, source in self.mappings:
            # LocalStack finds mappings by a part of a function's name.
            if (FunctionName and FunctionName in function) or source == EventSourceArn:
                found = {"UUID": uuid, "FunctionArn": ARN + function, "EventSourceArn": source}
                yield {"EventSourceMappings": [found]}

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
