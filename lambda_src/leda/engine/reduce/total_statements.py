"""The PartiQL statements that make a total, add to it, and move its checkpoint."""

from collections.abc import Iterable, Sequence


class TotalStatements:
    """The texts of the statements for one checkpoint attribute and one list of measures."""

    def __init__(self, table: str, key: str, applied: str, measures: Sequence[str]) -> None:
        where = f'WHERE "{key}" = ? AND ("{applied}" IS MISSING OR "{applied}" < ?)'
        added = " ".join(f'SET "{name}" = "{name}" + ?' for name in measures)
        self._table, self._columns, self._where = table, (key, *measures, applied), where
        self.update = f'UPDATE "{table}" {added} SET "{applied}" = ? {where}'  # noqa: S608
        self.move = f'UPDATE "{table}" SET "{applied}" = ? {where}'  # noqa: S608

    def add_measure(self, measure: str) -> str:
        """Return the statement that writes a missing measure, and leaves the total's checkpoint as it is."""
        return f'UPDATE "{self._table}" SET "{measure}" = ? {self._where} AND "{measure}" IS MISSING'  # noqa: S608

    def insert(self, labels: Iterable[str]) -> str:
        """Return the statement that makes a total with its measures, its checkpoint and the attributes `labels`."""
        values = ", ".join(f"'{name}': ?" for name in (*self._columns, *labels))
        return f'INSERT INTO "{self._table}" VALUE {{{values}}}'
