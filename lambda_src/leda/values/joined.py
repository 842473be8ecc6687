"""Joins mappings by name in one pass over each, so that none needs to be in memory as a whole."""

import heapq
import itertools
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any


def joined(*sides: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield every name of any side, in order, with each side's value (None where it has none).

    Mappings other than dicts must iterate in the order of their names.

    >>> list(joined({"b": 1, "a": 2}, {"b": 3}))
    [('a', [2, None]), ('b', [1, 3])]
    """
    rows = heapq.merge(*map(_in_order, itertools.count(), sides), key=itemgetter(0))
    for name, found in itertools.groupby(rows, key=itemgetter(0)):
        values: list[Any] = [None] * len(sides)
        for _, place, value in found:
            values[place] = value
        yield name, values


def _in_order(place: int, side: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    if isinstance(side, dict):
        return ((name, place, side[name]) for name in sorted(side))
    return ((name, place, value) for name, value in side.items())
