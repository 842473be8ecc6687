"""What StateTable adds up to at a watermark, for a table of any size."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from leda.audit import Expected
from leda.numbers import NotExact, number
from leda_cli.errors import LedaError
from leda_cli.watermarks import Watermark, key_of


class Spool:
    """Keeps the rows of a scan in a file, one a line: which of them count is known after the scan only."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._one_at_a_time = threading.Lock()

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep the rows. Bytes are kept as nothing, because they count in no total."""
        lines = [json.dumps(row, default=lambda _bytes: None) + "\n" for row in rows]
        with self._one_at_a_time:
            self._file.writelines(lines)

    def as_of(self, high: Watermark) -> Iterator[Mapping[str, Any]]:
        """The rows as they were at the high watermark.

        A row without a record between the watermarks was all the time as the scan has read it.
        """
        self._file.seek(0)
        for line in self._file:
            row = json.loads(line)
            if key_of(row) not in high.images:
                yield row
        yield from (image for image in high.images.values() if image is not None)


def require_fit(expected: Expected) -> None:
    """Raise LedaError if a total is none that a row can hold."""
    too_long = []
    for node, amounts in expected.totals.items():
        try:
            for amount in amounts:
                number(str(amount))
        except NotExact:
            too_long.append(node)
    if too_long:
        raise LedaError(
            f"{len(too_long)} totals have more than the 38 digits of a DynamoDB number: {first(too_long)}",
            "a row of StateTable below them was written by hand, or under wider limits than the sum has "
            "room for: send a newer version of it, or a deletion",
        )


def first(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
