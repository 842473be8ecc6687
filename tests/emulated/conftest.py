"""DynamoDB Local for each file, and new tables for each test."""

from collections.abc import Iterator

import pytest

from leda.engine.map import map_batch
from leda.engine.reduce import totals
from leda_cli.develop import toolchain
from support import dynamodb_local
from support.fixtures import console, every_fault_is_met, no_pauses
from support.memory_pipeline import MemoryPipeline
from support.pipeline import Pipeline
from support.shop import ShopTables

__all__ = ["console", "every_fault_is_met", "no_pauses"]


@pytest.fixture(scope="module")
def dynamodb_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # A new one for each file, because it gets slower: a batch of PartiQL took 0.2 s at first, 2.6 s after 1,000 tables.
    folder, _ = toolchain.install_emulators(toolchain.find_node())
    log = tmp_path_factory.mktemp("dynamodb") / "dynamodb.log"
    with dynamodb_local.running(toolchain.find_java(), folder, log) as endpoint:
        yield endpoint


@pytest.fixture
def pipeline(dynamodb_endpoint: str) -> Pipeline:
    return Pipeline(dynamodb_endpoint)


@pytest.fixture
def memory_pipeline() -> Pipeline:
    """A pipeline in memory, for tests with very many cases."""
    return MemoryPipeline()


@pytest.fixture
def shop(dynamodb_endpoint: str) -> ShopTables:
    return ShopTables(dynamodb_endpoint)


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit rows of ReduceTable to about three nodes and requests to three statements: small batches need several."""
    monkeypatch.setattr(map_batch, "MAX_ROW_BYTES", 200)
    monkeypatch.setattr(totals, "MAX_STATEMENTS", 3)
