"""The shop on MiniStack."""

from collections.abc import Iterator

import pytest

from leda_cli.demos.examples import deployed_alone
from leda_cli.demos.shop_client import Shop


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    """The applied example."""
    with deployed_alone("shop") as aws:
        yield Shop(aws)
