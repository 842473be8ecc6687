"""Sums a table's rows, in memory that grows neither with the table nor with the number of totals.

`RowSum` sums rows that are read once. It keeps the sums of up to MOST_LEAVES leaves in memory. When there are more, it
writes what they add to each total to a temporary SQLite file, and begins with empty sums. At the end it reads the file
ordered by total, and adds the parts of each total.

`TableSum` sums the rows of a table as of a watermark, while the table is written to. When the scan reads a row, its
amounts are added at once and are also noted in the file, under the row's key. The file also has the last image of each
row for which the stream had a record since. At the watermark, the noted amounts of these rows are subtracted, and the
amounts of their last images are added.
"""

from __future__ import annotations

import decimal
import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

from leda.engine.audit.row_keys import key_text
from leda.engine.audit.source_sum import Expected, LeafSums, attributes_of
from leda.engine.audit.table_scan import scan
from leda.engine.group_by.configuration import (
    WATERMARK,
    Amount,
    Amounts,
    Configuration,
    Contribution,
)
from leda.streams.changes import UnreadableRowError
from leda.values.numbers import WIDE
from leda_cli.base.terminal import shown
from leda_cli.operate.deployed.source_table import SourceTable
from leda_cli.operate.rebuilding.totals_file import TotalsFile, read, temporary_file, written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_LEAVES = 20_000
"""How many leaves are summed in memory before their sums are written to the file."""

# What the leaves that were in memory together add to each total; what the scan has added for each row (`added` NULL:
# nothing; `shown` and `reason` tell a row that cannot be read); and the last image of each row that was written since
# (NULL: it is gone).
_TABLES = """
    CREATE TABLE parts (name TEXT, amounts TEXT);
    CREATE TABLE scanned (key TEXT, added TEXT, shown TEXT, reason TEXT);
    CREATE TABLE written (key TEXT PRIMARY KEY, image TEXT) WITHOUT ROWID;
"""


class RowSum:
    """Adds up rows; its file is deleted at the end of `open`."""

    def __init__(
        self, configuration: Configuration, table: SourceTable, file: sqlite3.Connection
    ) -> None:
        self._configuration = configuration
        self._table = table
        self._file = file
        self._one_at_a_time = threading.Lock()
        self._leaves = LeafSums(configuration, list(table.keys))

    @classmethod
    @contextmanager
    def open(cls, configuration: Configuration, table: SourceTable) -> Iterator[Self]:
        """A sum over no row yet, with a temporary file on disk."""
        file = temporary_file(_TABLES)
        try:
            yield cls(configuration, table, file)
        finally:
            file.close()

    def scan(self, client: DynamoDBClient, segments: int, advance: Callable[[int], object]) -> None:
        """Take all rows of the table, read in so many segments at a time."""
        attributes = attributes_of(list(self._table.keys), self._configuration)
        scan(client, self._table.name, attributes, [self.take] * segments, advance)

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows; several threads may call it."""
        with self._one_at_a_time:
            self._leaves.add_rows(rows)
            self._bound()

    def total(self, is_kept: Callable[[str], bool]) -> Expected:
        """What the rows add up to in the totals that are kept; can be called once."""
        self._spill()
        totals = TotalsFile(each for each in self._totals() if is_kept(each[0]))
        return Expected.of(totals, self._leaves.rows, self._leaves.outside, self._leaves.uncounted)

    def _bound(self) -> None:
        if len(self._leaves.sums) > MOST_LEAVES:
            self._spill()

    def _spill(self) -> None:
        """Write what the leaves add to each total to the file, and begin again."""
        totals: dict[str, list[Amount]] = {}
        self._leaves.roll_up(totals)
        self._leaves.sums.clear()
        rows = ((name, written(amounts)) for name, amounts in totals.items())
        self._file.executemany("INSERT INTO parts VALUES (?, ?)", rows)

    def _totals(self) -> Iterator[tuple[str, Amounts]]:
        parts = self._file.execute("SELECT name, amounts FROM parts ORDER BY name")
        for name, rows in itertools.groupby(parts, key=itemgetter(0)):
            yield name, _sum(read(json.loads(text)) for _, text in rows)


class TableSum(RowSum):
    """Adds up a table's rows as of a watermark."""

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows as the scan has read them; several threads may call it."""
        noted: list[tuple[str, str | None, str | None, str | None]] = []
        found: list[Contribution] = []
        key_of, contribution = self._table.key_of, self._configuration.contribution
        for row in rows:
            if WATERMARK in row:
                continue
            try:
                added = contribution(row)
            except UnreadableRowError as error:
                shown = key_text(row, list(self._table.keys))
                noted.append((key_of(row), None, shown, str(error)))
                continue
            noted.append(
                (key_of(row), added and written([added.leaves, added.amounts]), None, None)
            )
            if added is not None:
                found.append(added)
        with self._one_at_a_time:
            self._leaves.rows += len(noted)
            self._leaves.add(found)
            self._bound()
            self._file.executemany("INSERT INTO scanned VALUES (?, ?, ?, ?)", noted)

    def write(self, changes: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> None:
        """Take what the stream tells, in its order: keys, and the image that the change has left (None: no row)."""
        noted = [
            (self._table.key_of(keys), None if image is None else _image(image))
            for keys, image in changes
        ]
        with self._one_at_a_time:
            self._file.executemany("INSERT OR REPLACE INTO written VALUES (?, ?)", noted)

    def total(self, is_kept: Callable[[str], bool]) -> Expected:
        """What the rows add up to as of the last change that was taken; can be called once."""
        leaves = self._leaves
        for (text,) in self._file.execute("SELECT added FROM scanned JOIN written USING (key)"):
            leaves.rows -= 1
            if text is not None:
                names, amounts = json.loads(text)
                leaves.add([Contribution(tuple(names), read(amounts)).negated()])
                self._bound()
        left = "FROM scanned WHERE added IS NULL AND key NOT IN (SELECT key FROM written)"
        for key, reason in self._file.execute(f"SELECT shown, reason {left}"):
            if reason is None:
                leaves.outside += 1
            else:
                leaves.uncounted.add(key, reason)
        for (text,) in self._file.execute("SELECT image FROM written WHERE image IS NOT NULL"):
            leaves.add_rows([json.loads(text)])
            self._bound()
        return super().total(is_kept)

    def _totals(self) -> Iterator[tuple[str, Amounts]]:
        # What was added and taken out again is no total.
        return (each for each in super()._totals() if any(each[1]))


def _sum(parts: Iterator[Amounts]) -> Amounts:
    total = next(parts)
    with decimal.localcontext(WIDE):
        for amounts in parts:
            total = tuple([a + b for a, b in zip(total, amounts, strict=True)])
    return total


def _image(image: Mapping[str, Any]) -> str:
    # No key, condition or measure is of bytes, so that it does not matter what stands for them.
    return json.dumps(image, default=bytes.hex)


def first(names: Collection[str]) -> str:
    """The first names, and how many more there are, on one line."""
    five = ", ".join(map(shown, itertools.islice(names, 5)))
    return f"{five} and {len(names) - 5} more" if len(names) > 5 else five
