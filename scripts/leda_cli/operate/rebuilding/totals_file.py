"""Keeps the amounts of totals in a temporary SQLite file, so that memory does not grow with the number of totals.

SQLite keeps some megabytes of such a file in memory and writes the rest to disk, below the folder that SQLITE_TMPDIR or
TMPDIR names. The file has no name there, so nothing is left of it, however the process ends.
https://sqlite.org/tempfiles.html
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from leda_cli.base.batches import batched

T = TypeVar("T", bound=tuple[Decimal | int | None, ...])

_BATCH = 1000
# Rows are put into `unsorted`, and moved into `totals` when somebody reads or when there are this many: sorting many
# rows at once is fast, and a name that is put many times keeps only one row.
_MOST_UNSORTED = 1_000_000
_TABLES = """
    CREATE TABLE unsorted (name TEXT, amounts TEXT);
    CREATE TABLE totals (name TEXT PRIMARY KEY, amounts TEXT) WITHOUT ROWID;
"""
_SORT = "INSERT OR IGNORE INTO totals SELECT name, amounts FROM unsorted ORDER BY name, rowid"

# A count is an int, and a sum a Decimal, which JSON has as a string.
written = json.JSONEncoder(default=str, separators=(",", ":")).encode


def read(amounts: Iterable[Any]) -> tuple[Any, ...]:
    """The amounts of a list that `written` has made JSON of."""
    return tuple([Decimal(each) if isinstance(each, str) else each for each in amounts])


def temporary_file(tables: str) -> sqlite3.Connection:
    """A database with these tables in a file that is deleted when it is closed."""
    # That is what the empty name means: https://sqlite.org/inmemorydb.html
    file = sqlite3.connect("", check_same_thread=False)
    # Nobody reads the file after a crash. A negative size is in KiB.
    file.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000; {tables}"
    )
    return file


class TotalsFile(Mapping[str, T]):
    """The amounts of totals by name, in the order of the names. If a name is put twice, the first amounts stay."""

    def __init__(self, totals: Iterable[tuple[str, T]] = ()) -> None:
        self._file = temporary_file(_TABLES)
        weakref.finalize(self, self._file.close)
        self._unsorted = 0
        self.put(totals)

    def put(self, totals: Iterable[tuple[str, T]]) -> None:
        """Add totals."""
        rows = ((name, written(amounts)) for name, amounts in totals)
        for some in batched(rows, _BATCH):
            self._unsorted += len(some)
            self._file.executemany("INSERT INTO unsorted VALUES (?, ?)", some)
            if self._unsorted > _MOST_UNSORTED:
                self._sort()

    def items(self) -> ItemsView[str, T]:
        """The totals, read one after the other: `Mapping` itself would look for each name."""
        return _Items(self)

    def __iter__(self) -> Iterator[str]:
        return (name for (name,) in self.select("SELECT name FROM totals ORDER BY name"))

    def __len__(self) -> int:
        [(count,)] = self.select("SELECT COUNT(*) FROM totals")
        return int(count)

    def __getitem__(self, name: str) -> T:
        for (text,) in self.select("SELECT amounts FROM totals WHERE name = ?", name):
            return read(json.loads(text))  # type: ignore[return-value]
        raise KeyError(name)

    def select(self, statement: str, *values: str) -> Iterator[Sequence[Any]]:
        """Rows of the sorted file."""
        if self._unsorted:
            self._sort()
        return self._file.execute(statement, values)

    def _sort(self) -> None:
        self._file.execute(_SORT)
        self._file.execute("DELETE FROM unsorted")
        self._unsorted = 0


class _Items(ItemsView[str, T]):
    _mapping: TotalsFile[T]

    def __iter__(self) -> Iterator[tuple[str, T]]:
        for name, text in self._mapping.select("SELECT name, amounts FROM totals ORDER BY name"):
            yield name, read(json.loads(text))  # type: ignore[misc]
