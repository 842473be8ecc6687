"""`terraform test` runs beside the other tests from the beginning: it takes minutes of one core."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.terraform_tests import TerraformTests

HERE = Path(__file__).parent
STARTED = pytest.StashKey[TerraformTests]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put these tests after the others that need no stack, so that they need not wait."""
    items.sort(key=lambda item: item.path.parent == HERE)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start with the modules whose tests were chosen."""
    modules = [
        Path(str(item.callspec.params["module"]))
        for item in session.items
        if isinstance(item, pytest.Function) and "terraform_tests" in item.fixturenames
    ]
    if modules and not session.config.option.collectonly:
        session.config.stash[STARTED] = TerraformTests(modules)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what still runs, after Ctrl-C."""
    if tests := session.config.stash.get(STARTED, None):
        tests.close()


@pytest.fixture
def terraform_tests(pytestconfig: pytest.Config) -> TerraformTests:
    """The tests of the modules, under way."""
    return pytestconfig.stash[STARTED]
