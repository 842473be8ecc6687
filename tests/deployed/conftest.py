"""Tests of what Terraform has applied, on a local AWS that is started for them, on a free port, in a folder of its own.

A folder for each local AWS: `pipeline` has the root module; `examples` has those that are applied beside each other;
`shop` is on an emulator of its own that has what LocalStack lacks; and in `alone` each file has one. One process of
pytest has all tests of a local AWS (tests/conftest.py). It ends with the last of them, not with the session: what polls
streams takes time from the tests that follow.

Folders and files come in the order of their names. What is in `fresh` comes first, where nothing else was done: so a
user has it. A mapping that is switched on or created again reads its stream from the beginning here, so what does that
comes while the pipeline's streams are short (`little_data`), and large loads come after it (`much_data`). What looks
at everything that the session did, and then removes it, is in `whole_session`.
"""

import pytest

from support.live_trades import Trades, new_trades


@pytest.fixture
def trades(request: pytest.FixtureRequest) -> Trades:
    """Messages under a root of their own."""
    return new_trades(request.node.name.removeprefix("test_").split("[")[0][:40])
