"""Tests of applied configurations, on local AWS instances that the tests start, each on a free port.

Each folder has a local AWS: `pipeline` has the root module; `examples` has examples that are applied beside each
other; `shop` uses MiniStack, which has services that LocalStack lacks; and in `alone` each file has a local AWS. One
process of pytest runs all tests of a local AWS (tests/conftest.py), which ends with the last of these tests: its
mappings poll streams and would slow later tests down.

Folders and files run in the order of their names. `fresh` comes first, on a stack without data, as a user finds it. A
mapping that is enabled or created again reads its stream from the beginning here, so tests that do so run while the
pipeline's streams are short (`little_data`), and large loads come later (`much_data`). `whole_session` checks
everything that the session did, and then destroys the stack.
"""

import pytest

from support.live_trades import Trades, new_trades


@pytest.fixture
def trades(request: pytest.FixtureRequest) -> Trades:
    """Messages under a root that no other test uses."""
    return new_trades(request.node.name.removeprefix("test_").split("[")[0][:40])
