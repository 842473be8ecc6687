"""Reduce's arithmetic: from delta rows of ReduceTable to the ADDs of AggregateTable.

A delta row is {Lane, Delta, Totals: {path: N}, Records, OldestTimestamp?, NewestTimestamp?, ExpiresAt}.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from leda.hierarchy import MAX_PATH_BYTES
from leda.numbers import NotExact, exact, number
from leda.streams import Image, StreamRecord
from leda.transactions import MAX_EFFECTS


class UnreadableDelta(ValueError):
    """A row of ReduceTable that Map did not write; the text says what is wrong with it."""


@dataclass(slots=True)
class Sum:
    """The sum of the delta rows of a prefix of records."""

    count: int = 0
    deltas: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)
    unreadable: list[tuple[StreamRecord, str]] = field(default_factory=list)
    oldest: Decimal | None = None


def add_up(records: Sequence[StreamRecord]) -> Sum:
    """The longest prefix of `records` that touches no more totals than a transaction has actions, summed.

    Only a new delta row counts: ReduceTable's rows are never changed, and time to live removes them.
    """
    summed = Sum()
    for record in records:
        if record.event_name == "INSERT":
            try:
                totals, oldest = read(record.new)
            except UnreadableDelta as error:
                summed.unreadable.append((record, str(error)))
                summed.count += 1
                continue
            if not _merge(summed.totals, totals):
                break
            summed.deltas += 1
            if oldest is not None:
                summed.oldest = oldest if summed.oldest is None else min(summed.oldest, oldest)
        summed.count += 1
    return summed


def read(row: Image | None) -> tuple[dict[str, Decimal], Decimal | None]:
    """The row's totals by path, and the oldest message's time in it (epoch seconds). Raises UnreadableDelta."""
    entries = (row or {}).get("Totals", {}).get("M")
    if not isinstance(entries, dict):
        raise UnreadableDelta("the row has no Totals (a map)")
    if len(entries) > MAX_EFFECTS:
        raise UnreadableDelta(
            f"Totals has {len(entries)} paths; a transaction has room for {MAX_EFFECTS}"
        )
    totals = {}
    try:
        for path, value in entries.items():
            if not 0 < len(path.encode()) <= MAX_PATH_BYTES:
                raise UnreadableDelta(f"Totals has a path of {len(path.encode())} bytes")
            totals[path] = number(value["N"])
        oldest = (row or {}).get("OldestTimestamp", {}).get("N")
        return totals, None if oldest is None else number(oldest)
    except (KeyError, TypeError) as error:
        raise UnreadableDelta("Totals has a value that is not a number") from error
    except NotExact as error:
        raise UnreadableDelta(f"Totals has a value that {error}") from error


def _merge(totals: dict[str, Decimal], more: dict[str, Decimal]) -> bool:
    """Add `more` to the totals; False, and they stay, where there would be too many paths or a digit too many.

    A delta row alone always fits: `read` refuses one that does not.
    """
    if len(totals) + len(more.keys() - totals.keys()) > MAX_EFFECTS:
        return False
    try:
        with exact():
            sums = {path: totals[path] + more[path] for path in totals.keys() & more.keys()}
    except NotExact:
        return False
    totals.update(more)
    totals.update(sums)
    return True
