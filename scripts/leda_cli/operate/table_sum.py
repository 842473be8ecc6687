"""What a table's rows add up to at a watermark, with memory that does not grow with the table.

What a row adds is added at once when the scan reads the row, and is noted in a file, by the row's key. What the stream
tells of the rows that are written meanwhile is kept in the file, too. At the watermark those rows are known: what the
scan has added for them is taken out again, and what they are at the watermark is added.

The sums themselves are in memory: there is one for each total, not for each row.
"""

from __future__ import annotations

import decimal
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from leda.engine.configuration import Amount, Configuration, Contribution
from leda.engine.row_keys import key_text
from leda.engine.source_sum import Expected
from leda.engine.uncounted import Uncounted
from leda.streams.changes import UnreadableRowError
from leda.values.numbers import WIDE, NotExactError, number
from leda_cli.base.errors import LedaError
from leda_cli.operate.source_table import SourceTable

# The file: what the scan has added for each row (`added` NULL: nothing; `shown` and `reason` tell a row that cannot be
# read), and the last image of each row that was written since (NULL: it is gone).
_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -16000;
    CREATE TABLE scanned (key TEXT, added TEXT, shown TEXT, reason TEXT);
    CREATE TABLE written (key TEXT PRIMARY KEY, image TEXT) WITHOUT ROWID;
"""


class TableSum:
    """Adds up a table's rows; its file is deleted at the end of `TableSum.open`."""

    def __init__(
        self, configuration: Configuration, table: SourceTable, file: sqlite3.Connection
    ) -> None:
        self._configuration = configuration
        self._table = table
        self._file = file
        self._one_at_a_time = threading.Lock()
        self._leaves: dict[str, list[Amount]] = {}
        self._rows = 0

    @classmethod
    @contextmanager
    def open(cls, configuration: Configuration, table: SourceTable) -> Iterator[TableSum]:
        """A sum over no row yet, with a temporary file on disk."""
        # An empty name stands for a file that SQLite makes, and deletes when it is closed: https://sqlite.org/inmemorydb.html
        file = sqlite3.connect("", check_same_thread=False)
        try:
            file.executescript(_TABLES)
            yield cls(configuration, table, file)
        finally:
            file.close()

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows as the scan has read them; several threads may call it."""
        noted: list[tuple[str, str | None, str | None, str | None]] = []
        found: list[Contribution] = []
        key_of, contribution = self._table.key_of, self._configuration.contribution
        for row in rows:
            try:
                added = contribution(row)
            except UnreadableRowError as error:
                noted.append((key_of(row), None, self._shown(row), str(error)))
                continue
            noted.append((key_of(row), None if added is None else _written(added), None, None))
            if added is not None:
                found.append(added)
        with self._one_at_a_time:
            self._rows += len(rows)
            self._add(found)
            self._file.executemany("INSERT INTO scanned VALUES (?, ?, ?, ?)", noted)

    def write(self, changes: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> None:
        """Take what the stream tells, in its order: keys, and the image that the change has left (None: no row)."""
        noted = [
            (self._table.key_of(keys), None if image is None else _image(image))
            for keys, image in changes
        ]
        with self._one_at_a_time:
            self._file.executemany("INSERT OR REPLACE INTO written VALUES (?, ?)", noted)

    def total(self) -> Expected:
        """What the rows add up to as of the last change that was taken; can be called once."""
        joined = "FROM scanned JOIN written USING (key)"
        uncounted, rows, outside = Uncounted(), self._rows, 0
        for (text,) in self._file.execute(f"SELECT added {joined}"):
            rows -= 1
            if text is not None:
                self._add([_read(text).negated()])
        left = "FROM scanned WHERE added IS NULL AND key NOT IN (SELECT key FROM written)"
        for shown, reason in self._file.execute(f"SELECT shown, reason {left}"):
            if reason is None:
                outside += 1
            else:
                uncounted.add(shown, reason)
        for (text,) in self._file.execute("SELECT image FROM written WHERE image IS NOT NULL"):
            rows += 1
            image = json.loads(text)
            try:
                added = self._configuration.contribution(image)
            except UnreadableRowError as error:
                uncounted.add(self._shown(image), str(error))
                continue
            if added is None:
                outside += 1
            else:
                self._add([added])
        return Expected(
            self._totals(),
            rows,
            uncounted.count,
            [f"{key}: {reason}" for key, reason in uncounted.first],
            uncounted.reasons,
            outside,
        )

    def _totals(self) -> dict[str, tuple[Amount, ...]]:
        sums: dict[str, list[Amount]] = {}
        with decimal.localcontext(WIDE):
            while self._leaves:
                leaf, amounts = self._leaves.popitem()
                for node in self._configuration.nodes(leaf):
                    _add(sums, node, amounts)
        # What was added and taken out again is no total.
        return {node: tuple(amounts) for node, amounts in sums.items() if any(amounts)}

    def _add(self, found: Iterable[Contribution]) -> None:
        with decimal.localcontext(WIDE):
            for each in found:
                for leaf in each.leaves:
                    _add(self._leaves, leaf, each.amounts)

    def _shown(self, row: Mapping[str, Any]) -> str:
        return key_text(row, list(self._table.keys))


def _add(sums: dict[str, list[Amount]], name: str, amounts: Sequence[Amount]) -> None:
    found = sums.get(name)
    if found is None:
        sums[name] = list(amounts)
        return
    for place, amount in enumerate(amounts):
        found[place] += amount


def _written(added: Contribution) -> str:
    return json.dumps([added.leaves, [str(amount) for amount in added.amounts]])


def _read(text: str) -> Contribution:
    leaves, amounts = json.loads(text)
    return Contribution(tuple(leaves), tuple(map(Decimal, amounts)))


def _image(image: Mapping[str, Any]) -> str:
    # No key, condition or measure is of bytes, so that it does not matter what stands for them.
    return json.dumps(image, default=bytes.hex)


def require_fit(expected: Expected) -> None:
    """Raise LedaError if a total is none that a row can hold."""
    too_long = []
    for node, amounts in expected.totals.items():
        try:
            for amount in amounts:
                number(str(amount))
        except NotExactError:
            too_long.append(node)
    if too_long:
        raise LedaError(
            f"{len(too_long)} totals have more than the 38 digits of a DynamoDB number: {first(too_long)}",
            "a row of the table below them was written by hand, or under wider limits than the sum has room for: "
            "correct it, or delete it",
        )


def first(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
