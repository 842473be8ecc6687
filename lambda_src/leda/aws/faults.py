"""Failures on purpose: the workshop's game sets how often each function fails, and the totals must hold.

Only where the module's `fault_injection` is on: the functions then have PARAMETER_TABLE.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class InjectedFaultError(RuntimeError):
    """A failure that ParameterTable asked for."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The failure rate `parameter` (percent of the invocations) in `table`; without a table nothing fails."""

    client: "DynamoDBClient"
    table: str | None
    parameter: str

    def strike(self) -> bool:
        """Whether this invocation fails. Reads the rate each time: the game changes it as it goes."""
        if not self.table:
            return False
        row = self.client.get_item(
            TableName=self.table, Key={"parameter": {"S": self.parameter}}, ConsistentRead=True
        ).get("Item")
        return row is not None and random.uniform(0, 100) < float(row["value"]["N"])

    def fail(self) -> None:
        """Raises InjectedFaultError."""
        raise InjectedFaultError(f"injected failure: {self.parameter} in {self.table}")
