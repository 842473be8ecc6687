"""Changes settings of a deployed function for a while, to cause an outage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.live_aws import wait_for


@contextmanager
def with_variables(lambdas: Any, function: str, **changes: str) -> Iterator[None]:
    """Change environment variables of the function for the block."""
    own = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    assert changes.keys() <= own.keys(), f"{function} has no such variable: {changes}"
    _set(lambdas, function, {**own, **changes})
    try:
        yield
    finally:
        _set(lambdas, function, own)


def _set(lambdas: Any, function: str, variables: dict[str, str]) -> None:
    lambdas.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
    wait_for(
        f"{function} with its variables",
        lambda: lambdas.get_function_configuration(FunctionName=function)["LastUpdateStatus"],
        "Successful".__eq__,
    )
