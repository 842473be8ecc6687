"""Makes invocations fail on purpose, as often as the workshop's game sets; the totals must stay exact.

The functions have PARAMETER_TABLE only if the module's `fault_injection` is on.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class InjectedFaultError(RuntimeError):
    """A failure on purpose, at the rate in ParameterTable."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The failures of a function: the row `parameter` of `table` has the percentage of invocations that fail.

    Without a table, none fails.
    """

    client: "DynamoDBClient"
    table: str | None
    parameter: str

    def must_fail(self) -> bool:
        """Return whether this invocation must fail. Reads the rate each time, because the game changes it."""
        if not self.table:
            return False
        row = self.client.get_item(
            TableName=self.table, Key={"parameter": {"S": self.parameter}}, ConsistentRead=True
        ).get("Item")
        return row is not None and random.uniform(0, 100) < float(row["value"]["N"])

    def fail(self) -> None:
        """Raise InjectedFaultError."""
        raise InjectedFaultError(f"injected failure: {self.parameter} in {self.table}")
