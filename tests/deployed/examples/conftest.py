"""A local AWS for examples that are applied beside each other."""

from collections.abc import Iterator

import pytest

from leda_cli.develop import local
from support.live_aws import BareAws, LiveAws


@pytest.fixture(scope="package")
def bare(request: pytest.FixtureRequest) -> Iterator[BareAws]:
    """A local AWS without the stack."""
    with local.running_empty("test-examples", keep=request.config.getoption("--keep-stack")) as aws:
        yield LiveAws(aws)
