"""What the parts of a rebuild share: the options, the clients and the clock of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leda.engine.audit.table_scan import SEGMENTS
from leda.engine.map.source_shards import Assignment
from leda.engine.registry import Registry
from leda_cli.base.operations import Advance, Operation
from leda_cli.operate.deployed.mappings import LambdaMappings
from leda_cli.operate.deployed.source_table import Tables
from leda_cli.operate.rebuilding.journal import Journal
from leda_cli.operate.rebuilding.stored_totals import Old, Row, StoredTotals, amounts_of
from leda_cli.operate.rebuilding.totals_file import TotalsFile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

MAX_TRIES = 5
"""How many times a run tries, when somebody writes to the engine's tables during a rebuild."""
STREAM_SECONDS = 5.0
"""How long to wait until a stream has the records of everything that was written.

AWS says "near-real time", which is usually within a second. The records of one transaction may appear at different
times, and after records of later writes.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""


@dataclass(eq=False)
class Run:
    """What the parts of one run share, its options, the target configuration and the time of the watermark included.

    deployed: what Map is deployed with. mappings: Map's, and no others.
    is_backfill: compute the totals under the deployed configuration and make it live; otherwise under the live one.
    needs_backfill: Map counts nothing before the first backfill.
    markers: write marker rows to the source table, to find the end of its stream without relying on a waiting time.
    segments: how many segments of the table are scanned in parallel.
    option: the options with which commands find the aggregation (" --aws --name-prefix Trades-"), for messages.
    at: the time of the watermark in epoch seconds; totals that have expired by then are left out.
    off_since: when Map's mapping was switched off, on the run's clock; None while it is on.
    """

    dynamodb: DynamoDBClient
    streams: DynamoDBStreamsClient
    mappings: LambdaMappings
    tables: Tables
    operation: Operation
    deployed: Assignment
    is_backfill: bool = False
    needs_backfill: bool = False
    markers: bool = True
    segments: int = SEGMENTS
    option: str = ""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    at: float = 0.0
    off_since: float | None = None

    def __post_init__(self) -> None:
        """Create the objects that read and write the journal, the registry and the totals table."""
        self.configuration = self.deployed.configuration
        self.journal = Journal(self.dynamodb, self.tables.registry_table, self.command)
        self.registry = Registry(self.dynamodb, self.tables.registry_table)
        self.totals = StoredTotals(
            self.dynamodb,
            self.tables.totals_table,
            self.tables.totals_key,
            self.journal.require_own,
        )

    @property
    def name(self) -> str:
        """The name of the command: rebuild or backfill."""
        return "backfill" if self.is_backfill else "rebuild"

    @property
    def command(self) -> str:
        """The command line that starts such a run again."""
        return f"leda {self.name}{self.option}"

    def seconds_behind(self) -> float:
        """For how many seconds Map's mapping has been off, and the totals have not changed."""
        return 0.0 if self.off_since is None else self.clock() - self.off_since

    def progress(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show progress, and by how many seconds the totals are behind."""

        def behind() -> str:
            return f"; the totals are {self.seconds_behind():,.0f} s behind"

        return self.operation.progress(text, total, behind)

    def stored(self) -> TotalsFile[Old]:
        """Read the totals, without those that have expired at the watermark: readers do not see them."""
        names = self.configuration.names
        return TotalsFile((node, amounts_of(row, names)) for node, row in self.kept_rows())

    def kept_rows(self) -> Iterator[tuple[str, Row]]:
        """The nodes and rows of the totals that have not expired at the watermark."""
        return (each for each in self.totals.rows() if self.is_kept(each[0]))

    def is_kept(self, node: str) -> bool:
        """Whether the total has not expired at the watermark."""
        return not self.configuration.has_expired(node, self.at)
