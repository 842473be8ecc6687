"""Settings of all tests: Hypothesis, environment variables, distribution over processes, skips in CI."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from xdist.scheduler import LoadScopeScheduling

from leda_cli.base.paths import CACHE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# Otherwise Hypothesis writes its tables of characters to the current folder.
set_hypothesis_home_dir(CACHE / "hypothesis")

# The same examples in every run, and no time limits, so that a busy machine fails no test.
settings.register_profile(
    "leda",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    print_blob=True,
)
settings.load_profile("leda")

# The functions' logs would hide the report of a failure.
os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")
# The core reads these when a test file imports it.
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "LEDA")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "Function")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the deployed tests, here because pytest reads options before it collects folders."""
    parser.addoption(
        "--keep-stack",
        action="store_true",
        help="use the local AWS that an earlier run has left, and leave it running (for work on a test)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Ignore a warning of Powertools about invocations that failed before they had a metric."""
    config.addinivalue_line("filterwarnings", "ignore:No application metrics to publish")


class OneProcessForEachAws(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each file's tests to one process, and all tests of one local AWS to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        folders = file.split("/")
        if folders[1] != "deployed" or folders[2] == "alone":
            return file
        return folders[2]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute the tests over several processes."""
    return OneProcessForEachAws(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail in CI."""
    return _not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a skipped file fail in CI."""
    return _not_skipped((yield))


def _not_skipped(report: Report) -> Report:
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"In CI nothing is skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless."""
    from support.browser import chromium  # Playwright takes half a second to import

    with chromium() as running:
        yield running
