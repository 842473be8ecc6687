"""What every test runs under."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from xdist.scheduler import LoadScopeScheduling

from leda_cli.base.paths import CACHE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Its tables of characters; they would go to the folder that pytest was started in.
set_hypothesis_home_dir(CACHE / "hypothesis")

# The same examples in every run, and no limit on the time of one: a busy machine must not fail a test.
settings.register_profile("leda", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("leda")

# The functions' logs would hide a failure's own lines.
os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the integration tests, here because pytest reads options before it looks into folders."""
    parser.addoption(
        "--keep-stack",
        action="store_true",
        help="use the local AWS that an earlier run has left, and leave it running (for work on a test)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Quiet what Powertools says of an invocation that failed before it had a metric."""
    config.addinivalue_line("filterwarnings", "ignore:No application metrics to publish")


# On the local AWS of examples that are applied beside each other.
EXAMPLES = ("test_examples", "test_tumbling_windows")
# Each on a local AWS of its own.
ALONE = (
    "test_feedback",
    "test_favourites",
    "test_scores",
    "test_feedback",
    "test_change_capture",
    "test_record_processor",
    "test_two_regions",
    "test_deletion_guard",
)


class OneProcessForEachAws(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a file's tests to the process that is free, and all tests of one local AWS to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        name = Path(file).stem
        if not file.startswith("tests/integration/") or name in ALONE:
            return file
        if name.startswith("test_shop"):
            return "the shop"
        return "the examples" if name in EXAMPLES else "the stack"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How the tests are divided where there are several processes."""
    return OneProcessForEachAws(config, log)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window."""
    from support.browser import chromium  # Playwright takes half a second to import

    with chromium() as running:
        yield running
