"""The functions' event source mappings: which are on, switching them off and on, and waiting until they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from leda_cli.base.errors import LedaError, this_command
from leda_cli.operate.deployed.functions import mappings_of

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Lambda takes up to minutes to change a mapping, and refuses another change meanwhile.
# https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.5
_OFF = ("Disabled", "Disabling", "Deleting")


@dataclass(eq=False)
class LambdaMappings:
    """The event source mappings of some functions, which are named by stage."""

    client: LambdaClient
    functions: Mapping[str, str]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def enabled(self) -> list[str]:
        """UUIDs of the mappings that are on, or about to be. Raises LedaError where a function has none."""
        found = (uuid for stage in self.functions for uuid in self._of(stage))
        return [uuid for uuid in found if self._state(uuid) not in _OFF]

    def by_function(self) -> dict[str, str]:
        """The UUID of each function's mapping, by the function's name. Raises LedaError where a function has none."""
        return {self.functions[stage]: self._of(stage)[0] for stage in self.functions}

    def pause(self, uuids: Iterable[str]) -> None:
        """Switch the mappings off; returns when they are. Raises LedaError after PATIENCE_SECONDS."""
        self._switch(list(uuids), False)

    def resume(self, uuids: Iterable[str]) -> None:
        """Switch the mappings on; returns when they are. Raises LedaError after PATIENCE_SECONDS."""
        self._switch(list(uuids), True)

    def _of(self, stage: str) -> list[str]:
        """UUIDs of the stage's mappings. Raises LedaError where it has none."""
        function = self.functions[stage]
        found = [each["UUID"] for each in mappings_of(self.client, FunctionName=function)]
        if not found:
            raise LedaError(
                f"{function} has no event source mapping, so nothing reaches it",
                f"create it with `terraform apply`, and run {this_command()} again",
            )
        return found

    def _state(self, uuid: str) -> str | None:
        """The mapping's state; None where it is gone."""
        try:
            return self.client.get_event_source_mapping(UUID=uuid)["State"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None

    def _switch(self, uuids: list[str], on: bool) -> None:
        wanted = "Enabled" if on else "Disabled"
        deadline = self.clock() + PATIENCE_SECONDS
        left = dict.fromkeys(uuids, "not asked yet")
        asked: set[str] = set()
        while True:
            for uuid in list(left):
                state = self._state(uuid)
                if state == wanted or state is None:
                    # One that was deleted meanwhile delivers nothing, and there is nothing to switch on.
                    del left[uuid]
                    continue
                left[uuid] = state
                if uuid not in asked and self._ask(uuid, on):
                    asked.add(uuid)
            if not left:
                return
            if self.clock() > deadline:
                states = ", ".join(f"{uuid} is {state}" for uuid, state in left.items())
                raise LedaError(
                    f"mappings are not {wanted} after {PATIENCE_SECONDS:.0f} s: {states}",
                    f"look at the mappings in Lambda's console, and run {this_command()} again: it continues",
                )
            self.sleep(POLL_SECONDS)

    def _ask(self, uuid: str, on: bool) -> bool:
        """Ask for the change; False where an earlier one is still under way."""
        try:
            self.client.update_event_source_mapping(UUID=uuid, Enabled=on)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            return False
        return True
