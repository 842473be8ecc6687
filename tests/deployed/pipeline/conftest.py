"""The deployed stack, which takes the time of `make up`."""

from collections.abc import Iterator

import pytest

from leda_cli.develop import local
from support.live_stack import LiveStack


@pytest.fixture(scope="package")
def stack(request: pytest.FixtureRequest) -> Iterator[LiveStack]:
    """The stack, with all of its mappings on."""
    with local.running("test", keep=request.config.getoption("--keep-stack")) as aws:
        live = LiveStack(aws)
        live.calm()
        for part in ("state", "map", "reduce"):
            live.switch(part, on=True)
        yield live


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """No failures are left on by a test that failed."""
    yield
    if "stack" in request.fixturenames and request.path.stem != "test_removal":
        request.getfixturevalue("stack").calm()
