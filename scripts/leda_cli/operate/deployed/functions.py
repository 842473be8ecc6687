"""A Lambda function as it is deployed: its environment variables and its event source mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leda_cli.base.errors import LedaError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name, its ARN, the ARN of its role, and its environment variables."""

    name: str
    arn: str
    role: str
    variables: Mapping[str, str]

    @classmethod
    def of(cls, client: LambdaClient, name: str) -> Function:
        """Ask Lambda for the function with that name. Raises the client's error."""
        found: Mapping[str, Any] = client.get_function_configuration(FunctionName=name)
        variables = found.get("Environment", {}).get("Variables", {})
        return cls(name, found.get("FunctionArn", ""), found.get("Role", ""), variables)

    def variable(self, name: str) -> str:
        """The value of an environment variable. Raises LedaError where the function has no such variable."""
        try:
            return self.variables[name]
        except KeyError as error:
            raise LedaError(
                f"the function {self.name} has no environment variable {name}, so it is not the function of LEDA that "
                "this command looks for",
                "check --name-prefix and --map-function; if they are right, deploy the function with `terraform apply`",
            ) from error


def mappings_of(client: LambdaClient, **wanted: str) -> Iterator[dict[str, Any]]:
    """The event source mappings of one function (FunctionName) or of one stream (EventSourceArn)."""
    function = wanted.get("FunctionName")
    pages: Any = client.get_paginator("list_event_source_mappings")
    for page in pages.paginate(**wanted):
        for each in page["EventSourceMappings"]:
            # LocalStack also lists those of every function whose name contains this one.
            if function is None or _name_of(each["FunctionArn"]) == _name_of(function):
                yield each


def _name_of(function: str) -> str:
    """The name in a function's ARN, or in a name that may have a qualifier.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
    """
    return (function.partition(":function:")[2] or function).partition(":")[0]
