"""Replacing the AWS clients of a function's module, in every way in which the module makes them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import boto3

from leda.aws import clients as made_clients
from leda.aws import dynamodb_client

_OF_ONE_SERVICE = (
    (dynamodb_client, "connect", "dynamodb"),
    (dynamodb_client, "connect_streams", "dynamodbstreams"),
    (made_clients, "s3", "s3"),
)


@contextmanager
def clients(make: Callable[..., Any]) -> Iterator[None]:
    """Make all clients with `make(real, service, **arguments)`; `real(service, **arguments)` makes the real one."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(boto3, "client", partial(make, boto3.client)))
        for module, name, service in _OF_ONE_SERVICE:
            real = partial(_without_service, getattr(module, name))
            stack.enter_context(mock.patch.object(module, name, partial(make, real, service)))
        yield


def _without_service(real: Callable[..., Any], _service: str, **arguments: Any) -> Any:
    return real(**arguments)
