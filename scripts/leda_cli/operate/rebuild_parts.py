"""What the parts of a rebuild share: the tables, the options, the clients and the clock of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leda.engine.configuration import Configuration
from leda.engine.expiry import has_expired
from leda.engine.registry import Registry
from leda.engine.table_scan import SEGMENTS
from leda.engine.totals import KEY
from leda_cli.base.operations import Advance, Operation
from leda_cli.operate.journal import Journal
from leda_cli.operate.mappings import Mappings
from leda_cli.operate.source_table import SourceTable
from leda_cli.operate.stored_totals import Old, Row, StoredTotals, amounts_of
from leda_cli.operate.totals_file import TotalsFile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

MAX_TRIES = 5
"""How often a run begins again because somebody writes what must not be written during a rebuild."""
STREAM_SECONDS = 5.0
"""How long the streams get until they hold what was written.

AWS says "near-real time", which is within a second as a rule. The records of one transaction may come at different
times, and after what was written later.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of an aggregation: the one that is counted, and the names of the engine's own."""

    source: SourceTable
    reduce: str
    totals: str
    registry: str
    totals_key: str = KEY


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it.

    is_backfill: the deployed configuration is the target, and is live then; else the live one is.
    needs_backfill: Map counts nothing before the first backfill.
    markers: write marker rows to the source table, which prove what a waiting time assumes without them.
    segments: the parts of the table that are read at a time.
    option: how commands find the aggregation, as it follows their names in messages.
    """

    is_backfill: bool = False
    needs_backfill: bool = False
    markers: bool = True
    segments: int = SEGMENTS
    option: str = ""

    @property
    def name(self) -> str:
        """What a run is called."""
        return "backfill" if self.is_backfill else "rebuild"

    @property
    def command(self) -> str:
        """The command that does it again."""
        return f"leda {self.name}{self.option}"


@dataclass(slots=True)
class Run:
    """One run: what it works on, the configuration that it computes the totals under, and the time of its watermark.

    at: the watermark in epoch seconds; totals that expire up to then are left out.
    off_since: when Map's mapping was switched off, on the run's clock; None while it is on.
    """

    dynamodb: DynamoDBClient
    streams: DynamoDBStreamsClient
    mappings: Mappings
    tables: Tables
    operation: Operation
    options: Options
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    configuration: Configuration
    at: float = 0.0
    off_since: float | None = None
    journal: Journal = field(init=False)
    registry: Registry = field(init=False)
    totals: StoredTotals = field(init=False)

    def __post_init__(self) -> None:
        """Open the tables that the engine keeps beside the source table."""
        self.journal = Journal(self.dynamodb, self.tables.registry, self.options.command)
        self.registry = Registry(self.dynamodb, self.tables.registry)
        self.totals = StoredTotals(
            self.dynamodb, self.tables.totals, self.tables.totals_key, self.journal.require_own
        )

    def seconds_behind(self) -> float:
        """For how long the totals have stood still, because Map's mapping is off."""
        return 0.0 if self.off_since is None else self.clock() - self.off_since

    def progress(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show progress with the time for which the totals have stood still."""

        def behind() -> str:
            return f"; the totals are {self.seconds_behind():,.0f} s behind"

        return self.operation.progress(text, total, behind)

    def stored(self) -> TotalsFile[Old]:
        """The totals as they are, without those that have expired, which no reader sees and nothing brings back."""
        names = self.configuration.names
        return TotalsFile((node, amounts_of(row, names)) for node, row in self.kept_rows())

    def kept_rows(self) -> Iterator[tuple[str, Row]]:
        """The nodes and rows of the totals that have not expired at the watermark."""
        return (each for each in self.totals.rows() if self.is_kept(each[0]))

    def is_kept(self, node: str) -> bool:
        """Whether the total has not expired at the watermark."""
        return not has_expired(self.configuration, node, self.at)
