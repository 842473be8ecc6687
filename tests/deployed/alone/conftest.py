"""A local AWS for each file, for the example that is the file's EXAMPLE."""

from collections.abc import Iterator

import pytest

from leda_cli.demos.examples import ExampleAws, applied
from leda_cli.develop import local
from support.live_aws import BareAws, LiveAws


@pytest.fixture(scope="module")
def alone(request: pytest.FixtureRequest) -> Iterator[BareAws]:
    """A fresh local AWS."""
    with local.running_empty(f"test-{request.module.EXAMPLE}") as aws:
        yield LiveAws(aws)


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest, alone: BareAws) -> ExampleAws:
    """The example, applied."""
    return applied(alone.aws, request.module.EXAMPLE)
