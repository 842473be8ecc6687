"""Local AWS for the integration tests, started once each, on a free port and in a folder of its own.

One with the root module applied, for the tests of the stack; one for examples that are applied beside each other; one
for each example that has a demo; and one for the shop, which needs services that LocalStack lacks. Other processes can
have them (tests/conftest.py). Each ends with the last of these tests that its process has, not with the session: what
polls streams takes time from the tests that follow.

A demo is the first thing that is done on its local AWS, where nothing else is: so a user has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leda_cli.demos.examples import ExampleAws, applied, deployed_alone
from leda_cli.demos.shop_client import Shop
from leda_cli.develop import local
from support.live_aws import BareAws, LiveAws
from support.live_stack import LiveStack
from support.live_trades import Trades, new_trades

HERE = Path(__file__).parent

# The files in the order they run. A mapping that is switched on or created anew reads its stream from the beginning
# here, so what does that comes while the streams are short, and large loads come after it. What looks at everything
# that the session did comes after them, then what removes the stack.
ORDER = (
    "test_shop_demo",
    "test_shop_pages",
    "test_shop",
    "test_shop_contract",
    "test_shop_roles",
    "test_demo",
    "test_names_and_shapes",
    "test_telemetry",
    "test_versions",
    "test_verify_and_rebuild",
    "test_failure_destination",
    "test_redrive_and_replay",
    "test_mappings",
    "test_delivered_by_hand",
    "test_bad_input",
    "test_happy_path",
    "test_game_played",
    "test_faults",
    "test_tools",
    "test_hostile_shells",
    "test_whole_session",
    "test_removal",
    "test_feedback",
    "test_favourites",
    "test_scores",
    "test_change_capture",
    "test_record_processor",
    "test_two_regions",
    "test_deletion_guard",
    "test_examples",
    "test_tumbling_windows",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the integration tests in ORDER, before all others: one process has them, and they take the longest."""
    unknown = {item.path.stem for item in items if item.path.parent == HERE} - set(ORDER)
    if unknown:
        raise pytest.UsageError(f"tests/integration/conftest.py: ORDER lacks {sorted(unknown)}")
    items.sort(
        key=lambda item: ORDER.index(item.path.stem) if item.path.parent == HERE else len(ORDER)
    )


@pytest.fixture(scope="package")
def stack(request: pytest.FixtureRequest) -> Iterator[LiveStack]:
    """The deployed stack; the fixture takes the time of `make up`."""
    with local.running("test", keep=request.config.getoption("--keep-stack")) as aws:
        live = LiveStack(aws)
        live.calm()
        for part in ("state", "map", "reduce"):
            live.switch(part, on=True)
        yield live


@pytest.fixture(scope="package")
def bare(request: pytest.FixtureRequest) -> Iterator[BareAws]:
    """A local AWS without the stack."""
    with local.running_empty("test-examples", keep=request.config.getoption("--keep-stack")) as aws:
        yield LiveAws(aws)


@pytest.fixture(scope="module")
def alone(request: pytest.FixtureRequest) -> Iterator[BareAws]:
    """A fresh local AWS for the tests of one example, the module's EXAMPLE."""
    with local.running_empty(f"test-{request.module.EXAMPLE}") as aws:
        yield LiveAws(aws)


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest, alone: BareAws) -> ExampleAws:
    """The module's EXAMPLE, applied."""
    return applied(alone.aws, request.module.EXAMPLE)


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    """The shop, on an emulator of its own that has what LocalStack lacks; it needs nothing of the stack."""
    with deployed_alone("shop") as aws:
        yield Shop(aws)


@pytest.fixture
def trades(request: pytest.FixtureRequest) -> Trades:
    """Messages under a root of their own."""
    return new_trades(request.node.name.removeprefix("test_").split("[")[0][:40])


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """No failures are left on by a test that failed."""
    yield
    if "stack" in request.fixturenames and request.path.stem != "test_removal":
        request.getfixturevalue("stack").calm()
