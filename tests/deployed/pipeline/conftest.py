"""The deployed pipeline, whose start takes as long as `make up`."""

from collections.abc import Iterator

import pytest

from leda_cli.develop import local
from support.live_stack import LiveStack


@pytest.fixture(scope="package")
def stack(request: pytest.FixtureRequest) -> Iterator[LiveStack]:
    """The stack with all mappings enabled."""
    with local.running("test", keep=request.config.getoption("--keep-stack")) as aws:
        live = LiveStack(aws)
        live.calm()
        for part in ("state", "map", "reduce"):
            live.switch(part, on=True)
        yield live


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """Turn off the failures that a failed test may have left on."""
    yield
    if "stack" in request.fixturenames and request.path.stem != "test_removal":
        request.getfixturevalue("stack").calm()
